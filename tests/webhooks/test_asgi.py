"""The door: what it returns, what it hands on, and how it is opened and shut."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.routing import Route

from circleci_sdk import ConfigError, InvalidArgumentError
from circleci_sdk.webhooks import HandlerFailure, MemoryStore, Ping, Router, UnknownEvent, WebhookApp
from tests.webhooks import deliveries
from tests.webhooks.deliveries import SECRET, headers, post, raw

PING = raw(deliveries.ping())


def heard_by(router: Router) -> list[str]:
    """The ids of pings that a handler of this router heard."""
    heard: list[str] = []

    @router.on(Ping)
    async def hear(event: Ping) -> None:
        heard.append(event.id)

    return heard


def app_of(router: Router, **options: Any) -> WebhookApp:
    return WebhookApp(router, **{"secret": SECRET, **options})


async def test_a_good_delivery_is_responded_and_then_handled_once() -> None:
    router, limiter, heard = Router(), anyio.Event(), list[str]()

    @router.on(Ping)
    async def slow(event: Ping) -> None:
        await limiter.wait()
        heard.append(event.id)

    app = app_of(router)
    with anyio.fail_after(5):
        async with app:
            first = await post(app, PING)
            again = await post(app, PING)
            assert (first.status, first.text, first.headers["content-type"]) == (
                200,
                "Taken.\n",
                "text/plain; charset=utf-8",
            )
            assert (again.status, again.text) == (200, "This delivery is known already.\n")
            assert heard == []
            assert repr(app) == "<WebhookApp, 1 deliveries being worked on>"
            limiter.set()
    assert heard == [deliveries.uuid(1)]


JOB = raw(deliveries.job())


@pytest.mark.parametrize(
    ("content", "given", "method", "status", "words"),
    [
        (PING, {}, "POST", 401, "has no circleci-signature"),
        (PING, headers(PING, "another"), "POST", 401, "is wrong"),
        (JOB, headers(PING), "POST", 401, "is wrong"),
        (PING, {"circleci-signature": "v1=zz"}, "POST", 401, "malformed"),
        (b"not JSON", None, "POST", 400, "is not JSON"),
        (b'{"type": "ping"}', None, "POST", 400, "does not fit Ping"),
        (b"x" * 2001, None, "POST", 413, "larger than 2000 bytes"),
        (PING, {**headers(PING), "content-length": "2001"}, "POST", 413, "larger than 2000 bytes"),
        (PING, {**headers(PING), "content-length": "9" * 5000}, "POST", 413, "larger than 2000 bytes"),
        (PING, {**headers(PING), "content-length": "-5"}, "POST", 200, "Taken"),
        (PING, None, "GET", 405, "by POST"),
        (PING, None, "DELETE", 405, "by POST"),
        (raw({"type": "deploy-completed"}), None, "POST", 200, "Taken"),
    ],
)
async def test_every_other_request_is_responded_with_a_plain_sentence(
    content: bytes, given: dict[str, str] | None, method: str, status: int, words: str
) -> None:
    router = Router()
    heard = heard_by(router)
    app = app_of(router, max_body=2000)
    async with app:
        reply = await post(app, content, given, method=method)
    assert (reply.status, words in reply.text, reply.text.count("\n")) == (status, True, 1)
    assert reply.headers["content-length"] == str(len(reply.text.encode()))
    assert reply.headers.get("allow") == ("POST" if status == 405 else None)
    assert bool(heard) == (status == 200 and content == PING)


async def test_a_body_in_pieces_is_one_body_and_its_size_is_counted() -> None:
    router = Router()
    heard = heard_by(router)
    app = app_of(router, max_body=len(PING))
    async with app:
        pieces = [PING[:10], b"", PING[10:]]
        assert (await post(app, PING, parts=pieces)).status == 200
        assert (await post(app, PING, parts=[*pieces, b" ", b"never read"])).status == 413
    assert heard == [deliveries.uuid(1)]


async def test_a_body_that_never_comes_is_given_up() -> None:
    app = app_of(Router(), read_timeout=0.01)

    async def receive() -> Any:
        await anyio.sleep_forever()

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    with anyio.fail_after(5):
        async with app:
            await app({"type": "http", "method": "POST", "headers": []}, receive, send)
    assert sent[0]["status"] == 408


async def test_a_sender_that_hangs_up_early_changes_nothing() -> None:
    app = app_of(Router())
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with app:
        await app({"type": "http", "method": "POST", "headers": []}, receive, send)
    assert sent[0]["status"] == 401


async def test_without_a_secret_anybody_is_heard_and_that_has_to_be_said() -> None:
    router = Router()
    heard = heard_by(router)
    app = app_of(router, secret=None)
    async with app:
        assert (await post(app, PING, {})).status == 200
    assert heard
    with pytest.raises(TypeError, match="secret"):
        WebhookApp(router)  # type: ignore[call-arg]
    for empty in ("", [], ["a", ""]):
        with pytest.raises(InvalidArgumentError, match="empty"):
            app_of(router, secret=empty)


async def test_both_secrets_are_taken_while_they_change() -> None:
    router = Router()
    heard = heard_by(router)
    app = app_of(router, secret=["new", "old"])
    async with app:
        for number, secret in enumerate(("new", "old", "older")):
            content = raw(deliveries.ping(number))
            reply = await post(app, content, headers(content, secret))
            assert reply.status == (401 if secret == "older" else 200)
    assert len(heard) == 2


async def test_too_much_work_is_refused_and_taken_later() -> None:
    router, limiter = Router(), anyio.Event()

    @router.on(Ping)
    async def slow(event: Ping) -> None:
        await limiter.wait()

    app = app_of(router, max_running=2)
    contents = [raw(deliveries.ping(number)) for number in range(3)]
    with anyio.fail_after(5):
        async with app:
            assert [(await post(app, content)).status for content in contents] == [200, 200, 503]
            limiter.set()
            await anyio.wait_all_tasks_blocked()
            assert (await post(app, contents[2])).text == "Taken.\n"


async def test_a_store_that_fails_makes_circleci_try_again() -> None:
    class Broken(MemoryStore):
        broken = True

        async def claim(self, delivery_id: str) -> bool:
            if self.broken:
                raise ConnectionError("no database")
            return await super().claim(delivery_id)

    store = Broken()
    router = Router(store=store)
    heard = heard_by(router)
    app = app_of(router, max_running=1)
    async with app:
        for _ in range(3):
            assert (await post(app, PING)).status == 503
        store.broken = False
        assert (await post(app, PING)).status == 200
    assert len(heard) == 1


async def test_a_store_that_hangs_is_given_up_in_time() -> None:
    class Hanging(MemoryStore):
        async def claim(self, delivery_id: str) -> bool:
            await anyio.sleep_forever()
            return True

    app = app_of(Router(store=Hanging()), read_timeout=0.01)
    with anyio.fail_after(5):
        async with app:
            assert (await post(app, PING)).status == 503


async def test_a_request_that_is_cancelled_while_it_is_claimed_is_handled_or_not_claimed() -> None:
    entered, limiter = anyio.Event(), anyio.Event()

    class Slow(MemoryStore):
        async def claim(self, delivery_id: str) -> bool:
            new = await super().claim(delivery_id)
            entered.set()
            await limiter.wait()
            return new

    router = Router(store=Slow())
    heard = heard_by(router)
    app = app_of(router)
    with anyio.fail_after(5):
        async with app, anyio.create_task_group() as tasks:
            tasks.start_soon(post, app, PING)
            await entered.wait()
            tasks.cancel_scope.cancel()
            limiter.set()
    assert heard == [deliveries.uuid(1)]


async def test_a_claim_that_ends_after_the_shut_down_is_given_back() -> None:
    entered, limiter = anyio.Event(), anyio.Event()

    class Slow(MemoryStore):
        async def claim(self, delivery_id: str) -> bool:
            entered.set()
            await limiter.wait()
            return await super().claim(delivery_id)

    store = Slow()
    router = Router(store=store)
    heard = heard_by(router)
    app = app_of(router, shutdown_timeout=0.01)
    responses: list[int] = []

    async def ask() -> None:
        responses.append((await post(app, PING)).status)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            async with app:
                tasks.start_soon(ask)
                await entered.wait()
            limiter.set()
        assert (responses, len(store)) == ([503], 0)
        async with app:
            await ask()
    assert (responses, heard) == ([503, 200], [deliveries.uuid(1)])


async def test_shut_down_waits_for_handlers_and_takes_nothing_new() -> None:
    router, begun, limiter, done = Router(), anyio.Event(), anyio.Event(), list[str]()

    @router.on(Ping)
    async def slow(event: Ping) -> None:
        begun.set()
        await limiter.wait()
        done.append(event.id)

    app = app_of(router)
    late: list[int] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:

            async def meanwhile() -> None:
                await anyio.wait_all_tasks_blocked()
                late.append((await post(app, raw(deliveries.ping(2)))).status)
                limiter.set()

            async with app:
                await post(app, PING)
                await begun.wait()
                tasks.start_soon(meanwhile)
    assert (done, late) == ([deliveries.uuid(1)], [503])


async def test_shut_down_ends_what_does_not_finish_and_reports_it() -> None:
    failures: list[HandlerFailure] = []

    async def note(failure: HandlerFailure) -> None:
        failures.append(failure)

    router = Router(on_error=note)

    @router.on(Ping)
    async def forever(event: Ping) -> None:
        await anyio.sleep_forever()

    app = app_of(router, shutdown_timeout=0.02)
    with anyio.fail_after(5):
        async with app:
            await post(app, PING)
            await anyio.wait_all_tasks_blocked()
    assert [(failure.cancelled, failure.handler) for failure in failures] == [(True, forever)]
    assert (await post(app, PING)).status == 503


async def test_an_app_that_breaks_down_or_is_cancelled_does_not_wait() -> None:
    router = Router(on_error=None)

    @router.on(Ping)
    async def forever(event: Ping) -> None:
        await anyio.sleep_forever()

    app = app_of(router, shutdown_timeout=1000)
    with anyio.fail_after(5):
        with pytest.raises(LookupError):
            async with app:
                await post(app, PING)
                await anyio.wait_all_tasks_blocked()
                raise LookupError
        with anyio.move_on_after(0.05) as scope:
            async with app:
                await post(app, raw(deliveries.ping(2)))
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        async with app:
            with pytest.raises(ConfigError, match="running already"):
                await app.__aenter__()
            assert (await post(app, raw({"type": "x"}))).status == 200


async def test_the_lifespan_of_a_server_opens_and_shuts_the_door() -> None:
    router = Router()
    heard = heard_by(router)
    app = app_of(router)
    sent: list[str] = []
    send_in, receive_in = anyio.create_memory_object_stream[dict[str, Any]](2)

    async def send(message: Any) -> None:
        sent.append(message["type"])

    with anyio.fail_after(5), send_in, receive_in:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(app, {"type": "lifespan"}, receive_in.receive, send)
            assert (await post(app, PING)).status == 503
            await send_in.send({"type": "lifespan.startup"})
            await anyio.wait_all_tasks_blocked()
            assert sent == ["lifespan.startup.complete"]
            assert (await post(app, PING)).status == 200
            await send_in.send({"type": "lifespan.shutdown"})
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]
    assert heard == [deliveries.uuid(1)]


async def test_other_protocols_are_turned_away() -> None:
    app = app_of(Router())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    await app({"type": "websocket"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
    with pytest.raises(ConfigError, match="speaks HTTP"):
        await app({"type": "carrier-pigeon"}, receive, send)


@pytest.mark.parametrize("framework", [Starlette, FastAPI])
async def test_mounted_into_an_app_it_lives_with_the_app_around_it(framework: type[Starlette]) -> None:
    router = Router()
    heard = heard_by(router)
    hooks = app_of(router)
    site = framework(routes=[Route("/hook", hooks)], lifespan=hooks.lifespan)
    site.mount("/circleci", hooks)
    transport = httpx.ASGITransport(site)
    with anyio.fail_after(5):
        async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
            before = await client.post("/circleci/", content=PING, headers=headers(PING))
            assert before.status_code == 503
            assert "give that app its lifespan" in before.text
            async with site.router.lifespan_context(site):
                for path in ("/circleci/", "/hook"):
                    reply = await client.post(path, content=PING, headers=headers(PING))
                    assert reply.status_code == 200
                assert (await client.get("/circleci/")).status_code == 405
    assert heard == [deliveries.uuid(1)]


@asynccontextmanager
async def served(app: Any) -> AsyncIterator[str]:
    """The app under uvicorn in a thread, with its lifespan; asyncio there, whatever runs here."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on", ws="none"))
    ready = threading.Event()
    begin: Callable[..., Awaitable[None]] = server.startup

    async def startup(*arguments: Any, **named: Any) -> None:
        await begin(*arguments, **named)
        ready.set()

    server.startup = startup  # type: ignore[method-assign]
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert await anyio.to_thread.run_sync(ready.wait, 10)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await anyio.to_thread.run_sync(thread.join)


async def test_alone_under_uvicorn() -> None:
    router = Router()
    heard, unknown = heard_by(router), list[str]()

    @router.on(UnknownEvent)
    async def other(event: UnknownEvent) -> None:
        await anyio.sleep(0.01)
        unknown.append(event.type)

    with anyio.fail_after(20):
        async with served(app_of(router)) as url, httpx.AsyncClient(base_url=url) as client:
            new = raw({"type": "deploy-completed"})
            for content in (PING, PING, new):
                assert (await client.post("/", content=content, headers=headers(content))).status_code == 200
            assert (await client.post("/", content=PING, headers=headers(b""))).status_code == 401
            assert (await client.post("/any/path", content=b"x" * (1 << 20) + b"x")).status_code == 413
    assert (heard, unknown) == ([deliveries.uuid(1)], ["deploy-completed"])
