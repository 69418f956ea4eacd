"""The HTTP adapter: sends one request and reports the outcome, as `Received` or `Failed`. It makes no decision."""

from __future__ import annotations

import sys
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import httpx

from circleci_sdk._core.cancellation import as_failure, finish, is_failure
from circleci_sdk._core.checks import awaitable
from circleci_sdk._core.errors import ConfigError, ConnectionFailedError
from circleci_sdk._core.messages import Failed, Headers, Prepared, Progress, Received
from circleci_sdk._core.redaction import NO_SECRETS

from .auth import Token
from .body import Body, read_body, shown_with
from .connections import ConnectionPool, open_transport
from .failures import failed
from .request import build_request
from .tracebacks import strip_traceback

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from circleci_sdk._core.options import Network, Timeout
    from circleci_sdk._core.redaction import Secrets

    from .auth import Credential

T = TypeVar("T")
REDIRECTS: Final = (301, 302, 303, 307, 308)
HTTPX: Final = f"httpx/{httpx.__version__}"
"""For the `User-Agent` header; an alias that stands in for httpx has its own version."""
_LEFT_OVER: Final = 100
"""Pieces of an abandoned response that may still be in memory."""


def belongs_to_a_loop(network: Network) -> bool:
    """Whether a borrowed client or transport holds connections, which belong to one event loop. A mock holds none."""
    client: Any = network.http_client
    borrowed = [network.transport]
    if client is not None:
        borrowed = [getattr(client, "_transport", None), *getattr(client, "_mounts", {}).values()]
    return any(kind.__name__ == "AsyncHTTPTransport" for one in borrowed for kind in type(one).__mro__)


class Http:
    """The HTTP adapter of one event loop."""

    def __init__(self, network: Network) -> None:
        self.network: Final = network
        self.is_own: Final = network.http_client is None and network.transport is None
        if network.http_client is not None:
            self.transport: httpx.AsyncBaseTransport = _Borrowed(network.http_client)
        elif network.transport is not None:
            self.transport = network.transport
        else:
            self.transport = open_transport(network)
        given = cast("object", network.http_client or network.transport)
        if given is not None and not isinstance(given, httpx.AsyncClient | httpx.AsyncBaseTransport):
            from .foreign import Translated, library_of

            library = library_of(given)
            if library is not None:
                self.transport = Translated(library, self.transport.handle_async_request)
        self.holds_connections: bool = False

    async def prepare(
        self, prepared: Prepared, credential: Credential | None, limits: Timeout, progress: Progress
    ) -> Exchange:
        """Build a request, show it to the hook and get the token for it; nothing is sent.

        Without a credential no token is sent. Exceptions of hooks and sources of tokens pass through.
        """
        extensions: dict[str, Any] = {
            "timeout": {"connect": limits.connect, "read": limits.read, "write": limits.write, "pool": limits.connect}
        }
        extensions["trace"] = progress.trace  # one of a user that is built on httpcore reports there too
        progress.sent, progress.written, progress.status = False, False, None
        try:
            request = build_request(prepared, extensions)
        except (httpx.InvalidURL, ValueError) as error:  # a server named this address
            return Exchange(self, httpx.Request(prepared.method, ""), None, progress, unsendable=error)
        if self.network.on_request is not None:
            await awaitable("on_request", self.network.on_request(request))
        token = None if credential is None else await credential.token()
        token = token.as_circle_token() if token is not None and prepared.takes_circle_token else token
        if token is None or prepared.secrets is not NO_SECRETS:
            progress.secrets = prepared.secrets if token is None else prepared.secrets | token.secrets
        else:
            progress.secrets = token.secrets
        return Exchange(self, request, token, progress)

    async def aclose(self) -> None:
        """Close what this object opened; a borrowed client or transport stays open."""
        if self.is_own:
            self.holds_connections = False
            await self.transport.aclose()

    def shut_down(self) -> None:
        """The same from outside of the event loop, which does not run."""
        if isinstance(self.transport, ConnectionPool):
            self.holds_connections = False
            self.transport.shut_down()


