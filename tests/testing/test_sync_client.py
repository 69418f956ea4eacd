"""Sync clients of the fake, in process: its state, its faults, its clock, and the threads of the callers."""

from __future__ import annotations

import inspect
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import Any

import anyio
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    CircleCI,
    ConnectionFailedError,
    DecodeError,
    NotFoundError,
    RunTimeoutError,
    ServerError,
)
from circleci_sdk._core.clock import SystemClock
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, Step, Workflow

SLUG = "gh/acme/web"
OF_NETWORKS = {"http_client", "transport", "verify", "proxy", "deployment"}


@pytest.mark.parametrize(
    ("method", "client"), [(FakeCircleCI.client, AsyncCircleCI), (FakeCircleCI.sync_client, CircleCI)]
)
def test_the_options_are_those_of_the_client(method: Any, client: type[Any]) -> None:
    options, expected = inspect.signature(method).parameters, inspect.signature(client).parameters
    assert options.keys() - {"self", "wait"} == expected.keys() - OF_NETWORKS
    for name in options.keys() - {"self", "wait", "base_url", "strict"}:
        assert (options[name].default, options[name].annotation, options[name].kind) == (
            expected[name].default,
            expected[name].annotation,
            expected[name].kind,
        )


def test_it_changes_the_state_that_all_clients_see(fake: FakeCircleCI, web: FakeProject) -> None:
    async def names() -> list[str]:
        async with fake.client() as other:
            return [variable.name async for variable in other.v2.projects.list_env_vars(SLUG)]

    with fake.sync_client() as circleci:
        circleci.v2.projects.set_env_var(SLUG, name="A", value="1")
        assert anyio.run(names) == ["A"]
        web.push(Workflow("build", Job("test", 5)))  # between two calls, in the thread of the caller
        assert [pipeline.number for pipeline in circleci.v2.pipelines.list_for_project(SLUG)] == [1]
    assert [request.status for request in fake.requests.of("projects.set_env_var")] == [201]


def test_waits_take_no_time(fake: FakeCircleCI, web: FakeProject) -> None:
    """In real time this test would not end."""
    web.will_run(Workflow("build", Job("test", 3 * 3600)))
    started = fake.clock.now
    with fake.sync_client() as circleci:
        assert circleci.runs.start(SLUG).wait(timeout=4 * 3600).is_success
        assert fake.clock.now - started >= timedelta(hours=3)
        web.will_run(Workflow("release", Approval("go?")))
        with pytest.raises(RunTimeoutError):
            circleci.runs.start(SLUG).wait(timeout=1800)


def test_faults_and_waits_for_them(fake: FakeCircleCI, web: FakeProject) -> None:
    with fake.sync_client(timeout=None) as circleci:
        started = fake.clock.now
        fake.fail_next("users.me", status=503, headers={"Retry-After": "50"}, times=2)
        assert circleci.v2.users.me().login == "ada"
        assert fake.clock.now - started >= timedelta(seconds=100)
        fake.fail_next("users.me", drop="before", times=3)
        with pytest.raises(ConnectionFailedError):
            circleci.v2.users.me()
        fake.fail_next("users.me", status=500, times=9)
        with pytest.raises(ServerError):
            circleci.with_options(max_retries=0).v2.users.me()
        fake.reset_faults()
        with pytest.raises(NotFoundError):
            circleci.v2.projects.get("gh/acme/none")


def test_a_used_up_rate_limit_pauses_on_the_clock_of_the_fake(fake: FakeCircleCI) -> None:
    fake.limit_rate(requests=5)
    started = fake.clock.now
    with fake.sync_client(timeout=None) as circleci:
        for _ in range(12):
            assert circleci.v2.users.me().login == "ada"
    assert fake.clock.now - started >= timedelta(seconds=60)


def test_it_is_strict_while_nothing_is_changed(fake: FakeCircleCI, web: FakeProject) -> None:
    wrong = {"id": 1, "login": "ada", "name": "Ada"}
    with fake.sync_client() as circleci, fake.sync_client(strict=False) as tolerant:
        fake.fail_next("users.me", status=200, body=wrong, times=2)
        with pytest.raises(DecodeError):
            circleci.v2.users.me()
        assert tolerant.v2.users.me().login == "ada"
        fake.misbehave("v2.users.me", replace={"id": 1})
        assert circleci.v2.users.me().login == "ada"
        with fake.sync_client() as later, fake.sync_client(strict=True) as strict:
            assert later.v2.users.me().login == "ada"
            with pytest.raises(DecodeError):
                strict.v2.users.me()
        fake.reset_faults()
        fake.fail_next("users.me", status=200, body=wrong)
        with pytest.raises(DecodeError):
            circleci.v2.users.me()


def test_it_knows_the_deployment() -> None:
    for fake in (FakeCircleCI(), FakeCircleCI(server=True)):
        failing = Job("test", 5, outcome="failed", steps=[Step("pytest", "boom", exit_code=1)])
        fake.add_project(SLUG).push(Workflow("build", failing))
        fake.clock.run_until_idle()
        with fake.sync_client() as circleci:
            run = circleci.runs.latest(SLUG)
            assert run is not None
            [job] = run.result().failed_jobs
            assert job.number is not None
            assert [log.text for log in circleci.logs.failed(SLUG, job.number)] == ["boom"]
        assert any(request.path.startswith("/api/v3/") for request in fake.requests) == (fake.deployment == "cloud")


