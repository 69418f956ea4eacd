"""`v2.otel_exporters`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._state.things import Stored
from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers

if TYPE_CHECKING:
    from circleci_sdk.testing._state.things import JsonObject

MOST_EXPORTERS = 5


@answers("v2.otel_exporters.list")
def list_(desk: Desk) -> object:
    return [exporter.shown for exporter in desk.organization().otel_exporters.values()]


@answers("v2.otel_exporters.create")
def create(desk: Desk) -> object:
    organization, call = desk.organization(), desk.call
    if len(organization.otel_exporters) >= MOST_EXPORTERS:
        raise Refusal(400, f"An organization has at most {MOST_EXPORTERS} exporters.")
    shown: JsonObject = {
        "id": desk.world.ids.uuid(),
        "org_id": organization.id,
        "endpoint": call["endpoint"],
        "protocol": call["protocol"],
        "insecure": call.get("insecure", False),
        "headers": dict.fromkeys(call.get("headers", {}), "xxxx"),
    }
    organization.otel_exporters[shown["id"]] = Stored(shown["id"], shown, desk.now, desk.now)
    return shown


@answers("v2.otel_exporters.delete")
def delete(desk: Desk) -> object:
    organization, exporter = desk.stored("otel_exporters", "otel_exporter_id", "Exporter not found")
    del organization.otel_exporters[exporter.id]
    return {"message": "Exporter deleted."}
