# pyright: reportPrivateUsage=false
"""The server of the wire tests, tested with a plain HTTP client and with raw sockets."""

from __future__ import annotations

import asyncio
import gc
import socket
import ssl
import threading
from collections.abc import AsyncIterator
from contextlib import suppress

import anyio
import httpx
import pytest
import trustme

from tests.support.scripted_server import (
    Framing,
    Handler,
    Request,
    Response,
    ScriptedServer,
    closed_port,
    drop,
    hang,
    raw,
    redirect,
    reply,
)

pytestmark = pytest.mark.anyio


def talk(server: ScriptedServer, data: bytes) -> bytes:
    """Send bytes, then read until the server closes the connection."""
    host, port = server.host.split(":")
    with socket.create_connection((host, int(port)), timeout=2) as connection:
        connection.sendall(data)
        received = b""
        while chunk := connection.recv(65536):
            received += chunk
    return received


GET = b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_request_is_recorded(server: ScriptedServer) -> None:
    server.on("POST", "/a%2Fb", reply(201, json={"id": 1}))

    async with httpx.AsyncClient() as client:
        response = await client.post(
            server.url + "/a%2Fb?tag=x%20y&tag=&n=1", json={"deep": [1]}, headers={"Circle-Token": "t"}
        )

    assert (response.status_code, response.reason_phrase, response.json()) == (201, "Created", {"id": 1})
    assert response.headers["content-type"] == "application/json"
    [request] = server.requests
    assert request.method == "POST"
    assert request.target == "/a%2Fb?tag=x%20y&tag=&n=1"
    assert request.path == "/a%2Fb"
    assert request.query == (("tag", "x y"), ("tag", ""), ("n", "1"))
    assert request.headers["circle-token"] == "t"
    assert request.json == {"deep": [1]}
    assert request.connection == 1


async def test_connections_are_reused_and_counted(server: ScriptedServer) -> None:
    server.otherwise(reply(text="hello"))

    async with httpx.AsyncClient() as client:
        for _ in range(3):
            assert (await client.get(server.url)).text == "hello"

    assert [request.connection for request in server.requests] == [1, 1, 1]
    assert server.connections == 1


async def test_concurrent_requests_are_counted(server: ScriptedServer) -> None:
    latch = server.latch()
    server.otherwise(reply().held_by(latch))

    async with httpx.AsyncClient() as client, anyio.create_task_group() as tasks:
        for _ in range(5):
            tasks.start_soon(client.get, server.url)
        await server.seen(5)
        assert server.concurrent == 5
        latch.open()

    await server.disconnected(5)
    assert (server.concurrent, server.max_concurrent, server.connections) == (0, 5, 5)


