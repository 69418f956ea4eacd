"""Validates requests against the spec, and decodes their arguments."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl

from circleci_sdk.testing._wire.formats import is_uuid, read_time
from circleci_sdk.testing._wire.messages import ErrorResponse, Request

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation, Parameter, Rule
    from circleci_sdk.testing._wire.spec import Schema, Spec

_NOTHING: Final = object()
"""A member that was not sent."""

_TOLERANT: Final = frozenset({"v3.workflows.rerun"})
"""Operations that ignore unknown members of the body."""

_INTEGER: Final = re.compile(r"-?[0-9]+")
_NAMES: Final = {
    "string": "a string",
    "integer": "an integer",
    "number": "a number",
    "boolean": "a boolean",
    "array": "an array",
    "object": "an object",
}


def validated_arguments(
    operation: Operation[Any], spec: Spec, in_path: Mapping[str, str], request: Request
) -> dict[str, Any]:
    """The arguments of a request by Python name. Raises `ErrorResponse` with 400 for a value that does not fit."""
    schemas = spec.parameters(operation.id)
    arguments: dict[str, Any] = {}
    for parameter in operation.path_parameters:
        schema = schemas.get(parameter.wire, {})
        arguments[parameter.name] = _decoded(spec, schema, in_path[parameter.name], parameter.wire)
    arguments |= _query(operation, spec, schemas, request)
    arguments |= _body(operation, spec, request)
    for rule in operation.rules:
        _check_rule(rule, operation, arguments)
    return arguments


def _query(operation: Operation[Any], spec: Spec, schemas: Mapping[str, Schema], request: Request) -> dict[str, Any]:
    sent: dict[str, list[str]] = {}
    for key, value in request.query:
        if key != "circle-token":
            sent.setdefault(key, []).append(value)
    found: dict[str, Any] = {}
    for parameter in operation.query_parameters:
        given = [value for name in (parameter.wire, *parameter.also) for value in sent.pop(name, [])]
        if not given:
            if parameter.required:
                raise _missing(operation, parameter.wire)
            continue
        schema = spec.resolve(schemas[parameter.wire])
        if _types(schema) == ["array"]:
            items = given if parameter.exploded else [item for value in given for item in value.split(",")]
            found[parameter.name] = [_decoded(spec, schema["items"], item, parameter.wire) for item in items]
        else:
            found[parameter.name] = _decoded(spec, schema, given[-1], parameter.wire)
    if sent and not _leads_nowhere(operation):
        raise ErrorResponse(400, f"Unexpected query parameter '{min(sent)}'.")
    return found


def _missing(operation: Operation[Any], wire: str) -> ErrorResponse:
    if operation.api.name == "v3":
        return ErrorResponse(400, f"Query parameter '{wire}' is required.", title="Missing Required Filter")
    return ErrorResponse(400, f"Missing query parameter '{wire}'.")


def _leads_nowhere(operation: Operation[Any]) -> bool:
    """Whether the responses have a token that no parameter takes. Each attempt with one gets the first page again."""
    return operation.paging is not None and operation.paging.style == "token" and operation.paging.start is None


def _body(operation: Operation[Any], spec: Spec, request: Request) -> dict[str, Any]:
    schema = spec.body(operation.id)
    if schema is None or operation.body is None:
        return {}
    sent = _read_body(request)
    if sent is None or (sent == {} and spec.resolve(schema).get("required")):
        if operation.body_required:
            raise ErrorResponse(400, "No JSON fields found.")
        return {}
    if not isinstance(sent, dict):
        raise ErrorResponse(400, "The body must be a JSON object.")
    body = _one_spelling(operation.body, cast("dict[str, Any]", sent))
    if operation.label in _TOLERANT:
        body = {name: value for name, value in body.items() if any(name == each.wire for each in operation.body)}
    check(spec, schema, body, "")
    # Of a key with several spellings only the first counts. The others are accepted, and dropped.
    found = {each.name: _at(sent, each.wire) for each in operation.body}
    return {name: value for name, value in found.items() if value is not _NOTHING}


def _at(sent: Any, wire: str) -> Any:
    """The value of a member by its path, such as `data.attributes.name`."""
    for name in wire.split("."):
        if not isinstance(sent, dict) or name not in sent:
            return _NOTHING
        sent = cast("dict[str, Any]", sent)[name]
    return sent


def _read_body(request: Request) -> object:
    if not request.body.strip():
        return None
    if request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(request.body.decode("utf-8", "replace")))
    try:
        return cast("object", json.loads(request.body))
    except (ValueError, RecursionError):
        raise ErrorResponse(400, "Malformed JSON in the request body.") from None


def _one_spelling(parameters: tuple[Parameter, ...], sent: dict[str, Any]) -> dict[str, Any]:
    """The body with one spelling of each key, where clients send several."""
    body = dict(sent)
    for parameter in parameters:
        for other in parameter.also:
            if other in body:
                body.setdefault(parameter.wire, body.pop(other))
    return body


def check(spec: Spec, schema: Schema, value: object, field: str) -> None:
    """Check a JSON value against a schema. Raises `ErrorResponse` with 400 and the name of the field."""
    schema = spec.resolve(schema)
    if variants := schema.get("anyOf") or schema.get("oneOf"):
        _check_variants(spec, variants, value, field)
        return
    types = _types(schema)
    if types and not any(_is(kind, value) for kind in types):
        expected = " or ".join(_NAMES[kind] for kind in types if kind != "null")
        raise ErrorResponse(400, f"Field '{field}' must be {expected}.")
    if isinstance(value, dict):
        _check_object(spec, schema, cast("dict[str, object]", value), field)
    elif isinstance(value, list):
        for at, item in enumerate(cast("list[object]", value)):
            check(spec, schema.get("items", {}), item, f"{field}[{at}]")
    elif value is not None:
        _check_scalar(schema, value, f"Field '{field}'")


def _check_variants(spec: Spec, variants: list[Schema], value: object, field: str) -> None:
    errors: list[ErrorResponse] = []
    for variant in variants:
        try:
            check(spec, variant, value, field)
        except ErrorResponse as error:
            errors.append(error)
        else:
            return
    raise errors[0]


def _check_object(spec: Spec, schema: Schema, value: dict[str, object], field: str) -> None:
    prefix = f"{field}." if field else ""
    properties: Mapping[str, Schema] = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            raise ErrorResponse(400, f"Missing required field '{prefix}{name}'.")
    for name, item in value.items():
        if name in properties:
            check(spec, properties[name], item, prefix + name)
        elif isinstance(schema.get("additionalProperties"), Mapping):
            check(spec, schema["additionalProperties"], item, prefix + name)
        elif properties:
            raise ErrorResponse(400, f"Unexpected field '{prefix}{name}'.")


def _check_scalar(schema: Schema, value: object, field: str) -> None:
    if (known := schema.get("enum")) and value not in known:
        raise ErrorResponse(400, f"{field} must be one of {', '.join(map(str, known))}.")
    if isinstance(value, str):
        _check_format(schema.get("format"), value, field)
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        low, high = schema.get("minimum"), schema.get("maximum")
        if (low is not None and value < low) or (high is not None and value > high):
            raise ErrorResponse(400, f"{field} is out of range.")


def _check_format(name: str | None, value: str, field: str) -> None:
    if name == "uuid" and not is_uuid(value):
        raise ErrorResponse(400, f"{field} must be a UUID.")
    if name == "date-time" and read_time(value) is None:
        raise ErrorResponse(400, f"{field} must be a date and time such as 2026-06-01T09:00:00Z.")


def _decoded(spec: Spec, schema: Schema, text: str, wire: str) -> object:
    """A value of the path or the query, decoded by its type. Raises `ErrorResponse` with 400."""
    schema = spec.resolve(schema)
    field = f"Parameter '{wire}'"
    value: object = text
    match _types(schema)[:1]:
        case ["integer"]:
            if not _INTEGER.fullmatch(text) or len(text) > 18:
                raise ErrorResponse(400, f"{field} must be an integer.")
            value = int(text)
        case ["boolean"]:
            if text not in ("true", "false"):
                raise ErrorResponse(400, f"{field} must be true or false.")
            value = text == "true"
        case _:
            pass
    _check_scalar(schema, value, field)
    return value


def _check_rule(rule: Rule, operation: Operation[Any], arguments: Mapping[str, Any]) -> None:
    given = [name for name in rule.names if arguments.get(name, False) is not False]
    wires = {each.name: each.wire for each in (*operation.query_parameters, *(operation.body or ()))}
    items = ", ".join(f"'{wires.get(name, name)}'" for name in rule.names)
    if rule.kind == "exactly_one" and len(given) != 1:
        missing = operation.api.name == "v3" and not given
        raise ErrorResponse(400, f"Give exactly one of {items}.", title="Missing Required Filter" if missing else None)
    if rule.kind == "at_most_one" and len(given) > 1:
        raise ErrorResponse(400, f"Give only one of {items}.")
    if rule.kind == "needs" and given == [rule.names[0]]:
        raise ErrorResponse(400, f"'{wires.get(given[0], given[0])}' requires another of these fields: {items}.")


def _types(schema: Schema) -> list[str]:
    types = schema.get("type", [])
    return [types] if isinstance(types, str) else list(types)


def _is(kind: str, value: object) -> bool:
    match kind:
        case "string":
            return isinstance(value, str)
        case "integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "number":
            return isinstance(value, (int, float)) and not isinstance(value, bool)
        case "boolean":
            return isinstance(value, bool)
        case "array":
            return isinstance(value, list)
        case "object":
            return isinstance(value, dict)
        case _:
            return value is None
