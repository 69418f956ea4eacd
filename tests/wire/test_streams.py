"""Streams of API v3: no byte lost or given twice, in bounded memory, and closed at the end; on asyncio and trio."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import AsyncIterator

import anyio
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    ByteStream,
    ConnectionFailedError,
    DecodeError,
    InvalidArgumentError,
    ItemStream,
    NotFoundError,
    ServerError,
    Timeout,
)
from circleci_sdk.v3.models import JobTest
from tests.support.clients import ID, TOKEN, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, reply

OUTPUT = bytes(range(256)) * 400
TERMINAL = {"X-Terminal": "true"}
STDOUT = f"/api/v3/jobs/{ID}/stdout"
TESTS = f"/api/v3/jobs/{ID}/tests"


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, FakeClock()) as client:
        yield client


def stdout(client: AsyncCircleCI) -> ByteStream:
    return client.v3.jobs.stream_stdout(ID, step_num=3, execution=0)


async def read(stream: ByteStream) -> bytes:
    async with stream:
        return b"".join([piece async for piece in stream])


class Output:
    """A server that knows ranges, and cuts responses after so many bytes."""

    def __init__(self, cuts: list[int], *, ranged: bool = True) -> None:
        self.cuts = deque(cuts)
        self.ranged = ranged

    def __call__(self, request: Request) -> Response:
        start = int(request.headers["range"].removeprefix("bytes=").removesuffix("-"))
        rest = OUTPUT[start:]
        headers = dict(TERMINAL)
        if self.ranged and start:
            headers["Content-Range"] = f"bytes {start}-{len(OUTPUT) - 1}/{len(OUTPUT)}"
        response = reply(206 if self.ranged else 200, body=rest, headers=headers)
        if not self.cuts:
            return response
        return response.cut(keep=self.cuts.popleft() / max(1, len(rest)))


@pytest.mark.parametrize("ranged", [True, False], ids=["206", "200 from the offset"])
@pytest.mark.parametrize("cuts", [[], [0], [1], [50_000], [10, 20, 30], [len(OUTPUT) - 1], [7] * 12])
async def test_no_byte_is_lost_or_given_twice(
    client: AsyncCircleCI, server: ScriptedServer, cuts: list[int], ranged: bool
) -> None:
    server.on("GET", STDOUT, Output(cuts, ranged=ranged))
    stream = stdout(client)
    assert await read(stream) == OUTPUT
    assert stream.is_terminal
    assert stream.offset == len(OUTPUT)
    assert len(server.requests) == len(cuts) + 1
    request = server.requests[0]
    assert dict(request.query) == {"filter[step_num]": "3", "filter[execution]": "0"}
    assert request.headers["range"] == "bytes=0-"
    assert request.headers["authorization"] == f"Bearer {TOKEN}"
    assert request.headers["accept-encoding"] == "identity"
    assert "circle-token" not in request.headers


async def test_a_stream_without_progress_ends_with_the_error(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", STDOUT, Output([0] * 9))
    with pytest.raises(ConnectionFailedError, match=r"v3\.jobs\.stream_stdout: .*3 attempts"):
        await read(stdout(client))
    assert len(server.requests) == 3


async def test_a_read_that_was_cancelled_is_not_the_end(client: AsyncCircleCI, server: ScriptedServer) -> None:
    """The stream is opened again at its offset."""
    hold = server.latch()
    head = b"HTTP/1.1 206 Partial Content\r\nContent-Length: 6\r\n\r\n"
    server.on("GET", STDOUT, [Response(head, (b"abc", hold, b"def")), reply(206, body=b"def", headers=TERMINAL)])
    async with stdout(client) as stream:
        assert await anext(stream) == b"abc"
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anext, stream)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        hold.open()
        assert [piece async for piece in stream] == [b"def"]
    assert server.requests[1].headers["range"] == "bytes=3-"


async def test_a_read_of_lines_that_was_cancelled_is_not_the_end(client: AsyncCircleCI, server: ScriptedServer) -> None:
    """The lines cannot be resumed."""
    hold = server.latch()
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n"
    server.on("GET", TESTS, [Response(head, (b"\n", hold))])
    async with client.v3.jobs.stream_tests(ID) as stream:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(anext, stream)
            await anyio.wait_all_tasks_blocked()
            tasks.cancel_scope.cancel()
        hold.open()
        with pytest.raises(ConnectionFailedError, match="an earlier read was cancelled"):
            await anext(stream)


async def test_resume_asks_for_the_rest(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", STDOUT, Output([]))
    stream = stdout(client).resume(len(OUTPUT) - 3)
    assert await read(stream) == OUTPUT[-3:]
    assert server.requests[0].headers["range"] == f"bytes={len(OUTPUT) - 3}-"


@pytest.mark.parametrize("offset", [-1, 1.5, "3", None, True])
async def test_resume_refuses_what_is_no_offset(client: AsyncCircleCI, offset: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"v3\.jobs\.stream_stdout: resume: offset"):
        stdout(client).resume(offset)  # type: ignore[arg-type]  # pyright: ignore[reportArgumentType]  # refused


@pytest.mark.parametrize(("headers", "terminal"), [({}, False), (TERMINAL, True), ({"X-Terminal": "false"}, False)])
async def test_nothing_behind_the_offset_yet(
    client: AsyncCircleCI, server: ScriptedServer, headers: dict[str, str], terminal: bool
) -> None:
    server.on("GET", STDOUT, lambda request: reply(416, headers={"Content-Range": "bytes */5", **headers}))
    stream = stdout(client).resume(5)
    assert await read(stream) == b""
    assert (stream.offset, stream.is_terminal) == (5, terminal)


async def test_other_bytes_than_asked_for_are_refused(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", STDOUT, lambda request: reply(206, body=b"x", headers={"Content-Range": "bytes 4-4/5"}))
    with pytest.raises(DecodeError, match="expected the bytes from 3 on, received those from 4 on"):
        await read(stdout(client).resume(3))


async def test_compressed_bytes_are_refused(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", STDOUT, lambda request: reply(200, body=b"x", headers={"Content-Encoding": "gzip"}))
    with pytest.raises(DecodeError, match="expected bytes as they are, received them as gzip"):
        await read(stdout(client))


async def test_errors_are_those_of_any_call(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.script([reply(404, body=b'{"error": {"type": "not_found", "title": "No output"}}')])
    with pytest.raises(NotFoundError) as caught:
        await read(stdout(client))
    assert (caught.value.message, caught.value.error_type) == ("No output", "not_found")
    server.script([reply(503)] * 3)
    with pytest.raises(ServerError):
        await read(stdout(client))
    server.clear()
    server.script([reply(503), drop(), reply(200, body=b"late", headers=TERMINAL)])
    assert await read(stdout(client)) == b"late"


async def test_the_time_limit_counts_anew_with_each_piece(server: ScriptedServer) -> None:
    clock = FakeClock()
    server.on("GET", STDOUT, Output([10] * 20))
    pieces: list[bytes] = []
    async with client_on(server, clock, timeout=Timeout(total=30)) as client, stdout(client) as stream:
        async for piece in stream:
            pieces.append(piece)
            clock.now += 20
    assert b"".join(pieces) == OUTPUT
    assert clock.now > 1000 + 30


async def test_a_stream_left_early_can_be_entered_again(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.on("GET", STDOUT, Output([]))
    stream = stdout(client)
    async with stream:
        assert await stream.__anext__()
    assert await read(stream) == OUTPUT
    with pytest.raises(RuntimeError, match="use it inside its `with` block"):
        await stdout(client).__anext__()


TEXT = "one\r\ntwo\n\u20ac three\n\nlast \U0001f600"


@pytest.mark.parametrize("cut", range(len(TEXT.encode())))
async def test_lines_of_text_cut_anywhere(client: AsyncCircleCI, server: ScriptedServer, cut: int) -> None:
    content = TEXT.encode()
    first = reply(206, body=content).cut(keep=cut / len(content))
    rest = reply(206, body=content[cut:], headers={**TERMINAL, "Content-Range": f"bytes {cut}-9/9"})
    server.script([first, rest])
    async with stdout(client) as stream:
        assert [line async for line in stream.lines()] == ["one", "two", "\u20ac three", "", "last \U0001f600"]


def result_of(number: int) -> dict[str, object]:
    return {"classname": "c", "name": f"test {number}", "result": "success", "run_time": 0.5, "message": ""}


def results(client: AsyncCircleCI) -> ItemStream[JobTest]:
    return client.v3.jobs.stream_tests(ID)


async def test_items_one_by_one(client: AsyncCircleCI, server: ScriptedServer) -> None:
    lines = [json.dumps(result_of(number)) for number in range(500)]
    server.script(
        [reply(200, body="\n\n".join(lines).encode() + b"\n", headers={"Content-Type": "application/x-ndjson"})]
    )
    async with results(client) as stream:
        assert [test.name async for test in stream] == [f"test {number}" for number in range(500)]
    server.script([reply(200, body=b"")])
    async with results(client) as stream:
        assert [test async for test in stream] == []


async def test_a_line_that_cannot_be_read_costs_no_other(client: AsyncCircleCI, server: ScriptedServer) -> None:
    odd = {**result_of(2), "run_time": "long", "new": 1}
    lines = [json.dumps(result_of(1)), "no JSON", json.dumps(odd), json.dumps(result_of(3))]
    server.script([reply(200, body="\n".join(lines).encode())])
    async with results(client) as stream:
        assert (await stream.__anext__()).name == "test 1"
        with pytest.raises(DecodeError, match=r"v3\.jobs\.stream_tests: .*expected JSON"):
            await stream.__anext__()
        read = await stream.__anext__()
        assert [str(one) for one in read.mismatches] == ["run_time: expected number, received string"]
        assert read.model_extra == {"run_time": "long", "new": 1}
        assert [test.name async for test in stream] == ["test 3"]
    assert [drift.place for drift in client.drift] == ["run_time"]


async def test_items_are_never_read_twice(client: AsyncCircleCI, server: ScriptedServer) -> None:
    server.script([reply(200, body=json.dumps(result_of(1)).encode() + b"\n" + b" " * 100).cut(keep=0.9)])
    seen: list[str] = []
    with pytest.raises(ConnectionFailedError):
        async with results(client) as stream:
            seen += [test.name async for test in stream]
    assert len(server.requests) == 1


async def test_a_line_is_no_larger_than_a_response(server: ScriptedServer) -> None:
    server.script([reply(200, body=b"x" * 5000)])
    async with client_on(server, FakeClock(), max_response_bytes=1000) as client, results(client) as stream:
        with pytest.raises(DecodeError, match=r"a line is longer than max_response_bytes \(1000\)"):
            await stream.__anext__()
