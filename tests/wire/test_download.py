# pyright: basic
"""Downloads are complete, without repetition, and send the token only to allowed hosts; on asyncio and trio."""

from __future__ import annotations

import gzip
import traceback
import zlib
from collections.abc import AsyncIterator, Callable

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import (
    AsyncCircleCI,
    CircleCIError,
    ConnectionFailedError,
    DecodeError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RateKey,
    RateLimit,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
    StatusError,
    Timeout,
)
from circleci_sdk._core.transport.inflate import Inflater
from circleci_sdk.helpers._downloads.addresses import check_url, may_hold_token, origin_of
from circleci_sdk.helpers._downloads.inflate import encodings_of_file, is_packed
from tests.support.clients import TOKEN, client_on
from tests.support.clock import FakeClock
from tests.support.downloads import fetch, read
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, hang, redirect, reply

FILE = bytes(range(256)) * 1000
TAG = '"v1"'


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, FakeClock()) as client:
        yield client


def ranged(
    data: bytes = FILE, tag: str | None = TAG, *, breaks: Callable[[int], bool] = lambda count: count == 1
) -> Callable[[Request], Response]:
    """A server with range support; the responses with numbers in `breaks` are truncated."""
    count = 0

    def response(request: Request) -> Response:
        nonlocal count
        count += 1
        headers = {"ETag": tag} if tag else {}
        given = request.headers.get("range")
        start = int(given.removeprefix("bytes=").removesuffix("-")) if given else 0
        if given:
            assert request.headers.get("if-range") == tag
            headers["Content-Range"] = f"bytes {start}-{len(data) - 1}/{len(data)}"
        whole = reply(206 if given else 200, body=data[start:], headers=headers, content_type="text/plain")
        return whole.cut() if breaks(count) else whole

    return response


