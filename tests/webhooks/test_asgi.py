"""`WebhookApp`: responses, dispatch, startup and shutdown."""

from __future__ import annotations

import sys
import threading
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from circleci_sdk import ConfigError, InvalidArgumentError
from circleci_sdk.webhooks import HandlerFailure, MemoryStore, Ping, Router, UnknownEvent, WebhookApp
from tests.webhooks import deliveries
from tests.webhooks.deliveries import SECRET, headers, post, raw
from tests.webhooks.slow_store import SlowStore

PING = raw(deliveries.ping())


def received_by(router: Router) -> list[str]:
    """The ids of the pings that a handler of this router received."""
    received: list[str] = []

    @router.on(Ping)
    async def hear(event: Ping) -> None:
        received.append(event.id)

    return received


def app_of(router: Router, **options: Any) -> WebhookApp:
    settings: dict[str, Any] = {"secret": SECRET, **options}
    return WebhookApp(router, **settings)


async def test_a_valid_delivery_gets_a_response_and_is_handled_once() -> None:
    router, release, received = Router(), anyio.Event(), list[str]()

    @router.on(Ping)
    async def slow(event: Ping) -> None:
        await release.wait()
        received.append(event.id)

    app = app_of(router)
    with anyio.fail_after(5):
        async with app:
            first = await post(app, PING)
            again = await post(app, PING)
            assert (first.status, first.text, first.headers["content-type"]) == (
                200,
                "Accepted.\n",
                "text/plain; charset=utf-8",
            )
            assert (again.status, again.text) == (200, "Duplicate delivery.\n")
            assert received == []
            assert repr(app) == "<WebhookApp, 1 deliveries in progress>"
            release.set()
    assert received == [deliveries.uuid(1)]


JOB = raw(deliveries.job())


@pytest.mark.parametrize(
    ("content", "given", "method", "status", "part"),
    [
        (PING, {}, "POST", 401, "has no circleci-signature"),
        (PING, headers(PING, "another"), "POST", 401, "is wrong"),
        (JOB, headers(PING), "POST", 401, "is wrong"),
        (PING, {"circleci-signature": "v1=zz"}, "POST", 401, "malformed"),
        (b"not JSON", None, "POST", 400, "is not JSON"),
        (b'["ping"]', None, "POST", 400, "not an object"),
        (b"x" * 2001, None, "POST", 413, "larger than 2000 bytes"),
        (PING, {**headers(PING), "content-length": "2001"}, "POST", 413, "larger than 2000 bytes"),
        (PING, {**headers(PING), "content-length": "9" * 5000}, "POST", 413, "larger than 2000 bytes"),
        (PING, {**headers(PING), "content-length": "-5"}, "POST", 200, "Accepted"),
        (PING, None, "GET", 405, "by POST"),
        (PING, None, "DELETE", 405, "by POST"),
        (raw({"type": "deploy-completed"}), None, "POST", 200, "Accepted"),
    ],
)
async def test_error_responses_are_plain_text(
    content: bytes, given: dict[str, str] | None, method: str, status: int, part: str
) -> None:
    router = Router()
    received = received_by(router)
    app = app_of(router, max_body=2000)
    async with app:
        reply = await post(app, content, given, method=method)
    assert (reply.status, part in reply.text, reply.text.count("\n")) == (status, True, 1)
    assert reply.headers["content-length"] == str(len(reply.text.encode()))
    assert reply.headers.get("allow") == ("POST" if status == 405 else None)
    assert bool(received) == (status == 200 and content == PING)


async def test_a_body_in_chunks_is_joined_and_limited() -> None:
    router = Router()
    received = received_by(router)
    app = app_of(router, max_body=len(PING))
    async with app:
        pieces = [PING[:10], b"", PING[10:]]
        assert (await post(app, PING, parts=pieces)).status == 200
        assert (await post(app, PING, parts=[*pieces, b" ", b"never read"])).status == 413
    assert received == [deliveries.uuid(1)]


async def test_reading_the_body_has_a_timeout() -> None:
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


async def test_an_early_disconnect_has_no_effect() -> None:
    app = app_of(Router())
    sent: list[Any] = []

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    async with app:
        await app({"type": "http", "method": "POST", "headers": []}, receive, send)
    assert sent[0]["status"] == 401


async def test_without_a_secret_deliveries_are_unauthenticated_and_secret_is_required() -> None:
    router = Router()
    received = received_by(router)
    app = app_of(router, secret=None)
    async with app:
        assert (await post(app, PING, {})).status == 200
    assert received
    with pytest.raises(TypeError, match="secret"):
        WebhookApp(router)  # type: ignore[call-arg]  # what is refused
    for empty in ("", [], ["a", ""]):
        with pytest.raises(InvalidArgumentError, match="got an empty one"):
            app_of(router, secret=empty)