async def test_wait_times_out(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.support.scripted_server.TIMEOUT", 0.05)

    with pytest.raises(AssertionError, match="saw 0 requests, not 1"):
        await server.seen(1)
    with pytest.raises(AssertionError, match="saw 0 connections end, not 1"):
        await server.disconnected(1)


async def test_closed_connections_are_counted(server: ScriptedServer) -> None:
    server.otherwise(reply())

    async with httpx.AsyncClient() as client:
        await client.get(server.url)
        assert (server.connections, server.ended) == (1, 0)

    await server.disconnected(1)
    assert server.ended == 1


async def test_script_precedes_routes_and_list_is_consumed(server: ScriptedServer) -> None:
    server.on("GET", "/", [reply(202), reply(201)])
    server.otherwise(lambda request: reply(text=request.path))
    server.script([reply(429, headers={"Retry-After": "1"})])

    async with httpx.AsyncClient() as client:
        first = await client.get(server.url)
        rest = [(await client.get(server.url)).status_code for _ in range(2)]
        other = await client.get(server.url + "/else")

    assert (first.status_code, first.headers["retry-after"]) == (429, "1")
    assert rest == [202, 201]
    assert other.text == "/else"


async def visit(*paths: str, broken: Handler) -> list[int]:
    """Request these paths from a server with few routes."""
    with ScriptedServer() as server:
        server.on("GET", "/broken", broken)
        server.on("GET", "/once", [reply()])
        async with httpx.AsyncClient() as client:
            return [(await client.get(server.url + path)).status_code for path in paths]


def lost(request: Request) -> Response:
    raise KeyError(request.path)


async def test_unscripted_request_fails_the_test() -> None:
    assert await visit("/once", broken=lost) == [200]
    with pytest.raises(AssertionError) as failure:
        await visit("/once", "/once", "/broken", "/never", broken=lost)

    assert str(failure.value) == (
        "nothing is scripted for GET /once; the handler of GET /broken failed: KeyError('/broken'); "
        "nothing is scripted for GET /never"
    )


async def test_unscripted_request_gets_599(server: ScriptedServer) -> None:
    assert talk(server, GET).startswith(b"HTTP/1.1 599 ")
    server.complaints.clear()


async def test_error_of_the_test_precedes_complaints() -> None:
    async def fail() -> None:
        with ScriptedServer() as server:
            async with httpx.AsyncClient() as client:
                await client.get(server.url)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()


async def test_clear_resets(server: ScriptedServer) -> None:
    server.on("GET", "/", reply(text="before"))
    server.otherwise(reply(text="fallback"))
    async with httpx.AsyncClient() as client:
        await client.get(server.url)
        server.clear()
        server.on("GET", "/other", reply(text="after"))
        assert (await client.get(server.url + "/other")).text == "after"

    assert [request.path for request in server.requests] == ["/other"]
    assert server.connections == 1


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_framings(server: ScriptedServer, framing: Framing) -> None:
    server.otherwise(reply(json=list(range(1000)), framing=framing))

    async with httpx.AsyncClient() as client:
        responses = [await client.get(server.url) for _ in range(2)]

    assert [response.json() for response in responses] == [list(range(1000))] * 2
    assert ("content-length" in responses[0].headers) == (framing == "length")
    assert server.connections == (2 if framing == "close" else 1)


async def test_chunked_request_is_read(server: ScriptedServer) -> None:
    async def pieces() -> AsyncIterator[bytes]:
        yield b"one "
        yield b"two"

    server.otherwise(reply())
    async with httpx.AsyncClient() as client:
        await client.post(server.url, content=pieces())
        await client.post(server.url, content=b"three")

    assert [request.body for request in server.requests] == [b"one two", b"three"]


@pytest.mark.parametrize("status", [204, 304])
async def test_response_without_body(server: ScriptedServer, status: int) -> None:
    server.otherwise(reply(status, json={"ignored": True}))

    assert talk(server, GET).endswith(b"\r\n\r\n")


async def test_head_has_no_body(server: ScriptedServer) -> None:
    server.otherwise(reply(json={"size": 12}))

    async with httpx.AsyncClient() as client:
        responses = [await client.head(server.url), await client.get(server.url)]

    assert [len(response.content) for response in responses] == [0, 12]
    assert responses[0].headers["content-length"] == "12"
    assert server.connections == 1


async def test_redirect_has_location(server: ScriptedServer) -> None:
    server.on("GET", "/from", redirect("/to"))
    server.on("GET", "/to", reply(text="arrived"))

    async with httpx.AsyncClient(follow_redirects=True) as client:
        response = await client.get(server.url + "/from")

    assert response.text == "arrived"
    assert [request.path for request in server.requests] == ["/from", "/to"]


async def test_custom_content_type_and_reason(server: ScriptedServer) -> None:
    server.otherwise(reply(400, body=b"<html>", content_type="text/html", reason="Nope"))

    assert talk(server, GET) == (b"HTTP/1.1 400 Nope\r\nContent-Type: text/html\r\nContent-Length: 6\r\n\r\n<html>")


async def test_raw_bytes(server: ScriptedServer) -> None:
    server.otherwise(raw(b"\x16\x03\x01 this is", b" not HTTP"))

    assert talk(server, GET) == b"\x16\x03\x01 this is not HTTP"
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)


async def test_truncated_body(server: ScriptedServer) -> None:
    server.otherwise(reply(text="0123456789").cut())

    head, _, body = talk(server, GET).partition(b"\r\n\r\n")
    assert b"Content-Length: 10" in head
    assert body == b"01234"
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)


async def test_truncated_chunked_body(server: ScriptedServer) -> None:
    server.otherwise(reply(text="0123456789" * 100, framing="chunked").cut())

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.RemoteProtocolError):
            await client.get(server.url)


async def test_reset(server: ScriptedServer) -> None:
    server.script([drop(reset=True), reply(text="0123456789").cut(reset=True)])

    with pytest.raises(ConnectionResetError):
        talk(server, GET)
    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ReadError):
            await client.get(server.url)


async def test_close_without_response(server: ScriptedServer) -> None:
    server.otherwise(drop())

    assert talk(server, GET) == b""
    assert len(server.requests) == 1


