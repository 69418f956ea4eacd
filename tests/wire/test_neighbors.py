# pyright: basic
"""What hooks, transports and errors are given agrees with the wire; clients of other libraries are borrowed too."""

from __future__ import annotations

import gzip
import json
import sys
import types
from collections.abc import AsyncIterator
from importlib import import_module
from typing import Any, Final

import httpx
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    ConnectionFailedError,
    NotFoundError,
    StatusError,
    TransportError,
)
from circleci_sdk._core.transport.foreign import library_of
from tests.support.clients import CREATED, SLUG, TOKEN, USER, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Request, Response, ScriptedServer, closed_port, reply

URL: Final = (
    *(
        "scheme",
        "raw_scheme",
        "userinfo",
        "username",
        "password",
        "host",
        "raw_host",
        "port",
        "netloc",
        "path",
        "query",
    ),
    *("raw_path", "fragment", "params", "is_absolute_url", "is_relative_url"),
)


def check_url(url: httpx.URL, server: ScriptedServer, sent: Request) -> None:
    whole = httpx.URL(f"{server.url}{sent.target}")
    assert str(url) == f"{server.url}{sent.target}"
    assert (url, hash(url), repr(url)) == (whole, hash(whole), repr(whole).replace("httpx.", ""))
    for name in URL:
        assert getattr(url, name) == getattr(whole, name), name
    assert url.raw_path.decode() == sent.target
    assert url.copy_with(path="/x") == whole.copy_with(path="/x")
    assert url.join("/y") == whole.join("/y")


def check_request(request: httpx.Request, server: ScriptedServer, sent: Request, *, has_token: bool) -> None:
    assert request.method == sent.method
    check_url(request.url, server, sent)
    hidden = () if has_token else ("circle-token",)
    wire = [(name.encode(), value.encode()) for name, value in sent.raw_headers if name.lower() not in hidden]
    assert request.headers.raw == wire
    assert request.content == request.read() == sent.body
    assert request.headers["host"] == server.host


def check_response(response: httpx.Response, scripted: Response, content: bytes) -> None:
    head, *lines = scripted.head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    version, status, phrase = head.split(b" ", 2)
    assert (response.http_version.encode(), response.status_code) == (version, int(status))
    assert response.reason_phrase.encode() == phrase
    assert response.headers.raw == [tuple(line.split(b": ", 1)) for line in lines]
    assert response.content == response.read() == content
    assert response.num_bytes_downloaded == len(scripted._content())
    assert response.is_closed
    assert response.is_stream_consumed
    assert response.history == []
    assert response.text == content.decode(response.encoding or "utf-8")
    assert response.is_success == (200 <= int(status) < 300)


ME: Final = httpx.Response(200, json=USER).content
RESPONSES: Final = {
    "plain": (reply(json=USER), None),
    "chunked": (reply(json=USER, framing="chunked", headers=[("X-A", "1"), ("x-a", "2")]), None),
    "no length": (reply(json=USER, framing="close"), None),
    "gzip": (reply(body=gzip.compress(ME), headers={"Content-Encoding": "gzip", "Date": "x"}), ME),
    "br": (reply(body=import_module("brotli").compress(ME), headers={"Content-Encoding": "br"}), ME),
    "zstd": (reply(body=import_module("zstandard").compress(ME), headers={"Content-Encoding": "zstd"}), ME),
    "latin": (reply(body=b'{"login": "x"}', content_type="application/json; charset=latin-1"), None),
    "refusal": (reply(404, text="No.", reason="Nope"), None),
}


@pytest.mark.parametrize("kind", RESPONSES)
@pytest.mark.parametrize("query", [{}, {"a b": "c+d/\u00e9?&=%20"}, {"x": "'()*!~"}], ids=range(3))
async def test_hooks(server: ScriptedServer, kind: str, query: dict[str, str]) -> None:
    scripted, content = RESPONSES[kind]
    server.otherwise(scripted)
    asked: list[httpx.Request] = []
    shown: list[httpx.Response] = []

    async def on_request(request: httpx.Request) -> None:
        asked.append(request)

    async def on_response(response: httpx.Response) -> None:
        shown.append(response)

    async with client_on(server, FakeClock(), on_request=on_request, on_response=on_response) as client:
        for call in ("GET", "POST"):
            error: StatusError | None = None
            try:
                json = {} if call == "GET" else {"json": {"k": "\u00e9"}}
                await client.request(call, "/api/v2/a%2Fb/%E2%98%83;x=1", query=query, **json)  # type: ignore[arg-type]  # either set of arguments
            except StatusError as caught:
                error = caught
            if kind == "refusal":
                assert error is not None
                assert (error.status, error.body) == (shown[-1].status_code, scripted._content())
                assert error.headers == {name.lower(): value for name, value in shown[-1].headers.items()}
            check_request(asked[-1], server, server.requests[-1], has_token=False)
            assert shown[-1].request is asked[-1]
            wire = scripted._content()
            if kind == "chunked":
                assert shown[-1].json() == USER
            else:
                check_response(shown[-1], scripted, content or wire)


