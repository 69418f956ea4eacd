"""Whatever the HTTP stack raises is a `TransportError` with its cause, and says what is known of the request."""

# pyright: basic
from __future__ import annotations

import socket
import ssl
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final, Literal

import anyio
import httpx
import pytest
import trio
import trustme

from circleci_sdk import (
    AsyncCircleCI,
    CallError,
    ConnectionFailedError,
    NotFoundError,
    RequestTimeoutError,
    TransportError,
)
from circleci_sdk._core.caller import Caller
from circleci_sdk.helpers._downloads.download import download_of
from tests.support.clients import CREATED, SLUG, TOKEN, USER, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import ScriptedServer, closed_port, redirect, reply

Place = Literal["call", "body", "late body", "close"]


def of_library(module: str, name: str) -> Exception:
    """An exception of a library that the tests do not install, such as the HTTP/2 of a borrowed client."""
    made: type[Exception] = type(name, (Exception,), {"__module__": module})
    return made("below")


BROKEN: Final = (
    OSError(5, "below"),
    ConnectionResetError("below"),
    BrokenPipeError("below"),
    ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] below"),
    ssl.SSLEOFError(8, "below"),
    ssl.SSLZeroReturnError("below"),
    anyio.BrokenResourceError(),
    anyio.ClosedResourceError(),
    anyio.EndOfStream(),
    anyio.IncompleteRead(),
    trio.BrokenResourceError("below"),
    trio.ClosedResourceError("below"),
    of_library("httpcore", "NetworkError"),
    of_library("h2.exceptions", "ProtocolError"),
    of_library("h2.exceptions", "StreamClosedError"),
    of_library("hpack.exceptions", "HPACKDecodingError"),
    of_library("h11._util", "RemoteProtocolError"),
    of_library("aiohttp.client_exceptions", "ClientPayloadError"),
)
"""The connection broke: a call that may be repeated is."""
MISTAKES: Final = (
    TypeError("below"),
    KeyError("below"),
    AttributeError("below"),
    ValueError("below"),
    UnicodeError("below"),
    AssertionError("below"),
    RuntimeError("below"),
    NotImplementedError("below"),
    RecursionError("below"),
    MemoryError("below"),
    StopAsyncIteration("below"),
    ExceptionGroup("below", [ValueError("below")]),
    httpx.InvalidURL("below"),
    httpx.StreamClosed(),
    of_library("idna.core", "IDNAError"),
    of_library("somebody.transports", "OwnError"),
)
"""The same request fails again."""
TIMEOUTS: Final = (TimeoutError("below"), of_library("httpcore", "TimeoutException"))
UNSENT: Final = (
    ConnectionRefusedError("below"),
    socket.gaierror(-2, "below"),
    ssl.SSLCertVerificationError("below"),
    of_library("httpcore", "ConnectError"),
)


class Body(httpx.AsyncByteStream):
    """A body that raises at its start, after the whole of it, or when it is closed."""

    def __init__(self, content: bytes, place: str, error: Exception) -> None:
        self.content, self.place, self.error = content, place, error
        self.pieces: list[bytes] = []

    def __aiter__(self) -> AsyncIterator[bytes]:
        self.pieces = [self.content]
        return self

    async def __anext__(self) -> bytes:
        if self.place == "body":
            raise self.error
        if self.pieces:
            return self.pieces.pop()
        if self.place == "late body":
            raise self.error
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if self.place == "close":
            raise self.error


class Failing(httpx.AsyncBaseTransport):
    """A transport that raises `error` at `place` in the first `times` calls."""

    def __init__(self, place: str, error: Exception, *, status: int = 200, times: int = 99) -> None:
        self.place, self.error, self.status, self.left = place, error, status, times
        self.calls = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.calls += 1
        self.left -= 1
        if self.left < 0:
            return httpx.Response(200, json=USER if request.method == "GET" else CREATED)
        if self.place == "call":
            raise self.error
        return httpx.Response(self.status, stream=Body(b"{}", self.place, self.error))


async def get(client: AsyncCircleCI) -> object:
    return (await client.v2.users.me()).login


async def trigger(client: AsyncCircleCI) -> object:
    return await client.v2.pipelines.trigger(SLUG, branch="main")


def name(value: object) -> str:
    return f"{type(value).__module__}.{type(value).__qualname__}" if isinstance(value, Exception) else str(value)