async def test_close_in_the_middle_of_the_request(server: ScriptedServer) -> None:
    server.otherwise(drop().reading(4))

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.TransportError):
            await client.post(server.url, content=b"0123456789")

    assert [request.body for request in server.requests] == [b"0123"]


async def test_response_before_the_request_body(server: ScriptedServer) -> None:
    server.otherwise(reply(413).reading(0))

    async with httpx.AsyncClient() as client:
        responses = [await client.post(server.url, content=b"0123456789") for _ in range(2)]

    assert [response.status_code for response in responses] == [413, 413]
    assert [request.body for request in server.requests] == [b"", b""]
    assert server.connections == 1


async def test_connection_dropped_before_reading(server: ScriptedServer) -> None:
    server.otherwise(reply())
    server.drop_connections(1)

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.TransportError):
            await client.get(server.url)
        assert server.requests == []
        assert (await client.get(server.url)).status_code == 200

    assert server.connections == 2


async def test_closed_idle_connection(server: ScriptedServer) -> None:
    server.otherwise(reply(text="bye").then_close())

    async with httpx.AsyncClient() as client:
        response = await client.get(server.url)

    assert response.text == "bye"
    assert "connection" not in response.headers
    assert talk(server, GET.replace(b"Connection: close\r\n", b"")).endswith(b"bye")


async def test_client_times_out_on_hang(server: ScriptedServer) -> None:
    server.otherwise(hang())

    async with httpx.AsyncClient() as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url, timeout=0.5)

    assert len(server.requests) == 1


async def test_exit_with_hanging_requests() -> None:
    with ScriptedServer() as server:
        server.otherwise(hang())
        async with httpx.AsyncClient() as client, anyio.create_task_group() as tasks:
            tasks.start_soon(client.get, server.url)
            await server.seen(1)
            tasks.cancel_scope.cancel()
    assert len(server.requests) == 1


async def test_late_and_slow_response(server: ScriptedServer) -> None:
    server.on("GET", "/late", reply().after(3))
    server.on("GET", "/slow", reply(text="0123456789").dripping(5, pause=0.04))

    async with httpx.AsyncClient(timeout=0.5) as client:
        with pytest.raises(httpx.ReadTimeout):
            await client.get(server.url + "/late")
        assert (await client.get(server.url + "/slow")).text == "0123456789"
        with pytest.raises(TimeoutError), anyio.fail_after(0.1):
            await client.get(server.url + "/slow")


async def test_proxy_request(server: ScriptedServer) -> None:
    server.on("GET", "/api/v2/me", reply(text="through"))

    async with httpx.AsyncClient(proxy=server.url) as client:
        assert (await client.get("http://circleci.test/api/v2/me?x=1")).text == "through"

    assert server.requests[0].target == "http://circleci.test/api/v2/me?x=1"


async def test_tls() -> None:
    authority = trustme.CA()
    for_server, for_client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context()
    authority.issue_cert("localhost").configure_cert(for_server)  # pyright: ignore[reportUnknownMemberType]  # trustme has no types for pyOpenSSL
    authority.configure_trust(for_client)  # pyright: ignore[reportUnknownMemberType]  # trustme has no types for pyOpenSSL

    with ScriptedServer(tls=for_server) as server:
        server.otherwise(reply(text="sealed"))
        async with httpx.AsyncClient(verify=for_client) as client:
            assert (await client.get(server.url)).text == "sealed"
    assert server.url.startswith("https://")


async def test_closed_port_refuses_connections() -> None:
    with closed_port() as url:
        async with httpx.AsyncClient() as client:
            with pytest.raises(httpx.ConnectError):
                await client.get(url)


def test_connection_that_arrives_as_the_server_stops_is_closed() -> None:
    """asyncio loses the socket of a connection whose task is cancelled before its first step."""
    with ScriptedServer() as server:
        loop, stopped = server._loop, threading.Event()
        connections: list[socket.socket] = []

        def connect() -> None:
            connections.append(socket.create_connection(server._server.sockets[0].getsockname()))
            loop.call_soon(stop)  # in the iteration in which the loop accepts it

        def stop() -> None:
            stopping.append(loop.create_task(server._stop()))
            stopping[0].add_done_callback(lambda _: stopped.set())

        stopping: list[asyncio.Task[None]] = []
        loop.call_soon_threadsafe(connect)
        assert stopped.wait(5)
        with connections[0] as connection:
            connection.settimeout(5)
            with suppress(ConnectionResetError):
                assert connection.recv(1) == b""
    gc.collect()  # a socket that is left open is an error of the test
