"""Recorded deliveries of CircleCI are decoded without loss."""

from __future__ import annotations

from typing import Any, Final

import pytest

from circleci_sdk.v1.models import Build, BuildDetails
from circleci_sdk.webhooks import JobCompleted, Ping, WorkflowCompleted, branch_of, parse, project_slug_of
from tests.support import places
from tests.support.recordings import Recording, differences, recordings
from tests.webhooks.deliveries import SECRET, headers

DELIVERIES: Final = [
    recording for folder in places.payload_folders() for recording in recordings(folder) if recording.is_delivery
]
KINDS: Final[dict[str, tuple[type[Any], ...]]] = {
    "workflow-completed": (WorkflowCompleted,),
    "job-completed": (JobCompleted,),
    "ping": (Ping,),
    "v1-notify": (Build, BuildDetails),
}
CHANGED: Final = {
    "webhook/v1-notify/pivotal-projectmonitor-1.json": [
        ".reponame: was added",  # from vcs_url
        ".username: was added",
    ],
}
"""Old notifications are decoded in the format of v1.1 without loss."""


def test_there_is_one_of_each_kind() -> None:
    assert {recording.operation for recording in DELIVERIES} == set(KINDS)
    assert len(DELIVERIES) == 9 + 1


@pytest.mark.parametrize("recording", DELIVERIES, ids=lambda recording: recording.file)
def test_a_delivery_is_decoded_without_loss(recording: Recording) -> None:
    event = parse(recording.content, headers(recording.content), secret=SECRET)

    assert isinstance(event, KINDS[recording.operation])
    original = recording.response
    dumped = event.model_dump(mode="json", by_alias=True, exclude_unset=True)
    found = sorted(differences(original.get("payload", original), dumped))
    assert found == CHANGED.get(recording.file, [])
    if not isinstance(event, Ping):
        assert branch_of(event) in {"main", "master"} or isinstance(event, Build)
        assert project_slug_of(event)
