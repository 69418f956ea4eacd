# pyright: basic
"""Hostile HTTP stacks: exceptions from below, compressed bombs, odd configuration, and JSON that is not quite UTF-8."""

from __future__ import annotations

import gzip
import json
import random
import socket
import ssl
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any, Final

import anyio
import httpx
import trio

from circleci_sdk import AsyncCircleCI, ConfigError, DecodeError, StatusError, Timeout, TransportError
from tests.attack.kinds import Broken, Kind, outcome_of, what_happened
from tests.support.clients import CREATED, SLUG, USER, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import ScriptedServer, reply

ME: Final = httpx.Response(200, json=USER).content
MIB: Final = 1 << 20


def _library(module: str, name: str) -> type[Exception]:
    return type(name, (Exception,), {"__module__": module})


ERRORS: Final[tuple[Callable[[], Exception], ...]] = (
    *(lambda cls=cls: cls("below") for cls in (OSError, ConnectionResetError, TimeoutError, ssl.SSLError, KeyError)),
    *(lambda cls=cls: cls("below") for cls in (TypeError, UnicodeError, RuntimeError, MemoryError, RecursionError)),
    *(lambda cls=cls: cls("below") for cls in (httpx.ReadError, httpx.ReadTimeout, httpx.LocalProtocolError)),
    *(lambda cls=cls: cls("below") for cls in (httpx.InvalidURL, httpx.DecodingError, httpx.TooManyRedirects)),
    *(lambda cls=cls: cls() for cls in (anyio.BrokenResourceError, anyio.EndOfStream, trio.ClosedResourceError)),
    lambda: socket.gaierror(-2, "below"),
    lambda: ExceptionGroup("below", [ValueError("below"), OSError("below")]),
    lambda: _library("h2.exceptions", "StreamClosedError")("below"),
    lambda: _library("idna.core", "IDNAError")("below"),
    lambda: UnicodeDecodeError("utf-8", b"\xff", 0, 1, "below"),
)


class _Body(httpx.AsyncByteStream):
    def __init__(self, response: httpx.Response, place: str, error: Exception) -> None:
        self.response, self.place, self.error = response, place, error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self.place == "body":
            raise self.error
        async for piece in self.response.stream:  # type: ignore[union-attr]  # that of an async response
            yield piece
        if self.place == "end":
            raise self.error

    async def aclose(self) -> None:
        await self.response.aclose()
        if self.place == "close":
            raise self.error


