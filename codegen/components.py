"""Reads the named schemas of a spec: from nodes to components, with the fields of objects."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .fields import read_fields, read_members
from .names import bad_class_name
from .nodes import Node, Problems
from .schemas import read_shape
from .shapes import Component, Components, Field, Record, Reference, Shape, all_fields, references

if TYPE_CHECKING:
    from .spec import Spec

_COMPONENT_KEYS: Final = frozenset({"description", "x-standalone"})
_OBJECT_KEYS: Final = _COMPONENT_KEYS | {
    *("type", "properties", "required", "allOf"),
    *("x-open", "x-computed", "x-entity", "x-inline"),
}
_COMPUTED: Final = {"pipeline-url": ("PipelinePage", ("project_slug", "number"))}
"""Computed properties: the class of the runtime that has them, and the fields that it reads."""


def read_components(spec: Spec) -> Components:
    """Every named schema of the spec."""
    problems = Problems()
    components: dict[str, Component] = {}
    for name, node in spec.components["schemas"].items():
        with problems.caught():
            if reason := bad_class_name(name):
                raise node.refusal(f"`{name}` {reason}; rename the schema.")
            components[name] = _component(name, node, spec)
    problems.raise_any()
    for component in components.values():
        with problems.caught():
            _check_component(component, components)
    problems.raise_any()
    return components


def _component(name: str, node: Node, spec: Spec) -> Component:
    is_record = "properties" in node.mapping() or "allOf" in node.mapping()
    content = _record(node, spec) if is_record else read_shape(node, _COMPONENT_KEYS)
    if not isinstance(content, Record) and content.nullable:
        raise node.refusal("A named schema cannot be nullable; declare null at the reference.")
    return Component(
        name=name,
        content=content,
        node=node,
        description=node.text_of("description"),
        standalone=node.flag("x-standalone"),
    )


def _record(node: Node, spec: Spec) -> Record:
    node.only(_OBJECT_KEYS, "an object")
    if "type" in node.mapping() and node.need("type").value != "object":
        raise node.need("type").refusal("Properties belong to `type: object`; correct the type.")
    bases = node.get("allOf")
    base_names = tuple(_base(item) for item in bases.sequence()) if bases else ()
    fields = read_members(node, spec) if node.flag("x-entity") else read_fields(node)
    return Record(fields, base_names, _computed(node, fields))


def _computed(node: Node, fields: tuple[Field, ...]) -> str | None:
    extension = node.get("x-computed")
    if extension is None:
        return None
    if extension.text() not in _COMPUTED:
        raise extension.refusal(f"Expected one of {', '.join(_COMPUTED)}, got `{extension.text()}`.")
    class_name, needed = _COMPUTED[extension.text()]
    required = {field.name for field in fields if field.required}
    if missing := [name for name in needed if name not in required]:
        raise extension.refusal(f"It is computed from {', '.join(needed)}; require {' and '.join(missing)}.")
    return class_name


def _base(node: Node) -> str:
    shape = read_shape(node)
    if isinstance(shape, Reference):
        return shape.name
    raise node.refusal("`allOf` accepts references to objects only; put other properties next to it.")


def _check_component(component: Component, components: Components) -> None:
    content = component.content
    if isinstance(content, Record):
        _check_bases(component, content, components)
        _check_fields(content, components)
    elif component.name in _alias_closure(content, components):
        raise component.node.refusal("The schema is defined by itself; add an object in between.")


def _check_bases(component: Component, record: Record, components: Components) -> None:
    todo, seen = list(record.bases), {component.name}
    while todo:
        base = todo.pop()
        content = components[base].content
        if not isinstance(content, Record):
            raise component.node.refusal(
                f"`{base}` in `allOf` is not an object with properties; only those can be extended."
            )
        if base in seen:
            raise component.node.refusal(f"`{base}` is extended in a cycle or twice; remove it from `allOf`.")
        seen.add(base)
        todo += content.bases


def _check_fields(record: Record, components: Components) -> None:
    by_name: dict[str, Field] = {}
    for field in all_fields(record, components):
        other = by_name.setdefault(field.name, field)
        if other is not field:
            raise field.node.refusal(
                f"`{other.wire}` and `{field.wire}` are both `{field.name}` in Python; set `x-python-name` on one."
            )


def _alias_closure(content: Shape, components: Components) -> set[str]:
    """The components of an alias, through other aliases but not into objects."""
    found: set[str] = set()
    todo = list(references(content))
    while todo:
        name = todo.pop()
        target = components[name].content
        if name not in found and not isinstance(target, Record):
            found.add(name)
            todo += references(target)
    return found
