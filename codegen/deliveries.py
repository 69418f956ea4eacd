"""Reads webhook deliveries: the `webhooks` of a spec. They become models without methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .nodes import Problems
from .schemas import read_shape
from .shapes import Components, Record, Reference

if TYPE_CHECKING:
    from .nodes import Node
    from .spec import Spec

_KEYS: Final = frozenset({"summary", "description", "requestBody", "responses"})


def read_deliveries(spec: Spec, components: Components) -> tuple[str, ...]:
    """The bodies of deliveries, by the name of their schema."""
    problems = Problems()
    names: list[str] = []
    for methods in spec.webhooks.values():
        for method, node in methods.items():
            with problems.caught():
                if method != "post":
                    raise node.refusal(f"A delivery is a `post`, not a `{method}`; correct the method.")
                names.append(_delivery(node, components))
    problems.raise_any()
    return tuple(names)


def _delivery(node: Node, components: Components) -> str:
    node.only(_KEYS, "a delivery")
    node.need("summary").text()
    node.need("responses").mapping()
    body = node.need("requestBody")
    body.only({"required", "content"}, "the body of a delivery")
    content = body.need("content")
    content.only({"application/json"}, "the content of a delivery")
    media = content.need("application/json")
    media.only({"schema"}, "the content of a delivery")
    schema = media.need("schema")
    shape = read_shape(schema)
    if not isinstance(shape, Reference) or not isinstance(components[shape.name].content, Record):
        raise schema.refusal("The body of a delivery is an object; name it under `components/schemas` and refer to it.")
    return shape.name