class _Hostile(httpx.AsyncBaseTransport):
    """Sends over real sockets, and raises in some of its calls."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng
        self.inner = httpx.AsyncHTTPTransport()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        place = self.rng.choice(["before", "after", "body", "end", "close", "no", "no"])
        error = self.rng.choice(ERRORS)()
        if place == "before":
            raise error
        response = await self.inner.handle_async_request(request)
        if place == "after":
            await response.aclose()
            raise error
        return httpx.Response(
            response.status_code, headers=response.headers, stream=_Body(response, place, error), request=request
        )


async def exceptions_from_below(rng: random.Random) -> str:
    with ScriptedServer() as server:
        server.on("GET", "/api/v2/me", reply(rng.choice([200, 200, 404, 500]), json=USER))
        server.on("POST", f"/api/v2/project/{SLUG}/pipeline", reply(201, json=CREATED))
        transport = _Hostile(rng)
        http = httpx.AsyncClient(transport=transport)
        given: dict[str, Any] = {"http_client": http} if rng.random() < 0.5 else {"transport": transport}
        happened = "result"
        async with transport.inner, client_on(server, FakeClock(), max_concurrency=1, **given) as client:
            for _ in range(3):
                before = len(server.requests)
                is_read = rng.random() < 0.5
                try:
                    await (client.v2.users.me() if is_read else client.v2.pipelines.trigger(SLUG, branch="main"))
                except Exception as error:
                    happened = what_happened(error)
                    if not isinstance(error, (TransportError, StatusError, DecodeError)):
                        raise Broken("raw exception", repr(error)) from error
                    if isinstance(error, TransportError) and error.__cause__ is None:
                        raise Broken("wrong result", f"no cause: {error!r}") from error
                if not is_read and len(server.requests) - before > 1:
                    raise Broken("doubled POST", f"{len(server.requests) - before} requests")
        return happened


def _encode(name: str, data: bytes) -> bytes:
    if name == "gzip":
        return gzip.compress(data, 1)
    packer = zlib.compressobj(1, wbits=-15)
    return zlib.compress(data, 1) if name == "deflate" else packer.compress(data) + packer.flush()


async def compressed(rng: random.Random) -> str:
    """Bombs, cut, changed and nested bodies; with random limits. No more memory is used than the limit allows."""
    size = rng.choice([0, 10, 70_000, MIB, 20 * MIB])
    body = json.dumps({**USER, "name": "a" * size}).encode()
    whole = len(body)
    names = [rng.choice(["gzip", "deflate", "raw"]) for _ in range(rng.choice([0, 1, 1, 2, 3]))]
    for name in names:
        body = _encode(name, body)
    match rng.randrange(4):
        case 0:
            body = body[: rng.randrange(len(body))]
        case 1:
            place = rng.randrange(len(body))
            body = body[:place] + rng.randbytes(3) + body[place + 3 :]
        case _:
            pass
    header = ", ".join("deflate" if name == "raw" else name for name in names) or rng.choice(["", "identity", "utf-8"])
    limit = rng.choice([1, 100, 65_536, 2 * MIB, None])
    status = rng.choice([200, 200, 404, 503])
    with ScriptedServer() as server:
        server.otherwise(reply(status, body=body, headers={"Content-Encoding": header}))
        async with client_on(server, max_retries=0, max_concurrency=1, max_response_bytes=limit) as client:
            tracemalloc.start()
            try:
                happened = await outcome_of(client.v2.users.me())
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
            if limit is not None and peak > 4 * limit + 4 * len(body) + 8 * MIB:
                raise Broken("wrong result", f"{peak} bytes in memory for a limit of {limit}")
            if happened == "result" and limit is not None and whole > limit and len(body) > limit:
                raise Broken("wrong result", f"{whole} bytes were read with a limit of {limit}")
            if status != 200 and happened == "DecodeError":
                raise Broken("wrong result", "a refusal was a DecodeError")
            server.otherwise(reply(json=USER))
            await client.with_options(max_response_bytes=None).v2.users.me()
    return happened


ODD: Final = (
    "\ud800",
    "\u200d",
    "xn--",
    "..",
    ":",
    "[",
    "]",
    "@",
    "%",
    "\u3002",
    "\x00",
    " ",
    "#",
    "?",
    "\\",
    "99999",
    "é",
)


async def configuration(rng: random.Random) -> str:
    """A client is made, and then can call, or the configuration is refused."""
    text = "".join(rng.choice([*ODD, "a", "b.c", "127.0.0.1", "localhost"]) for _ in range(rng.randrange(1, 5)))
    number: Any = rng.choice([0, -1, 1, 10**400, 1e308, float("nan"), float("inf"), True, None, "5", 1e-9])
    options: dict[str, Any] = rng.choice(
        [
            {"base_url": f"https://{text}"},
            {"base_url": text},
            {"base_url": f"http://{text}:{rng.randrange(-1, 70_000)}", "allow_http": True},
            {"proxy": f"http://{text}"},
            {"proxy": text},
            {"timeout": number},
            {"max_retry_after": number},
            {"max_retries": number},
            {"max_response_bytes": number},
            {"max_concurrency": number},
        ]
    )
    try:
        if rng.random() < 0.2:
            Timeout(connect=number)
        client = AsyncCircleCI("token", **{"transport": httpx.MockTransport(_respond), **options})
    except ConfigError:
        return "ConfigError"
    async with client:
        return await outcome_of(client.v2.users.me())


def _respond(request: httpx.Request) -> httpx.Response:
    assert request.url.host
    return httpx.Response(200, content=ME)


async def odd_json(rng: random.Random) -> str:
    """A page with broken strings in an odd encoding is read all the same."""
    piece = rng.choice(["\\ud800", "\\udfff\\ud800", "\\uD83D", "\\ud83d\\ude00", "é", "x"])
    body = b'{"id": "1", "login": "%s", "name": "ada"}' % piece.encode()
    match rng.randrange(4):
        case 0:
            body = b"\xef\xbb\xbf" + body
        case 1:
            body = body.decode().encode(rng.choice(["utf-16", "utf-32", "utf-16-le", "utf-32-be"]))
        case 2:
            body = body.replace(b"ada", b"ada" + rng.choice([b"\xff", b"\xed\xa0\x80", b"\xc3", b"\x80\x80"]))
        case _:
            pass
    with ScriptedServer() as server:
        server.otherwise(reply(body=body))
        async with client_on(server, max_retries=0) as client:
            user = await client.v2.users.me()
            data = (await client.request("GET", "/api/v2/me")).data
    for value in (user.login, user.name, data["login"], data["name"]):
        try:
            str(value).encode()
        except UnicodeEncodeError as error:
            raise Broken("wrong result", f"half of a pair in {value!a}") from error
    if not str(user.name).startswith("ada"):
        raise Broken("wrong result", f"{user!a}")
    return "result"


KINDS: Final = (
    Kind("An exception out of the HTTP stack", exceptions_from_below, tries=2_000, samples=8),
    Kind("A compressed or large response", compressed, tries=1_000, samples=8),
    Kind("A configuration that no request can use", configuration, tries=4_000, samples=20),
    Kind("JSON with broken strings", odd_json, tries=1_000, samples=8),
)
