"""An HTTP/1.1 server on a real socket that sends exactly the scripted responses.

    with ScriptedServer() as server:
        server.on("GET", "/api/v2/me", reply(json={"name": "Ada"}))
        ...
        assert server.requests[0].headers["circle-token"] == "secret"

The server runs on asyncio in a separate thread, so clients on asyncio and on trio use the same one. It works with
bytes and without an HTTP library, so it can send malformed responses too.

A `Response` is data. Start from `reply`, `redirect`, `raw`, `drop` or `hang` and modify it:

    reply(json=page).after(0.1)                  wait first
    reply(json=page).held_by(latch)              wait until the test opens the latch
    reply(json=page).dripping(5, pause=0.02)     the body in five pieces
    reply(json=page).cut()                       half of the body, then close
    reply(json=page).then_close()                close the idle connection after the response
    drop().reading(10)                           close after ten bytes of the request body

A route returns the same response each time, the responses of a list in order, or the result of a function of the
request. An unscripted request gets 599 and fails the test when the server exits.
"""

from __future__ import annotations

import asyncio
import json as json_module
import socket
import ssl
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from http.client import responses as phrases
from types import TracebackType
from typing import Any, Final, Literal, Self, TypeAlias
from urllib.parse import parse_qsl

import anyio.to_thread

MISSING: Final = object()
TIMEOUT: Final = 5.0
"""Timeout of waits inside a test, in seconds: a hanging test has no message."""


@dataclass(frozen=True, slots=True)
class Request:
    """A received request. `target` and `path` are raw, with percent-encoding."""

    method: str
    target: str
    path: str
    query: tuple[tuple[str, str], ...]
    raw_headers: tuple[tuple[str, str], ...]
    body: bytes
    connection: int
    at: float

    @property
    def headers(self) -> Mapping[str, str]:
        """Headers by lower-case name; the last one of repeated headers."""
        return {name.lower(): value for name, value in self.raw_headers}

    @property
    def json(self) -> Any:
        return json_module.loads(self.body)


