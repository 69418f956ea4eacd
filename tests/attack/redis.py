"""A shared rate limit whose Redis fails, talks nonsense or is asked by calls that are cancelled."""

from __future__ import annotations

import random
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Final

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.lowlevel import checkpoint

from circleci_sdk import RateKey, RateLimit
from circleci_sdk.limiters import RedisRateLimiter
from tests.attack.kinds import Broken, Kind, no_token
from tests.support.clients import TOKEN
from tests.support.redis_server import RedisServer, program

TIME_LIMIT: Final = 0.1
NO_REDIS: Final = "no Redis"
"""What happens in a try that needs a server, on a platform without one."""
ERRORS: Final = (
    *("OOM command not allowed", "READONLY replica", "NOAUTH Authentication required.", "LOADING", "BUSY script"),
    *("WRONGTYPE Operation", "ERR unknown command", "NOSCRIPT", "MOVED 1 127.0.0.1:1", "MASTERDOWN", "CLUSTERDOWN"),
    f"WRONGPASS {TOKEN}",
)


def nonsense(rng: random.Random) -> bytes | None:
    """A reply of a Redis that is none, is overloaded or was taken for another server; None is no reply."""
    match rng.randrange(8):
        case 0:
            return f"-{rng.choice(ERRORS)}\r\n".encode()
        case 1:
            numbers = [rng.choice((-1, 0, 1, 2, 3, 10**18, -(10**18))) for _ in range(rng.randrange(9))]
            return b"*%d\r\n" % len(numbers) + b"".join(b":%d\r\n" % number for number in numbers)
        case 2:
            return rng.choice((b"$-1\r\n", b"*-1\r\n", b"+OK\r\n", b":7\r\n", b"*0\r\n", b"$3\r\nabc\r\n"))
        case 3:
            return rng.randbytes(rng.randrange(1, 60)) + b"\r\n"
        case 4:
            return b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
        case 5:
            return b"*6\r\n:1\r\n:1\r\n"  # cut off
        case 6:
            return b""  # the connection is closed
        case _:
            return None


@asynccontextmanager
async def hostile_redis(rng: random.Random) -> AsyncGenerator[int]:
    """The port of a server that accepts connections and replies nonsense to whatever it reads."""

    async def talk(stream: SocketStream) -> None:
        async with stream:
            try:
                while True:
                    await stream.receive()
                    reply = nonsense(rng)
                    if reply == b"":
                        return
                    if reply is not None:
                        await stream.send(reply)
            except (anyio.EndOfStream, anyio.BrokenResourceError):
                return

    async with await anyio.create_tcp_listener(local_host="127.0.0.1") as listener, anyio.create_task_group() as tasks:
        tasks.start_soon(listener.serve, talk)
        yield listener.extra(SocketAttribute.local_port)
        tasks.cancel_scope.cancel()


async def replies_of_a_hostile_redis(rng: random.Random) -> str:
    """No call fails or waits longer than its limit, and no log shows the password."""
    async with hostile_redis(rng) as port:
        url = f"redis://{rng.choice(('', 'user'))}:{TOKEN}@127.0.0.1:{port}/{rng.randrange(3)}"
        limiter = RedisRateLimiter.from_url(url, time_limit=TIME_LIMIT, retry_interval=rng.choice((0.001, 60.0)))
        async with limiter:
            outcome = await _use(limiter, rng)
    no_token(repr(limiter), "a repr")
    return outcome


async def _use(limiter: RedisRateLimiter, rng: random.Random) -> str:
    key = RateKey("me", "https://circleci.com", rng.choice(("v2.users", "v2.jobs")))
    outcomes: set[str] = set()

    async def one(number: int) -> None:
        try:
            if number % 2:
                state = RateLimit(rng.randrange(1, 100), rng.randrange(100), rng.random(), 1.0)
                await limiter.observe(key, rng.choice((state, None)), rng.choice((None, None, 0.01)))
            else:
                wait = await limiter.acquire(key, 0.05, 0.05)
                outcomes.add("result" if wait is None else "a wait that is too long")
        except Exception as error:
            raise Broken("raw exception", repr(error)) from error

    with anyio.move_on_after(10) as scope:
        async with anyio.create_task_group() as tasks:
            for number in range(rng.randrange(2, 9)):
                tasks.start_soon(one, number)
    if scope.cancelled_caught:
        raise Broken("hang", "a decision took ten seconds")
    return ", ".join(sorted(outcomes)) or "result"


@cache
def _redis() -> RedisServer:
    place = tempfile.TemporaryDirectory()
    server = RedisServer(Path(place.name))
    server.start()
    # Unlike those of atexit, these run in the processes of a pool too.
    Finalize(None, server.kill, exitpriority=2)
    Finalize(None, place.cleanup, exitpriority=1)
    return server


async def cancelled_calls_of_a_shared_limit(rng: random.Random) -> str:
    """Calls that are cancelled while they ask or wait take no place: later calls do not wait for them."""
    if program() is None:
        return NO_REDIS
    key = RateKey(f"cancelled-{rng.getrandbits(64):x}", "https://circleci.com", "v2.users")
    async with RedisRateLimiter.from_url(_redis().url, time_limit=5.0) as limiter:
        await limiter.observe(key, RateLimit(limit=2, remaining=0, reset=30.0, window=1.0), 30.0)
        first = await limiter.acquire(key, 100.0, 0.0)
        for _ in range(rng.randrange(1, 4)):
            async with anyio.create_task_group() as tasks:
                for _ in range(rng.randrange(1, 20)):
                    tasks.start_soon(limiter.acquire, key, 100.0, 100.0)
                for _ in range(rng.choice((0, 1, 3, 10, 30, 100))):
                    await checkpoint()
                tasks.cancel_scope.cancel()
        last = await limiter.acquire(key, 100.0, 0.0)
        if first is None or last is None:
            raise Broken("wrong result", "a call proceeded during the pause")
        if last > first + 0.5:
            raise Broken("lost slot", f"the wait grew from {first:.1f} s to {last:.1f} s")
    return "result"


KINDS: Final = (
    Kind("Replies of a hostile Redis", replies_of_a_hostile_redis, tries=1_000, samples=8),
    Kind("Cancelled calls of a shared limit", cancelled_calls_of_a_shared_limit, tries=500, samples=5),
)
