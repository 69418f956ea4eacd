"""Clients of the fake are strict unless they are told otherwise."""

from __future__ import annotations

from typing import Any

import pytest

from circleci_sdk import DecodeError, FieldUnavailableError
from circleci_sdk.testing import FakeCircleCI, FakeProject

WRONG: Any = {"id": 1, "slug": "gh/acme/web"}
"""A project with an id of another type, and without most fields."""


async def test_a_strict_client_raises(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    fake.fail_next("v2.projects.get", status=200, body=WRONG)
    async with fake.client() as circleci:
        with pytest.raises(DecodeError) as caught:
            await circleci.v2.projects.get("gh/acme/web")
        assert caught.value.request_outcome == "processed"
        assert (await circleci.v2.projects.get("gh/acme/web")).id == web.id


async def test_a_client_as_in_production_reads_the_rest(
    fake: FakeCircleCI, web: FakeProject, anyio_backend: str
) -> None:
    fake.fail_next("v2.projects.get", status=200, body=WRONG)
    async with fake.client(strict=False) as circleci:
        project = await circleci.v2.projects.get("gh/acme/web")
    assert project.slug == "gh/acme/web"
    assert ("id", "string", "number") in {(each.place, each.expected, each.received) for each in project.mismatches}
    with pytest.raises(FieldUnavailableError):
        project.id  # noqa: B018  # reading it is the test


async def test_a_client_reports_drift(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    seen: list[Any] = []
    fake.fail_next("v2.projects.get", status=200, body=WRONG)
    async with fake.client(strict=False, on_drift=seen.append) as circleci:
        await circleci.v2.projects.get("gh/acme/web")
        assert list(circleci.drift) == seen
    assert ("v2.projects.get", "id", "type") in {(each.operation, each.place, each.kind) for each in seen}
