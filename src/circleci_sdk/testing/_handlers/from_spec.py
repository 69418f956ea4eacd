"""Responses generated from the spec, for operations without a handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from circleci_sdk.testing._wire.spec import Schema, Spec, spec_of

from .context import RequestContext, millis

if TYPE_CHECKING:
    from collections.abc import Mapping


def generated_response(ctx: RequestContext) -> object:
    """A body that fits the spec. Values of the request are returned where the response has the same field."""
    spec = spec_of(ctx.call.operation.api.name)
    schema = spec.success(ctx.call.operation.id)[1]
    if schema is None:
        return ""
    body = example_value(spec, schema, ctx)
    return _with_sent(cast("dict[str, Any]", body), ctx.call.args) if isinstance(body, dict) else body


def example_value(spec: Spec, schema: Schema, ctx: RequestContext, depth: int = 0) -> Any:
    """A value that fits a schema, with optional fields near the top only."""
    schema = spec.resolve(schema)
    for key in ("anyOf", "oneOf", "allOf"):
        if key in schema:
            return example_value(spec, schema[key][0], ctx, depth)
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type", "object")
    match kind if isinstance(kind, str) else kind[0]:
        case "object":
            names = schema.get("required", ()) if depth > 3 else schema.get("properties", {})
            properties = schema.get("properties", {})
            return {name: example_value(spec, properties[name], ctx, depth + 1) for name in names}
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
            return _text(schema, ctx)


def _text(schema: Schema, ctx: RequestContext) -> str:
    match schema.get("format"):
        case "uuid":
            return ctx.store.ids.uuid()
        case "date-time":
            return millis(ctx.now)
        case _:
            return "text"


def _with_sent(body: dict[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    return {name: sent[name] if name in sent and type(sent[name]) is type(body[name]) else body[name] for name in body}