class Exchange:
    """One request and its response, read whole or piece by piece. Without a `repr`: it holds the token.

    Follows no redirect. Whatever the HTTP stack raises is reported as `Failed`, except cancellation and wrong
    configuration, which pass through without the frames that hold headers and bodies.
    """

    __slots__ = (
        *("_http", "_is_cut", "_pieces", "_progress", "_request", "_response", "_shown", "_token", "_unsendable"),
        "is_ended",
    )

    def __init__(
        self,
        http: Http,
        request: httpx.Request,
        token: Token | None,
        progress: Progress,
        *,
        unsendable: Exception | None = None,
    ) -> None:
        self._http = http
        self._request = request
        self._token = token
        self._progress = progress
        self._response: httpx.Response | None = None
        self._shown: httpx.Response | None = None
        self._unsendable = unsendable
        self._is_cut = False
        self.is_ended: bool = False
        """Whether the body was read to its end, piece by piece."""

    @property
    def secrets(self) -> Secrets:
        """What no text of the server may repeat."""
        return self._progress.secrets

    async def whole(self, limit: int | None = None) -> Received | Failed:
        """Send the request and read the response to its end, or to the limit in bytes."""
        fetched = await self._guarded(self._fetch(limit))
        if isinstance(fetched, Failed):
            return fetched
        self._shown, content = fetched
        return self._received(self._shown, content)

    async def open(self) -> Received | Failed:
        """Send the request; the body of the response is still to come, piece by piece. Close it in any case."""
        response = await self._guarded(self._begin())
        return response if isinstance(response, Failed) else self._received(response, b"")

    async def read(self) -> bytes | Failed:
        """The next piece of an open response, as it came over the wire; empty at the end."""
        found: list[bytes] = []
        return await self.gather(found, 1) or b"".join(found)

    async def gather(self, found: list[bytes], size: int) -> Failed | None:
        """Add the next pieces, of `size` bytes together or a little more; of fewer at the end, or before a failure."""
        return await self._guarded(self._gather(found, size))

    @property
    def ends_with_connection(self) -> bool:
        """Whether only the end of the connection ends the open response: one that is cut off looks complete."""
        response = self._response
        if response is None or response.status_code == 204:
            return False
        is_http1 = response.extensions.get("http_version") in (b"HTTP/1.0", b"HTTP/1.1")
        return is_http1 and "content-length" not in response.headers and "transfer-encoding" not in response.headers

    async def show(self) -> None:
        """Show the response, if one came, to the hook: with its body if it was read whole, else without."""
        hook = self._http.network.on_response
        if hook is None:
            return
        shown = self._shown if self._response is None else shown_with(self._response, Body(b"", 0, False))
        if shown is not None:
            await awaitable("on_response", hook(shown))

    def redirect_target(self) -> str | None:
        """Where the response redirects to, if it is to be followed: GET and HEAD, to the same scheme, host and port."""
        response, here = self._shown, self._request.url
        if response is None or response.status_code not in REDIRECTS or self._request.method not in ("GET", "HEAD"):
            return None
        location = response.headers.get("location")
        if location and self.secrets.are_in(location):
            return None
        try:
            target = here.join(location) if location else None
        except (httpx.InvalidURL, ValueError):
            return None
        if target is None or target.userinfo:
            return None
        # Not by `host`: it is decoded, and some hosts cannot be.
        same = (target.scheme, target.raw_host, target.port) == (here.scheme, here.raw_host, here.port)
        return str(target) if same else None

    async def aclose(self) -> None:
        """Return the connection, or close it if the body was not read to its end. Safe to call twice."""
        response, self._response = self._response, None
        if response is None:
            return
        with suppress(Exception):  # what the call returns or raises is known by now
            await (_close(response) if self.is_ended else finish(partial(self._end, response)))

    async def _end(self, response: httpx.Response) -> None:
        await _close(response)
        # trio warns of generators that were left unfinished, and httpx nests several of them. On a closed
        # connection one of the next pieces is an error, which ends them all.
        with suppress(Exception):
            for _ in range(_LEFT_OVER):
                await anext(self._pieces)
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()

    async def _send(self) -> httpx.Response:
        if self._unsendable is not None:
            raise self._unsendable
        http, request, progress = self._http, self._request, self._progress
        progress.sent = not http.is_own and not getattr(http.network.http_client, "is_closed", False)
        try:
            if self._token is not None:
                self._token.put_on(request.headers, request.url.raw_path.decode("latin-1"))
            response = await http.transport.handle_async_request(request)
        except BaseException:  # a cancellation too
            if progress.connecting is not None:  # httpcore forgets one whose handshake was cancelled
                with suppress(Exception):  # what is raised is the first error, or the cancellation
                    await finish(progress.connecting.aclose)
            raise
        finally:
            Token.take_off(request.headers)
        http.holds_connections = http.is_own
        response.request = request
        progress.status = response.status_code
        return response

    async def _begin(self) -> httpx.Response:
        self._response = response = await self._send()
        self._pieces = aiter(_stream(response))
        return response

    async def _fetch(self, limit: int | None) -> tuple[httpx.Response, bytes]:
        response = await self._begin()
        body = Body(b"", 0, False)
        try:
            body = await read_body(response, self._pieces, limit)
        except Exception:  # of any transport, or of the body
            await self.aclose()
            if response.is_success:
                raise
            # The status says enough.
        finally:
            if body.is_complete or self._response is None:
                self._response = None
                await _close(response)
            else:
                await self.aclose()
        if self._http.network.on_response is not None:
            response = shown_with(response, body)
        return response, body.content

    async def _gather(self, found: list[bytes], size: int) -> None:
        if self._is_cut:  # a generator that was cancelled looks as if it had come to its end
            raise httpx.ReadError("an earlier read was cancelled")
        self._is_cut = True
        while size > 0:  # not `async for`: bodies of some transports begin again when they are iterated again
            piece = await anext(self._pieces, None)
            if piece is None:
                self.is_ended = True
                break
            if piece:
                found.append(piece)
                size -= len(piece)
        self._is_cut = False

    async def _guarded(self, step: Awaitable[T]) -> T | Failed:
        handled = sys.exception()
        try:
            return await step
        except BaseException as error:  # of any transport; what is no failure is raised again
            strip_traceback(error, handled)
            if isinstance(error, Exception):
                if self._http.is_own and isinstance(error, ConfigError):
                    raise
                return failed(error, self._request, self._progress)
            if not is_failure(error):
                raise
            # A transport of the user whose connections are shared: what it awaited was cancelled by others.
            cause = as_failure(error, "The transport")
            return Failed(ConnectionFailedError, self._progress.outcome, True, str(cause), cause)

    def _received(self, response: httpx.Response, content: bytes) -> Received:
        secrets = self._progress.secrets
        return Received(response.status_code, Headers(response.headers.raw).without(secrets), content, secrets)


def _stream(response: httpx.Response) -> httpx.AsyncByteStream:
    if not isinstance(response.stream, httpx.AsyncByteStream):
        raise TypeError(
            f"the transport returned a response with the body {type(response.stream).__name__}, no AsyncByteStream"
        )
    return response.stream


async def _close(response: httpx.Response) -> None:
    """What a response is, and why it failed, is known by now: an error of its end changes neither."""
    with suppress(Exception):  # of any transport
        await response.aclose()


class _Borrowed(httpx.AsyncBaseTransport):
    """A user's client, used as a transport: its hooks, proxies and mounts apply, its redirects do not."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True, auth=None, follow_redirects=False)
