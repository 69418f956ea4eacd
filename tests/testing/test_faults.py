"""Injected faults: how the SDK reports them, and what the fake records."""

from __future__ import annotations

import httpx
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)
from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, Workflow
from circleci_sdk.v2.models import PipelineCreation


@pytest.fixture
def once(circleci: AsyncCircleCI) -> AsyncCircleCI:
    return circleci.with_options(max_retries=0)


async def test_a_status(once: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.fail_next("v2.projects.get", status=503)
    await once.v2.users.me()  # another operation is not affected
    with pytest.raises(ServerError) as caught:
        await once.v2.projects.get("gh/acme/web")
    assert caught.value.status == 503
    assert (await once.v2.projects.get("gh/acme/web")).name == "web"
    assert [request.status for request in fake.requests.of("v2.projects.get")] == [503, 200]

    fake.fail_next("getProjectBySlug", status=400, body={"message": "So it goes."}, headers={"X-Why": "test"})
    with pytest.raises(BadRequestError, match="So it goes"):
        await once.v2.projects.get("gh/acme/web")


async def test_a_retry_succeeds(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.fail_next("v2.projects.get", status=502)
    assert (await circleci.v2.projects.get("gh/acme/web")).name == "web"
    assert len(fake.requests.of("v2.projects.get")) == 2


@pytest.mark.parametrize(("drop", "pipelines"), [("before", 0), ("after", 1)])
async def test_a_dropped_connection(
    once: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject, drop: str, pipelines: int
) -> None:
    fake.fail_next("pipelines.trigger", drop="before" if drop == "before" else "after")
    with pytest.raises(ConnectionFailedError) as caught:
        await once.v2.pipelines.trigger("gh/acme/web")
    assert caught.value.request_outcome == "unknown"
    assert len(web.pipelines) == pipelines
    assert fake.requests[-1].status is None
    assert isinstance(await once.v2.pipelines.trigger("gh/acme/web"), PipelineCreation)


async def test_a_truncated_body(once: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.fail_next("projects.get", truncate=True)
    with pytest.raises(ConnectionFailedError, match=r"incomplete|peer closed"):
        await once.v2.projects.get("gh/acme/web")
    assert (await once.v2.projects.get("gh/acme/web")).name == "web"


async def test_a_delayed_response(once: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.fail_next("projects.get", delay=0.05)
    assert (await once.v2.projects.get("gh/acme/web")).name == "web"
    fake.fail_next("projects.get", delay=5)
    with pytest.raises(RequestTimeoutError):
        await once.with_options(timeout=0.1).v2.projects.get("gh/acme/web")
    assert (await once.v2.projects.get("gh/acme/web")).name == "web"


async def test_a_status_after_processing(once: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.fail_next("pipelines.trigger", status=504, processed=True)
    with pytest.raises(ServerError):
        await once.v2.pipelines.trigger("gh/acme/web")
    assert len(web.pipelines) == 1


async def test_faults_are_used_up_in_order(once: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.fail_next("users.me", status=500, times=2)
    fake.fail_next("users.me", status=503)
    seen: list[int] = []
    for _ in range(3):
        with pytest.raises(ServerError) as caught:
            await once.v2.users.me()
        seen.append(caught.value.status)
    assert seen == [500, 500, 503]
    await once.v2.users.me()
    fake.fail_next(status=500)
    fake.limit_rate(requests=0)
    fake.reset_faults()
    await once.v2.users.me()


async def test_a_rate_limit_burst(once: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.limit_rate("v2.projects.get", requests=2, window=30, headers="both")
    reply = await once.raw_response(once.v2.projects.get, "gh/acme/web")
    assert (reply.headers["ratelimit-limit"], reply.headers["ratelimit-remaining"]) == ("2", "1")
    assert reply.headers["x-ratelimit-limit-minute"] == "2"
    assert reply.headers["ratelimit-reset"] == "30"
    fake.clock.advance(10)
    async with httpx.AsyncClient(transport=fake.transport()) as http:
        for status in (200, 429, 429):
            response = await http.get(
                "https://circleci.com/api/v2/project/gh/acme/web", headers={"Circle-Token": fake.token}
            )
            assert response.status_code == status
        assert response.text == "Rate limited."
        assert response.headers["retry-after"] == "20"
        assert response.headers["content-type"].startswith("text/plain")
    fake.clock.advance(20)
    response = await once.v2.projects.get("gh/acme/web")
    assert response.name == "web"


async def test_waits_for_a_rate_limit_take_no_time(fake: FakeCircleCI, web: FakeProject) -> None:
    fake.limit_rate("v2.projects.get", requests=5, window=30)
    before = fake.clock.now
    async with fake.client() as circleci:
        for _ in range(12):
            await circleci.v2.projects.get("gh/acme/web")
    assert (fake.clock.now - before).total_seconds() >= 60
    statuses = [request.status for request in fake.requests]
    assert statuses.count(200) == 12
    async with fake.client(max_retry_after=1, max_retries=0) as circleci:
        with pytest.raises(RateLimitError):
            for _ in range(6):
                await circleci.v2.projects.get("gh/acme/web")


async def test_chaos_is_reproducible_and_retries_succeed(web: FakeProject) -> None:
    async def course(seed: int) -> list[int | None]:
        fake = FakeCircleCI(seed=seed)
        project = fake.add_project("gh/acme/web")
        for _ in range(30):
            project.push(Workflow("build", Job("test")))
        fake.chaos({"503": 0.2, "drop": 0.1, "truncate": 0.1, "429": 0.1})
        async with fake.client(max_retries=20) as circleci:
            for _ in range(5):
                found = await circleci.v2.pipelines.list_for_project("gh/acme/web").collect()
                assert len(found) == 30
        fake.chaos()
        return [request.status for request in fake.requests]

    first = await course(1)
    assert first == await course(1)
    assert first != await course(2)
    assert {200, 503, 429, None} <= set(first)


async def test_tokens(fake: FakeCircleCI, web: FakeProject) -> None:
    async with fake.client(token="another") as circleci:
        with pytest.raises(AuthenticationError, match="Invalid token provided"):
            await circleci.v2.users.me()
    async with fake.client(auth="none") as circleci:
        with pytest.raises(AuthenticationError, match="You must log in first"):
            await circleci.v2.users.me()
        with pytest.raises(AuthenticationError):
            await circleci.v1.builds.list_for_project("gh/acme/web")
        web.settings["oss"] = True
        assert (await circleci.v1.builds.list_for_project("gh/acme/web")).items == []
    for auth in ("circle-token", "bearer", "basic"):
        async with fake.client(auth=auth, token=fake.token) as circleci:
            assert (await circleci.v2.users.me()).login == "ada"
    fake.add_user("lin", token="hers")
    async with fake.client(token="hers") as circleci:
        assert (await circleci.v2.users.me()).login == "lin"


def test_invalid_faults_are_rejected(fake: FakeCircleCI) -> None:
    with pytest.raises(ValueError, match=r"Did you mean 'jobs\.get'"):
        fake.fail_next("job.get", status=500)
    with pytest.raises(ValueError, match="expected a fault"):
        fake.fail_next("jobs.get")
    with pytest.raises(ValueError, match="times"):
        fake.fail_next("jobs.get", status=500, times=0)
    with pytest.raises(ValueError, match="from 0 to 1"):
        fake.chaos({"503": 2})
    with pytest.raises(ValueError, match="window"):
        fake.limit_rate(requests=1, window=0)
