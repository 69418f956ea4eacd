"""Downloads by link: artifacts, outputs of steps, files of usage exports."""

from __future__ import annotations

import csv
import gzip
import io
from datetime import timedelta

import httpx
import pytest

from circleci_sdk import AsyncCircleCI
from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, Step, Workflow


@pytest.fixture
async def http(circleci: AsyncCircleCI, fake: FakeCircleCI) -> httpx.AsyncClient:
    """A client of the same transport, without a token."""
    transport = fake.transport() if circleci.base_url.startswith("https") else None
    return httpx.AsyncClient(transport=transport)


async def test_an_artifact_needs_the_token(
    circleci: AsyncCircleCI, http: httpx.AsyncClient, fake: FakeCircleCI, web: FakeProject
) -> None:
    web.push(Workflow("build", Job("test", 5, artifacts={"out/é & b.txt": "hello"})))
    fake.clock.advance(5)
    [artifact] = await circleci.v2.jobs.list_artifacts("gh/acme/web", 1).collect()
    async with http:
        assert (await http.get(artifact.url)).status_code == 401
        response = await http.get(artifact.url, headers={"Circle-Token": fake.token})
        assert (response.status_code, response.text) == (200, "hello")
        assert response.headers["content-type"].startswith("text/plain")
        web.settings["oss"] = True
        assert (await http.get(artifact.url)).status_code == 200
        fake.fail_next("artifact", truncate=True)
        with pytest.raises(httpx.RemoteProtocolError):
            await http.get(artifact.url)
    assert [request.status for request in fake.requests.of("artifact")] == [401, 200, 200, 200]


async def test_the_output_of_a_step_expires(
    circleci: AsyncCircleCI, http: httpx.AsyncClient, fake: FakeCircleCI, web: FakeProject
) -> None:
    web.push(Workflow("build", Job("test", 5, outcome="failed", steps=[Step("pytest", "1 failed\n")])))
    fake.clock.advance(5)
    build = await circleci.v1.builds.get("gh/acme/web", 1)
    assert build.steps is not None
    [action] = build.steps[-1].actions or []
    assert (action.name, action.exit_code, action.has_output) == ("pytest", 1, True)
    assert action.output_url is not None
    async with http:
        response = await http.get(action.output_url)
        assert [piece["message"] for piece in response.json()] == ["1 failed\r\n"]
        forged = await http.get(action.output_url[:-1] + ("0" if action.output_url[-1] != "0" else "1"))
        assert forged.status_code == 403

        fake.fail_next("output", expired=True)
        expired = await http.get(action.output_url)
        assert (expired.status_code, "Request has expired" in expired.text) == (403, True)
        assert (await http.get(action.output_url)).status_code == 200

        fake.clock.advance(3600)
        assert (await http.get(action.output_url)).status_code == 403
        fresh = (await circleci.v1.builds.get("gh/acme/web", 1)).steps
        assert fresh is not None
        assert fresh[-1].actions is not None
        assert fresh[-1].actions[0].output_url is not None
        assert (await http.get(fresh[-1].actions[0].output_url)).status_code == 200


async def test_a_usage_export_in_three_files(
    circleci: AsyncCircleCI, http: httpx.AsyncClient, fake: FakeCircleCI, web: FakeProject
) -> None:
    for _ in range(7):
        web.push(Workflow("build", Job("test", 90, parallelism=2)))
        fake.clock.advance(600)
    fake.usage_export_files = 3
    now, org = fake.clock.now, web.organization.id
    export = await circleci.v2.usage_exports.create(org, start=now - timedelta(days=1), end=now)
    assert (export.state, export.usage_export_job_id is not None) == ("created", True)
    id = str(export.usage_export_job_id)
    fake.clock.advance(10)
    assert (await circleci.v2.usage_exports.get(org, id)).state == "processing"
    fake.clock.advance(60)
    done = await circleci.v2.usage_exports.get(org, id)
    assert done.state == "completed"
    assert done.download_urls is not None
    assert len(done.download_urls) == 3
    rows: list[dict[str, str]] = []
    async with http:
        for url in done.download_urls:
            response = await http.get(url)
            text = gzip.decompress(response.content).decode()
            rows += csv.DictReader(io.StringIO(text))
        fake.clock.advance(37 * 3600)
        assert (await http.get(done.download_urls[0])).status_code == 403
    assert len(rows) == 7
    assert {row["JOB_NAME"] for row in rows} == {"test"}
    assert sum(int(row["TOTAL_CREDITS"]) for row in rows) == 7 * 2 * 20

    fake.usage_export_fails = True
    failed = await circleci.v2.usage_exports.create(org, start=now - timedelta(days=1), end=now)
    fake.clock.advance(70)
    assert (await circleci.v2.usage_exports.get(org, str(failed.usage_export_job_id))).state == "failed"