@pytest.mark.parametrize("place", ["call", "body", "late body"])
@pytest.mark.parametrize("error", [*BROKEN, *MISTAKES, *TIMEOUTS, *UNSENT], ids=name)
async def test_exception_of_a_transport(error: Exception, place: Place) -> None:
    if isinstance(error, StopAsyncIteration) and place != "call":
        return  # the end of a body
    unsent = error in UNSENT and place == "call"
    again = error not in MISTAKES
    outcome = "not_sent" if unsent else "unknown" if place == "call" else "processed"
    for borrowed in (False, True):
        transport = Failing(place, error)
        http = httpx.AsyncClient(transport=transport)
        options: dict[str, Any] = {"http_client": http} if borrowed else {"transport": transport}
        async with http, client_on("http://localhost", FakeClock(), max_concurrency=1, **options) as client:
            with pytest.raises(TransportError) as caught:
                await get(client)
            read = caught.value
            with pytest.raises(TransportError) as caught:
                await trigger(client)
            changed = caught.value
        for failure in (read, changed):
            assert failure.__cause__ is error
            assert failure.request_outcome == outcome
            assert isinstance(failure, RequestTimeoutError) == (error in TIMEOUTS)
            assert isinstance(failure, ConnectionFailedError) == (error in (*BROKEN, *UNSENT))
        assert read.attempts == (3 if again else 1)
        assert changed.attempts == (3 if unsent else 1)
        assert read.retry_stop_reason == ("attempts_exhausted" if again else "not_retryable")
        assert transport.calls == read.attempts + changed.attempts
        assert type(error).__name__ in str(read)


@pytest.mark.parametrize("error", [BROKEN[0], MISTAKES[0]], ids=name)
async def test_failure_before_a_response_is_repeated_or_not(error: Exception) -> None:
    async with client_on("http://localhost", FakeClock(), transport=Failing("call", error, times=2)) as client:
        if error in BROKEN:
            assert await get(client) == "ada"
        else:
            with pytest.raises(TransportError):
                await get(client)


@pytest.mark.parametrize("error", [BROKEN[3], MISTAKES[1], httpx.CloseError("below")], ids=name)
@pytest.mark.parametrize("status", [200, 404])
async def test_failing_close_loses_no_response(error: Exception, status: int) -> None:
    """The response is complete: a POST that was done must not fail."""

    class Closing(Failing):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            content = httpx.Response(status, json=CREATED if request.method == "POST" else USER).content
            return httpx.Response(status, stream=Body(content, "close", self.error))

    async with client_on("http://localhost", max_concurrency=1, transport=Closing("close", error)) as client:
        for _ in range(2):
            if status == 200:
                assert (await get(client), bool(await trigger(client))) == ("ada", True)
            else:
                with pytest.raises(NotFoundError):
                    await get(client)


@pytest.mark.parametrize("place", ["body", "late body"])
@pytest.mark.parametrize("error", [*BROKEN[:5], *MISTAKES[:5]], ids=name)
async def test_a_refusal_is_a_status_error_whatever_its_body(error: Exception, place: Place) -> None:
    transport = Failing(place, error, status=404)
    async with client_on("http://localhost", transport=transport, max_concurrency=1) as client:
        for _ in range(2):
            with pytest.raises(NotFoundError):
                await get(client)


@pytest.mark.parametrize("place", ["call", "body", "close"])
@pytest.mark.parametrize("error", [BROKEN[3], BROKEN[13], MISTAKES[1], MISTAKES[6]], ids=name)
async def test_download(error: Exception, place: Place) -> None:
    transport = Failing(place, error)
    async with client_on("http://localhost", FakeClock(), transport=transport, max_concurrency=1) as client:
        caller: Caller = client._caller
        if place == "close":
            async with download_of(caller, "http://localhost/f", label="logs.x", timeout=None) as file:
                assert [piece async for piece in file] == [b"{}"]
        else:
            for _ in range(2):
                with pytest.raises(TransportError) as caught:
                    async with download_of(caller, "http://localhost/f", label="logs.x", timeout=None) as file:
                        async for _ in file:
                            pass
                assert caught.value.__cause__ is error
                assert caught.value.attempts == (3 if error in BROKEN else 1)