async def test_reads_a_file_once(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", "/f", reply(body=FILE))
    download = fetch(client, server.url + "/f")
    assert await read(download) == FILE
    assert (download.received, download.size) == (len(FILE), len(FILE))
    assert len(server.requests) == 1
    assert server.requests[0].headers["accept-encoding"] == "identity"  # otherwise ranges would count compressed bytes


async def test_empty_file(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", "/f", reply())
    assert await read(fetch(client, server.url + "/f")) == b""


async def test_memory_is_bounded(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", "/f", reply(body=b"x" * 3_000_000))
    async with fetch(client, server.url + "/f") as download:
        assert max([len(piece) async for piece in download]) <= 1 << 17


@pytest.mark.parametrize("reset", [False, True])
async def test_resumes_after_a_lost_connection(server: ScriptedServer, client: AsyncCircleCI, reset: bool) -> None:
    responses = ranged()
    server.on("GET", "/f", lambda request: responses(request) if not reset else _reset(responses(request)))
    assert await read(fetch(client, server.url + "/f")) == FILE
    first, second = server.requests
    assert "range" not in first.headers
    assert second.headers["range"] == f"bytes={len(FILE) // 2}-" or reset
    assert second.headers["if-range"] == TAG


def _reset(response: Response) -> Response:
    from dataclasses import replace

    return replace(response, end="reset") if response.end == "close" else response


async def test_progress_resets_the_number_of_retries(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", "/f", ranged(breaks=lambda count: count <= 8))
    assert await read(fetch(client, server.url + "/f")) == FILE
    assert len(server.requests) == 9


async def test_fails_without_progress(server: ScriptedServer, client: AsyncCircleCI) -> None:
    responses = ranged()
    server.on("GET", "/f", lambda request: responses(request) if len(server.requests) < 1 else drop())
    download = fetch(client, server.url + "/f")
    with pytest.raises(ConnectionFailedError) as caught:
        await read(download)
    assert len(server.requests) == 3  # the first attempt, which made progress, and all retries
    assert caught.value.operation == "artifacts.download"
    assert caught.value.attempts == 3


async def test_no_resume_without_retries(server: ScriptedServer) -> None:
    server.on("GET", "/f", ranged())
    async with client_on(server, FakeClock(), max_retries=0) as client:
        with pytest.raises(ConnectionFailedError):
            await read(fetch(client, server.url + "/f"))
    assert len(server.requests) == 1


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
async def test_restart_without_an_etag_repeats_no_bytes(
    server: ScriptedServer, client: AsyncCircleCI, tag: str | None
) -> None:
    headers = {"ETag": tag} if tag else {}
    server.on("GET", "/f", [reply(body=FILE, headers=headers).cut(), reply(body=FILE, headers=headers)])
    assert await read(fetch(client, server.url + "/f")) == FILE
    assert "range" not in server.requests[1].headers


async def test_changed_file_is_an_error(server: ScriptedServer, client: AsyncCircleCI) -> None:
    other = FILE[::-1]
    server.on("GET", "/f", [reply(body=FILE, headers={"ETag": TAG}).cut(), reply(body=other, headers={"ETag": '"v2"'})])
    with pytest.raises(ConnectionFailedError, match="another one now"):
        await read(fetch(client, server.url + "/f"))


async def test_shortened_file_is_an_error(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", "/f", [reply(body=FILE).cut(), reply(body=FILE[:100])])
    with pytest.raises(ConnectionFailedError, match="another one now"):
        await read(fetch(client, server.url + "/f"))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": f"bytes 7-{len(FILE) - 1}/{len(FILE)}"},
        {"Content-Range": f"bytes {len(FILE) // 2}-{len(FILE) - 1}/{len(FILE)}", "ETag": '"v2"'},
        {},
    ],
)
async def test_unexpected_range_is_not_used(
    server: ScriptedServer, client: AsyncCircleCI, headers: dict[str, str]
) -> None:
    server.on(
        "GET",
        "/f",
        [reply(body=FILE, headers={"ETag": TAG}).cut(), reply(206, body=b"wrong", headers=headers), reply(body=FILE)],
    )
    assert await read(fetch(client, server.url + "/f")) == FILE
    assert "range" not in server.requests[2].headers


@pytest.mark.parametrize("fault", [reply(429, headers={"Retry-After": "1"}), reply(502), reply(503), drop()])
async def test_faults_before_and_during_the_body(
    server: ScriptedServer, client: AsyncCircleCI, fault: Response
) -> None:
    responses = ranged()
    plan = [fault, None, fault, None]
    server.on("GET", "/f", lambda request: plan.pop(0) or responses(request))
    assert await read(fetch(client, server.url + "/f")) == FILE
    assert len(server.requests) == 4


@pytest.mark.parametrize(
    ("status", "kind"),
    [(404, NotFoundError), (403, PermissionDeniedError), (429, RateLimitError), (500, ServerError), (418, StatusError)],
)
async def test_error_statuses_raise_status_errors(
    server: ScriptedServer, client: AsyncCircleCI, status: int, kind: type[StatusError]
) -> None:
    server.on("GET", "/f", reply(status, json={"message": "no such thing"}))
    with pytest.raises(kind) as caught:
        await read(fetch(client, server.url + "/f?X-Signature=secret"))
    error = caught.value
    assert (error.message, error.status, error.path) == ("no such thing", status, "/f")
    assert "secret" not in str(error)


async def test_total_timeout(server: ScriptedServer) -> None:
    server.on("GET", "/f", reply(body=FILE).dripping(40, pause=0.05))
    async with client_on(server) as client:
        with pytest.raises(RequestTimeoutError) as caught:
            await read(fetch(client, server.url + "/f", timeout=0.2))
    assert caught.value.retry_stop_reason == "deadline"
    assert len(server.requests) == 1


async def test_read_timeout_in_the_body_is_a_lost_connection(server: ScriptedServer) -> None:
    responses = ranged()

    def response(request: Request) -> Response:
        given = responses(request)
        return given if given.end == "keep" else _hanging(given)

    server.on("GET", "/f", response)
    async with client_on(server, FakeClock(), timeout=Timeout(read=0.5)) as client:
        assert await read(fetch(client, server.url + "/f")) == FILE
    assert len(server.requests) == 2


def _hanging(response: Response) -> Response:
    from dataclasses import replace

    return replace(response, end="hang")


async def test_early_exit_releases_the_slot(server: ScriptedServer) -> None:
    server.on("GET", "/f", reply(body=FILE * 10))
    async with client_on(server, max_concurrency=1) as client:
        for _ in range(3):
            async with fetch(client, server.url + "/f") as download:
                async for _ in download:
                    break
        assert len(await read(fetch(client, server.url + "/f"))) == len(FILE) * 10


async def test_cancellation_releases_the_slot(server: ScriptedServer) -> None:
    server.on("GET", "/slow", reply(body=FILE).dripping(20, pause=0.05))
    server.on("GET", "/hang", hang())
    server.on("GET", "/f", reply(body=FILE))
    async with client_on(server, max_concurrency=1) as client:
        for path in ("/slow", "/hang", "/slow"):
            with anyio.move_on_after(0.1) as scope:
                await read(fetch(client, server.url + path))
            assert scope.cancelled_caught
        assert await read(fetch(client, server.url + "/f")) == FILE


async def test_failed_opening_releases_the_slot(server: ScriptedServer) -> None:
    server.on("GET", "/none", reply(404))
    server.on("GET", "/f", reply(body=FILE))
    async with client_on(server, max_concurrency=1) as client:
        for _ in range(3):
            with pytest.raises(NotFoundError):
                await read(fetch(client, server.url + "/none"))
        assert await read(fetch(client, server.url + "/f")) == FILE


async def test_failing_rate_limiter_releases_the_slot(server: ScriptedServer) -> None:
    class FailingLimiter:
        async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
            return None

        async def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
            raise OSError("the shared budget is out of reach")

    server.on("GET", "/told", reply(body=FILE, headers={"RateLimit-Limit": "10", "RateLimit-Remaining": "9"}))
    server.on("GET", "/f", reply(body=FILE))
    async with client_on(server, max_concurrency=1, rate_limiter=FailingLimiter()) as client:
        for _ in range(3):
            assert await read(fetch(client, server.url + "/told")) == FILE
        assert await read(fetch(client, server.url + "/f")) == FILE


# Hosts that receive the token.


async def test_token_is_sent_to_the_api(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", "/a", redirect("/b"))
    server.on("GET", "/b", reply(body=FILE))
    assert await read(fetch(client, server.url + "/a")) == FILE
    assert [request.headers.get("circle-token") for request in server.requests] == [TOKEN, TOKEN]


async def test_no_token_after_a_redirect_to_another_origin(server: ScriptedServer, client: AsyncCircleCI) -> None:
    with ScriptedServer() as storage:
        server.on("GET", "/a", redirect(storage.url + "/signed?sig=1"))
        storage.on("GET", "/signed", redirect(server.url + "/b"))
        server.on("GET", "/b", reply(body=FILE))
        assert await read(fetch(client, server.url + "/a")) == FILE
        assert server.requests[0].headers["circle-token"] == TOKEN
        for request in (storage.requests[0], server.requests[1]):
            assert not {"circle-token", "authorization", "cookie"} & set(request.headers)


async def test_resume_follows_the_same_redirects(server: ScriptedServer, client: AsyncCircleCI) -> None:
    with ScriptedServer() as storage:
        server.on("GET", "/a", redirect(storage.url + "/signed"))
        storage.on("GET", "/signed", ranged())
        assert await read(fetch(client, server.url + "/a")) == FILE
        assert [request.headers.get("circle-token") for request in server.requests] == [TOKEN, TOKEN]
        assert [request.headers.get("circle-token") for request in storage.requests] == [None, None]
        assert storage.requests[1].headers["range"] == f"bytes={len(FILE) // 2}-"


async def test_no_token_to_other_hosts(server: ScriptedServer, client: AsyncCircleCI) -> None:
    with ScriptedServer() as storage:
        storage.on("GET", "/signed", reply(body=FILE))
        assert await read(fetch(client, storage.url + "/signed")) == FILE
        assert "circle-token" not in storage.requests[0].headers


async def test_signed_url_gets_no_token(server: ScriptedServer, client: AsyncCircleCI) -> None:
    async def renew() -> str:
        return server.url + "/new"

    server.on("GET", "/old", [redirect("/there"), redirect("/there")])
    server.on("GET", "/there", reply(403))
    server.on("GET", "/new", reply(body=FILE))
    assert await read(fetch(client, server.url + "/old", signed=True, renew=renew)) == FILE
    assert [request.headers.get("circle-token") for request in server.requests] == [None] * 3


async def test_too_many_redirects(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", "/a", redirect("/a?signature=hidden"))
    with pytest.raises(StatusError) as caught:
        await read(fetch(client, server.url + "/a"))
    assert caught.value.status == 302
    assert len(server.requests) == 6
    assert "hidden" not in repr(caught.value.__dict__)


@pytest.mark.parametrize("location", ["http://example.com/f", "ftp://example.com/f", "https://user@example.com/f", ""])
async def test_forbidden_redirects(server: ScriptedServer, location: str) -> None:
    server.on("GET", "/a", redirect(location))
    async with client_on(server) as client:
        with pytest.raises(StatusError) as caught:
            await read(fetch(client, server.url + "/a"))
    assert caught.value.status == 302


async def test_artifact_hosts_of_circleci_get_the_token() -> None:
    seen: list[tuple[str, str | None]] = []

    def response(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.host, request.headers.get("circle-token")))
        if request.url.host.startswith("7-1"):
            return httpx.Response(302, headers={"Location": "https://storage.example.com/x?sig=1"})
        return httpx.Response(200, content=FILE)

    async with AsyncCircleCI(TOKEN, base_url="circleci.com", transport=httpx.MockTransport(response)) as client:
        assert await read(fetch(client, "https://7-1-gh.circle-artifacts.com/0/a.txt")) == FILE
        assert await read(fetch(client, "https://circle-artifacts.com.example.com/0/a.txt")) == FILE
    assert seen == [
        ("7-1-gh.circle-artifacts.com", TOKEN),
        ("storage.example.com", None),
        ("circle-artifacts.com.example.com", None),
    ]


CLOUD = "https://circleci.com"


@pytest.mark.parametrize(
    ("url", "api", "allowed"),
    [
        ("https://circleci.com/x", CLOUD, True),
        ("https://CIRCLECI.com:443/x", CLOUD, True),
        ("https://output.circle-artifacts.com/x", CLOUD, True),
        ("https://7-1-gh.Circle-Artifacts.com/x", CLOUD, True),
        ("http://circleci.com/x", CLOUD, False),
        ("https://circleci.com:8443/x", CLOUD, False),
        ("http://output.circle-artifacts.com/x", CLOUD, False),
        ("https://output.circle-artifacts.com:8443/x", CLOUD, False),
        ("https://evil-circle-artifacts.com/x", CLOUD, False),
        ("https://circle-artifacts.com/x", CLOUD, False),
        ("https://output.circle-artifacts.com.evil.com/x", CLOUD, False),
        ("https://evil.com/.circle-artifacts.com", CLOUD, False),
        ("https://evil.com?.circle-artifacts.com", CLOUD, False),
        ("https://evil.com#.circle-artifacts.com", CLOUD, False),
        ("https://evil.com\\.circle-artifacts.com/x", CLOUD, False),
        ("https://evil.com@output.circle-artifacts.com/x", CLOUD, False),
        ("https://output.circle-artifacts.com@evil.com/x", CLOUD, False),
        ("https://ci.acme.example/x", "https://ci.acme.example", True),
        ("https://output.circle-artifacts.com/x", "https://ci.acme.example", False),
        ("https://app.circleci.com/x", CLOUD, False),
        ("https://my_bucket.s3.amazonaws.com/x", CLOUD, False),
        ("https://a_b.circle-artifacts.com/x", CLOUD, True),
        ("", "", False),
    ],
)
def test_hosts_allowed_to_receive_the_token(url: str, api: str, allowed: bool) -> None:
    assert may_hold_token(url, api) is allowed


@given(st.text(alphabet="abz.@:/\\?#[]-%_ \t\n0é", max_size=30))
def test_checked_host_is_the_connected_host(rest: str) -> None:
    """The checked host equals the host that the HTTP library connects to, for every accepted URL."""
    url = f"https://{rest}"
    try:
        host = check_url(url, allow_http=False)
        asked = httpx.URL(url)
    except (ValueError, httpx.InvalidURL):
        return
    assert asked.host == host.lower()
    assert (443 if asked.port is None else asked.port) == origin_of(url)[2]
    assert not asked.userinfo


@pytest.mark.parametrize("host", ["my_bucket.s3.amazonaws.com", "_x.example.com", "a__b.example.com", "x_"])
async def test_hosts_with_an_underscore(host: str) -> None:
    """Also behind a redirect."""
    seen: list[str] = []

    def response(request: httpx.Request) -> httpx.Response:
        seen.append(request.url.host)
        if request.url.host == host:
            return httpx.Response(200, content=FILE)
        return httpx.Response(302, headers={"Location": f"https://{host}/f?sig=1"})

    async with AsyncCircleCI(TOKEN, base_url=CLOUD, transport=httpx.MockTransport(response)) as client:
        assert await read(fetch(client, f"https://{host}/f")) == FILE
        assert await read(fetch(client, "https://output.circle-artifacts.com/f")) == FILE
    assert seen == [host, "output.circle-artifacts.com", host]


@pytest.mark.parametrize(
    "url",
    [
        *("ftp://x/y", "file:///etc/passwd", "/relative", "https://", "https:/x", "//example.com/x", "https://ho st/x"),
        *("https://user:pw@host/x", "https://host\\x", "https://host/\n", "http://example.com/x"),
    ],
)
async def test_invalid_urls(url: str) -> None:
    async with AsyncCircleCI(TOKEN, base_url=CLOUD) as client:
        with pytest.raises(InvalidArgumentError):
            fetch(client, url)


async def test_plain_http_requires_localhost_or_allow_http() -> None:
    def response(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=b"x")

    transport = httpx.MockTransport(response)
    async with AsyncCircleCI(TOKEN, base_url=CLOUD, transport=transport) as client:
        assert await read(fetch(client, "http://localhost/x")) == b"x"
    async with AsyncCircleCI(TOKEN, base_url=CLOUD, transport=transport, allow_http=True) as client:
        assert await read(fetch(client, "http://example.com/x")) == b"x"


# Expired URLs.


async def test_expired_url_is_renewed_once(server: ScriptedServer, client: AsyncCircleCI) -> None:
    asked = 0

    async def renew() -> str:
        nonlocal asked
        asked += 1
        return server.url + "/new"

    server.on("GET", "/old", reply(403, text="<Error>Request has expired</Error>"))
    server.on("GET", "/new", reply(body=FILE))
    assert await read(fetch(client, server.url + "/old", renew=renew)) == FILE
    assert asked == 1
    server.on("GET", "/new", reply(403))
    with pytest.raises(PermissionDeniedError):
        await read(fetch(client, server.url + "/old", renew=renew))
    assert asked == 2


async def test_url_expires_during_the_download(server: ScriptedServer, client: AsyncCircleCI) -> None:
    async def renew() -> str:
        return server.url + "/new"

    server.on("GET", "/old", [reply(body=FILE, headers={"ETag": TAG}).cut(), reply(403)])
    server.on("GET", "/new", ranged(breaks=lambda count: False))
    assert await read(fetch(client, server.url + "/old", renew=renew)) == FILE
    assert server.requests[2].headers["range"] == f"bytes={len(FILE) // 2}-"


async def test_renewed_url_on_another_host_gets_no_token(server: ScriptedServer, client: AsyncCircleCI) -> None:
    with ScriptedServer() as storage:

        async def renew() -> str:
            return storage.url + "/new"

        server.on("GET", "/old", reply(403))
        storage.on("GET", "/new", reply(body=FILE))
        assert await read(fetch(client, server.url + "/old", renew=renew)) == FILE
        assert "circle-token" not in storage.requests[0].headers


# Compression.


async def test_compressed_body_is_decoded_or_raw(server: ScriptedServer, client: AsyncCircleCI) -> None:
    packed = gzip.compress(FILE)
    server.on("GET", "/f", reply(body=packed, headers={"Content-Encoding": "gzip"}))
    assert await read(fetch(client, server.url + "/f")) == FILE
    assert await read(fetch(client, server.url + "/f", keep=frozenset({"gzip"}))) == packed


@pytest.mark.parametrize("encoding", ["br", "zstd", "compress", "gzip, br", "gzip, gzip", "a-word-of-2027"])
async def test_an_encoding_without_a_decoder_is_an_error(
    server: ScriptedServer, client: AsyncCircleCI, encoding: str
) -> None:
    server.on("GET", "/f", reply(body=b"noise", headers={"Content-Encoding": encoding}))
    with pytest.raises(DecodeError, match=f"Content-Encoding: {encoding}, which was not asked for") as caught:
        await read(fetch(client, server.url + "/f"))
    assert (caught.value.operation, caught.value.request_outcome) == ("artifacts.download", "processed")
    assert len(server.requests) == 1


@pytest.mark.parametrize("encoding", ["", "identity", "Identity", "aws-chunked", "identity, aws-chunked"])
async def test_an_encoding_that_is_none_is_ignored(
    server: ScriptedServer, client: AsyncCircleCI, encoding: str
) -> None:
    server.on("GET", "/f", reply(body=FILE, headers={"Content-Encoding": encoding}))
    assert await read(fetch(client, server.url + "/f")) == FILE


@pytest.mark.parametrize("encoding", ["gzip", "X-GZIP", "deflate", "gzip,aws-chunked", " identity , gzip "])
async def test_spellings_of_compression(server: ScriptedServer, client: AsyncCircleCI, encoding: str) -> None:
    packed = zlib.compress(FILE) if encoding == "deflate" else gzip.compress(FILE)
    server.on("GET", "/f", reply(body=packed, headers={"Content-Encoding": encoding}))
    assert await read(fetch(client, server.url + "/f")) == FILE


@pytest.mark.parametrize(
    ("name", "encoding", "kept"),
    [
        ("a.tar.gz", "gzip", True),
        ("A.TGZ", "x-gzip", True),
        ("a.js.br", "br", True),
        ("a.tar.zst", "zstd", True),
        ("a.Z", "compress", True),
        ("a.txt", "gzip", False),
        ("a.br", "gzip", False),
        ("a.zst", "deflate", False),
    ],
)
def test_a_compressed_file_is_kept_in_its_own_encoding(name: str, encoding: str, kept: bool) -> None:
    assert is_packed(encoding, encodings_of_file(name)) is not kept


async def test_the_encoding_is_looked_at_again_after_a_break(server: ScriptedServer, client: AsyncCircleCI) -> None:
    other = reply(body=b"noise" * len(FILE), headers={"Content-Encoding": "br"})
    server.on("GET", "/f", [reply(body=FILE).cut(), other])
    with pytest.raises(DecodeError, match="Content-Encoding: br"):
        await read(fetch(client, server.url + "/f"))


async def test_truncated_compressed_body_is_resumed(server: ScriptedServer, client: AsyncCircleCI) -> None:
    packed = gzip.compress(FILE)
    headers = {"Content-Encoding": "gzip"}
    server.on("GET", "/f", [reply(body=packed, headers=headers).cut(), reply(body=packed, headers=headers)])
    assert await read(fetch(client, server.url + "/f")) == FILE


@pytest.mark.parametrize("body", [b"no gzip at all", gzip.compress(FILE, mtime=0)[:-9]])
async def test_invalid_compression_is_a_decode_error(
    server: ScriptedServer, client: AsyncCircleCI, body: bytes
) -> None:
    server.on("GET", "/f", reply(body=body, headers={"Content-Encoding": "gzip"}))
    with pytest.raises(DecodeError) as caught:
        await read(fetch(client, server.url + "/f"))
    assert caught.value.request_outcome == "processed"


@given(st.lists(st.binary(max_size=2000), max_size=4), st.integers(1, 500))
def test_decompression_is_independent_of_chunks(members: list[bytes], size: int) -> None:
    packed = b"".join(gzip.compress(member) for member in members)
    inflater = Inflater()
    out = b"".join(
        piece for start in range(0, len(packed), size) for piece in inflater.feed(packed[start : start + size])
    )
    inflater.finish()
    assert out == b"".join(members)


def test_decompression_bomb_is_yielded_in_small_chunks() -> None:
    bomb = gzip.compress(b"\0" * 50_000_000)
    assert max(len(piece) for piece in Inflater().feed(bomb)) <= 1 << 18


def test_padding_and_zlib() -> None:
    inflater = Inflater()
    assert b"".join(inflater.feed(zlib.compress(b"abc") + b"\0" * 10)) == b"abc"
    inflater.finish()


# Secrets.


async def test_errors_contain_no_token_or_signature(server: ScriptedServer) -> None:
    async with client_on(server, FakeClock()) as client:
        for script in (reply(403), drop(), reply(body=FILE).cut(keep=0)):
            server.on("GET", "/f", script)
            with pytest.raises(CircleCIError) as caught:
                await read(fetch(client, server.url + "/f?sig=hidden"))
            error: BaseException | None = caught.value
            while error is not None:
                text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
                assert TOKEN not in text
                assert "hidden" not in repr(getattr(error, "__dict__", {}))
                assert "site-packages/httpcore" not in text
                error = error.__cause__ or error.__context__


async def test_cancellation_has_no_frames_of_the_http_stack(server: ScriptedServer) -> None:
    server.on("GET", "/f", reply(body=FILE).dripping(20, pause=0.05))
    caught: list[BaseException] = []
    async with client_on(server) as client:
        with anyio.CancelScope() as scope:
            async with fetch(client, server.url + "/f") as download:
                try:
                    async for _ in download:
                        scope.cancel()
                except BaseException as error:
                    caught.append(error)
                    raise
    text = "".join(traceback.TracebackException.from_exception(caught[0], capture_locals=True).format())
    assert "httpcore" not in text
    assert "site-packages/httpx" not in text


async def test_hooks_run_for_each_attempt(server: ScriptedServer) -> None:
    asked: list[httpx.Request] = []
    told: list[httpx.Response] = []

    async def on_request(request: httpx.Request) -> None:
        asked.append(request)

    async def on_response(response: httpx.Response) -> None:
        assert response.text == ""
        told.append(response)

    server.on("GET", "/f", ranged())
    async with client_on(server, FakeClock(), on_request=on_request, on_response=on_response) as client:
        assert await read(fetch(client, server.url + "/f")) == FILE
    assert [response.status_code for response in told] == [200, 206]
    assert len(asked) == 2


async def test_hook_of_a_download_calls_its_own_client(server: ScriptedServer) -> None:
    """No slot is held while the hook waits, and the body is read with a slot again."""
    calls: list[str] = []

    async def on_response(response: httpx.Response) -> None:
        calls.append(response.request.url.path)
        if response.request.url.path == "/f":
            await client.v2.users.me()

    server.on("GET", "/f", reply(body=FILE))
    server.on("GET", "/api/v2/me", reply(json={"id": "1", "login": "ada", "name": "Ada"}))
    async with client_on(server, max_concurrency=1, timeout=10, on_response=on_response) as client:
        for _ in range(2):
            assert await read(fetch(client, server.url + "/f")) == FILE
    assert calls == ["/f", "/api/v2/me"] * 2


async def test_failing_hook_releases_the_slot(server: ScriptedServer) -> None:
    async def on_response(response: httpx.Response) -> None:
        raise TypeError("mine")

    server.on("GET", "/f", reply(body=FILE))
    async with client_on(server, max_concurrency=1, on_response=on_response) as client:
        for _ in range(3):
            with pytest.raises(TypeError, match="mine"):
                await read(fetch(client, server.url + "/f"))
