"""Cancellations, of others and own ones; stores that fail; and bytes that are no delivery."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any, Final

import anyio
import httpx
import sniffio

from circleci_sdk import AsyncCircleCI
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.webhooks import Ping, Router, WebhookApp
from tests.attack.kinds import Broken, Kind, outcome_of
from tests.support.asgi_server import serving
from tests.support.clients import SLUG, USER, client_on
from tests.support.clock import FakeClock
from tests.support.foreign import foreign_cancellation
from tests.support.scripted_server import Request, Response, ScriptedServer, reply
from tests.support.steps import steps_of_connections
from tests.webhooks import deliveries
from tests.webhooks.faulty_store import FAULTS, FaultyStore

SECONDS: Final = 20
"""Seconds for the next call, and for the end of an attempt."""
PLACES: Final = ("auth", "on_request", "on_response", "acquire")


def _server() -> ScriptedServer:
    server = ScriptedServer()

    def page(request: Request) -> Response:
        start = int(dict(request.query).get("page-token", "0"))
        items = [{"name": f"NAME_{number}", "value": "xxxx"} for number in (start, start + 1)]
        return reply(json={"items": items, "next_page_token": str(start + 2) if start < 6 else None})

    server.on("GET", "/api/v2/me", reply(json=USER, framing="chunked"))
    server.on("GET", f"/api/v2/project/{SLUG}/envvar", page)
    server.on("POST", f"/api/v2/project/{SLUG}/envvar", reply(201, json={"name": "A", "value": "xxxx"}))
    return server


async def _list(client: AsyncCircleCI, ahead: int) -> None:
    async with client.v2.projects.list_env_vars(SLUG).prefetch(ahead) as items:
        found = [item.name async for item in items]
    if len(found) != 8:
        raise Broken("wrong result", f"a list ended after {len(found)} of 8 items")


async def _set_many(client: AsyncCircleCI) -> None:
    report = await client.secrets.set_many({"A": "a value", "B": "b value", "C": "c value"}, projects=[SLUG])
    if len(report.results) != 3:
        raise Broken("wrong result", f"a report of {len(report.results)} of 3 variables")


def _use(rng: random.Random, client: AsyncCircleCI) -> Callable[[], Awaitable[Any]]:
    """One of the ways to make calls, some of them in tasks of their own."""
    ahead, limit = rng.randint(1, 4), rng.randint(1, 3)
    return rng.choice(
        [
            client.v2.users.me,
            lambda: _list(client, ahead),
            lambda: map_concurrently(lambda _: client.v2.users.me(), range(4), limit=limit),
            lambda: _set_many(client),
        ]
    )


async def _others() -> None:
    """A cancellation of others, as this event loop has it."""
    if sniffio.current_async_library() == "asyncio":
        await foreign_cancellation()
    raise asyncio.CancelledError


class _Function:
    """A function of the user, of which one call gets a cancellation of others."""

    def __init__(self, place: str, at: int) -> None:
        self.place, self.at, self.calls = place, at, 0

    async def __call__(self, *_: object) -> Any:
        self.calls += 1
        if self.calls == self.at:
            await _others()
        return "a-token" if self.place == "auth" else None

    async def acquire(self, *_: object) -> None:
        await self()

    async def observe(self, *_: object) -> None: ...


async def cancelled_by_others(rng: random.Random) -> str:
    function = _Function(rng.choice(PLACES), rng.randint(1, 5))
    name: str = "rate_limiter" if function.place == "acquire" else function.place
    slots = rng.randint(1, 3)
    options: dict[str, Any] = {name: function, "max_concurrency": slots, "max_retries": rng.randint(0, 1)}
    with _server() as server:
        async with client_on(server, FakeClock(), **options) as client:
            use = _use(rng, client)

            try:
                outcome = await outcome_of(use())
            except (asyncio.CancelledError, KeyError) as error:
                raise Broken("raw exception", repr(error)) from error
            function.at = 0
            await _usable(client, slots)
    return outcome


async def _usable(client: AsyncCircleCI, slots: int) -> None:
    with anyio.move_on_after(SECONDS) as limit:
        await client.v2.users.me()
    if limit.cancelled_caught:
        raise Broken("hang", "the next call did not end")
    free = client._session.resources().slots.value  # pyright: ignore[reportPrivateUsage]  # slots have no public name
    if free != slots:
        raise Broken("lost slot", f"{free} of {slots} are free")


async def cancelled(rng: random.Random) -> str:
    """At a step of its I/O, by a scope, by `task.cancel()` several times, or by `asyncio.timeout`."""
    ways = ["scope"] if sniffio.current_async_library() == "trio" else ["scope", "task", "timeout"]
    way, first, times, slots = rng.choice(ways), rng.randint(1, 24), rng.randint(1, 4), rng.randint(1, 3)
    steps_at = range(first, first + times)
    was_cancelled = False
    with _server() as server, steps_of_connections() as steps:
        async with client_on(server, FakeClock(), max_concurrency=slots) as client:
            use = _use(rng, client)
            match way:
                case "scope":
                    with anyio.CancelScope() as scope:
                        steps.again(*steps_at, action=scope.cancel)
                        await use()
                    was_cancelled = scope.cancelled_caught
                case "task":
                    task = asyncio.ensure_future(use())
                    steps.again(*steps_at, action=task.cancel)
                    await asyncio.wait([task])
                    was_cancelled = task.cancelled()
                    if not was_cancelled:
                        await task
                case _:
                    try:
                        async with asyncio.timeout(None) as timeout:
                            steps.again(first, action=lambda: timeout.reschedule(0))
                            await use()
                    except TimeoutError:
                        was_cancelled = True
            steps.again()
            await _usable(client, slots)
    return f"cancelled by {way}" if was_cancelled else "result"


async def faulty_store(rng: random.Random) -> str:
    """A delivery is sent until it is accepted, to one of two processes each time, and was handled once then."""
    on_asyncio = sniffio.current_async_library() == "asyncio"
    store = FaultyStore(rng, rng.uniform(0.1, 0.6), FAULTS if on_asyncio else FAULTS[:2])
    handled: list[str] = []

    async def handle(event: Ping) -> None:
        await anyio.lowlevel.checkpoint()
        handled.append(event.id)

    content = deliveries.raw(deliveries.ping(1))
    sent = status = 0
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(httpx.AsyncClient(timeout=SECONDS, verify=False))
        urls = [await stack.enter_async_context(_process(store, handle)) for _ in range(2)]
        while status != 200 and sent < 100:
            sent += 1
            url = rng.choice(urls)
            status = (await client.post(url, content=content, headers=deliveries.headers(content))).status_code
            if status not in (200, 503):
                raise Broken("raw exception", f"status {status}")
    if len(handled) != 1:
        raise Broken("lost delivery", f"handled {len(handled)} times: {store.seen}")
    return "handled at once" if sent == 1 else "handled after a redelivery"


@asynccontextmanager
async def _process(store: FaultyStore, handle: Callable[[Ping], Awaitable[None]]) -> AsyncGenerator[str]:
    """The URL of a receiver with a router of its own."""
    router = Router(store=store, store_timeout=0.02)
    router.on(Ping)(handle)
    app = WebhookApp(router, secret=deliveries.SECRET)
    app._clock = clock = FakeClock()  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
    router._claims.clock = clock  # pyright: ignore[reportPrivateUsage]  # the clock has no public name
    async with app, serving(app) as url:
        yield url


_ODD: Final = (
    *("9" * 5000, "-" + "9" * 4301, "1e999", "NaN", "-Infinity", '"\\ud800"', '"\\u0000"', "[" * 500 + "]" * 500),
    *('{"a":' * 210 + "1" + "}" * 210, '"99999-01-01T00:00:00Z"', '"0001-01-01T00:00:00+14:00"', "253402300800"),
    *('"2025-13-45T99:99:99Z"', '"#joda/inst 2025"', "true", "null", '""', "[]", "{}", "[null]", '"\\u202e\\u0007"'),
    *('"' + "x" * 70_000 + '"', '"https://[::1"', "-0", "7" * 4299, '{"a":1,"a":2}', '"9' + "9" * 30 + '"'),
)
_WHOLE: Final[tuple[Any, ...]] = (
    deliveries.workflow(),
    deliveries.job(),
    deliveries.ping(),
    {"type": "deploy-completed", "id": "1"},
    {"payload": {"build_num": 1, "vcs_url": "https://github.com/a/b", "all_commit_details": [{"author_date": "1"}]}},
)


def _fuzzed(rng: random.Random) -> bytes:
    whole = json.loads(json.dumps(rng.choice(_WHOLE)))
    odd = {f"@{number}@": rng.choice(_ODD) for number in range(rng.randint(1, 3))}
    for mark in odd:
        inner: Any = whole
        while True:
            key: Any = rng.choice(list(inner) if hasattr(inner, "keys") else range(len(inner)))
            if rng.random() < 0.4 or not isinstance(inner[key], dict | list) or not inner[key]:
                inner[key] = mark
                break
            inner = inner[key]
    text = json.dumps(whole)
    for mark, value in odd.items():
        text = text.replace(f'"{mark}"', value)
    body = bytearray(text.encode())
    match rng.randrange(8):
        case 0:
            del body[rng.randrange(len(body)) :]
        case 1:
            for _ in range(rng.randint(1, 5)):
                body[rng.randrange(len(body))] = rng.randrange(256)
        case 2:
            body[:0] = b"\xef\xbb\xbf"
        case 3:
            return bytes(rng.randrange(256) for _ in range(rng.randrange(60)))
        case _:
            pass
    return bytes(body)


async def fuzzed_delivery(rng: random.Random) -> str:
    content = _fuzzed(rng)
    signed = rng.random() < 0.8
    given = [("circleci-signature", deliveries.signature(content))] if signed else []
    odd = ["v1=zz", "\xff", "v1=" + "0" * 64, ",", "x" * 20_000]
    for _ in range(rng.randrange(3)):
        name = rng.choice(["circleci-event-type", "Circleci-Signature" if not signed else "x", "x"])
        given.append((name, rng.choice([*odd, "ping", "job-completed"])))
    rng.shuffle(given)
    app = WebhookApp(Router(), secret=deliveries.SECRET)
    async with app, serving(app) as url, httpx.AsyncClient(base_url=url, timeout=SECONDS, verify=False) as client:
        headers = [(name.encode(), value.encode("latin-1")) for name, value in given]
        status = (await client.post("/", content=content, headers=headers)).status_code
    if status not in ((200, 400) if signed else (401,)):
        raise Broken("raw exception", f"status {status} for {content[:200]!r}")
    return f"status {status}"


KINDS: Final = (
    Kind("A cancellation of others", cancelled_by_others, tries=4000, samples=10),
    Kind("A call that is cancelled", cancelled, tries=4000, samples=10),
    Kind("A store of deliveries that fails", faulty_store, tries=3000, samples=6),
    Kind("A fuzzed delivery", fuzzed_delivery, tries=22_000, samples=10),
)
