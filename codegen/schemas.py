"""Reads schemas: from the nodes of a spec to shapes and components. Unsupported schemas raise."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from .names import bad_class_name, one_of, snake_case
from .nodes import Node, Problems
from .shapes import (
    Anything,
    Choice,
    Component,
    Components,
    Field,
    Many,
    Map,
    Record,
    Reference,
    Scalar,
    ScalarType,
    Shape,
    StringFormat,
    Union,
    all_fields,
    references,
)
from .spec import Spec, reference

FIELD_EXTRAS: Final = frozenset(
    {"description", "deprecated", "default", "x-python-name", "x-undocumented", "x-default", "x-also-sent-as"}
)
"""Keys of a property or a parameter besides its schema."""

_ANNOTATIONS: Final = frozenset({"description"})
_COMPONENT_KEYS: Final = frozenset({"description", "x-standalone"})
_OBJECT_KEYS: Final = _COMPONENT_KEYS | {"type", "properties", "required", "allOf", "x-open", "x-computed"}
_COMPUTED: Final = {"pipeline-url": ("PipelinePage", ("project_slug", "number"))}
"""Computed properties: the class of the runtime that has them, and the fields that it reads."""
_TYPES: Final[tuple[ScalarType, ...]] = ("string", "integer", "number", "boolean")
_FORMATS: Final[tuple[StringFormat, ...]] = ("uuid", "date-time", "uri", "project-slug", "org-slug")
_SCALAR_KEYS: Final[dict[ScalarType, frozenset[str]]] = {
    "string": frozenset({"format", "x-secret"}),
    "integer": frozenset({"minimum", "maximum"}),
    "number": frozenset(),
    "boolean": frozenset(),
}


def read_components(spec: Spec) -> Components:
    """Every named schema of the spec."""
    problems = Problems()
    components: dict[str, Component] = {}
    for name, node in spec.components["schemas"].items():
        with problems.caught():
            if reason := bad_class_name(name):
                raise node.refusal(f"`{name}` {reason}; rename the schema.")
            components[name] = _component(name, node)
    problems.raise_any()
    for component in components.values():
        with problems.caught():
            _check_component(component, components)
    problems.raise_any()
    return components


def read_shape(node: Node, beside: frozenset[str] = _ANNOTATIONS) -> Shape:
    """The shape of a schema; `beside` are the keys that the caller reads from the same node."""
    keys = node.mapping()
    if "$ref" in keys:
        node.only({"$ref"} | beside, "a reference")
        section, name = reference(keys["$ref"])
        if section != "schemas":
            raise keys["$ref"].refusal("Expected a schema; write `#/components/schemas/<Name>`.")
        return Reference(name)
    if "anyOf" in keys:
        node.only({"anyOf"} | beside, "a union")
        return _union(keys["anyOf"])
    if "oneOf" in keys:
        raise keys["oneOf"].refusal("`oneOf` is not supported; use `anyOf`.")
    if node.flag("x-any"):
        node.only({"x-any"} | beside, "a schema of anything")
        return Anything()
    if "type" not in keys:
        raise node.refusal("The schema has no `type`; add it, or `x-any: true` for any JSON.")
    return _typed(node, beside)


def _union(node: Node) -> Shape:
    members = [member for member in node.sequence() if not _is_null(member)]
    nullable = len(members) < len(node.sequence())
    shapes = tuple(read_shape(member, frozenset()) for member in members)
    if not shapes:
        raise node.refusal("The union is empty; list its schemas.")
    if len(shapes) == 1:
        return replace(shapes[0], nullable=nullable or shapes[0].nullable)
    return Union(shapes, nullable)


def _is_null(node: Node) -> bool:
    return node.plain() == {"type": "null"}


def _typed(node: Node, beside: frozenset[str]) -> Shape:
    types, nullable = _types(node.need("type"))
    if len(types) > 1:
        node.only({"type"} | beside, "a union of types")
        return Union(tuple(_bare_scalar(name, node.need("type")) for name in types), nullable)
    match types[0]:
        case "array":
            node.only({"type", "items"} | beside, "a list")
            return Many(read_shape(node.need("items")), nullable)
        case "object":
            return Map(_map_values(node, beside), nullable)
        case "string" if "enum" in node.mapping():
            return _choice(node, nullable, beside)
        case name:
            return _scalar(name, node, nullable, beside)


def _types(node: Node) -> tuple[list[str], bool]:
    names = [node.text()] if isinstance(node.value, str) else [item.text() for item in node.sequence()]
    types = [name for name in names if name != "null"]
    if not types or len(set(types)) < len(types):
        raise node.refusal('List each type once, and at least one besides "null".')
    return types, "null" in names


def _bare_scalar(name: str, node: Node) -> Scalar:
    for known in _TYPES:
        if name == known:
            return Scalar(known)
    raise node.refusal(f"`{name}` cannot be combined with other types; use `anyOf`.")


def _map_values(node: Node, beside: frozenset[str]) -> Shape:
    if "properties" in node.mapping() or "allOf" in node.mapping():
        raise node.refusal(
            "An inline object is not supported; give it a name under `components/schemas` and refer to it."
        )
    node.only({"type", "additionalProperties"} | beside, "a map")
    if "additionalProperties" not in node.mapping():
        raise node.refusal("An object without properties; add `additionalProperties: true` for a free map.")
    values = node.need("additionalProperties")
    if values.value is True:
        return Anything()
    if values.value is False:
        raise values.refusal("A map without values; remove it, or describe its values.")
    return read_shape(values)


def _choice(node: Node, nullable: bool, beside: frozenset[str]) -> Choice:
    node.only({"type", "enum", "x-closed"} | beside, "an enum")
    items = node.need("enum").sequence()
    values = tuple("" if item.value == "" else item.text() for item in items if item.value is not None)
    if not values:
        raise node.need("enum").refusal("The enum is empty; list its values, or remove `enum`.")
    for index, value in enumerate(values):
        if value in values[:index]:
            raise items[index].refusal(f"`{value}` is repeated; keep one of them.")
    return Choice(values, node.flag("x-closed"), nullable or len(values) < len(items))


def _scalar(name: str, node: Node, nullable: bool, beside: frozenset[str]) -> Scalar:
    for known in _TYPES:
        if name == known:
            break
    else:
        raise node.need("type").refusal(f"`{name}` is not a supported type; use {one_of(_TYPES)}.")
    node.only({"type"} | _SCALAR_KEYS[known] | beside, f"a schema of type {known}")
    return Scalar(
        known,
        format=_format(node),
        secret=node.flag("x-secret"),
        minimum=node.integer_of("minimum"),
        maximum=node.integer_of("maximum"),
        nullable=nullable,
    )


def _format(node: Node) -> StringFormat | None:
    child = node.get("format")
    if child is None:
        return None
    for known in _FORMATS:
        if child.text() == known:
            return known
    raise child.refusal(f"`{child.text()}` is not a supported format; use {one_of(_FORMATS)}.")


def _component(name: str, node: Node) -> Component:
    is_record = "properties" in node.mapping() or "allOf" in node.mapping()
    content = _record(node) if is_record else read_shape(node, _COMPONENT_KEYS)
    if not isinstance(content, Record) and content.nullable:
        raise node.refusal("A named schema cannot be nullable; declare null at the reference.")
    return Component(
        name=name,
        content=content,
        node=node,
        description=node.text_of("description"),
        standalone=node.flag("x-standalone"),
    )


def _record(node: Node) -> Record:
    node.only(_OBJECT_KEYS, "an object")
    if "type" in node.mapping() and node.need("type").value != "object":
        raise node.need("type").refusal("Properties belong to `type: object`; correct the type.")
    bases = node.get("allOf")
    base_names = tuple(_base(item) for item in bases.sequence()) if bases else ()
    fields = read_fields(node)
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


def read_fields(node: Node) -> tuple[Field, ...]:
    """The properties of an object, in the order of the spec."""
    properties = node.get("properties")
    fields: list[Field] = []
    problems = Problems()
    required = node.texts_of("required")
    for wire, child in (properties.mapping() if properties else {}).items():
        with problems.caught():
            fields.append(_field(wire, child, required=wire in required))
    problems.raise_any()
    for name in required:
        if properties is None or name not in properties.mapping():
            raise node.need("required").refusal(
                f"`{name}` is required but no property; define it, or correct the name."
            )
    return tuple(fields)


def _field(wire: str, node: Node, *, required: bool) -> Field:
    return Field(
        wire=wire,
        name=node.text_of("x-python-name") or snake_case(wire),
        shape=read_shape(node, FIELD_EXTRAS),
        required=required,
        node=node,
        description=node.text_of("description"),
        deprecated=node.flag("deprecated"),
        undocumented=node.flag("x-undocumented"),
        default=node.scalar_of("x-default"),
        assumed=node.scalar_of("default"),
        also_sent_as=node.texts_of("x-also-sent-as"),
    )


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
