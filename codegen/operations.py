"""Reads operations: from the path items of a spec to frozen dataclasses, grouped by the resource they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from .fields import check_inline, is_inline, read_members
from .imports import TAKEN_NAMES
from .lifecycle import read_replacement, read_sunset
from .names import OTHER_MODULES, bad_method_name, one_of, pascal_case
from .nodes import Node, Problems
from .parameters import Parameter, body_parameter, read_parameters
from .responses import (
    Failure,
    Pagination,
    Response,
    check_response,
    json_schema,
    read_failures,
    read_page,
    read_response,
)
from .schemas import read_shape
from .shapes import Components, Record, Reference
from .tables import constant

if TYPE_CHECKING:
    from .spec import Spec

RuleKind: TypeAlias = Literal["exactly_one", "at_most_one", "needs"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A combination of arguments that the API refuses; `names` are Python names."""

    kind: RuleKind
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Body:
    """A request body. Its properties are parameters of the operation."""

    required: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One endpoint, with everything that its method and its table say."""

    id: str
    resource: str
    name: str
    method: str
    path: str
    summary: str
    description: str | None
    parameters: tuple[Parameter, ...]
    """In the order of the signature."""
    body: Body | None
    response: Response
    pagination: Pagination | None
    failures: tuple[Failure, ...]
    rules: tuple[Rule, ...]
    takes_circle_token: bool
    on_server: bool
    replayable: bool
    rate_group: str
    experimental: bool
    undocumented: bool
    deprecated: bool
    sunset: date | None
    replacement: str | None
    node: Node

    def parameters_in(self, place: str) -> tuple[Parameter, ...]:
        """Those of the path, the query or the body, in the order of the signature."""
        return tuple(parameter for parameter in self.parameters if parameter.place == place)


@dataclass(frozen=True, slots=True)
class Resource:
    """Operations that belong together: one module, one class, one attribute of the client."""

    name: str
    descriptions: tuple[str, ...]
    operations: tuple[Operation, ...]


_METHODS: Final = ("get", "put", "post", "delete", "patch")
_KEYS: Final = frozenset(
    {"tags", "operationId", "summary", "description", "parameters", "requestBody", "responses", "deprecated"}
    | {"x-python-name", "x-paging", "x-replayable", "x-rate-group", "x-experimental", "x-undocumented"}
    | {"x-sunset", "x-replacement", "x-rules", "x-source", "x-auth", "x-on-server"}
)
_TAG_KEYS: Final = frozenset({"name", "description", "x-resource"})
_RULES: Final[dict[str, RuleKind]] = {"exactly-one": "exactly_one", "at-most-one": "at_most_one", "needs": "needs"}
_ID: Final = re.compile(r"[a-z][A-Za-z0-9]*")
_SUMMARY_LENGTH: Final = 100
_LISTS: Final = ("list", "search")
_STREAM: Final = "stream_"


@dataclass(frozen=True, slots=True)
class _Tag:
    resource: str
    description: str
    node: Node


def read_resources(spec: Spec, components: Components, api_name: str) -> tuple[Resource, ...]:
    """All operations in the order of the files, by resource in alphabetical order."""
    problems = Problems()
    tags: dict[str, _Tag] = {}
    for node in spec.head["tags"].sequence():
        with problems.caught():
            _add_tag(tags, node)
    problems.raise_any()
    operations: list[Operation] = []
    for path, methods in spec.paths.items():
        for method, node in methods.items():
            with problems.caught():
                operations.append(_operation(spec, components, tags, api_name, path, method, node))
    for response in spec.components["responses"].values():
        with problems.caught():
            check_response(response)
    problems.raise_any()
    _check_unique(operations)
    _check_used(tags, operations)
    names = sorted({tag.resource for tag in tags.values()})
    return tuple(_resource(name, tags, operations) for name in names)


def _resource(name: str, tags: Mapping[str, _Tag], operations: list[Operation]) -> Resource:
    return Resource(
        name=name,
        descriptions=tuple(tag.description for tag in tags.values() if tag.resource == name),
        operations=tuple(operation for operation in operations if operation.resource == name),
    )


def _add_tag(tags: dict[str, _Tag], node: Node) -> None:
    node.only(_TAG_KEYS, "a tag")
    name = node.need("name").text()
    resource = node.get("x-resource")
    if resource is None:
        raise node.refusal(f"The tag `{name}` has no `x-resource`; set the Python module of its operations.")
    if (
        bad_method_name(resource.text())
        or resource.text() in OTHER_MODULES
        or pascal_case(resource.text()) in TAKEN_NAMES
    ):
        raise resource.refusal(f"`{resource.text()}` cannot be a module; use a plural noun in lower case.")
    if name in tags:
        raise node.refusal(f"The tag `{name}` is defined twice; keep one of them.")
    tags[name] = _Tag(resource.text(), node.need("description").text(), node)


def _operation(
    spec: Spec, components: Components, tags: Mapping[str, _Tag], api_name: str, path: str, method: str, node: Node
) -> Operation:
    if method not in _METHODS:
        raise node.refusal(f"`{method}` is not a supported method; use {one_of(_METHODS)}.")
    node.only(_KEYS, "an operation")
    if not path.startswith("/"):
        raise node.refusal(f"The path `{path}` does not begin with a slash; add it.")
    resource = _tag(node, tags).resource
    in_url = read_parameters(spec, node, path, components)
    body, in_body = _body(spec, node, components)
    parameters = (*in_url, *in_body)
    _check_names(parameters)
    if "x-paging" in node.mapping():
        if body and node.need("x-paging").text_of("style") != "cursor":
            raise node.need("requestBody").refusal("A list has no request body; remove it, or the paging.")
        response, pagination = read_page(spec, node, parameters, components)
    else:
        response, pagination = read_response(spec, node, components), None
    return Operation(
        id=_id(node, components),
        resource=resource,
        name=_method_name(node, is_list=pagination is not None, is_stream=response.is_stream),
        method=method.upper(),
        path=path,
        summary=_summary(node),
        description=node.text_of("description"),
        parameters=_in_order(parameters, pagination),
        body=body,
        response=response,
        pagination=pagination,
        failures=read_failures(node),
        rules=_rules(node, parameters),
        takes_circle_token=_takes_circle_token(node),
        on_server=node.flag("x-on-server"),
        replayable=node.flag("x-replayable", default=method != "post"),
        rate_group=node.text_of("x-rate-group") or f"{api_name}.{resource}",
        experimental=node.flag("x-experimental"),
        undocumented=node.flag("x-undocumented"),
        deprecated=node.flag("deprecated"),
        sunset=read_sunset(node),
        replacement=read_replacement(node),
        node=node,
    )


def _tag(node: Node, tags: Mapping[str, _Tag]) -> _Tag:
    names = node.texts_of("tags")
    if len(names) != 1:
        raise node.refusal("Expected exactly one tag per operation, which determines the resource.")
    if names[0] not in tags:
        raise node.need("tags").refusal(f"The tag `{names[0]}` is not defined; add it to `tags` in openapi.yaml.")
    return tags[names[0]]


def _id(node: Node, components: Components) -> str:
    child = node.need("operationId")
    if not _ID.fullmatch(child.text()):
        raise child.refusal(f"`{child.text()}` is not an operation id; use letters and digits, as in getJobDetails.")
    if constant(child.text()) in map(constant, components):
        raise child.refusal(
            f"`{child.text()}` and a schema would have the constant `{constant(child.text())}`; rename one."
        )
    return child.text()


def _takes_circle_token(node: Node) -> bool:
    child = node.get("x-auth")
    if child is not None and child.text() != "circle-token":
        raise child.refusal(f"`{child.text()}` is not supported; write `circle-token`, or remove it.")
    return child is not None


def _method_name(node: Node, *, is_list: bool, is_stream: bool) -> str:
    child = node.need("x-python-name")
    name = child.text()
    if reason := bad_method_name(name):
        raise child.refusal(f"`{name}` {reason}; choose another name, or append an underscore.")
    if is_list != (name.partition("_")[0] in _LISTS):
        raise child.refusal(
            f"`{name}`: {one_of(_LISTS)} begins the name of each method that returns a list, and of no other."
        )
    if is_stream != name.startswith(_STREAM):
        raise child.refusal(
            f"`{name}`: `{_STREAM}` begins the name of each method that returns a stream, and of no other."
        )
    return name


def _summary(node: Node) -> str:
    child = node.need("summary")
    if "\n" in child.text() or len(child.text()) > _SUMMARY_LENGTH:
        raise child.refusal(
            f"The summary is the first line of a docstring; shorten it to {_SUMMARY_LENGTH} characters."
        )
    return child.text()


def _body(spec: Spec, node: Node, components: Components) -> tuple[Body | None, tuple[Parameter, ...]]:
    request = node.get("requestBody")
    if request is None:
        return None, ()
    request.only({"required", "content"}, "a request body")
    schema = json_schema(request)
    if schema is None:
        raise request.refusal("A request body has `content`; add it, or remove the body.")
    if is_inline(schema):
        check_inline(schema)
        fields = read_members(schema, spec)
        return Body(request.flag("required")), tuple(body_parameter(field, components) for field in fields)
    shape = read_shape(schema)
    record = components[shape.name].content if isinstance(shape, Reference) else None
    if not isinstance(record, Record) or record.bases:
        raise schema.refusal(
            "A request body refers to a named object without `allOf`, whose properties become keywords."
        )
    return Body(request.flag("required")), tuple(body_parameter(field, components) for field in record.fields)


def _check_names(parameters: Sequence[Parameter]) -> None:
    problems = Problems()
    seen: dict[str, Parameter] = {}
    for parameter in parameters:
        with problems.caught():
            other = seen.setdefault(parameter.name, parameter)
            if other is not parameter:
                raise parameter.node.refusal(
                    f"`{other.wire}` and `{parameter.wire}` are both `{parameter.name}` in Python; "
                    "set `x-python-name` on one."
                )
    problems.raise_any()


def _in_order(parameters: Sequence[Parameter], pagination: Pagination | None) -> tuple[Parameter, ...]:
    size, start = (pagination.size, pagination.start) if pagination else (None, None)

    def rank(parameter: Parameter) -> int:
        if parameter.place == "path":
            return 0 if parameter.positional else 3
        if parameter.name in (size, start):
            return 4 if parameter.name == size else 5
        return 1 if parameter.required and parameter.default is None else 2

    return tuple(sorted(parameters, key=rank))


def _rules(node: Node, parameters: Sequence[Parameter]) -> tuple[Rule, ...]:
    listed = node.get("x-rules")
    known = {parameter.name for parameter in parameters}
    rules: list[Rule] = []
    for item in listed.sequence() if listed else []:
        item.only(_RULES, "a rule")
        for key, names in item.mapping().items():
            rule = Rule(_RULES[key], item.texts_of(key))
            if len(rule.names) < 2:
                raise names.refusal("A rule needs at least two arguments; name them.")
            for name in rule.names:
                if name not in known:
                    raise names.refusal(f"`{name}` is not an argument of the method; use Python names.")
            rules.append(rule)
    return tuple(rules)


def _check_unique(operations: Sequence[Operation]) -> None:
    problems = Problems()
    seen: dict[tuple[str, str], Operation] = {}
    for operation in operations:
        method = f"{operation.resource}.{operation.name}"
        # Ids that differ in case only would share a constant.
        for kind, name in (("operation id", constant(operation.id)), ("method", method)):
            with problems.caught():
                other = seen.setdefault((kind, name), operation)
                if other is not operation:
                    shown = method if kind == "method" else operation.id
                    raise operation.node.refusal(f"The {kind} `{shown}` is that of {other.node.place} too; rename one.")
    problems.raise_any()


def _check_used(tags: Mapping[str, _Tag], operations: Sequence[Operation]) -> None:
    problems = Problems()
    used = {name for operation in operations for name in operation.node.texts_of("tags")}
    for name, tag in tags.items():
        with problems.caught():
            if name not in used:
                raise tag.node.refusal(f"No operation has the tag `{name}`; remove it, or use it.")
    problems.raise_any()
