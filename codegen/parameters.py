"""Reads the parameters of an operation: from its path, its query and the first level of its body."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from .names import bad_parameter_name, one_of, parameter_name
from .nodes import Json, Node, Problems
from .schemas import read_shape
from .shapes import (
    Anything,
    Choice,
    Components,
    Field,
    Many,
    Map,
    Record,
    Reference,
    Scalar,
    Shape,
    Union,
    all_fields,
    resolved,
)
from .tables import record_names

if TYPE_CHECKING:
    from .spec import Spec

ParameterPlace: TypeAlias = Literal["path", "query", "body"]


@dataclass(frozen=True, slots=True)
class Parameter:
    """One argument of a method.

    `wire` is its name on the wire; for a slug the names of its path parameters, joined by slashes.
    The package sends `default` for an argument that is left out; the API assumes `assumed` for one that is not sent.
    """

    name: str
    wire: str
    place: ParameterPlace
    shape: Shape
    required: bool
    node: Node
    description: str | None = None
    default: str | int | bool | None = None
    assumed: str | int | bool | None = None
    exploded: bool = True
    also_sent_as: tuple[str, ...] = ()
    long_vcs: bool = False
    deprecated: bool = False
    undocumented: bool = False
    example: Json = None
    """Its value in the example call of the reference."""

    @property
    def positional(self) -> bool:
        """Whether it is a positional parameter."""
        return self.place == "path" and self.default is None


_TEMPLATE: Final = re.compile(r"\{([^{}]*)\}")
_SLUG_PARTS: Final[Mapping[str, tuple[Literal["project-slug", "org-slug"], int]]] = {
    "project_slug": ("project-slug", 3),
    "org_slug": ("org-slug", 2),
}
_SLUG_FORMATS: Final = tuple(slug_format for slug_format, _ in _SLUG_PARTS.values())
_COMMON_KEYS: Final = frozenset(
    {"name", "in", "required", "description", "schema", "deprecated"}
    | {"x-python-name", "x-default", "x-undocumented"}
    | {"x-example"}
)
_PATH_KEYS: Final = _COMMON_KEYS | {"x-part-of", "x-long-vcs"}
_PART_KEYS: Final = frozenset({"name", "in", "required", "description", "schema", "x-part-of"})
_FIRST_PART_KEYS: Final = _PART_KEYS | {"x-long-vcs"}
_QUERY_KEYS: Final = _COMMON_KEYS | {"style", "explode", "x-also-sent-as"}


def read_parameters(spec: Spec, operation: Node, path: str, components: Components) -> tuple[Parameter, ...]:
    """The path parameters in the order of the path, then the query parameters in the order of the spec."""
    listed = operation.get("parameters")
    in_path: dict[str, Node] = {}
    query: list[Parameter] = []
    problems = Problems()
    for item in listed.sequence() if listed else []:
        node = spec.follow(item)
        with problems.caught():
            match node.need("in").text():
                case "path":
                    _add_path_node(in_path, node)
                case "query":
                    query.append(_query_parameter(node, components))
                case other:
                    raise node.need("in").refusal(f"`{other}` is not supported as `in`; use path or query.")
    problems.raise_any()
    _check_template(operation, path, in_path)
    return (*_path_parameters(path, in_path, components), *query)


def body_parameter(field: Field, components: Components) -> Parameter:
    """A property of a whole request body as an argument."""
    _check_field(field, components, ())
    parameter = Parameter(
        name=field.name,
        wire=field.wire,
        place="body",
        shape=field.shape,
        required=field.required,
        node=field.node,
        description=field.description,
        default=field.default,
        assumed=field.assumed,
        also_sent_as=field.also_sent_as,
        deprecated=field.deprecated,
        undocumented=field.undocumented,
        example=field.example,
    )
    _check(parameter, components)
    return parameter


def _check_field(field: Field, components: Components, holders: tuple[str, ...]) -> None:
    """Refuses what no argument can hold, at any depth; `holders` are the objects around the field."""
    if not _fits_body(field.shape, components):
        raise field.node.refusal(
            "An argument cannot contain this; use a string, a number, a list, a map or a named object."
        )
    for name in record_names(field.shape, components):
        content = components[name].content
        if name in holders:
            raise field.node.refusal(f"`{name}` contains itself, which an argument cannot; break the cycle.")
        for inner in all_fields(content, components) if isinstance(content, Record) else ():
            _check_field(inner, components, (*holders, name))


def _add_path_node(known: dict[str, Node], node: Node) -> None:
    node.only(_PATH_KEYS, "a path parameter")
    wire = node.need("name").text()
    if wire in known:
        raise node.refusal(f"`{wire}` is listed twice; keep one of them.")
    if not node.flag("required"):
        raise node.refusal(f"`{wire}` is part of the path; set `required: true`.")
    known[wire] = node


def _check_template(operation: Node, path: str, known: Mapping[str, Node]) -> None:
    wires = _TEMPLATE.findall(path)
    for wire in wires:
        if wire not in known:
            raise operation.refusal(f"`{{{wire}}}` in the path is not defined; add it to the parameters.")
        if wires.count(wire) > 1:
            raise operation.refusal(f"`{{{wire}}}` is repeated in the path; use different names.")
    for wire, node in known.items():
        if wire not in wires:
            raise node.refusal(f"`{wire}` is not in the path `{path}`; remove it, or put it there.")


def _path_parameters(path: str, nodes: Mapping[str, Node], components: Components) -> Iterator[Parameter]:
    wires = _TEMPLATE.findall(path)
    for whole, group in groupby(wires, key=lambda wire: nodes[wire].text_of("x-part-of")):
        if whole is None:
            yield from (_path_parameter(nodes[wire], components) for wire in group)
        else:
            yield _slug(whole, [nodes[wire] for wire in group], path)


def _slug(name: str, parts: list[Node], path: str) -> Parameter:
    first = parts[0]
    if name not in _SLUG_PARTS:
        raise first.need("x-part-of").refusal(
            f"`{name}` is not a slug; path parameters are joined as {one_of(_SLUG_PARTS)}."
        )
    for part in parts:
        part.only(_FIRST_PART_KEYS if part is first else _PART_KEYS, "a part of a slug")
        if read_shape(part.need("schema")) != Scalar("string"):
            raise part.need("schema").refusal("A part of a slug is a string; write `type: string`.")
    slug_format, count = _SLUG_PARTS[name]
    wires = [part.need("name").text() for part in parts]
    if len(parts) != count or "/".join(f"{{{wire}}}" for wire in wires) not in path:
        raise first.refusal(f"A `{name}` has {count} parts that follow each other in the path; mark exactly those.")
    return Parameter(
        name=name,
        wire="/".join(wires),
        place="path",
        shape=Scalar("string", slug_format),
        required=True,
        node=first,
        description=first.text_of("description"),
        long_vcs=first.flag("x-long-vcs"),
    )


def _path_parameter(node: Node, components: Components) -> Parameter:
    parameter = replace(_parameter(node, "path"), long_vcs=node.flag("x-long-vcs"))
    shape = parameter.shape
    if not _fits_text(shape, components):
        raise node.need("schema").refusal("A path cannot contain this; use a string, a number or an enum.")
    if parameter.long_vcs and not (isinstance(shape, Scalar) and shape.format in _SLUG_FORMATS):
        raise node.need("x-long-vcs").refusal("`x-long-vcs` belongs to a slug; remove it, or set the format of one.")
    _check(parameter, components)
    return parameter


def _query_parameter(node: Node, components: Components) -> Parameter:
    node.only(_QUERY_KEYS, "a query parameter")
    if "style" in node.mapping() and node.need("style").text() != "form":
        raise node.need("style").refusal("Only `style: form` is known; the lists of this API are repeated or joined.")
    parameter = replace(
        _parameter(node, "query"),
        exploded=node.flag("explode", default=True),
        also_sent_as=node.texts_of("x-also-sent-as"),
    )
    shape = parameter.shape
    if not _fits_text(shape.items if isinstance(shape, Many) else shape, components):
        raise node.need("schema").refusal(
            "A query cannot contain this; use a string, a number, an enum or a list of them."
        )
    _check(parameter, components)
    return parameter


def _parameter(node: Node, place: ParameterPlace) -> Parameter:
    wire = node.need("name").text()
    schema = node.need("schema")
    return Parameter(
        name=node.text_of("x-python-name") or parameter_name(wire),
        wire=wire,
        place=place,
        shape=read_shape(schema, frozenset({"default"})),
        required=node.flag("required"),
        node=node,
        description=node.text_of("description"),
        default=node.scalar_of("x-default"),
        assumed=schema.scalar_of("default"),
        deprecated=node.flag("deprecated"),
        undocumented=node.flag("x-undocumented"),
        example=node.plain_of("x-example"),
    )


def _check(parameter: Parameter, components: Components) -> None:
    if reason := bad_parameter_name(parameter.name):
        raise parameter.node.refusal(f"`{parameter.name}` {reason}; set `x-python-name` to another name.")
    for default in (parameter.default, parameter.assumed):
        if default is not None and not _takes(parameter.shape, default, components):
            raise parameter.node.refusal(
                f"The default {default!r} is no value of `{parameter.wire}`; correct it, or the schema."
            )


def _takes(shape: Shape, value: str | int | bool, components: Components) -> bool:
    match resolved(shape, components):
        case Scalar(type="string"):
            return isinstance(value, str)
        case Scalar(type="boolean"):
            return isinstance(value, bool)
        case Scalar(type="integer" | "number"):
            return isinstance(value, int) and not isinstance(value, bool)
        case Choice(values=values):
            return value in values
        case _:
            return False


def _fits_text(shape: Shape, components: Components) -> bool:
    return isinstance(resolved(shape, components), (Scalar, Choice))


def _fits_body(shape: Shape, components: Components) -> bool:
    match resolved(shape, components):
        case Many(items=items):
            return _fits_body(items, components)
        case Map(values=values):
            return isinstance(values, Anything) or _fits_text(values, components)
        case Union(members=members):
            return all(isinstance(resolved(member, components), Record) for member in members)
        case Scalar() | Choice() | Record() | Reference() | Anything():
            return True