class Latch:
    """Holds responses until the test opens it. Created by `ScriptedServer.latch`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._open = asyncio.Event()

    def open(self) -> None:
        self._loop.call_soon_threadsafe(self._open.set)

    async def passed(self) -> None:
        async with asyncio.timeout(TIMEOUT):
            await self._open.wait()


@dataclass(frozen=True, slots=True)
class Pause:
    seconds: float


Step: TypeAlias = bytes | Pause | Latch
End: TypeAlias = Literal["keep", "close", "reset", "hang"]


@dataclass(frozen=True, slots=True)
class Response:
    """The steps of the server for one request.

    The steps are `before`, `head` and `body`; `end` is the state of the connection afterwards. `reads` is the number
    of bytes of the request body read before the response, None for all. Responses to HEAD and responses without a
    body by their status (`bodiless`) have no `body`.
    """

    head: bytes = b""
    body: tuple[Step, ...] = ()
    before: tuple[Step, ...] = ()
    end: End = "keep"
    reads: int | None = None
    bodiless: bool = False

    def after(self, seconds: float) -> Response:
        """Wait before the first byte."""
        return replace(self, before=(*self.before, Pause(seconds)))

    def held_by(self, latch: Latch) -> Response:
        """Wait for the latch before the first byte."""
        return replace(self, before=(*self.before, latch))

    def dripping(self, pieces: int, *, pause: float) -> Response:
        """Send the body in so many pieces, with a pause before each."""
        content = self._content()
        size = max(1, -(-len(content) // pieces))
        cut = [content[start : start + size] for start in range(0, len(content), size)]
        return replace(self, body=tuple(step for piece in cut for step in (Pause(pause), piece)))

    def cut(self, *, keep: float = 0.5, reset: bool = False) -> Response:
        """Send only a part of the body, then close the connection."""
        content = self._content()
        return replace(self, body=(content[: int(len(content) * keep)],), end="reset" if reset else "close")

    def then_close(self) -> Response:
        """Close the connection after the response, without a `Connection: close` header."""
        return replace(self, end="close")

    def reading(self, size: int) -> Response:
        """Respond after reading so many bytes of the request body."""
        return replace(self, reads=size)

    def _content(self) -> bytes:
        return b"".join(step for step in self.body if isinstance(step, bytes))


HeaderItems: TypeAlias = Mapping[str, str] | Sequence[tuple[str, str]]
Framing: TypeAlias = Literal["length", "chunked", "close"]


def reply(
    status: int = 200,
    *,
    json: object = MISSING,
    text: str | None = None,
    body: bytes = b"",
    headers: HeaderItems = (),
    content_type: str | None = None,
    framing: Framing = "length",
    reason: str | None = None,
) -> Response:
    """A well-formed response.

    The body is `json`, `text` or `body`; `content_type` replaces the default one. `framing` is the delimiter of the
    body: its length, chunks, or the end of the connection.
    """
    if json is not MISSING:
        body, kind = json_module.dumps(json).encode(), "application/json"
    elif text is not None:
        body, kind = text.encode(), "text/plain; charset=utf-8"
    else:
        kind = "application/json" if body else ""
    lines = [f"HTTP/1.1 {status} {phrases.get(status, '') if reason is None else reason}"]
    if kind := kind if content_type is None else content_type:
        lines.append(f"Content-Type: {kind}")
    bodiless = status < 200 or status in {204, 304}
    if framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
        body = _chunk(body) + b"0\r\n\r\n"
    elif framing == "close":
        lines.append("Connection: close")
    elif not bodiless:
        lines.append(f"Content-Length: {len(body)}")
    lines += [f"{name}: {value}" for name, value in _pairs(headers)]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1")
    return Response(head, (body,), end="close" if framing == "close" else "keep", bodiless=bodiless)


def redirect(location: str, status: int = 302) -> Response:
    return reply(status, headers={"Location": location})


def raw(*steps: Step, end: End = "close") -> Response:
    """Arbitrary bytes."""
    return Response(body=steps, end=end)


def drop(*, reset: bool = False) -> Response:
    """No response: the connection is closed normally or with a reset."""
    return Response(end="reset" if reset else "close")


def hang() -> Response:
    """No response and no close: the client times out."""
    return Response(end="hang")


Handler: TypeAlias = Callable[[Request], Response]
Script: TypeAlias = Response | Handler | Iterable[Response]


@dataclass(slots=True)
class _Route:
    """A fixed response (`response`), a sequence (`queue`) or a function (`handler`)."""

    response: Response | None = None
    handler: Handler | None = None
    queue: deque[Response] = field(default_factory=deque[Response])

    @classmethod
    def of(cls, script: Script) -> _Route:
        if isinstance(script, Response):
            return cls(response=script)
        if callable(script):
            return cls(handler=script)
        return cls(queue=deque(script))

    def next(self, request: Request) -> Response | None:
        if self.response is not None:
            return self.response
        if self.handler is not None:
            return self.handler(request)
        return self.queue.popleft() if self.queue else None


class ScriptedServer:
    """See the module docstring. `requests` lists all requests in the order in which they were read.

    `connections` counts the opened connections, `ended` the closed ones, `concurrent` the current requests and
    `max_concurrent` their maximum so far. `complaints` fail the test when the server exits.
    """

    def __init__(self, *, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.connections = 0
        self.ended = 0
        self.concurrent = 0
        self.max_concurrent = 0
        self._tls = tls
        self._port = 0
        self._routes: dict[tuple[str, str], _Route] = {}
        self._script: deque[Response] = deque()
        self._otherwise: _Route | None = None
        self._connections_to_drop = 0
        self.complaints: list[str] = []
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._writers: set[asyncio.StreamWriter] = set()
        self._thread = threading.Thread(target=self._loop.run_forever, name="scripted-server", daemon=True)

    @property
    def url(self) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}"

    @property
    def host(self) -> str:
        return f"{'localhost' if self._tls else '127.0.0.1'}:{self._port}"

    def on(self, method: str, path: str, script: Script) -> None:
        """Set the response for this method and path (raw, without the query). Replaces an earlier one."""
        self._routes[method, path] = _Route.of(script)

    def script(self, responses: Iterable[Response]) -> None:
        """Set the responses to the next requests, independent of their path. Precedes all routes."""
        self._script.extend(responses)

    def otherwise(self, script: Script) -> None:
        """Set the response to requests without a script and a route."""
        self._otherwise = _Route.of(script)

    def drop_connections(self, count: int = 1) -> None:
        """Close the next connections immediately, before reading."""
        self._connections_to_drop += count

    def latch(self) -> Latch:
        return Latch(self._loop)

    def clear(self) -> None:
        """Reset all requests and scripts; open connections stay."""
        self.requests.clear()
        self._script.clear()
        self._routes.clear()
        self._otherwise = None
        self.max_concurrent = self.concurrent

    async def seen(self, count: int) -> Sequence[Request]:
        """Wait for so many requests, on asyncio or trio, and return them."""
        await self._until(lambda: len(self.requests), count, "requests")
        return self.requests[:count]

    def wait_for_requests(self, count: int, timeout: float = TIMEOUT) -> Sequence[Request]:
        """The same, without an event loop."""
        self._wait(lambda: len(self.requests), count, "requests", timeout)
        return self.requests[:count]

    async def disconnected(self, count: int) -> None:
        """Wait until so many connections are closed, by either side."""
        await self._until(lambda: self.ended, count, "connections end")

    def wait_for_ends(self, count: int) -> None:
        """The same, without an event loop."""
        self._wait(lambda: self.ended, count, "connections end", TIMEOUT)

    async def _until(self, counted: Callable[[], int], count: int, what: str) -> None:
        await anyio.to_thread.run_sync(self._wait, counted, count, what, TIMEOUT)

    def _wait(self, counted: Callable[[], int], count: int, what: str, timeout: float) -> None:
        with self._changed:
            is_enough = self._changed.wait_for(lambda: counted() >= count, timeout)
        if not is_enough:
            raise AssertionError(f"the server saw {counted()} {what}, not {count}")

    def __enter__(self) -> Self:
        self._thread.start()
        self._port = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(TIMEOUT)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(TIMEOUT)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(TIMEOUT)
        self._loop.close()
        if self.complaints and kind is None:
            raise AssertionError("; ".join(self.complaints))

    # The methods below run in the thread of the server.

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls, limit=1 << 20)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    async def _stop(self) -> None:
        # asyncio loses the socket of a connection whose task has not begun when the server is closed.
        with suppress(NotImplementedError):
            for listener in self._server.sockets:
                self._loop.remove_reader(listener)
        await _few_iterations()
        self._server.close()
        await end_all(self._writers)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._writers.add(writer)
        self.connections += 1
        number = self.connections
        try:
            if self._connections_to_drop:
                self._connections_to_drop -= 1
                return
            with suppress(ConnectionError, asyncio.IncompleteReadError):
                while await self._exchange(reader, writer, number):
                    pass
        except asyncio.CancelledError:
            pass
        finally:
            # A task that ends as cancelled is an error of the event loop before Python 3.12.
            with suppress(ConnectionError, asyncio.CancelledError):
                writer.close()
                await writer.wait_closed()
            self._writers.discard(writer)
            with self._changed:
                self.ended += 1
                self._changed.notify_all()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int) -> bool:
        """One request and its response; returns whether the connection stays open."""
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"CONNECT "):
            await self._tunnel(head.decode("latin-1"), reader, writer)
            return False
        self.concurrent += 1
        self.max_concurrent = max(self.max_concurrent, self.concurrent)
        try:
            request = _parse(head, number)
            response = self._choose(request)
            body, rest = await _read_body(reader, request, response.reads)
            with self._changed:
                self.requests.append(replace(request, body=body))
                self._changed.notify_all()
            await _play(response.before, writer)
            writer.write(response.head)
            if request.method != "HEAD" and not response.bodiless:
                await _play(response.body, writer)
            await writer.drain()
            if response.end == "keep":
                await reader.readexactly(rest)
            elif response.end == "hang":
                await reader.read()
            elif response.end == "reset":
                _reset(writer)
        finally:
            self.concurrent -= 1
        return response.end == "keep" and request.headers.get("connection", "").lower() != "close"

    async def _tunnel(self, head: str, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.complaints.append(f"this is no proxy: {head.splitlines()[0]}")

    def _choose(self, request: Request) -> Response:
        if self._script:
            return self._script.popleft()
        route = self._routes.get((request.method, request.path)) or self._otherwise
        try:
            response = route.next(request) if route else None
        except Exception as error:
            self.complaints.append(f"the handler of {request.method} {request.target} failed: {error!r}")
            return reply(599, text="the handler failed")
        if response is None:
            self.complaints.append(f"nothing is scripted for {request.method} {request.target}")
            return reply(599, text="nothing is scripted for this request")
        return response


async def end_all(writers: Iterable[asyncio.StreamWriter]) -> None:
    """Cancel all tasks of the loop of a server, including handshakes, and abort its open connections."""
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for writer in writers:
        writer.transport.abort()
    await _few_iterations()


async def _few_iterations() -> None:
    """The first and the last callbacks of a connection run in later iterations of the loop."""
    for _ in range(3):
        await asyncio.sleep(0)


@contextmanager
def closed_port() -> Generator[str]:
    """The URL of a port without a listener: connections are refused."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{bound.getsockname()[1]}"