async def test_both_secrets_are_valid_during_a_rotation() -> None:
    router = Router()
    received = received_by(router)
    app = app_of(router, secret=["new", "old"])
    async with app:
        for number, secret in enumerate(("new", "old", "older")):
            content = raw(deliveries.ping(number))
            reply = await post(app, content, headers(content, secret))
            assert reply.status == (401 if secret == "older" else 200)
    assert len(received) == 2


async def test_deliveries_above_max_running_are_rejected_and_accepted_later() -> None:
    router, release = Router(), anyio.Event()

    @router.on(Ping)
    async def slow(event: Ping) -> None:
        await release.wait()

    app = app_of(router, max_running=2)
    contents = [raw(deliveries.ping(number)) for number in range(3)]
    with anyio.fail_after(5):
        async with app:
            assert [(await post(app, content)).status for content in contents] == [200, 200, 503]
            release.set()
            await anyio.wait_all_tasks_blocked()
            assert (await post(app, contents[2])).text == "Accepted.\n"


async def test_a_failing_store_gives_503() -> None:
    class Broken(MemoryStore):
        broken = True

        async def claim(self, delivery_id: str, owner: str = "") -> bool:
            if self.broken:
                raise ConnectionError("no database")
            return await super().claim(delivery_id, owner)

    store = Broken()
    router = Router(store=store)
    received = received_by(router)
    app = app_of(router, max_running=1)
    async with app:
        for _ in range(3):
            assert (await post(app, PING)).status == 503
        store.broken = False
        assert (await post(app, PING)).status == 200
    assert len(received) == 1


async def test_a_claim_has_a_timeout() -> None:
    class Hanging(MemoryStore):
        async def claim(self, delivery_id: str, owner: str = "") -> bool:
            await anyio.sleep_forever()
            return True

    app = app_of(Router(store=Hanging()), read_timeout=0.01)
    with anyio.fail_after(5):
        async with app:
            assert (await post(app, PING)).status == 503


async def test_a_request_cancelled_during_the_claim_is_handled_or_not_claimed() -> None:
    store = SlowStore(claims="before")
    router = Router(store=store)
    received = received_by(router)
    app = app_of(router)
    with anyio.fail_after(5):
        async with app, anyio.create_task_group() as tasks:
            tasks.start_soon(post, app, PING)
            await store.entered.wait()
            tasks.cancel_scope.cancel()
            store.proceed.set()
    assert received == [deliveries.uuid(1)]


async def test_a_claim_that_ends_after_the_shutdown_is_released() -> None:
    store = SlowStore(claims="after")
    router = Router(store=store)
    received = received_by(router)
    app = app_of(router, shutdown_timeout=0.01)
    responses: list[int] = []

    async def ask() -> None:
        responses.append((await post(app, PING)).status)

    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:
            async with app:
                tasks.start_soon(ask)
                await store.entered.wait()
            store.proceed.set()
        assert (responses, len(store)) == ([503], 0)
        async with app:
            await ask()
    assert (responses, received) == ([503, 200], [deliveries.uuid(1)])


async def test_shutdown_waits_for_handlers_and_accepts_no_deliveries() -> None:
    router, begun, release, done = Router(), anyio.Event(), anyio.Event(), list[str]()

    @router.on(Ping)
    async def slow(event: Ping) -> None:
        begun.set()
        await release.wait()
        done.append(event.id)

    app = app_of(router)
    late: list[int] = []
    with anyio.fail_after(5):
        async with anyio.create_task_group() as tasks:

            async def meanwhile() -> None:
                await anyio.wait_all_tasks_blocked()
                late.append((await post(app, raw(deliveries.ping(2)))).status)
                release.set()

            async with app:
                await post(app, PING)
                await begun.wait()
                tasks.start_soon(meanwhile)
    assert (done, late) == ([deliveries.uuid(1)], [503])


async def test_shutdown_cancels_and_reports_running_handlers() -> None:
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


async def test_shutdown_after_an_error_or_cancellation_does_not_wait() -> None:
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


async def test_the_lifespan_starts_and_stops_the_receiver() -> None:
    router = Router()
    received = received_by(router)
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
    assert received == [deliveries.uuid(1)]


async def test_other_protocols_are_rejected() -> None:
    app = app_of(Router())
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError

    await app({"type": "websocket"}, receive, send)
    assert sent == [{"type": "websocket.close", "code": 1000}]
    with pytest.raises(ConfigError, match="expected an HTTP request"):
        await app({"type": "carrier-pigeon"}, receive, send)


