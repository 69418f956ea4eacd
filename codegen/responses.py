"""Reads what an operation returns: models, pages, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from .names import one_of
from .schemas import read_shape
from .shapes import Components, Many, Record, Reference, Shape, Union, resolved

if TYPE_CHECKING:
    from .nodes import Node
    from .parameters import Parameter
    from .spec import Spec

PagingStyle: TypeAlias = Literal["token", "offset", "number", "all"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A successful response: its models, none if there is no body, and its descriptions in the spec."""

    models: tuple[str, ...]
    descriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """The successful responses of an operation; for a list, those with its items. Each outcome has its own models."""

    outcomes: tuple[Outcome, ...]

    @property
    def models(self) -> tuple[str, ...]:
        """What it may be, in the order of the spec."""
        return tuple(dict.fromkeys(name for outcome in self.outcomes for name in outcome.models))

    @property
    def may_be_empty(self) -> bool:
        """Whether there may be no body although there usually is one."""
        return bool(self.models) and any(not outcome.models for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Pagination:
    """The paging of a list: `start` and `size` are Python names of parameters, `items` a key of the response."""

    style: PagingStyle
    start: str | None
    size: str | None
    default_size: int | None
    items: str | None


@dataclass(frozen=True, slots=True)
class Failure:
    """What a status means for this operation in particular."""

    status: int
    description: str


_STYLES: Final[dict[PagingStyle, str | None]] = {
    "token": "page-token",
    "offset": "offset",
    "number": "page",
    "all": None,
}
"""Styles of paging, each with the usual name of the parameter that says where to start."""

_RESPONSE_KEYS: Final = frozenset({"description", "content"})
_PAGING_KEYS: Final = frozenset({"style", "start", "size", "default-size"})
_ITEMS: Final = "items"
_NEXT: Final = "next_page_token"


@dataclass(frozen=True, slots=True)
class _Success:
    node: Node
    description: str
    shape: Shape | None


def read_response(spec: Spec, operation: Node, components: Components) -> Response:
    """The successful responses of an operation that is no list."""
    descriptions: dict[tuple[str, ...], list[str]] = {}
    for success in _successes(spec, operation):
        models = tuple(_models(success.node, success.shape, components)) if success.shape else ()
        descriptions.setdefault(models, []).append(success.description)
    return Response(tuple(Outcome(models, tuple(dict.fromkeys(texts))) for models, texts in descriptions.items()))


def read_page(
    spec: Spec, operation: Node, parameters: Sequence[Parameter], components: Components
) -> tuple[Response, Pagination]:
    """The items and the paging of a list."""
    successes = _successes(spec, operation)
    if len(successes) != 1 or successes[0].shape is None:
        raise operation.need("responses").refusal("Expected exactly one successful response for a list, with a body.")
    paging = operation.need("x-paging")
    paging.only(_PAGING_KEYS, "paging")
    style = _style(paging)
    items_key, item = _page(successes[0].node, successes[0].shape, style, components)
    pagination = Pagination(
        style=style,
        start=_start(paging, style, parameters),
        size=_query_name(paging, "size", paging.text_of("size"), parameters),
        default_size=paging.integer_of("default-size"),
        items=items_key,
    )
    return Response((Outcome((item,), (successes[0].description,)),)), pagination


def read_failures(operation: Node) -> tuple[Failure, ...]:
    """The statuses that the operation describes itself. Shared responses, by reference, say nothing about it."""
    failures: list[Failure] = []
    for status, item in operation.need("responses").mapping().items():
        if status == "default" or status.startswith("2") or "$ref" in item.mapping():
            continue
        if not status.isdecimal() or not 400 <= int(status) <= 599:
            raise item.refusal(f"`{status}` is not a supported status; use 2xx, 4xx, 5xx or `default`.")
        check_response(item)
        failures.append(Failure(int(status), item.need("description").text()))
    return tuple(sorted(failures, key=lambda failure: failure.status))


def check_response(node: Node) -> None:
    """Refuses a response, of a failure too, that says what the generator does not know."""
    node.only(_RESPONSE_KEYS, "a response")
    schema = json_schema(node)
    if schema is not None:
        read_shape(schema)


def json_schema(node: Node) -> Node | None:
    """The schema of a JSON body, if there is a body."""
    content = node.get("content")
    if content is None:
        return None
    content.only({"application/json"}, "content; only application/json is supported")
    media = content.need("application/json")
    media.only({"schema"}, "a JSON body")
    return media.need("schema")


def _successes(spec: Spec, operation: Node) -> list[_Success]:
    found: list[_Success] = []
    for status, item in operation.need("responses").mapping().items():
        if status.startswith("2"):
            response = spec.follow(item)
            check_response(response)
            schema = json_schema(response)
            shape = read_shape(schema) if schema else None
            found.append(_Success(schema or response, response.need("description").text(), shape))
    if not found:
        raise operation.need("responses").refusal("No successful response is described; add a 2xx status.")
    return found


def _models(node: Node, shape: Shape, components: Components) -> Iterator[str]:
    if isinstance(shape, Union) and not shape.nullable:
        for member in shape.members:
            yield from _models(node, member, components)
    elif not isinstance(shape, Reference) or shape.nullable:
        raise node.refusal("Expected a reference to a named schema, and `x-paging` for a list.")
    elif _is_list(components[shape.name].content):
        raise node.refusal(f"`{shape.name}` is a list; add `x-paging` to the operation.")
    else:
        yield shape.name


def _is_list(content: Record | Shape) -> bool:
    if isinstance(content, Record):
        fields = {field.wire: field.shape for field in content.fields}
        return isinstance(fields.get(_ITEMS), Many) and _NEXT in fields
    return isinstance(content, Many)


def _page(node: Node, shape: Shape, style: PagingStyle, components: Components) -> tuple[str | None, str]:
    """The key that holds the items, None for a bare list, and the model of an item."""
    content = resolved(shape, components)
    key = None
    if isinstance(content, Record):
        fields = {field.wire: field.shape for field in content.fields}
        if _ITEMS not in fields:
            raise node.refusal(f"A page contains its list under `{_ITEMS}`; rename it, or return a bare list.")
        if style == "token" and _NEXT not in fields:
            raise node.refusal(
                f"A page contains the token of the next page in `{_NEXT}`; add it, or use another style."
            )
        key, content = _ITEMS, fields[_ITEMS]
    elif style == "token":
        raise node.refusal("A bare list has no token of the next page; use another style of paging.")
    if not isinstance(content, Many) or not isinstance(content.items, Reference) or content.items.nullable:
        raise node.refusal("The items of a list need a named schema; put it under `components/schemas`.")
    return key, content.items.name


def _style(paging: Node) -> PagingStyle:
    text = paging.need("style").text()
    for style in _STYLES:
        if text == style:
            return style
    raise paging.need("style").refusal(f"`{text}` is not a style of paging; use {one_of(_STYLES)}.")


def _start(paging: Node, style: PagingStyle, parameters: Sequence[Parameter]) -> str | None:
    given = paging.get("start")
    if style == "all":
        if given is not None:
            raise given.refusal("A list in one response has no start; remove `start`.")
        return None
    if given is not None and given.value is None:
        if style != "token":
            raise given.refusal("Only a token may be one that no parameter accepts; name the parameter.")
        return None
    return _query_name(paging, "start", given.text() if given else _STYLES[style], parameters)


def _query_name(paging: Node, key: str, wire: str | None, parameters: Sequence[Parameter]) -> str | None:
    """The Python name of a query parameter."""
    for parameter in parameters:
        if parameter.place == "query" and parameter.wire == wire:
            return parameter.name
    if wire is None:
        return None
    raise paging.refusal(f"`{wire}` is not a query parameter of the operation; add it, or correct `{key}`.")
