"""`v2.otel_exporters`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.records import FakeItem
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import JsonObject

MOST_EXPORTERS = 5


@handles("v2.otel_exporters.list")
def list_(ctx: RequestContext) -> object:
    return [exporter.shown for exporter in ctx.organization().otel_exporters.values()]


@handles("v2.otel_exporters.create")
def create(ctx: RequestContext) -> object:
    organization, call = ctx.organization(), ctx.call
    if len(organization.otel_exporters) >= MOST_EXPORTERS:
        raise ErrorResponse(400, f"An organization has at most {MOST_EXPORTERS} exporters.")
    shown: JsonObject = {
        "id": ctx.store.ids.uuid(),
        "org_id": organization.id,
        "endpoint": call["endpoint"],
        "protocol": call["protocol"],
        "insecure": call.get("insecure", False),
        "headers": dict.fromkeys(call.get("headers", {}), "xxxx"),
    }
    organization.otel_exporters[shown["id"]] = FakeItem(shown["id"], shown, ctx.now, ctx.now)
    return shown


@handles("v2.otel_exporters.delete")
def delete(ctx: RequestContext) -> object:
    organization, exporter = ctx.stored("otel_exporters", "otel_exporter_id", "Exporter not found")
    del organization.otel_exporters[exporter.id]
    return {"message": "Exporter deleted."}
