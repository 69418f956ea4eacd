"""Envelopes that do not fit, over sockets on both event loops: places as on the wire, raw values flat in the dump."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI, DecodeError, FieldUnavailableError, Mismatch, PaginationError
from circleci_sdk.v3.models import Job
from tests.support.clients import ID, client_on
from tests.support.scripted_server import ScriptedServer, reply

ATTRIBUTES: Final[Mapping[str, Any]] = {"name": "build", "phase": "ended"}
REFERENCES: Final[Mapping[str, Any]] = {"workflow": {"id": "w"}, "project": {"id": "p"}}
JOB: Final[Mapping[str, Any]] = {"id": "j", "attributes": ATTRIBUTES, "references": REFERENCES}
FLAT: Final[Mapping[str, Any]] = {"id": "j", "name": "build", "phase": "ended", "workflow_id": "w", "project_id": "p"}


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server) as client:
        yield client


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in FLAT.items() if key != name}


ODD: Final[Mapping[str, tuple[Mapping[str, Any], Mapping[str, Any], Mapping[str, tuple[str, str]]]]] = {
    # name: the parts of the third job of a list, its dump, its mismatches by the places in the response
    "attribute of another type": (
        {"attributes": {**ATTRIBUTES, "name": 7}},
        {**FLAT, "name": 7},
        {"data.2.attributes.name": ("string", "number")},
    ),
    "missing attribute": (
        {"attributes": {"phase": "ended"}},
        without("name"),
        {"data.2.attributes.name": ("string", "missing")},
    ),
    "id of a reference of another type": (
        {"references": {**REFERENCES, "workflow": {"id": 5}}},
        {**FLAT, "workflow_id": 5},
        {"data.2.references.workflow.id": ("string", "number")},
    ),
    "reference without its id": (
        {"references": {**REFERENCES, "workflow": {}}},
        without("workflow_id"),
        {"data.2.references.workflow.id": ("string", "missing")},
    ),
    "reference that is null": (
        {"references": {**REFERENCES, "workflow": None}},
        without("workflow_id"),
        {"data.2.references.workflow.id": ("string", "missing")},
    ),
    "reference that is an id": (
        {"references": {**REFERENCES, "workflow": "w"}},
        {**without("workflow_id"), "references.workflow": "w"},
        {"data.2.references.workflow": ("object", "string")},
    ),
    "attributes in an array": (
        {"attributes": [7]},
        {"id": "j", "workflow_id": "w", "project_id": "p", "attributes": [7]},
        {"data.2.attributes": ("object", "array")},
    ),
    "optional reference that is a number": (
        {"references": {**REFERENCES, "user": 7}},
        {**FLAT, "references.user": 7},
        {"data.2.references.user": ("object", "number")},
    ),
    "no references": (
        {"references": None},
        {"id": "j", "name": "build", "phase": "ended"},
        {
            "data.2.references.workflow.id": ("string", "missing"),
            "data.2.references.project.id": ("string", "missing"),
        },
    ),
}


@pytest.mark.parametrize("name", ODD)
async def test_places_are_those_of_the_wire(client: AsyncCircleCI, server: ScriptedServer, name: str) -> None:
    parts, dump, mismatches = ODD[name]
    server.otherwise(reply(json={"data": [JOB, JOB, {**JOB, **parts}], "page": {"next": "more"}}))

    page = await client.v3.jobs.list(workflow_id=ID)

    job = page.items[2]
    assert {one.place: (one.expected, one.received) for one in page.mismatches} == mismatches
    assert job.mismatches == page.mismatches
    assert job.model_dump(mode="json", exclude_unset=True) == dump
    assert (page.items[1].mismatches, page.items[1].model_dump(exclude_unset=True), page.next) == ((), FLAT, "more")
    for field in {"name", "workflow_id"} - dump.keys():
        with pytest.raises(FieldUnavailableError) as failure:
            getattr(job, field)
        assert failure.value.place in mismatches
    async with client_on(server, strict=True) as strict:
        with pytest.raises(DecodeError) as refused:
            await strict.v3.jobs.list(workflow_id=ID)
    assert refused.value.field in mismatches


async def test_items_that_are_no_objects(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.otherwise(reply(json={"data": [JOB, "odd", None]}))

    page = await client.v3.jobs.list(workflow_id=ID)

    assert page.mismatches == (Mismatch("data.1", "object", "string"), Mismatch("data.2", "object", "null"))
    assert all(isinstance(job, Job) for job in page)
    dumps: list[object] = [job.model_dump(mode="json", exclude_unset=True) for job in page]
    assert dumps == [FLAT, "odd", None]


@pytest.mark.parametrize("links", ["odd", 7, [], "", {"next": 5}, {"next": {"cursor": "c"}}], ids=repr)
async def test_links_that_cannot_be_read_are_not_the_end(
    client: AsyncCircleCI, server: ScriptedServer, links: object
) -> None:
    server.otherwise(reply(json={"data": [JOB, JOB], "page": links}))

    page = await client.v3.jobs.list(workflow_id=ID)
    with pytest.raises(FieldUnavailableError) as unavailable:
        _ = page.next
    assert [one.place for one in page.mismatches] == [unavailable.value.place]
    assert unavailable.value.place == ("page.next" if isinstance(links, dict) else "page")
    found: list[Job] = []
    with pytest.raises(PaginationError, match="a page token that cannot be read"):
        async for job in client.v3.jobs.list(workflow_id=ID):
            found.append(job)  # noqa: PERF401  # the loop raises at its end

    assert len(found) == 2
    assert len(server.requests) == 2
