"""The output of a step in v3: byte ranges of what grows, and the mark of the end."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

import httpx
import pytest

from circleci_sdk import NotFoundError
from circleci_sdk.testing import Approval, FakeCircleCI, FakeJob, FakeProject, Job, JobTest, Step, Workflow

WRITES = [(0.5, "collected 2 items\n"), (30, b"test_\xc3"), (30.5, b"\xa9 ok\n"), (60, "2 passed\n")]
WHOLE = "collected 2 items\ntest_é ok\n2 passed\n".encode()
STEPS = [Step("Checkout code", "Cloning\n"), Step("pytest", writes=WRITES, stderr="1 warning\n")]
PYTEST = 102


@pytest.fixture(params=["in process", "over a port"])
async def http(
    fake: FakeCircleCI, request: pytest.FixtureRequest, anyio_backend: str
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of v3, with a token."""
    headers = {"Authorization": f"Bearer {fake.token}"}
    if request.param == "in process":
        async with httpx.AsyncClient(
            transport=fake.transport(), base_url="https://circleci.com/api/v3", headers=headers
        ) as client:
            yield client
    else:
        with fake.serve() as server:
            async with httpx.AsyncClient(base_url=f"{server.base_url}/api/v3", headers=headers) as client:
                yield client


@pytest.fixture
def job(web: FakeProject) -> FakeJob:
    """A job that writes for a minute, and runs for another half."""
    return web.push(Workflow("build", Job("test", 90, steps=STEPS))).job("test")


async def read(
    http: httpx.AsyncClient, job: FakeJob, range: str | None = None, step: int = PYTEST, stream: str = "stdout"
) -> httpx.Response:
    """A stream of a step."""
    headers = {} if range is None else {"Range": range}
    return await http.get(f"/jobs/{job.id}/{stream}", params={"filter[step_num]": step}, headers=headers)


async def test_the_output_of_a_running_step_is_read_by_ranges(
    http: httpx.AsyncClient, fake: FakeCircleCI, job: FakeJob
) -> None:
    collected = b""
    seen: list[tuple[float, int, str | None]] = []
    for seconds in (0, 0.5, 1, 28.5, 0.25, 0.25, 29, 0.5, 29.5, 0.5):
        fake.clock.advance(seconds)
        response = await read(http, job, f"bytes={len(collected)}-")
        seen.append((response.status_code, len(response.content), response.headers.get("x-terminal")))
        if response.status_code == 206:
            first, _, last = response.headers["content-range"].removeprefix("bytes ").partition("/")[0].partition("-")
            assert (int(first), int(last) + 1) == (len(collected), len(collected) + len(response.content))
            collected += response.content
        elif response.status_code == 416:
            assert response.headers["content-range"] == f"bytes */{len(collected)}"
    assert seen == [
        (404, seen[0][1], None),
        (206, 18, None),
        (416, seen[2][1], None),
        (206, 6, None),
        (416, seen[4][1], None),
        (206, 5, None),
        (416, seen[6][1], None),
        (206, 9, None),
        (416, seen[8][1], None),
        (200, 0, "true"),
    ]
    assert collected == WHOLE


async def test_the_length_is_told_when_the_step_has_ended(
    http: httpx.AsyncClient, fake: FakeCircleCI, job: FakeJob
) -> None:
    fake.clock.advance(40)
    assert (await read(http, job, "bytes=0-")).headers["content-range"] == "bytes 0-28/*"
    fake.clock.advance(50)
    whole = await read(http, job, "bytes=0-")
    assert (whole.status_code, whole.content) == (206, WHOLE)
    assert (whole.headers["content-range"], whole.headers["x-terminal"]) == ("bytes 0-37/38", "true")
    assert whole.headers["content-type"] == "application/octet-stream"
    part = await read(http, job, "bytes=2-3")
    assert (part.status_code, part.content, part.headers["content-range"]) == (206, b"ll", "bytes 2-3/38")
    assert "x-terminal" not in part.headers


@pytest.mark.parametrize("range", [None, "bytes=a-", "bytes=-5", "bytes=5-2", "items=0-1", "bytes=0-1,3-4"])
async def test_without_a_range_that_counts_everything_is_sent(
    http: httpx.AsyncClient, fake: FakeCircleCI, job: FakeJob, range: str | None
) -> None:
    fake.clock.advance(1)
    response = await read(http, job, range)
    assert (response.status_code, response.content) == (200, WHOLE[:18])
    assert not {"x-terminal", "content-range"} & set(response.headers)
    fake.clock.advance(89)
    response = await read(http, job, range)
    assert (response.status_code, response.content, response.headers["x-terminal"]) == (200, WHOLE, "true")


async def test_no_byte_is_lost_or_doubled_by_faults(fake: FakeCircleCI, job: FakeJob, anyio_backend: str) -> None:
    collected = b""
    fake.chaos({"truncate": 0.3, "drop": 0.1, "503": 0.1})
    async with fake.client(max_retries=10) as circleci:
        stream = circleci.v3.jobs.stream_stdout(job.id, step_num=PYTEST)
        while not stream.is_terminal:
            fake.clock.advance(1)
            stream = stream.resume(len(collected))
            try:
                async with stream:
                    collected += b"".join([piece async for piece in stream])
            except NotFoundError:
                assert not collected
    assert collected == WHOLE
    assert job.ended


