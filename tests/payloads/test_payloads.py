"""Recorded responses of the real API are decoded without loss.

A server sends each response to the method of its operation, and the result is encoded with wire names and compared.
Other notations of timestamps, and hyphens or underscores in keys, are no differences.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import pytest
from pydantic import BaseModel

import circleci_sdk
from circleci_sdk import AsyncCircleCI, DecodeError, Drift, FieldUnavailableError, Mismatch, Page
from tests.support import places
from tests.support.calls import calls
from tests.support.facts import Operation, operations
from tests.support.recordings import KINDS, Recording, differences, recordings, said
from tests.support.scripted_server import ScriptedServer, reply

OLDER_FOLDER, NEWER_FOLDER = places.payload_folders()
RECORDINGS: Final = {
    **{recording.file: recording for recording in recordings(OLDER_FOLDER)},
    **{f"2026/{recording.file}": recording for recording in recordings(NEWER_FOLDER)},
}
"""By file; the newer ones are below `2026/`."""

OPERATIONS: Final = {(operation.version, operation.route): operation for operation in operations(places.facts())}

LIST_ARTIFACTS: Final = OPERATIONS["v1", "GET /project/{}/{}/{}/{}/artifacts"]

NO_OPERATION: Final = {
    "errors/v1.unknown/mtchavez-circleci-1.html": "a route that does not exist; sent to `v1.builds.list_artifacts`",
}
"""Files without an operation of the SDK."""

DELIVERIES: Final = {
    "2026/webhook/ping/circleci-hook-1.json",
    "webhook/job-completed/zulip-zulip-1.json",
    "webhook/job-completed/zulip-zulip-2.json",
    "webhook/job-completed/zulip-zulip-3.json",
    "webhook/ping/zulip-zulip-1.json",
    "webhook/v1-notify/pivotal-projectmonitor-1.json",
    "webhook/v1-notify/zulip-zulip-1.json",
    "webhook/workflow-completed/zulip-zulip-1.json",
    "webhook/workflow-completed/zulip-zulip-2.json",
    "webhook/workflow-completed/zulip-zulip-4.json",
}
"""Webhook deliveries, read by `tests/webhooks/test_recorded_deliveries.py`."""

OLDER: Final = "an edited response, older than the field; no recorded response lacks it"
V1: Final = "a response of v1 from 2013; always present in v1.1"
SHORT: Final = "invented; the sample of 2013 is shortened"
NO_DURATION: Final = "invented, with a duration that is `MacOS`"

MISMATCHED: Final[Mapping[str, tuple[str, Sequence[str]]]] = {
    "v2/listPipelinesForProject/faros-ai-airbyte-connectors-5.json": (
        "invented, with a string for a number",
        ["items.0.number"],
    ),
    "v2/listWorkflowsByPipelineId/faros-ai-airbyte-connectors-1.json": (
        "invented, with a string for a number",
        ["items.0.pipeline_number"],
    ),
    # Edited: without fields that all recent recorded responses have.
    "v1/listProjectBuilds/pivotal-projectmonitor-1.json": (V1, ["0.reponame", "0.username"]),
    "v1/listProjectBuilds/pivotal-projectmonitor-2.json": (V1, ["0.reponame", "0.username"]),
    "v1/listProjectBuilds/pivotal-projectmonitor-3.json": (V1, ["0.reponame", "0.username"]),
    "v1/listProjectBuilds/pivotal-projectmonitor-4.json": (V1, ["0.reponame", "0.username"]),
    "v2/getCollaborations/alpinweis-pycircleci-1.json": (OLDER, ["0.slug", "1.slug"]),
    "v2/getPipelineById/alpinweis-pycircleci-1.json": (OLDER, ["trigger.actor"]),
    "v2/getPipelineByNumber/alpinweis-pycircleci-1.json": (OLDER, ["trigger.actor"]),
    "v2/getProjectBySlug/alpinweis-pycircleci-1.json": (OLDER, ["id", "organization_slug", "organization_id"]),
    "v2/getWorkflowById/alpinweis-pycircleci-1.json": (
        OLDER,
        ["pipeline_id", "project_slug", "started_by", "pipeline_number"],
    ),
    "v2/listPipelines/alpinweis-pycircleci-1.json": (OLDER, ["items.0.trigger.actor"]),
    "v2/listWorkflowJobs/alpinweis-pycircleci-1.json": (OLDER, ["items.0.project_slug", "items.1.project_slug"]),
    # Edited: broken by the edit.
    "2026/v2/getJobDetails/CircleCI-Labs-terraform-provider-circleci-2.json": (
        "a test that writes out two keys only",
        [
            "web_url",
            "project",
            "latest_workflow",
            "name",
            "parallelism",
            "number",
            "pipeline",
            "created_at",
            "contexts",
            "organization",
            "queued_at",
        ],
    ),
    "v1/getMe/worldturtlemedia-circleci-api-1.json": ("an object was replaced by an empty string", ["bitbucket"]),
    "v2/listWorkflowsByPipelineId/apache-incubator-devlake-10.json": (
        "an edited row; no recorded response of this operation has an empty string as a timestamp",
        ["items.0.created_at", "items.0.stopped_at"],
    ),
    # Invented: they never widen a type.
    "v1/getBuild/jmleroux-circleci-php-client-1.json": (SHORT, ["steps.1.actions.0.name"]),
    "v1/getBuild/jmleroux-circleci-php-client-2.json": (
        SHORT,
        ["workflows.workspace_id", "workflows.upstream_job_ids", "workflows.upstream_concurrency_map", "steps"],
    ),
    "v2/getTests/faros-ai-airbyte-connectors-1.json": (NO_DURATION, ["items.0.run_time"]),
    "v2/getTests/faros-ai-airbyte-connectors-2.json": (NO_DURATION, ["items.0.run_time"]),
    "v2/listEnvironmentVariablesFromContext/CircleCI-Labs-circleci-editor-1.json": (
        "invented; a shortened response in a test",
        ["items.0.created_at", "items.1.created_at"],
    ),
}
"""Files that do not fit their type: the reason, and the places of all fields that do not fit."""

RESPONSES: Final = {
    file: recording
    for file, recording in RECORDINGS.items()
    if not recording.is_delivery and not recording.is_error and file not in NO_OPERATION
}
ERRORS: Final = {file: recording for file, recording in RECORDINGS.items() if recording.is_error}


@pytest.fixture(scope="module")
def api() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        yield server


@pytest.fixture(scope="module")
async def client(api: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", base_url=api.url, max_retries=0) as client:
        yield client


def operation_of(recording: Recording) -> Operation:
    assert recording.version is not None
    return OPERATIONS[recording.version, recording.route]


async def call(client: AsyncCircleCI, operation: Operation) -> Any:
    """Call an operation with its required arguments; for a list, read the first page."""
    arguments = calls(operation, lambda name, values: values)[1]
    method = getattr(getattr(getattr(client, operation.version), operation.resource), operation.name)
    return await method(*arguments.positional, **arguments.keywords)


def touch(result: Any, place: str) -> None:
    """Read the field at a place in a response."""
    value = result.items if isinstance(result, Page) and place[0].isdigit() else result
    for part in place.split("."):
        value = value[int(part)] if part.isdigit() else getattr(value, part)


def dumped(result: Any) -> Any:
    """The JSON data of a result, with wire names."""
    if isinstance(result, BaseModel):
        return result.model_dump(mode="json", by_alias=True, exclude_unset=True)
    if isinstance(result, list):
        return [dumped(item) for item in result]
    if isinstance(result, dict):
        return {key: dumped(item) for key, item in result.items()}
    return result


def test_every_file_is_classified() -> None:
    found = {
        prefix + path.relative_to(folder).as_posix()
        for folder, prefix in ((OLDER_FOLDER, ""), (NEWER_FOLDER, "2026/"))
        for path in folder.rglob("*")
        if path.is_file() and path.name != "MANIFEST.jsonl"
    }
    assert found == set(RECORDINGS)
    assert Counter(recording.quality for recording in RECORDINGS.values()) == {
        "recorded": 94 + 31,
        "edited": 92 + 49,
        "invented": 14,
    }
    assert {file for file, recording in RECORDINGS.items() if recording.is_delivery} == DELIVERIES
    assert {recording.kind for recording in RESPONSES.values()} == KINDS
    assert len(RESPONSES) + len(ERRORS) + len(DELIVERIES) == 200 + 80
    unknown = {
        file
        for file, recording in RECORDINGS.items()
        if not recording.is_delivery and (recording.version, recording.route) not in OPERATIONS
    }
    assert unknown == set(NO_OPERATION)
    assert set(MISMATCHED) <= set(RESPONSES)
    assert not any(RECORDINGS[file].quality == "recorded" for file in set(MISMATCHED))


@pytest.mark.parametrize("file", RESPONSES)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_response_is_decoded_without_loss(client: AsyncCircleCI, api: ScriptedServer, file: str) -> None:
    recording = RESPONSES[file]
    operation = operation_of(recording)
    api.clear()
    api.script([reply(recording.status or 200, json=recording.response)])

    result = await call(client, operation)

    if operation.returns == ("None",):
        assert result is None
        return
    original = recording.response
    places_found = [mismatch.place for mismatch in getattr(result, "mismatches", ())]
    assert places_found == (list(MISMATCHED[file][1]) if file in MISMATCHED else [])
    for place in places_found:
        with pytest.raises(FieldUnavailableError) as failure:
            touch(result, place)
        assert (failure.value.operation, failure.value.place) == (operation.label, place)
    if operation.lists:
        result, original = result.items, recording.items
    found = [difference.partition(":")[0] for difference in differences(original, dumped(result))]
    assert found == []


@pytest.mark.parametrize("file", [file for file, recording in RESPONSES.items() if recording.quality == "recorded"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_recorded_response_has_no_unknown_field_or_value(api: ScriptedServer, file: str) -> None:
    recording = RESPONSES[file]
    seen: list[Drift] = []
    api.clear()
    api.script([reply(recording.status or 200, json=recording.response)])

    async with AsyncCircleCI("token", base_url=api.url, max_retries=0, on_drift=seen.append) as client:
        await call(client, operation_of(recording))

    assert [(drift.place, drift.kind) for drift in seen] == []


@pytest.mark.parametrize("file", MISMATCHED)
async def test_strict_client_refuses_a_response_that_does_not_fit(api: ScriptedServer, file: str) -> None:
    recording = RESPONSES[file]
    api.clear()
    api.script([reply(recording.status or 200, json=recording.response)])
    async with AsyncCircleCI("token", base_url=api.url, max_retries=0, strict=True) as client:
        with pytest.raises(DecodeError) as failure:
            await call(client, operation_of(recording))
    assert (failure.value.field, failure.value.request_outcome) == (MISMATCHED[file][1][0], "processed")


@pytest.mark.parametrize("recording", ERRORS.values(), ids=ERRORS)
async def test_error_body_raises_the_matching_exception(
    client: AsyncCircleCI, api: ScriptedServer, recording: Recording
) -> None:
    html = recording.file.endswith(".html")
    operation = LIST_ARTIFACTS if html else operation_of(recording)
    assert recording.status is not None
    api.clear()
    api.script(
        [reply(recording.status, body=recording.content, content_type="text/html" if html else "application/json")]
    )
    expected = {
        400: circleci_sdk.BadRequestError,
        401: circleci_sdk.AuthenticationError,
        403: circleci_sdk.PermissionDeniedError,
        404: circleci_sdk.NotFoundError,
    }[recording.status]

    with pytest.raises(circleci_sdk.StatusError) as failure:
        await call(client, operation)

    assert type(failure.value) is expected
    assert failure.value.message == " ".join(said(recording.content).split())
    assert failure.value.status == recording.status
    assert failure.value.operation == operation.label
    assert "<html" not in str(failure.value).lower()


NOON: Final = "2023-04-14T12:00:00+00:00"


@pytest.mark.parametrize(
    ("text", "instant"),
    [
        ("2023-04-14T12:00:00Z", NOON),
        ("2023-04-14T12:00:00.000Z", NOON),
        ("2023-04-14T05:00:00-07:00", NOON),
        ("2023-04-14T12:00:00+0000", NOON),
        ("2023-04-14T12:00:00", NOON),
        ("2023-04-14 12:00:00Z", NOON),
        ("#joda/inst 2023-04-14T12:00:00+0000", NOON),
        ('#joda/inst "2023-04-14T12:00:00.000Z"', NOON),
        ("2023-04-14T12:00:00.123456789Z", "2023-04-14T12:00:00.123456+00:00"),
    ],
)
async def test_all_observed_date_formats_are_read(
    client: AsyncCircleCI, api: ScriptedServer, text: str, instant: str
) -> None:
    api.clear()
    api.script([reply(json={"id": "1", "name": "n", "created_at": text})])

    context = await client.v2.contexts.get("1")

    assert context.created_at == datetime.fromisoformat(instant)
    assert context.created_at.tzinfo is not None


@pytest.mark.parametrize(
    ("value", "received"),
    [
        ("yesterday", "string"),
        ("", "string"),
        ("14/04/2023", "string"),
        (1681473600, "number"),
        (None, "null"),
        (True, "boolean"),
        ([1], "array"),
    ],
    ids=repr,
)
async def test_invalid_date_is_a_mismatch_of_its_field(
    client: AsyncCircleCI, api: ScriptedServer, value: object, received: str
) -> None:
    api.clear()
    api.script([reply(json={"id": "1", "name": "n", "created_at": value})])

    context = await client.v2.contexts.get("1")

    assert (context.id, context.name) == ("1", "n")
    assert context.mismatches == (Mismatch("created_at", "timestamp", received),)
    with pytest.raises(FieldUnavailableError, match="created_at"):
        _ = context.created_at
    assert context.model_dump(mode="json")["created_at"] == value


@pytest.mark.parametrize("number", ["2", "2.0", "0.0"])
async def test_counts_are_integers(client: AsyncCircleCI, api: ScriptedServer, number: str) -> None:
    api.clear()
    api.script([reply(body=f'{{"flaky_tests": [], "total_flaky_tests": {number}}}'.encode())])

    tests = await client.v2.insights.get_flaky_tests("gh/acme/web")

    assert tests.total_flaky_tests == float(number)
    assert type(tests.total_flaky_tests) is int
