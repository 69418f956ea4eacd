"""Files whose responses have no length: whole, continued, or an error; on asyncio and trio."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import AsyncIterator

import pytest

from circleci_sdk import AsyncCircleCI, CallError, CircleCIError, ConnectionFailedError, RateLimitError
from tests.support.clients import client_on
from tests.support.clock import FakeClock
from tests.support.downloads import fetch, read
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, reply

FILE = bytes(range(256)) * 1000
TAG = '"v1"'
EMPTY = Request("GET", "/f", "/f", (), (), b"", 0, 0.0)


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, FakeClock()) as client:
        yield client


class Closing:
    """A server whose responses have no length. It keeps to ranges, says only where the file ends, or does neither."""

    def __init__(self, data: bytes, cuts: list[int], *, ranges: bool = True, tag: str | None = TAG) -> None:
        self.data = data
        self.cuts = deque(cuts)
        self.ranges = ranges
        self.tag = tag

    def __call__(self, request: Request) -> Response:
        headers = {"ETag": self.tag} if self.tag else {}
        given = request.headers.get("range")
        start = int(given.removeprefix("bytes=").removesuffix("-")) if given and self.ranges else 0
        if given and self.ranges and start >= len(self.data):
            return reply(416, headers={"Content-Range": f"bytes */{len(self.data)}"})
        if given and self.ranges:
            headers["Content-Range"] = f"bytes {start}-{len(self.data) - 1}/{len(self.data)}"
        status = 206 if given and self.ranges else 200
        end = self.cuts.popleft() if self.cuts else len(self.data)
        return reply(status, body=self.data[start:end], headers=headers, framing="close")


@pytest.mark.parametrize("cuts", [[], [0], [1], [500_000], [10, 20, 30], [10, 10, 10], [len(FILE) - 1]])
async def test_a_body_without_a_length_is_continued_by_its_tag(
    server: ScriptedServer, client: AsyncCircleCI, cuts: list[int]
) -> None:
    server.on("GET", "/f", Closing(FILE, cuts))
    assert await read(fetch(client, server.url + "/f")) == FILE


@pytest.mark.parametrize("cuts", [[], [0], [1], [500_000], [10, 9, 20, 20, 30], [len(FILE) - 1]])
async def test_without_a_tag_it_is_read_again(server: ScriptedServer, client: AsyncCircleCI, cuts: list[int]) -> None:
    """From the start: what follows may be of another file."""
    server.on("GET", "/f", Closing(FILE, cuts, tag=None))
    assert await read(fetch(client, server.url + "/f")) == FILE


@pytest.mark.parametrize("cut", [0, 1, 1000, len(FILE)])
async def test_a_body_whose_end_nothing_confirms_is_an_error(
    server: ScriptedServer, client: AsyncCircleCI, cut: int
) -> None:
    server.on("GET", "/f", Closing(FILE, [cut] * 10, ranges=False))
    with pytest.raises(ConnectionFailedError, match=rf"nothing says whether it is complete after {cut} bytes"):
        await read(fetch(client, server.url + "/f"))
    assert len(server.requests) == 2


async def test_a_second_response_with_a_length_confirms(server: ScriptedServer, client: AsyncCircleCI) -> None:
    for cut in (len(FILE), 1000):
        server.on("GET", "/f", [Closing(FILE, [cut])(EMPTY), reply(body=FILE)])
        assert await read(fetch(client, server.url + "/f")) == FILE
    server.on("GET", "/f", [Closing(FILE, [])(EMPTY), reply(body=FILE[:-1])])
    with pytest.raises(ConnectionFailedError, match="another one now"):
        await read(fetch(client, server.url + "/f"))


async def test_another_length_is_another_file(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", "/f", [Closing(FILE, [])(EMPTY), reply(416, headers={"Content-Range": "bytes */7"})])
    with pytest.raises(ConnectionFailedError, match="another one now"):
        await read(fetch(client, server.url + "/f"))


@pytest.mark.parametrize("refusal", [reply(403), reply(404), reply(416), drop()])
async def test_a_refused_second_request_confirms_nothing(
    server: ScriptedServer, client: AsyncCircleCI, refusal: Response
) -> None:
    server.on("GET", "/f", [Closing(FILE, [])(EMPTY), *[refusal] * 9])
    with pytest.raises(CircleCIError) as caught:
        await read(fetch(client, server.url + "/f"))
    assert isinstance(caught.value, ConnectionFailedError | CallError)


@pytest.mark.parametrize("cut", [True, False])
async def test_the_end_of_compressed_data_is_an_end(server: ScriptedServer, client: AsyncCircleCI, cut: bool) -> None:
    packed = gzip.compress(FILE)
    whole = reply(body=packed, headers={"Content-Encoding": "gzip"}, framing="close")
    server.on("GET", "/f", whole.cut() if cut else whole)
    if cut:
        with pytest.raises(ConnectionFailedError, match="nothing says whether it is complete"):
            await read(fetch(client, server.url + "/f"))
    else:
        assert await read(fetch(client, server.url + "/f")) == FILE
        assert len(server.requests) == 1


async def test_compressed_data_without_content_at_first(server: ScriptedServer, client: AsyncCircleCI) -> None:
    packed = gzip.compress(b"") * 9 + gzip.compress(FILE)
    server.on("GET", "/f", reply(body=packed, headers={"Content-Encoding": "gzip"}))
    assert await read(fetch(client, server.url + "/f")) == FILE


async def test_the_rate_limit_of_a_second_request(server: ScriptedServer, client: AsyncCircleCI) -> None:
    refusal = reply(429, headers={"Retry-After": "3000"})
    server.on("GET", "/f", [Closing(FILE, [])(EMPTY), *[refusal] * 9])
    with pytest.raises(RateLimitError) as caught:
        await read(fetch(client.with_options(max_retry_after=10), server.url + "/f"))
    assert caught.value.retry_after == 3000


@pytest.mark.parametrize("status", [200, 204])
async def test_an_empty_file_has_no_end_to_confirm(server: ScriptedServer, client: AsyncCircleCI, status: int) -> None:
    server.on("GET", "/f", reply(status))
    assert await read(fetch(client, server.url + "/f")) == b""
    assert len(server.requests) == 1


async def test_a_range_never_follows_bytes_that_were_not_compared(
    server: ScriptedServer, client: AsyncCircleCI
) -> None:
    """A restart that breaks off while it repeats what is known starts anew, whatever its ETag."""
    server.on(
        "GET",
        "/f",
        [
            reply(body=FILE).cut(),
            reply(body=FILE, headers={"ETag": '"new"'}).cut(keep=0.1),
            reply(body=FILE, headers={"ETag": '"new"'}),
        ],
    )
    assert await read(fetch(client, server.url + "/f")) == FILE
    assert not [request for request in server.requests if "range" in request.headers]