def _parse(head: bytes, connection: int) -> Request:
    first, *lines = head.decode("latin-1").removesuffix("\r\n\r\n").split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    if "://" in path:
        path = "/" + path.split("://", 1)[1].partition("/")[2]
    headers = tuple((name, value.strip()) for name, _, value in (line.partition(":") for line in lines))
    pairs = tuple(parse_qsl(query, keep_blank_values=True))
    return Request(method, target, path, pairs, headers, b"", connection, time.monotonic())


async def _read_body(reader: asyncio.StreamReader, request: Request, limit: int | None) -> tuple[bytes, int]:
    """The body, or its first `limit` bytes, and the number of remaining bytes."""
    if request.headers.get("transfer-encoding", "").lower() == "chunked":
        chunks: list[bytes] = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            chunks.append((await reader.readexactly(size + 2))[:-2])
        await reader.readexactly(2)
        return b"".join(chunks), 0
    length = int(request.headers.get("content-length", "0"))
    wanted = length if limit is None else min(limit, length)
    return await reader.readexactly(wanted), length - wanted


async def _play(steps: Iterable[Step], writer: asyncio.StreamWriter) -> None:
    for step in steps:
        if isinstance(step, bytes):
            writer.write(step)
            continue
        await writer.drain()
        if isinstance(step, Pause):
            await asyncio.sleep(step.seconds)
        else:
            await step.passed()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close the connection with a reset."""
    connection: socket.socket = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n" if data else b""


def _pairs(headers: HeaderItems) -> Iterable[tuple[str, str]]:
    return headers.items() if isinstance(headers, Mapping) else headers