def test_hooks_and_sources_are_plain_functions_in_the_thread_of_the_caller(fake: FakeCircleCI) -> None:
    """They may change the fake and use the client."""
    threads = set[int]()
    projects = list[str]()

    def on_request(request: Any) -> None:
        threads.add(threading.get_ident())
        if request.url.path.endswith("/me") and not projects:
            projects.append(SLUG)
            fake.add_project(SLUG)
            projects.append(circleci.v2.projects.get(SLUG).name)

    def on_response(response: Any) -> None:
        threads.add(threading.get_ident())
        fake.clock.advance(1)

    def token() -> str:
        threads.add(threading.get_ident())
        return fake.token

    class Limiter:
        asked = 0

        def acquire(self, key: object, max_wait: float, max_total: float) -> None:
            threads.add(threading.get_ident())
            self.asked += 1

        def observe(self, key: object, rate_limit: object, retry_after: float | None) -> None:
            threads.add(threading.get_ident())

    limiter, seen, started = Limiter(), list[str](), fake.clock.now
    with fake.sync_client(
        auth=token,
        rate_limiter=limiter,
        on_request=on_request,
        on_response=on_response,
        on_drift=lambda drift: seen.append(drift.place),
        strict=False,
    ) as circleci:
        assert circleci.v2.users.me().login == "ada"
        fake.misbehave("v2.users.me", rename={"name": "title"})
        circleci.v2.users.me()
    assert projects == [SLUG, "web"]
    assert threads == {threading.get_ident()}
    assert limiter.asked == 3
    assert fake.clock.now - started == timedelta(seconds=3)
    assert "title" in " ".join(seen)


def test_several_threads_share_a_client(fake: FakeCircleCI) -> None:
    """Their runs last from an hour to eight, and the clock is one."""
    slugs = [f"gh/acme/p{number}" for number in range(8)]
    for hours, slug in enumerate(slugs, start=1):
        fake.add_project(slug).will_run(Workflow("build", Job("test", hours * 3600)))
    fake.fail_next("v2.pipelines.list_workflows", status=429, headers={"Retry-After": "30"}, times=3)
    # While one thread waits for a refused call, the others may move the clock by minutes.
    with fake.sync_client(timeout=None) as circleci:

        def release(slug: str) -> tuple[str, bool]:
            run = circleci.runs.start(slug)
            assert run.project_slug is not None
            return run.project_slug, run.wait(timeout=None).is_success

        with ThreadPoolExecutor(8) as threads:
            assert list(threads.map(release, slugs)) == [(slug, True) for slug in slugs]
    assert {len(fake.project(slug).pipelines) for slug in slugs} == {1}


def test_the_fake_is_used_while_threads_call(fake: FakeCircleCI, web: FakeProject) -> None:
    with fake.sync_client() as circleci, ThreadPoolExecutor(4) as threads:
        started = [threads.submit(lambda: circleci.runs.start(SLUG).number) for _ in range(40)]
        for _ in range(40):
            web.push(Workflow("build", Job("test", 5)))
            fake.clock.advance(1)
        numbers = [one.result() for one in started]
        assert sorted(p.number for p in circleci.v2.pipelines.list_for_project(SLUG)) == list(range(1, 81))
    assert len(set(numbers)) == 40


async def test_beside_an_async_client(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    web.will_run(Workflow("build", Job("test", 600)))
    with fake.sync_client() as circleci:
        started = circleci.runs.start(SLUG)  # in a running event loop, which waits for it
        async with fake.client() as other:
            waited = list[str]()

            async def wait() -> None:
                waited.append((await other.runs.attach(started.id).wait(timeout=None)).status)

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(wait)
                waited.append((await anyio.to_thread.run_sync(partial(started.wait, timeout=None))).status)
    assert waited == ["success", "success"]


def test_real_waits_on_request_and_with_a_clock_that_runs(fake: FakeCircleCI) -> None:
    for circleci in (fake.sync_client(wait="real"), FakeCircleCI(speed=10).sync_client()):
        with circleci:
            assert isinstance(circleci._async._session.clock, SystemClock)
    with pytest.raises(ValueError, match=r"^FakeCircleCI\.sync_client: wait: "):
        fake.sync_client(wait="never")  # type: ignore[arg-type]  # the point


def test_closing_it_ends_its_thread(fake: FakeCircleCI) -> None:
    with fake.sync_client() as circleci, fake.sync_client() as other:
        assert not [thread for thread in threading.enumerate() if thread.name == "circleci_sdk"]
        circleci.v2.users.me()
        other.v2.users.me()
        circleci.close()
        assert other.v2.users.me().login == "ada"
    assert not [thread for thread in threading.enumerate() if thread.name == "circleci_sdk"]
