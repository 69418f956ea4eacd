# pyright: basic
"""Responses are read up to a limit, whatever their compression; others run meanwhile."""

from __future__ import annotations

import gzip
import json
import sys
import tracemalloc
import zlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from importlib import import_module
from types import SimpleNamespace
from typing import Any, Final

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circleci_sdk import AsyncCircleCI, ConfigError, DecodeError, NotFoundError, StatusError
from circleci_sdk._core.transport.inflate import Inflater
from circleci_sdk.helpers._downloads.download import download_of
from tests.support.clients import USER, client_on
from tests.support.scripted_server import ScriptedServer, redirect, reply

MIB: Final = 1 << 20
LIMIT: Final = MIB
BROTLI: Final[Any] = import_module("brotli")
ZSTANDARD: Final[Any] = import_module("zstandard")
LIBRARIES: Final = {"br": ("brotli", "brotlicffi"), "zstd": ("zstandard",)}
ME: Final = json.dumps(USER).encode()


def deflated(data: bytes) -> bytes:
    """Without the header of zlib, as some servers send `deflate`."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def zstd(data: bytes) -> bytes:
    compressed: bytes = ZSTANDARD.ZstdCompressor().compress(data)
    return compressed


def in_parts(encode: Callable[[bytes], bytes]) -> Callable[[bytes], bytes]:
    """Concatenated members or frames."""
    return lambda data: b"".join(encode(data[at : at + 7]) for at in range(0, len(data), 7))


ENCODED: Final[dict[str, tuple[str, Callable[[bytes], bytes]]]] = {
    "gzip": ("gzip", gzip.compress),
    "x-gzip": ("X-GZIP", gzip.compress),
    "zlib": ("deflate", zlib.compress),
    "deflate without a header": ("deflate", deflated),
    "gzip as deflate": ("deflate", gzip.compress),
    "twice": ("gzip, gzip", lambda data: gzip.compress(gzip.compress(data))),
    "two kinds": ("deflate, gzip", lambda data: gzip.compress(deflated(data))),
    "identity and gzip": ("identity,gzip", gzip.compress),
    "gzip and something else": ("gzip, utf-8", gzip.compress),
    "many members": ("gzip", in_parts(gzip.compress)),
    "br": ("br", BROTLI.compress),
    "zstd": ("ZSTD", zstd),
    "many frames": ("zstd", in_parts(zstd)),
    "br and zstd": ("br, zstd", lambda data: zstd(BROTLI.compress(data))),
}


def large(size: int) -> bytes:
    return b'{"login": "' + b"a" * size + b'", "id": "1", "name": "x"}'


@asynccontextmanager
async def others_running() -> AsyncGenerator[Counter[str]]:
    """Another task meanwhile, and how often it ran."""
    runs: Counter[str] = Counter()

    async def run() -> None:
        while True:
            runs["other"] += 1
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(run)
        yield runs
        tasks.cancel_scope.cancel()


async def get(client: AsyncCircleCI) -> object:
    return (await client.v2.users.me()).login


@pytest.mark.parametrize("kind", ENCODED)
async def test_encodings(server: ScriptedServer, kind: str) -> None:
    name, encode = ENCODED[kind]
    bodies = [reply(body=encode(ME), headers={"Content-Encoding": name}, framing=how) for how in ("length", "chunked")]
    server.script([*bodies, *(body.dripping(9, pause=0) for body in bodies)])
    async with client_on(server) as client:
        for _ in range(4):
            assert await get(client) == "ada"
    assert server.connections == 1


@pytest.mark.parametrize("kind", [kind for kind in ENCODED if not kind.startswith("many")])
async def test_compressed_response_above_the_limit(server: ScriptedServer, kind: str) -> None:
    name, encode = ENCODED[kind]
    server.otherwise(reply(body=encode(large(8 * LIMIT)), headers={"Content-Encoding": name}))
    async with client_on(server, max_response_bytes=LIMIT, max_concurrency=1) as client:
        for _ in range(2):
            with pytest.raises(DecodeError, match=r"1,048,576 bytes.*max_response_bytes") as caught:
                await get(client)
            error = caught.value
            assert (error.status, error.attempts, error.request_outcome) == (200, 1, "processed")
            assert error.retry_stop_reason == "not_retryable"
        assert len(str(await get(client.with_options(max_response_bytes=None)))) == 8 * LIMIT
        assert len(str(await get(client.with_options(max_response_bytes=9 * LIMIT)))) == 8 * LIMIT


@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
@pytest.mark.parametrize("hooked", [False, True])
async def test_plain_response_above_the_limit(server: ScriptedServer, framing: Any, hooked: bool) -> None:
    async def hook(response: httpx.Response) -> None:
        raise AssertionError

    exact = large(1000)
    server.otherwise(reply(body=exact, framing=framing, content_type="application/json"))
    options: dict[str, Any] = {"on_response": hook} if hooked else {}
    async with client_on(server, max_response_bytes=len(exact) - 1, **options) as client:
        for _ in range(2):
            with pytest.raises(DecodeError, match="max_response_bytes"):
                await get(client)
    async with client_on(server, max_response_bytes=len(exact)) as client:
        assert await get(client) == "a" * 1000


BOMBS: Final[dict[str, Callable[[bytes], bytes]]] = {
    "gzip, gzip": lambda data: gzip.compress(gzip.compress(data, 9), 9),
    "br": partial(BROTLI.compress, quality=5),
    "br, br": lambda data: BROTLI.compress(BROTLI.compress(data, quality=5)),
    "zstd": zstd,
    "zstd, br": lambda data: BROTLI.compress(zstd(data)),
}


@pytest.mark.load
@pytest.mark.parametrize("encodings", BOMBS)
async def test_default_limit_and_memory(server: ScriptedServer, encodings: str) -> None:
    """Two KiB that would become two GiB take no more memory than the limit, and other tasks run meanwhile."""
    bomb = BOMBS[encodings](b"\0" * (256 * MIB))
    server.otherwise(reply(body=bomb, headers={"Content-Encoding": encodings}))
    async with client_on(server) as client, others_running() as runs:
        tracemalloc.start()
        try:
            with pytest.raises(DecodeError, match=r"67,108,864 bytes, the limit of max_response_bytes"):
                await get(client)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < 80 * MIB
    assert runs["other"] > 100


@pytest.mark.parametrize("kind", ["plain", "gzip", "twice", "deflate without a header"])
@pytest.mark.parametrize("status", [404, 302, 503])
async def test_large_refusal_is_a_status_error(server: ScriptedServer, kind: str, status: int) -> None:
    name, encode = ENCODED.get(kind, ("identity", bytes))
    body = encode(b"No such thing. " + b"x" * (3 * MIB))
    server.otherwise(reply(status, body=body, content_type="text/plain", headers={"Content-Encoding": name}))
    async with client_on(server, max_retries=0, max_concurrency=1) as client:
        for _ in range(2):
            with pytest.raises(StatusError, match=r"No such thing\.") as caught:
                await get(client)
            assert (caught.value.status, len(caught.value.body)) == (status, MIB)
        with pytest.raises(StatusError) as caught:
            await get(client.with_options(max_response_bytes=5))
        assert b"No such".startswith(caught.value.body)
        assert len(caught.value.body) == 5 or kind != "plain"
        with pytest.raises(StatusError) as caught:
            await get(client.with_options(max_response_bytes=None))
        assert len(caught.value.body) == MIB


async def test_large_redirect_is_followed(server: ScriptedServer) -> None:
    server.on("GET", "/api/v2/me", redirect("/api/v2/you"))
    large_redirect = reply(302, body=b"x" * (2 * MIB), headers={"Location": "/api/v2/you"})
    server.on("GET", "/api/v2/me", large_redirect)
    server.on("GET", "/api/v2/you", reply(json=USER))
    async with client_on(server) as client:
        assert await get(client) == "ada"


@pytest.mark.parametrize("status", [200, 204])
async def test_nothing_is_nothing(server: ScriptedServer, status: int) -> None:
    server.otherwise(reply(status, headers={"Content-Encoding": "gzip"}))
    async with client_on(server) as client:
        assert (await client.request("GET", "/api/v2/x")).data is None


@pytest.mark.parametrize(
    ("body", "encoding"),
    [
        (b"not compressed", "gzip"),
        (b"not compressed", "deflate"),
        (gzip.compress(ME)[:-9], "gzip"),
        (gzip.compress(ME)[:5], "gzip"),
        (b"\x78", "deflate"),
        (gzip.compress(ME) + b"noise", "gzip"),
        (gzip.compress(ME), "gzip, gzip"),
        (gzip.compress(ME), ", ".join(["gzip"] * 1000)),
        *((noise, name) for name in LIBRARIES for noise in (b"not compressed", b"\0")),
        *((BROTLI.compress(ME)[:size], "br") for size in (1, 9, -1)),
        *((zstd(ME)[:size], "zstd") for size in (1, 9, -1)),
        *((encode(ME) + b"noise", name) for name, encode in (("br", BROTLI.compress), ("zstd", zstd))),
        (zstd(ME) + zstd(ME)[:-1], "zstd"),
        (zstd(ME), "br, zstd"),
    ],
    ids=range(22),
)
async def test_broken_compression(server: ScriptedServer, body: bytes, encoding: str) -> None:
    server.script([reply(status, body=body, headers={"Content-Encoding": encoding}) for status in (200, 404)])
    async with client_on(server) as client:
        with pytest.raises(DecodeError, match="compress"):
            await get(client)
        with pytest.raises(NotFoundError):
            await get(client)


@pytest.mark.parametrize("encoding", ["utf-8", "none", "", "binary", "compress"])
async def test_unknown_encoding_is_left_as_it_is(server: ScriptedServer, encoding: str) -> None:
    server.otherwise(reply(body=ME, headers={"Content-Encoding": encoding}))
    async with client_on(server) as client:
        assert await get(client) == "ada"


@pytest.mark.parametrize("name", LIBRARIES)
async def test_encoding_of_a_library_that_is_not_installed(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for library in LIBRARIES[name]:
        monkeypatch.setitem(sys.modules, library, None)
    headers = {"Content-Encoding": name}
    server.script([reply(body=ME, headers=headers), reply(body=ENCODED[name][1](ME), headers=headers)])
    async with client_on(server) as client:
        assert await get(client) == "ada"
        with pytest.raises(DecodeError, match="JSON"):
            await get(client)


class OlderBrotli:
    """A decompressor of brotlicffi, or of a brotli before 1.2."""

    def __init__(self) -> None:
        inner = BROTLI.Decompressor()
        self.is_finished = inner.is_finished
        self.decompress = lambda data: inner.process(data)


async def test_other_library_of_an_encoding(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "brotlicffi", SimpleNamespace(Decompressor=OlderBrotli))
    monkeypatch.setitem(sys.modules, "brotli", None)
    headers = {"Content-Encoding": "br"}
    server.script([reply(body=BROTLI.compress(content), headers=headers) for content in (ME, large(2 * MIB))])
    async with client_on(server, max_response_bytes=LIMIT) as client:
        assert await get(client) == "ada"
        with pytest.raises(DecodeError, match="max_response_bytes"):
            await get(client)


@pytest.mark.parametrize("is_installed", [True, False])
@pytest.mark.parametrize("borrowed", [True, False])
async def test_no_encoding_is_asked_for(
    server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, borrowed: bool, is_installed: bool
) -> None:
    """What is sent does not depend on what is installed."""
    for library in [name for names in LIBRARIES.values() for name in names if not is_installed]:
        monkeypatch.setitem(sys.modules, library, None)
    server.otherwise(reply(json=USER))
    async with httpx.AsyncClient() as http, client_on(server, http_client=http if borrowed else None) as client:
        await get(client)
    assert "accept-encoding" not in server.requests[0].headers


@pytest.mark.parametrize("inner", ["identity", "gzip", "br", "zstd"])
async def test_empty_members_and_padding_give_way(server: ScriptedServer, inner: str) -> None:
    """Thousands of members without content are work without output."""
    content = ENCODED[inner][1](ME) if inner in ENCODED else ME
    body = gzip.compress(b"") * 20_000 + gzip.compress(content) + b"\0" * 10_000
    server.otherwise(reply(body=body, headers={"Content-Encoding": f"{inner}, gzip"}))
    async with client_on(server) as client, others_running() as runs:
        assert await get(client) == "ada"
    assert runs["other"] > 1000


async def test_body_that_a_transport_has_read() -> None:
    """A transport that logs bodies has read, and decompressed, what it returns."""

    class Logging(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            async def pieces() -> AsyncIterator[bytes]:
                yield gzip.compress(ME)

            response = httpx.Response(200, headers={"Content-Encoding": "gzip"}, content=pieces())
            await response.aread()
            return response

    async with client_on("http://localhost", transport=Logging()) as client:
        assert await get(client) == "ada"
        assert await get(client.with_options(max_response_bytes=len(ME))) == "ada"
        with pytest.raises(DecodeError, match="max_response_bytes"):
            await get(client.with_options(max_response_bytes=5))


@pytest.mark.parametrize("value", [0, -1, True, 1.5, "5", float("inf")], ids=repr)
def test_invalid_limits(value: Any) -> None:
    with pytest.raises(ConfigError, match="max_response_bytes"):
        AsyncCircleCI("token", max_response_bytes=value)
    with pytest.raises(ConfigError, match="max_response_bytes"):
        AsyncCircleCI("token").with_options(max_response_bytes=value)


async def test_downloads_have_no_limit_and_give_way(server: ScriptedServer) -> None:
    server.otherwise(reply(body=gzip.compress(b"\0" * (40 * MIB)), headers={"Content-Encoding": "gzip"}))
    async with client_on(server, max_response_bytes=10) as client, others_running() as runs:
        size = 0
        async with download_of(client._caller, f"{server.url}/f", label="logs.x", timeout=None) as file:
            async for piece in file:
                assert 0 < len(piece) <= MIB // 4
                size += len(piece)
    assert size == 40 * MIB
    assert runs["other"] > 100


@settings(max_examples=60, derandomize=True, deadline=None, database=None)
@given(data=st.binary(max_size=4000), repeated=st.integers(1, 2000), sizes=st.lists(st.integers(1, 5000), max_size=6))
def test_inflater_in_any_pieces(data: bytes, repeated: int, sizes: list[int]) -> None:
    whole = data * repeated
    for headerless, encode in ((False, gzip.compress), (False, zlib.compress), (True, zlib.compress), (True, deflated)):
        packed = encode(whole)
        inflater = Inflater(headerless=headerless)
        found: list[bytes] = []
        place = 0
        for size in (*sizes, len(packed)):
            found += inflater.feed(packed[place : place + size])
            place += size
        inflater.finish()
        assert b"".join(found) == whole
        assert max(map(len, found), default=0) <= MIB // 4