async def test_closed_borrowed_client() -> None:
    """Nothing is sent, and that is known."""
    http = httpx.AsyncClient()
    await http.aclose()
    async with client_on("http://localhost", http_client=http) as client:
        with pytest.raises(TransportError, match="closed") as caught:
            await trigger(client)
    assert (caught.value.request_outcome, caught.value.attempts) == ("not_sent", 1)
    assert isinstance(caught.value.__cause__, RuntimeError)


async def test_hook_of_a_borrowed_client_that_refuses_a_status(server: ScriptedServer) -> None:
    async def refuse(response: httpx.Response) -> None:
        response.raise_for_status()

    server.otherwise(reply(403, json={"message": "No."}))
    http = httpx.AsyncClient(event_hooks={"response": [refuse]})
    async with http, client_on(server, http_client=http) as client:
        with pytest.raises(TransportError) as caught:
            await client.with_options(query={"q": "hidden"}).v2.pipelines.trigger(SLUG, branch="main")
    cause = caught.value.__cause__
    assert isinstance(cause, httpx.HTTPStatusError)
    assert caught.value.request_outcome == "rejected"
    for request in (cause.request, cause.response.request):
        assert "circle-token" not in request.headers
        assert not request.url.query


@pytest.mark.parametrize("response", [None, "text", httpx.Response(200, stream=httpx.SyncByteStream())])
async def test_transport_that_returns_something_else(response: Any) -> None:
    class Wrong(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return response  # type: ignore[no-any-return]  # what is wrong with it

    async with client_on("http://localhost", transport=Wrong(), max_concurrency=1) as client:
        for _ in range(2):
            with pytest.raises(TransportError) as caught:
                await trigger(client)
            assert caught.value.request_outcome in ("unknown", "processed")


async def test_exception_that_quotes_the_token() -> None:
    class Quoting(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            raise KeyError(dict(request.headers))

    async with client_on("http://localhost", transport=Quoting()) as client:
        with pytest.raises(TransportError, match="KeyError") as caught:
            await get(client)
    assert TOKEN not in str(caught.value)
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)


async def test_frames_of_a_transport_stay() -> None:
    """Those of the SDK's transport layer and of the libraries below do not."""

    class Own(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return fails()

    def fails() -> httpx.Response:
        raise LookupError

    async with client_on("http://localhost", transport=Own()) as client:
        with pytest.raises(TransportError) as caught:
            await trigger(client)
    assert caught.value.__cause__ is not None
    frames = traceback.extract_tb(caught.value.__cause__.__traceback__)
    assert [frame.name for frame in frames] == ["handle_async_request", "fails"]


async def test_class_of_an_exception_that_quotes_the_token() -> None:
    """The cause keeps the class of httpx that it is of; a class of the user may take other arguments."""

    class Own(httpx.ReadError):
        def __init__(self, first: str, second: str) -> None:
            super().__init__(first + second)

    async with client_on("http://localhost", transport=Failing("call", Own(TOKEN, "!"))) as client:
        with pytest.raises(TransportError) as caught:
            await trigger(client)
    assert type(caught.value.__cause__) is httpx.ReadError
    assert TOKEN not in f"{caught.value} {caught.value.__cause__!r}"


async def test_exception_that_cannot_be_shown() -> None:
    class Unspeakable(Exception):  # noqa: N818  # no more than a name
        def __str__(self) -> str:
            raise ZeroDivisionError

    async with client_on("http://localhost", transport=Failing("call", Unspeakable())) as client:
        with pytest.raises(TransportError, match="Unspeakable"):
            await get(client)


async def test_cancellation_passes() -> None:
    class Slow(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            try:
                await anyio.sleep_forever()
            finally:
                await anyio.lowlevel.checkpoint()
            raise AssertionError

    async with client_on("http://localhost", transport=Slow(), max_concurrency=1) as client:
        for _ in range(2):
            with anyio.move_on_after(0.01) as scope:
                await get(client)
            assert scope.cancelled_caught


# Addresses that a server names.

ODD_ADDRESSES: Final = (
    "http://127.0.0.1:99999/f",
    "http://127.0.0.1:0/f",
    "http://[::1/f",
    "http://[1:2:3]/f",
    "http://a..b/f",
    f"http://{'a' * 64}.localhost/f",
    "http://xn--a.localhost/f",
    "http://127.0.0.1/" + "x" * 70_000,
    "http://\ud800/",
)


@pytest.mark.parametrize("address", ODD_ADDRESSES, ids=range(len(ODD_ADDRESSES)))
async def test_odd_redirect(server: ScriptedServer, address: str) -> None:
    server.otherwise(redirect(address.encode("utf-8", "replace").decode("latin-1")))
    async with client_on(server, FakeClock()) as client:
        with pytest.raises(CallError):
            await get(client)
    async with client_on(server, FakeClock()) as client:
        with pytest.raises(CallError):
            async with download_of(client._caller, f"{server.url}/f", label="logs.x", timeout=5):
                pass


@pytest.mark.parametrize("address", ODD_ADDRESSES, ids=range(len(ODD_ADDRESSES)))
async def test_odd_link(address: str) -> None:
    async with AsyncCircleCI(TOKEN, max_retries=0) as client:
        with pytest.raises((CallError, ValueError)):
            async with download_of(client._caller, address, label="logs.x", timeout=5):
                pass


async def test_refused_connection_of_another_host() -> None:
    with closed_port() as url:
        async with client_on(url, FakeClock()) as client:
            with pytest.raises(ConnectionFailedError) as caught:
                await trigger(client)
    assert (caught.value.request_outcome, caught.value.attempts) == ("not_sent", 3)


# Client certificates: on TLS 1.3 the server refuses them after the handshake of the client.

AUTHORITY: Final = trustme.CA()


@pytest.fixture(scope="module")
def mutual() -> Iterator[ScriptedServer]:
    """A server that demands a certificate issued by `AUTHORITY`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    AUTHORITY.configure_trust(context)
    context.verify_mode = ssl.CERT_REQUIRED
    with ScriptedServer(tls=context) as server:
        server.on("GET", "/api/v2/me", reply(json=USER))
        server.on("POST", f"/api/v2/project/{SLUG}/pipeline", reply(201, json=CREATED))
        yield server


def trusting(*, issuer: trustme.CA | None, newest: ssl.TLSVersion) -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.maximum_version = newest
    AUTHORITY.configure_trust(context)
    if issuer is not None:
        issuer.issue_cert("client.example.com").configure_cert(context)
    return context


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("issuer", [None, trustme.CA()], ids=["missing", "wrong"])
@pytest.mark.parametrize("borrowed", [False, True], ids=["own", "borrowed"])
async def test_client_certificate(
    mutual: ScriptedServer, issuer: trustme.CA | None, newest: ssl.TLSVersion, borrowed: bool
) -> None:
    mutual.requests.clear()
    context = trusting(issuer=issuer, newest=newest)
    http = httpx.AsyncClient(verify=context if borrowed else False)
    options: dict[str, Any] = {"http_client": http} if borrowed else {"verify": context}
    async with http, client_on(mutual, FakeClock(), max_concurrency=1, **options) as client:
        for call in (get, trigger, get):
            with pytest.raises(ConnectionFailedError) as caught:
                await call(client)
            error = caught.value
            assert error.__cause__ is not None
            assert error.request_outcome in ("not_sent", "unknown")
            assert error.attempts == (1 if call is trigger and error.request_outcome == "unknown" else 3)
    assert mutual.requests == []
    async with client_on(mutual, verify=trusting(issuer=AUTHORITY, newest=newest)) as client:
        assert (await get(client), bool(await trigger(client))) == ("ada", True)
    assert len(mutual.requests) == 2


@pytest.mark.parametrize("error", [httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, socket.gaierror])
@pytest.mark.parametrize("place", ["transport", "hook"])
async def test_a_failure_after_the_request_proves_nothing(
    server: ScriptedServer, place: str, error: type[Exception]
) -> None:
    """Code of a user may call another service, which cannot be reached, when the request is done."""
    server.on("POST", f"/api/v2/project/{SLUG}/pipeline", reply(201, json=CREATED))

    class Reporting(httpx.AsyncHTTPTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await super().handle_async_request(request)
            await response.aclose()
            raise error("below")

    async def report(response: httpx.Response) -> None:
        raise error("below")

    async with Reporting() as transport, httpx.AsyncClient(event_hooks={"response": [report]}) as http:
        given: dict[str, Any] = {"transport": transport} if place == "transport" else {"http_client": http}
        async with client_on(server, FakeClock(), **given) as client:
            with pytest.raises(TransportError) as caught:
                await client.v2.pipelines.trigger(SLUG, branch="main")
    assert (caught.value.request_outcome, caught.value.attempts) == ("unknown", 1)
    assert len(server.requests) == 1