@pytest.mark.parametrize("framework", [Starlette, FastAPI])
async def test_an_app_inside_another_uses_its_lifespan(framework: type[Starlette]) -> None:
    router = Router()
    received = received_by(router)
    hooks = app_of(router)
    site = framework(routes=[*hooks.routes("/circleci"), Route("/hook", hooks)], lifespan=hooks.lifespan)
    transport = httpx.ASGITransport(site)
    with anyio.fail_after(5):
        async with httpx.AsyncClient(transport=transport, base_url="http://bot") as client:
            before = await client.post("/circleci", content=PING, headers=headers(PING))
            assert before.status_code == 503
            assert "must use its lifespan" in before.text
            async with site.router.lifespan_context(site):
                for path in ("/circleci/", "/hook"):
                    reply = await client.post(path, content=PING, headers=headers(PING))
                    assert reply.status_code == 200
    assert received == [deliveries.uuid(1)]


async def other(request: Request) -> PlainTextResponse:
    return PlainTextResponse("other")


@pytest.mark.parametrize("framework", [Starlette, FastAPI])
@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ("/circleci", ["/circleci", "/circleci/"]),
        ("/circleci/", ["/circleci/", "/circleci"]),
        ("/circleci//", ["/circleci", "/circleci/"]),
        ("/hooks/ci", ["/hooks/ci", "/hooks/ci/"]),
        ("/", ["", "/"]),
    ],
)
async def test_both_spellings_of_a_path_respond_without_a_redirect(
    framework: type[Starlette], given: str, paths: list[str]
) -> None:
    router = Router()
    received = received_by(router)
    hooks = app_of(router)
    site = framework(routes=[Route("/other", other), *hooks.routes(given)], lifespan=hooks.lifespan)
    contents = [raw(deliveries.ping(number)) for number in range(len(paths))]
    with anyio.fail_after(20):
        async with served(site) as url, httpx.AsyncClient(base_url=url, follow_redirects=False) as client:
            for path, content in zip(paths, contents, strict=True):
                reply = await client.post(url + path, content=content, headers=headers(content))
                assert (reply.status_code, reply.text) == (200, "Accepted.\n")
                unsigned = await client.post(url + path, content=content)
                assert unsigned.status_code == 401
                got = await client.get(url + path)
                assert (got.status_code, got.headers["allow"]) == (405, "POST")
                assert (await client.head(url + path)).status_code == 405
            assert (await client.get("/other")).text == "other"
            assert (await client.post("/circleci/more", content=PING, headers=headers(PING))).status_code == 404
    assert sorted(received) == [deliveries.uuid(0), deliveries.uuid(1)]


async def test_routes_below_a_mount_and_in_a_router_of_fastapi() -> None:
    router = Router()
    received = received_by(router)
    hooks = app_of(router)
    site = FastAPI(lifespan=hooks.lifespan, routes=[Mount("/bots", routes=hooks.routes("/circleci"))])
    site.include_router(APIRouter(routes=hooks.routes("/circleci")), prefix="/api")
    transport = httpx.ASGITransport(site)
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://bot") as client,
        site.router.lifespan_context(site),
    ):
        for path in ("/bots/circleci", "/bots/circleci/", "/api/circleci", "/api/circleci/"):
            assert (await client.post(path, content=PING, headers=headers(PING))).status_code == 200
    assert received == [deliveries.uuid(1)]


@pytest.mark.parametrize("path", ["", "circleci", "https://bot.example.com/circleci", "/a?b=c", "/a#b", None, 5])
def test_paths_that_are_none_are_rejected(path: Any) -> None:
    with pytest.raises(InvalidArgumentError, match=r"routes: path: expected the path of a URL, such as /circleci"):
        app_of(Router()).routes(path)


def test_routes_without_starlette_name_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "starlette.routing", None)
    with pytest.raises(ImportError, match="pip install starlette"):
        app_of(Router()).routes("/circleci")


@asynccontextmanager
async def served(app: Any) -> AsyncGenerator[str]:
    """The app under uvicorn on asyncio in a thread, with its lifespan."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="on", ws="none"))
    ready = threading.Event()
    begin: Callable[..., Awaitable[None]] = server.startup

    async def startup(*arguments: Any, **named: Any) -> None:
        await begin(*arguments, **named)
        ready.set()

    server.startup = startup  # type: ignore[method-assign]  # uvicorn announces its start by no other means
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert await anyio.to_thread.run_sync(ready.wait, 10)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await anyio.to_thread.run_sync(thread.join)


async def test_standalone_with_uvicorn() -> None:
    router = Router()
    received, unknown = received_by(router), list[str]()

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
    assert (received, unknown) == ([deliveries.uuid(1)], ["deploy-completed"])
