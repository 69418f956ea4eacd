"""Waits that a server names and does not mean, rate limiters of users that fail, and clients of several threads."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Final

import anyio
import anyio.to_thread

from circleci_sdk import AsyncCircleCI, RateKey, RateLimit
from tests.attack.kinds import Broken, Kind, outcome_of
from tests.support.clients import CREATED, SLUG, USER, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Request, Response, ScriptedServer, reply

SLOTS: Final = 3
LONGEST_CALL: Final = 60.0
"""The timeout of a call, which bounds what it waits."""


def odd_number(rng: random.Random) -> str:
    """A number, or what is none."""
    match rng.randrange(6):
        case 0:
            return str(rng.randrange(1_500_000_000, 2_000_000_000) * rng.choice((1, 1000)))
        case 1:
            return str(rng.uniform(-10, 10))
        case 2:
            return rng.choice(("nan", "inf", "-inf", "1e308", "1e999", "-0", "0x10", "", " ", "1,2", "soon", "\xb2"))
        case 3:
            return str(rng.randrange(10)) * rng.randrange(1, 600)
        case 4:
            return str(rng.choice((0, 1, 59, 60, 61, 3599, 3600, 3601, 86400, 2**31, 2**63)))
        case _:
            year = rng.choice((1, 1970, 1999, 2025, 2038, 9999, 99999))
            return f"Fri, 31 Dec {year} 23:59:59 {rng.choice(('GMT', '+9999', '', '-0000'))}"


def odd_headers(rng: random.Random) -> dict[str, str]:
    headers = {"Retry-After": odd_number(rng)} if rng.random() < 0.7 else {}
    if rng.random() < 0.3:
        headers["Date"] = odd_number(rng)
    for family in ("", "X-"):
        for what in ("Limit", "Remaining", "Reset"):
            if rng.random() < 0.4:
                window = rng.choice(("", "", "-Second", "-Minute", "-Hour", "-Day"))
                headers[f"{family}RateLimit-{what}{window}"] = odd_number(rng)
    return headers


async def odd_waits(rng: random.Random) -> str:
    """Odd headers for two groups, then good responses: after an hour at most, or a reset, both groups are open."""
    clock = FakeClock(chance=rng.random())

    def respond(request: Request) -> Response:
        status = rng.choice((200, 429, 429, 503)) if odd[0] else 200
        odd[0] = max(0, odd[0] - 1)
        body = USER if request.path.endswith("/me") else CREATED
        return reply(status, json=body, headers=odd_headers(rng) if status != 200 or odd[0] else {})

    odd = [rng.randrange(1, 6)]
    with ScriptedServer() as server:
        server.otherwise(respond)
        async with client_on(server, clock, timeout=LONGEST_CALL) as client:
            uses = [partial(client.v2.users.me), partial(client.v2.pipelines.trigger, SLUG, branch="main")]
            outcomes = [await outcome_of(rng.choice(uses)()) for _ in range(3)]
            if max(clock.slept, default=0) > LONGEST_CALL:
                raise Broken("hang", f"a call waits {max(clock.slept)} s")
            odd[0] = 0
            if rng.random() < 0.5:
                client.reset_rate_limits()
            else:
                clock.now += 3600
            for use in uses:
                if await outcome_of(use()) != "result":
                    raise Broken("hang", "a group is still closed")
            await slots_are_free(client)
    return ", ".join(sorted(set(outcomes)))


async def slots_are_free(client: AsyncCircleCI) -> None:
    session = client._session  # pyright: ignore[reportPrivateUsage]  # its state has no public name
    slots = session.resources().slots
    if slots.value != slots.max_value or any(session.in_flight.values()):
        raise Broken("lost slot", f"{slots.value} of {slots.max_value} slots are free")


class Custom:
    """A rate limiter that fails at random."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.values: tuple[object, ...] = (None, 0.0, 0.5, -1.0, True, "3", float("nan"), float("inf"), 10**400, b"")

    def acquire(self, key: RateKey, max_wait: float, max_total: float) -> Awaitable[Any]:
        return self._fail(True)

    def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> Awaitable[Any]:
        return self._fail(False)

    def _fail(self, waits: bool) -> Any:
        match self.rng.randrange(6):
            case 0:
                raise ConnectionError("at once")
            case 1:
                return self.rng.choice((None, 3, "text"))
            case _:
                return self._later(self.rng.choice((0, 1, 2)), waits)

    async def _later(self, how: int, waits: bool) -> Any:
        await anyio.lowlevel.checkpoint()
        if how == 1:
            raise self.rng.choice((OSError("x"), ExceptionGroup("several", [ValueError("y")]), RuntimeError("z")))
        return self.rng.choice(self.values) if how == 2 and waits else None


