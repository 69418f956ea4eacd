"""Answers made from the spec, for operations that keep no state here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from circleci_sdk.testing._wire.spec import Schema, Spec, spec_of

from .desk import Desk, millis

if TYPE_CHECKING:
    from collections.abc import Mapping


def specimen_answer(desk: Desk) -> object:
    """A body that fits the spec. What the caller sent comes back where the answer has it too."""
    spec = spec_of(desk.call.operation.api.name)
    schema = spec.success(desk.call.operation.id)[1]
    if schema is None:
        return ""
    body = specimen(spec, schema, desk)
    return _with_sent(cast("dict[str, Any]", body), desk.call.args) if isinstance(body, dict) else body


def specimen(spec: Spec, schema: Schema, desk: Desk, depth: int = 0) -> Any:
    """A value that fits a schema: what is required and, near the top, what is not."""
    schema = spec.resolve(schema)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return specimen(spec, schema[key][0], desk, depth)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind if isinstance(kind, str) else kind[0]:
        case "object":
            wanted = schema.get("required", ()) if depth > 3 else schema.get("properties", {})
            properties = schema.get("properties", {})
            return {name: specimen(spec, properties[name], desk, depth + 1) for name in wanted}
        case "array":
            return []
        case "integer":
            return max(1, schema.get("minimum", 1))
        case "number":
            return 1.0
        case "boolean":
            return False
        case "null":
            return None
        case _:
            return _text(schema, desk)


def _text(schema: Schema, desk: Desk) -> str:
    match schema.get("format"):
        case "uuid":
            return desk.world.ids.uuid()
        case "date-time":
            return millis(desk.now)
        case _:
            return "text"


def _with_sent(body: dict[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    return {name: sent[name] if name in sent and type(sent[name]) is type(body[name]) else body[name] for name in body}