@pytest.mark.parametrize("offset", [38, 39, 1000])
async def test_beyond_the_end_of_an_ended_step_is_nothing(
    http: httpx.AsyncClient, fake: FakeCircleCI, job: FakeJob, offset: int
) -> None:
    fake.clock.advance(90)
    response = await read(http, job, f"bytes={offset}-")
    assert (response.status_code, response.content, response.headers["x-terminal"]) == (200, b"", "true")


async def test_v1_shows_the_same_output(http: httpx.AsyncClient, fake: FakeCircleCI, job: FakeJob) -> None:
    seen: set[str] = set()
    for _ in range(20):
        fake.clock.advance(5)
        response = await read(http, job)
        out = response.content if response.status_code == 200 else b""
        build = (await http.get(http.base_url.join("/api/v1.1/project/gh/acme/web/1"))).json()
        [action] = build["steps"][-1]["actions"]
        assert action["step"] == PYTEST
        pieces = (await http.get(action["output_url"])).json() if action["has_output"] else []
        text = "".join(piece["message"] for piece in pieces if piece["type"] == "out")
        whole = out.decode(errors="ignore").replace("\n", "\r\n")  # a character may be cut
        assert text.removesuffix("\ufffd") == whole
        seen.add(text)
    assert len(seen) == 4


async def test_standard_error_is_there_when_the_step_has_ended(
    http: httpx.AsyncClient, fake: FakeCircleCI, job: FakeJob
) -> None:
    fake.clock.advance(89)
    assert (await read(http, job, stream="stderr")).status_code == 404
    fake.clock.advance(1)
    assert (await read(http, job, stream="stderr")).content == b"1 warning\n"
    assert (await read(http, job, step=101, stream="stderr")).status_code == 404


async def test_a_condensed_output(http: httpx.AsyncClient, fake: FakeCircleCI, web: FakeProject) -> None:
    lines = [f"line {number}\n" for number in range(50)]
    long = web.push(Workflow("build", Job("test", 5, output="".join(lines), steps=[Step("run")]))).job("test")
    fake.clock.advance(5)
    response = await read(http, long, step=101, stream="stdout/condensed")
    assert response.headers["content-type"].startswith("text/plain")
    assert response.text.splitlines(keepends=True) == ["... 30 lines left out ...\n", *lines[30:]]
    quiet = web.push(Workflow("build", Job("test", 5))).job("test")
    assert (await read(http, quiet, step=101, stream="stdout/condensed")).text == "Cloning into '.'...\n"
    fake.clock.advance(5)
    assert (await read(http, quiet, stream="stdout/condensed")).status_code == 404


async def test_a_step_without_output_is_never_there(
    http: httpx.AsyncClient, fake: FakeCircleCI, web: FakeProject
) -> None:
    quiet = web.push(Workflow("build", Job("test", 5))).job("test")
    fake.clock.advance(5)
    for step in (0, PYTEST):
        response = await read(http, quiet, "bytes=0-", step=step)
        assert (response.status_code, response.headers.get("x-terminal")) == (404, None)


async def test_steps_and_executions_that_do_not_exist(
    http: httpx.AsyncClient, fake: FakeCircleCI, web: FakeProject
) -> None:
    both = web.push(Workflow("build", Job("test", 5, parallelism=2, output="ok\n"), Approval("ok?")))
    job = both.job("test")
    fake.clock.advance(5)

    async def status(execution: object, step: object = PYTEST, id: str = job.id) -> int:
        query = {"filter[step_num]": str(step), "filter[execution]": str(execution)}
        return (await http.get(f"/jobs/{id}/stdout", params=query)).status_code

    assert [await status(execution) for execution in (0, 1, 2, -1)] == [200, 200, 404, 404]
    assert await status(0, step=1) == 404
    assert await status("first") == 400
    assert await status(0, id=both.job("ok?").id) == 404
    response = await http.get(f"/jobs/{job.id}/stdout")
    assert (response.status_code, response.json()["error"]["title"]) == (400, "Missing Required Filter")


async def test_tests_are_lines(http: httpx.AsyncClient, fake: FakeCircleCI, web: FakeProject) -> None:

    tests = [
        JobTest("test_é", None, "tests.a", seconds=0.25),
        JobTest("test_b", "boom\nbang"),
        JobTest("c", result="skipped"),
    ]
    job = web.push(Workflow("build", Job("test", 5, tests=tests))).job("test")
    response = await http.get(f"/jobs/{job.id}/tests")
    assert (response.status_code, response.content) == (200, b"")
    fake.clock.advance(5)
    response = await http.get(f"/jobs/{job.id}/tests")
    assert response.headers["content-type"] == "application/x-ndjson"
    rows = [json.loads(line) for line in response.text.splitlines()]
    assert [(row["classname"], row["name"], row["result"], row["run_time"], row["message"]) for row in rows] == [
        ("tests.a", "test_é", "success", 0.25, ""),
        ("tests", "test_b", "failure", 0.1, "boom\nbang"),
        ("tests", "c", "skipped", 0.1, ""),
    ]