@pytest.mark.parametrize("borrowed", [False, True])
async def test_request_of_a_transport(server: ScriptedServer, borrowed: bool) -> None:
    server.otherwise(reply(json=USER))
    checked = 0

    class Forwarding(httpx.AsyncBaseTransport):
        inner = httpx.AsyncHTTPTransport()

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            nonlocal checked
            response = await self.inner.handle_async_request(request)
            check_request(request, server, server.requests[-1], has_token=True)
            checked += 1
            return response

    transport = Forwarding()
    http = httpx.AsyncClient(transport=transport)
    options: dict[str, Any] = {"http_client": http} if borrowed else {"transport": transport}
    async with transport.inner, client_on(server, **options) as client:
        await client.v2.users.me()
        await client.request("POST", "/api/v2/x", json={"a": 1}, query={"q": "\u00e9"})
        await client.request("DELETE", "/api/v2/x")
    assert checked == 3


async def test_request_of_an_error() -> None:
    with closed_port() as url:
        async with client_on(url, FakeClock()) as client:
            with pytest.raises(ConnectionFailedError) as caught:
                await client.with_options(query={"q": "hidden"}).v2.users.me()
    cause = caught.value.__cause__
    assert isinstance(cause, httpx.ConnectError)
    assert (cause.request.method, str(cause.request.url)) == ("GET", f"{url}/api/v2/me")
    assert cause.request.headers.raw == [(b"Host", url.removeprefix("http://").encode())]


# Libraries with the classes of httpx under another name.


def other_library() -> types.ModuleType:
    """As much of such a library as a transport needs."""
    library: Any = types.ModuleType("other_httpx")

    class Request:
        def __init__(self, method: str, url: str, *, headers: Any, content: bytes, extensions: Any) -> None:
            self.method, self.url, self.content, self.extensions = method, url, content, extensions
            self.headers = httpx.Headers(headers)

    class AsyncByteStream:
        def __init__(self, content: bytes, error: Exception | None = None) -> None:
            self.content, self.error = content, error

        async def __aiter__(self) -> AsyncIterator[bytes]:
            if self.error is not None:
                raise self.error
            yield self.content

    class Response:
        def __init__(self, status: int, content: bytes, error: Exception | None = None) -> None:
            self.status_code, self.extensions = status, {"http_version": b"HTTP/1.1"}
            self.headers = httpx.Headers({"content-type": "application/json"})
            self.stream = AsyncByteStream(content, error)
            self.is_stream_consumed = False
            self.is_closed = False

        async def aclose(self) -> None:
            self.is_closed = True

    class AsyncBaseTransport:
        async def handle_async_request(self, request: Any) -> Any:
            raise NotImplementedError

    class AsyncClient:
        is_closed = False

        def __init__(self, transport: Any) -> None:
            self.transport = transport

        async def send(self, request: Any, *, stream: bool, auth: None, follow_redirects: bool) -> Any:
            assert (stream, auth, follow_redirects) == (True, None, False)
            return await self.transport.handle_async_request(request)

        async def aclose(self) -> None:
            raise AssertionError("a borrowed client is not closed")

    class TransportError(Exception):
        request: Any = None

    class ConnectError(TransportError):
        pass

    class ReadTimeout(TransportError):  # noqa: N818  # a name of httpx
        pass

    for cls in (Request, AsyncByteStream, Response, AsyncBaseTransport, AsyncClient, ConnectError, ReadTimeout):
        cls.__module__ = "other_httpx"
        setattr(library, cls.__name__, cls)
    return library


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> Any:
    made = other_library()
    monkeypatch.setitem(sys.modules, "other_httpx", made)
    return made


