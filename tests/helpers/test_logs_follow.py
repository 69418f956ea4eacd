"""The output of a step that still runs: no byte is lost or given twice, and none is late."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

import pytest

from circleci_sdk import PermissionDeniedError, RequestTimeoutError, ServerError
from circleci_sdk.helpers import Step
from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, Workflow
from circleci_sdk.testing import Step as FakeStep
from tests.helpers.test_logs_v3 import DETAILS, JOB, STDERR, STDOUT, content, details, step
from tests.support.clients import SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import ScriptedServer, reply

LINES: Final = [f"{number} \u00e9\u20ac\U0001f600\n".encode() for number in range(86)]
WHOLE: Final = b"".join(LINES)
WRITES: Final = [
    (number * 0.7 + part * 0.2, piece)
    for number, line in enumerate(LINES)
    for part, piece in enumerate((line[: number % len(line)], line[number % len(line) :]))
    if piece
]
"""A step that writes for 60 seconds. Characters are cut between two writes."""


def start(fake: FakeCircleCI, *steps: FakeStep, seconds: float = 90) -> FakeProject:
    web = fake.add_project(SLUG)
    web.push(Workflow("build", Job("test", seconds, steps=steps)))
    fake.clock.advance(1)
    return web


async def running(circleci: Any, name: str = "make") -> Step:
    [found] = [one for one in await circleci.logs.steps(SLUG, 1) if one.name == name]
    return found  # type: ignore[no-any-return]  # of a client that is Any


@pytest.mark.parametrize("seed", range(8))
async def test_a_live_tail_under_faults(seed: int) -> None:
    fake = FakeCircleCI(seed=seed)
    start(fake, FakeStep("make", writes=WRITES, stderr="late\n"))
    seen: list[tuple[datetime, str]] = []
    async with fake.client() as circleci:
        one = await running(circleci)
        assert one.status == "running"
        fake.chaos({"503": 0.02, "drop": 0.015, "truncate": 0.015})
        async with circleci.logs.follow(one) as output:
            seen.extend([(fake.clock.now, text) async for text in output])
    assert "".join(text for _, text in seen) == WHOLE.decode() + "late\n"
    assert not any("v1.1" in request.path for request in fake.requests)
    assert one.started_at is not None
    length, late = 0, timedelta(0)
    given = iter(seen)
    now, got = fake.clock.now, 0
    for number, line in enumerate(LINES):
        length += len(line.decode())
        while got < length:
            now, text = next(given)
            got += len(text)
        late = max(late, now - one.started_at - timedelta(seconds=number * 0.7 + 0.2))
    assert late <= timedelta(seconds=2)


@pytest.mark.parametrize("on_server", [False, True], ids=["cloud", "server"])
async def test_on_cloud_and_server(on_server: bool) -> None:
    fake = FakeCircleCI(server=on_server)
    start(fake, FakeStep("make", writes=WRITES, stderr="late\n"), FakeStep("quiet", writes=[(20, "")]))
    async with fake.client() as circleci:
        async with circleci.logs.follow(await running(circleci)) as output:
            texts = [text async for text in output]
        assert len(texts) > 5
        assert "".join(texts).replace("\r\n", "\n") == WHOLE.decode() + "late\n"
        assert (output.api, output.is_cut) == ("v1.1" if on_server else "v3", False)
        async with circleci.logs.follow(await running(circleci, "quiet")) as output:
            assert [text async for text in output] == []
        async with circleci.logs.follow(await running(circleci)) as output:  # it has ended
            assert "".join([text async for text in output]).replace("\r\n", "\n") == WHOLE.decode() + "late\n"


async def test_on_a_server_under_faults() -> None:
    fake = FakeCircleCI(server=True)
    start(fake, FakeStep("make", writes=WRITES))
    async with fake.client() as circleci:
        one = await running(circleci)
        fake.chaos({"503": 0.1, "drop": 0.05, "truncate": 0.1})
        async with circleci.logs.follow(one) as output:
            texts = [text async for text in output]
    assert "".join(texts).replace("\r\n", "\n") == WHOLE.decode()


async def test_v1_where_v3_refuses_the_stream() -> None:
    fake = FakeCircleCI()
    start(fake, FakeStep("make", writes=WRITES))
    async with fake.client() as circleci:
        one = await running(circleci)
        fake.fail_next("v3.jobs.stream_stdout", status=403)
        async with circleci.logs.follow(one) as output:
            texts = [text async for text in output]
    assert (output.api, "".join(texts).replace("\r\n", "\n")) == ("v1.1", WHOLE.decode())


async def follow(circleci: Any, **options: Any) -> str:
    [one] = await circleci.logs.steps(job_id=JOB)
    async with circleci.logs.follow(one, **options) as output:
        return "".join([text async for text in output])


async def test_a_step_that_ends_while_it_is_read(server: ScriptedServer) -> None:
    clock = FakeClock()
    jobs = iter(
        [details([step(1, None)], phase="started"), details([step(1, None)], phase="started"), details([step(1)])]
    )
    server.on("GET", DETAILS, lambda request: next(jobs))
    last = reply(206, body=b"\xa9 end", headers={"Content-Range": "bytes 2-6/*"})
    pieces = iter([reply(404), content(b"a\xc3"), *[reply(416)] * 6, last])
    server.on("GET", STDOUT, lambda request: next(pieces, reply(416)))
    server.on("GET", STDERR, reply(404))
    async with client_on(server, clock, deployment="cloud") as circleci:
        assert await follow(circleci) == "a\u00e9 end"
    assert set(clock.slept) == {1.5}


async def test_looks_that_fail_do_not_last_for_ever(server: ScriptedServer) -> None:
    clock = FakeClock()
    jobs = iter([details([step(1, None)], phase="started")])
    server.on("GET", DETAILS, lambda request: next(jobs, reply(503)))
    server.on("GET", STDOUT, reply(404))
    async with client_on(server, clock, deployment="cloud") as circleci:
        with pytest.raises(ServerError):
            await follow(circleci)
    assert 300 < clock.now - 1000 < 400


async def test_a_character_that_is_never_ended(server: ScriptedServer) -> None:
    server.on("GET", DETAILS, details([step(1)]))
    server.on("GET", STDOUT, content(b"a\xc3", **{"X-Terminal": "true"}))
    server.on("GET", STDERR, [reply(502), reply(body=b"err")])
    async with client_on(server, FakeClock(), deployment="cloud") as circleci:
        assert await follow(circleci) == "a\ufffderr"


@pytest.mark.parametrize(("status", "error"), [(403, PermissionDeniedError), (503, ServerError)])
async def test_failures_that_do_not_pass(server: ScriptedServer, status: int, error: type[Exception]) -> None:
    clock = FakeClock()
    server.on("GET", DETAILS, details([step(1, None)]))
    server.on("GET", STDOUT, reply(status))
    async with client_on(server, clock, deployment="cloud") as circleci:
        with pytest.raises(error):
            await follow(circleci)
    assert (sum(clock.slept) > 300) is (status == 503)


async def test_the_time_is_limited(server: ScriptedServer) -> None:
    clock = FakeClock()
    server.on("GET", DETAILS, details([step(1, None)], phase="started"))
    server.on("GET", STDOUT, reply(404))
    async with client_on(server, clock, deployment="cloud") as circleci:
        with pytest.raises(RequestTimeoutError, match=r"logs\.follow: the time ran out"):
            await follow(circleci, timeout=10)
    assert clock.now == 1010
