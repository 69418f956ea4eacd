"""Responses of v3 that are generated from the spec fit the table of its operations."""

from __future__ import annotations

from typing import Any

import pytest

from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.testing._handlers import context, handler_of
from circleci_sdk.testing._wire.spec import Schema, spec_of
from tests.testing.strict_v3 import differences, row_of
from tests.testing.v3 import OPERATIONS, V3

UUID = "00000000-0000-4000-8000-000000000000"
SPEC = spec_of("v3")

handler_of(next(iter(OPERATIONS.values())))  # registers the handlers
GENERATED = sorted(label for label in OPERATIONS if label not in context.HANDLERS)


def sample(schema: Schema) -> Any:
    """A value that a schema accepts, with the required members only."""
    schema = SPEC.resolve(schema)
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {name: sample(schema["properties"][name]) for name in schema.get("required", ())}
        case "array":
            return [sample(schema["items"])]
        case "integer":
            return schema.get("minimum", 1)
        case "boolean":
            return True
        case _:
            times = schema.get("format") == "date-time"
            return UUID if schema.get("format") == "uuid" else "2026-01-01T00:00:00Z" if times else "sent"


def request(label: str) -> dict[str, Any]:
    """A request with what is required; of several parameters of which one is, the first."""
    operation = OPERATIONS[label]
    path = operation.path
    for parameter in operation.path_parameters:
        path = path.replace(f"{{{parameter.wire}}}", UUID)
    schemas = SPEC.parameters(operation.id)
    one_of = [rule.names[0] for rule in operation.rules if rule.kind == "exactly_one"]
    query = {
        each.wire: str(sample(schemas[each.wire]))
        for each in operation.query_parameters
        if each.required or each.name in one_of
    }
    body = SPEC.body(operation.id)
    content = sample(body) if body is not None else None
    if content is not None:
        properties = SPEC.resolve(body or {})["properties"]
        content |= {each.wire: sample(properties[each.wire]) for each in operation.body or () if each.name in one_of}
    return {"method": operation.method, "path": path, "query": query, "body": content}


@pytest.mark.parametrize("label", GENERATED)
async def test_a_generated_response(label: str, fake: FakeCircleCI, anyio_backend: str) -> None:
    response = await V3(fake).send(**request(label))
    operation = OPERATIONS[label]
    assert response.status_code == SPEC.success(operation.id)[0], response.text
    row = row_of(operation.method, operation.path)
    assert differences(row, response.content) == []
    if row.form == "json" and "page" in response.json():
        assert response.json() == {"data": [], "page": {}}


async def test_what_was_sent_comes_back(fake: FakeCircleCI, anyio_backend: str) -> None:
    v3 = V3(fake)
    body = {"data": {"attributes": {"name": "tools", "is_private": True}, "references": {"namespace": {"id": UUID}}}}
    made = (await v3.post("/orb/packages", body, 201))["data"]
    assert (made["attributes"]["name"], made["attributes"]["is_private"]) == ("tools", True)
    assert made["references"]["namespace"]["id"] == UUID
    assert (await v3.post("/namespaces", {"name": "acme", "org_id": UUID}, 201))["data"]["attributes"] == {
        "name": "acme"
    }
    made = await v3.post("/runner/resource", {"resource_class": "acme/linux", "description": "Linux"}, 201)
    assert (made["resource_class"], made["description"]) == ("acme/linux", "Linux")
    source = await v3.send("GET", f"/orb/versions/{UUID}/source")
    assert (source.text, source.headers["content-type"].partition(";")[0]) == ("text\n", "text/plain")