@pytest.mark.parametrize("borrowed", [False, True])
async def test_other_library(library: Any, borrowed: bool) -> None:
    seen: list[Any] = []
    responses: list[Any] = [
        library.Response(200, ME),
        library.Response(201, httpx.Response(201, json=CREATED).content),
        library.Response(404, b'{"message": "No."}'),
        library.Response(200, b"", ConnectionResetError("below")),
    ]

    class Own(library.AsyncBaseTransport):
        async def handle_async_request(self, request: Any) -> Any:
            seen.append((request, request.headers.get("circle-token")))
            return responses[len(seen) - 1]

    options: dict[str, Any] = {"http_client": library.AsyncClient(Own())} if borrowed else {"transport": Own()}
    async with client_on("http://localhost", max_retries=0, max_concurrency=1, **options) as client:
        assert (await client.v2.users.me()).login == "ada"
        await client.v2.pipelines.trigger(SLUG, branch="main")
        with pytest.raises(NotFoundError, match=r"No\."):
            await client.v2.users.me()
        with pytest.raises(ConnectionFailedError):
            await client.v2.users.me()
    assert [token for _, token in seen] == [TOKEN] * 4
    assert all(type(request) is library.Request and "circle-token" not in request.headers for request, _ in seen)
    assert (seen[1][0].method, seen[1][0].content) == ("POST", b'{"branch":"main"}')
    assert all(response.is_closed for response in responses)


HTTPX2: Final[Any] = import_module("httpx2")


async def test_a_body_that_a_transport_of_httpx2_has_read(server: ScriptedServer) -> None:
    """A transport that logs bodies has read, and decompressed, what it returns."""
    body = gzip.compress(json.dumps(USER).encode())
    server.on("GET", "/api/v2/me", reply(body=body, headers={"Content-Encoding": "gzip", "X-Other": "1"}))

    class Logging(HTTPX2.AsyncHTTPTransport):  # type: ignore[misc]  # Any
        async def handle_async_request(self, request: Any) -> Any:
            response = await super().handle_async_request(request)
            await response.aread()
            return response

    async with Logging() as given, AsyncCircleCI(TOKEN, base_url=server.url, transport=given) as client:
        response = await client.raw_response(client.v2.users.me)
    assert response.data.login == "ada"
    assert response.headers["x-other"] == "1"


def test_a_module_with_some_names_of_a_library(monkeypatch: pytest.MonkeyPatch) -> None:
    client = type("AsyncClient", (), {"__module__": "wrappers.http"})
    module = types.SimpleNamespace(AsyncClient=client, AsyncBaseTransport=object, Request=object)
    monkeypatch.setitem(sys.modules, "wrappers", module)
    assert library_of(client()) is None
    module.Response = module.AsyncByteStream = object
    assert library_of(client()) is module


async def test_a_transport_of_no_library(server: ScriptedServer) -> None:
    """It has the method of a transport of httpx, and is none."""

    class Alone:
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            return httpx.Response(200, json=USER)

        async def aclose(self) -> None: ...

    async with client_on(server, transport=Alone()) as client:
        assert (await client.v2.users.me()).login == "ada"


async def test_httpx2(server: ScriptedServer) -> None:
    server.on("GET", "/api/v2/me", reply(json=USER))
    server.on("POST", f"/api/v2/project/{SLUG}/pipeline", reply(201, json=CREATED))
    for kind in ("http_client", "transport"):
        given = HTTPX2.AsyncClient() if kind == "http_client" else HTTPX2.AsyncHTTPTransport()
        async with given, AsyncCircleCI(TOKEN, base_url=server.url, max_concurrency=1, **{kind: given}) as client:
            for _ in range(2):
                assert (await client.v2.users.me()).login == "ada"
            await client.v2.pipelines.trigger(SLUG, branch="main")
            assert server.requests[-1].headers["circle-token"] == TOKEN
            server.script([RESPONSES[encoding][0] for encoding in ("gzip", "br", "zstd")])
            for _ in range(3):
                assert (await client.v2.users.me()).login == "ada"
            server.script([reply(json=USER).cut()])
            with pytest.raises(ConnectionFailedError):
                await client.with_options(max_retries=0).v2.users.me()
        if kind == "http_client":
            async with client_on(server, http_client=given) as client:
                with pytest.raises(TransportError, match="closed") as caught:
                    await client.v2.users.me()
            assert caught.value.request_outcome == "not_sent"
    with closed_port() as url:
        async with HTTPX2.AsyncClient() as http, client_on(url, FakeClock(), http_client=http) as client:
            with pytest.raises(ConnectionFailedError) as failed:
                await client.v2.pipelines.trigger(SLUG, branch="main")
    assert (failed.value.request_outcome, failed.value.attempts) == ("not_sent", 3)