async def failing_limiter(rng: random.Random) -> str:
    """No failure of a limiter replaces a response, sends a POST twice or keeps a slot."""
    clock = FakeClock(chance=rng.random())
    accepted = 0

    def respond(request: Request) -> Response:
        nonlocal accepted
        if rng.random() < 0.2:
            return reply(429, headers={"Retry-After": "1"})
        accepted += 1
        left = {"X-RateLimit-Limit": "50", "X-RateLimit-Remaining": str(rng.randrange(50)), "X-RateLimit-Reset": "1"}
        return reply(201, json=CREATED, headers=left)

    with ScriptedServer() as server:
        server.otherwise(respond)
        limiter: Any = Custom(rng)
        outcomes: Counter[str] = Counter()
        async with client_on(server, clock, max_concurrency=SLOTS, rate_limiter=limiter, timeout=600) as client:

            async def use() -> None:
                outcomes[await outcome_of(client.v2.pipelines.trigger(SLUG, branch="main"))] += 1

            async with anyio.create_task_group() as tasks:
                for _ in range(rng.randrange(1, 9)):
                    tasks.start_soon(use)
            await slots_are_free(client)
        if outcomes["result"] != accepted:
            raise Broken("wrong result", f"{accepted} accepted, {outcomes}")
    return ", ".join(sorted(outcomes))


async def several_threads(rng: random.Random) -> str:
    """Each call of each thread succeeds, whatever is refused in between."""
    refused = {rng.randrange(16) for _ in range(rng.randrange(1, 5))}
    headers: dict[str, str] = rng.choice([{}, {"Retry-After": "0"}, {"Retry-After": "0.02"}, {"Retry-After": "9" * 12}])
    seen = 0

    def respond(request: Request) -> Response:
        nonlocal seen
        seen += 1
        return reply(429, headers=headers) if seen in refused else reply(json=USER)

    with ScriptedServer() as server:
        server.otherwise(respond)
        client = client_on(server, max_concurrency=rng.choice((2, 50)), max_retries=6, timeout=LONGEST_CALL)
        outcomes: Counter[str] = Counter()

        async def main() -> None:
            async with anyio.create_task_group() as tasks:
                for _ in range(8):
                    tasks.start_soon(use)

        async def use() -> None:
            outcomes[await outcome_of(client.v2.users.me())] += 1

        backends = [rng.choice(("asyncio", "trio")) for _ in range(rng.randrange(2, 4))]
        threads = [threading.Thread(target=_run, args=(main, one, client), daemon=True) for one in backends]
        for thread in threads:
            thread.start()
        for thread in threads:
            await anyio.to_thread.run_sync(thread.join, LONGEST_CALL)
        await client.aclose()
    if outcomes != {"result": 8 * len(threads)}:
        raise Broken("hang", f"{outcomes} of {8 * len(threads)}")
    return f"result, {len(threads)} threads"


def _run(main: Callable[[], Any], backend: str, client: AsyncCircleCI) -> None:
    async def closing() -> None:
        await main()
        session = client._session  # pyright: ignore[reportPrivateUsage]  # its state has no public name
        await session.resources().http.aclose()

    anyio.run(closing, backend=backend)


KINDS: Final = (
    Kind("Odd numbers and dates in rate limit headers", odd_waits, tries=4000, samples=12),
    Kind("A custom rate limiter that fails", failing_limiter, tries=2000, samples=12),
    Kind("A client of several threads, with refusals", several_threads, tries=500, samples=3),
)
