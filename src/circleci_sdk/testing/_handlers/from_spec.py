"""Responses generated from the spec, for operations without a handler."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from circleci_sdk.testing._wire.messages import Response, in_envelope
from circleci_sdk.testing._wire.spec import Schema, Spec, spec_of

from .context import RequestContext, millis

if TYPE_CHECKING:
    from collections.abc import Mapping


def generated_response(ctx: RequestContext) -> object:
    """A body that fits the spec. Values of the request are returned where the response has the same field."""
    operation = ctx.call.operation
    spec = spec_of(operation.api.name)
    status, schema = spec.success(operation.id)
    if schema is None:
        media_type = spec.media_type(operation.id)
        return "" if media_type is None else Response(status, "text\n", media_type=media_type)
    body = example_value(spec, schema, ctx)
    if not isinstance(body, dict):
        return body
    shown = cast("dict[str, Any]", body)
    return _with_sent_entity(shown, ctx.call.args) if in_envelope(operation) else _with_sent(shown, ctx.call.args)


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


def _with_sent_entity(body: dict[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    """A body of v3: a list without a further page, or an entity with sent attributes and references."""
    if "page" in body:
        return {**body, "page": {}}
    shown = dict(body["data"]) if isinstance(body.get("data"), dict) else {}
    if "attributes" in shown:
        shown["attributes"] = _with_sent(shown["attributes"], sent)
    if "references" in shown:
        ids = {name: sent.get(f"{name}_id") for name in shown["references"]}
        shown["references"] = {
            name: {**each, "id": ids[name]} if isinstance(each, dict) and ids[name] else each
            for name, each in shown["references"].items()
        }
    return {**body, "data": shown} if shown else body


def _with_sent(body: dict[str, Any], sent: Mapping[str, Any]) -> dict[str, Any]:
    return {name: sent[name] if name in sent and type(sent[name]) is type(body[name]) else body[name] for name in body}
