"""Sample bodies of API v3, from the fakes and tests of its clients, are read without loss by their methods.

The requests that the samples show are those that the methods send.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI, Mismatch, Page, StatusError
from tests.support import places
from tests.support.calls import TOKEN, calls
from tests.support.clients import ID
from tests.support.scripted_server import Response, ScriptedServer, reply
from tests.support.v3_facts import BASE, V3Operation, operations
from tests.support.v3_responses import items_key
from tests.support.v3_samples import Sample, differences, samples

OPERATIONS: Final = {operation.id: operation for operation in operations()}
SAMPLES: Final = samples(places.v3_payloads())

NO_OPERATION: Final = {
    "left for a later release": {
        "GET /function/packages",
        "GET /function/versions/{id}",
        "GET /notification/channel-configs",
        "GET /notification/channel-configs/{id}",
        "GET /notification/integrations",
        "GET /notification/integrations/{id}",
        "GET /notification/links",
        "GET /notification/preferences",
        "DELETE /notification/channel-configs/{id}",
        "DELETE /notification/integrations/{id}",
        "POST /notification/channel-configs",
        "POST /notification/channel-configs/{id}/update",
        "POST /notification/integrations/{id}/set-status",
        "POST /notification/preferences",
        "GET /sidecar/commands/{id}",
        "GET /sidecar/commands/{id}/output",
        "GET /sidecar/instances",
        "GET /sidecar/snapshots",
        "GET /sidecar/snapshots/{id}",
        "DELETE /sidecar/instances/{id}",
        "POST /sidecar/instances",
        "POST /sidecar/instances/{id}/exec",
        "POST /sidecar/instances/{id}/ssh/add-key",
        "POST /sidecar/snapshots",
    },
    "of the former host of the runner API": {"GET /runner/tasks", "GET /runner/tasks/running"},
    "called by no client": {"GET /namespaces/{id}", "DELETE /runner/resource/{id}"},
    "any operation": {"GET /any"},
}
"""Samples without an operation of the SDK, by reason. Their errors are sent to another one."""
LEFT_OUT: Final = frozenset().union(*NO_OPERATION.values())

MISMATCHED: Final = {
    "jobs/GET_jobs_id-2.json": (
        "the fake leaves the end of a running step as an empty string",
        Mismatch("data.attributes.parallel_executions.0.steps.0.ended_at", "timestamp or null", "string"),
    ),
}
"""Responses that do not fit their types, with the reason."""

EMPTY: Final = {"runs/POST_runs_search-2.json": "the fake renders an empty list as null"}
"""Lists without items in another form than an empty array."""

OTHER_REQUESTS: Final[Mapping[str, tuple[str, Mapping[str, Any]]]] = {
    "runs/POST_runs_search-1.json": ("an empty cursor, which the SDK leaves out", {"page": {"limit": 1}}),
}
"""Members of requests in another form than the SDK sends, with the reason."""

NO_ERRORS: Final = {"GET /jobs/{id}/stdout 416": "a stream has nothing behind its offset yet"}
"""Errors of the API that are none of a method."""

RESPONSES: Final = [sample for sample in SAMPLES if not sample.is_error and sample.key not in LEFT_OUT]
ERRORS: Final = [sample for sample in SAMPLES if sample.is_error and str(sample) not in NO_ERRORS]
REQUESTS: Final = [sample for sample in RESPONSES if sample.query is not None or sample.body is not None]


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
async def client(api: ScriptedServer, anyio_backend: str) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI(TOKEN, base_url=api.url, max_retries=0) as client:
        yield client


def test_every_sample_is_of_an_operation_or_left_out() -> None:
    assert {sample.key for sample in SAMPLES} <= OPERATIONS.keys() | LEFT_OUT
    assert not OPERATIONS.keys() & LEFT_OUT
    assert {sample.key for sample in SAMPLES} >= LEFT_OUT
    counts = Counter(sample.is_error for sample in SAMPLES)
    assert (len(SAMPLES), counts[True], len(RESPONSES), len(REQUESTS)) == (227, 62, 129, 62)
    files = {str(sample) for sample in SAMPLES}
    assert files >= MISMATCHED.keys() | EMPTY.keys() | OTHER_REQUESTS.keys()


def test_operations_without_a_sample_of_a_success() -> None:
    """They return nothing, but for one that returns a resource class, like its neighbors."""
    without = OPERATIONS.keys() - {sample.key for sample in RESPONSES}
    assert {key for key in without if OPERATIONS[key].row.form == "json"} == {
        "POST /runner/resource-classes/{id}/update"
    }
    assert len(without) == 7


async def result_of(client: AsyncCircleCI, operation: V3Operation, keywords: Mapping[str, Any], offset: int = 0) -> Any:
    """The result of a call; of a list the first page, of a stream all it gives from an offset on."""
    result = getattr(getattr(client.v3, operation.resource), operation.name)(**keywords)
    if not operation.streams:
        return await result
    async with result.resume(offset) if offset else result as stream:
        return [piece async for piece in stream]


def required(operation: V3Operation) -> Mapping[str, Any]:
    """The required arguments, by keyword."""
    return calls(operation, lambda name, values: values)[1].keywords


@pytest.mark.parametrize("sample", RESPONSES, ids=str)
async def test_nothing_is_lost(client: AsyncCircleCI, api: ScriptedServer, sample: Sample) -> None:
    operation = OPERATIONS[sample.key]
    api.clear()
    api.script([response(sample)])

    result = await result_of(client, operation, required(operation), sample.offset)

    expected = MISMATCHED.get(str(sample), ("",))[1:]
    assert getattr(result, "mismatches", ()) == expected
    if not expected:
        assert list(lost(operation, sample, result)) == []


def response(sample: Sample) -> Response:
    return reply(sample.status, body=sample.content, content_type=sample.content_type, headers=sample.headers)


def lost(operation: V3Operation, sample: Sample, result: Any) -> Iterator[str]:
    """What of a sample is not in the result."""
    form = operation.row.form
    if form in {"text", "bytes"}:
        content = b"".join(result) if operation.streams else result.encode()
        yield from [] if content == sample.content else [f"{content!r} in place of {sample.content!r}"]
    elif form == "lines":
        lines = sample.content.splitlines()
        yield from [] if len(lines) == len(result) else [f"{len(result)} items of {len(lines)} lines"]
        for line, item in zip(lines, result, strict=False):
            yield from differences(json.loads(line), item)
    elif not sample.content:
        yield from [] if result is None else [f"{result!r} from nowhere"]
    elif isinstance(result, Page):
        yield from lost_of_page(operation, sample, result)
    else:
        yield from differences(sample.json, result)


def lost_of_page(operation: V3Operation, sample: Sample, page: Page[Any]) -> Iterator[str]:
    body = dict(sample.json)
    items = body.pop(items_key(operation.row))
    if items is None and str(sample) in EMPTY:
        items = []
    yield from [] if len(items) == len(page.items) else [f"{len(page)} items of {len(items)}"]
    for number, (item, model) in enumerate(zip(items, page.items, strict=False)):
        yield from differences(item, model, f"data.{number}")
    links = dict(body.pop("page", None) or {})
    if (links.pop("next", None) or None) != page.next:
        yield f"next is {page.next!r}"
    yield from differences({**body, "page": links}, page.extras)


def arguments_of(operation: V3Operation, sample: Sample) -> Mapping[str, Any]:
    """The arguments for the request of a sample, by their names on the wire."""
    query = dict(sample.query or ())
    found: dict[str, Any] = {}
    for argument in operation.arguments:
        if argument.place == "path":
            found[argument.name] = ID
        elif argument.place == "query" and argument.wire in query:
            text = query.pop(argument.wire)
            found[argument.name] = int(text) if argument.shape.kind == "integer" else text
        elif argument.place == "body" and sample.body is not None:
            value = sample.body
            for key in argument.wire.split("."):
                value = value.get(key, {}) if isinstance(value, dict) else {}
            if value not in ({}, "") or argument.default == "":
                found[argument.name] = parsed(argument.shape.kind, value)
    assert not query, f"no parameters for {query}"
    return found


def parsed(kind: str, value: Any) -> Any:
    """An argument for a value on the wire."""
    return datetime.fromisoformat(value) if kind == "date-time" else value


@pytest.mark.parametrize("sample", REQUESTS, ids=str)
async def test_requests_are_those_of_the_clients(client: AsyncCircleCI, api: ScriptedServer, sample: Sample) -> None:
    operation = OPERATIONS[sample.key]
    api.clear()
    api.script([response(sample)])

    await result_of(client, operation, arguments_of(operation, sample), sample.offset)

    [request] = api.requests
    assert (request.method, request.path) == (operation.method, BASE + operation.row.path.replace("{id}", ID))
    assert sorted(request.query) == sorted(sample.query or ())
    if sample.body is None:
        assert request.body == b""
    else:
        assert request.json == {**sample.body, **OTHER_REQUESTS.get(str(sample), ("", {}))[1]}
    assert request.headers.get("range", "") == (sample.range or ("bytes=0-" if operation.streams else ""))


@pytest.mark.parametrize("sample", ERRORS, ids=str)
async def test_errors_give_message_type_and_pointer(client: AsyncCircleCI, api: ScriptedServer, sample: Sample) -> None:
    operation = OPERATIONS.get(sample.key, OPERATIONS["GET /groups"])
    api.clear()
    api.script([reply(sample.status, body=sample.content, content_type=sample.content_type)])

    with pytest.raises(StatusError) as failure:
        await result_of(client, operation, required(operation))

    error = failure.value
    assert (error.status, error.operation) == (sample.status, operation.label)
    body = json.loads(sample.content) if sample.content.startswith(b"{") else {}
    inner = body.get("error", body)
    if isinstance(inner, dict):
        parts = [inner[name] for name in ("title", "detail") if name in inner] or [inner.get("message", "")]
        message, kind = ": ".join(parts).strip(), inner.get("type")
    else:
        message, kind = inner, None
    assert (error.message, error.error_type, error.pointer) == (message or sample.content.decode(), kind, None)
    assert error.message in str(error)


@pytest.mark.parametrize("name", NO_ERRORS)
async def test_errors_that_a_method_does_not_raise(client: AsyncCircleCI, api: ScriptedServer, name: str) -> None:
    [sample] = [sample for sample in SAMPLES if str(sample) == name]
    operation = OPERATIONS[sample.key]
    api.clear()
    api.script([reply(sample.status, body=sample.content)])

    async with client.v3.jobs.stream_stdout(ID, step_num=1) as output:
        assert [piece async for piece in output] == []

    assert (operation.name, output.is_terminal, output.offset) == ("stream_stdout", False, 0)
