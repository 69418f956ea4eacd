"""Requests sent, responses read: what happens on the network, but no decision.

`Http` is one event loop's door to the network. It sends one request and tells what happened, as `Received` or
`Failed`; whether to try again is for others to say.
"""

from __future__ import annotations

import sys
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Protocol

import anyio
import httpx

from circleci_sdk._core.messages import Failed, Headers, Prepared, Progress, Received
from circleci_sdk._core.policy.retry import Delivered

from .auth import Token
from .connections import ConnectionOptions, open_transport
from .request import full_request, lean_request, without_query
from .tracebacks import strip_traceback

if TYPE_CHECKING:
    from circleci_sdk._core.options import Hook, Timeout

    from .auth import Credential

MAX_REDIRECTS: Final = 5
HTTPX: Final = f"httpx/{httpx.__version__}"
"""What carries the requests, as servers are told; an alias that stands in for httpx says its own version."""
_LEFT_OVER: Final = 100
"""Pieces of an abandoned response that may still be in memory."""


class Turn(Protocol):
    """The leave of one request to go: it was given at the gate, and may be lost while the request waits for a place."""

    def take_turn(self) -> bool:
        """Go, now that there is a place. False: the gate has shut in between."""
        ...

    async def wait_for_turn(self) -> None:
        """Pass the gate again."""
        ...


@dataclass(slots=True)
class HttpOptions:
    """What a client was given to reach the network with; at most one of `client` and `transport`."""

    connections: ConnectionOptions
    max_concurrency: int
    client: httpx.AsyncClient | None = None
    transport: httpx.AsyncBaseTransport | None = None
    on_request: Hook | None = None
    on_response: Hook | None = None


class Http:
    """One event loop's way to the network. At most `max_concurrency` requests are under way at once."""

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._own = options.client is None and options.transport is None
        # Nobody but our own transport sees the request: hooks and foreign transports may want all that httpx offers.
        self._lean = self._own and options.on_request is None and options.on_response is None
        places = options.max_concurrency
        self._places = anyio.Semaphore(places, max_value=places, fast_acquire=True)
        if options.client is not None:
            self._transport: httpx.AsyncBaseTransport = _Borrowed(options.client)
        else:
            self._transport = options.transport or open_transport(options.connections)
        self._connected = False

    @property
    def holds_connections(self) -> bool:
        """Whether there is anything to close."""
        return self._own and self._connected

    async def exchange(  # limits for single steps, not for this function
        self, prepared: Prepared, credential: Credential, limits: Timeout, progress: Progress, turn: Turn | None
    ) -> Received | Failed:
        """Send one request, follow its redirects on the same server, and read the response to its end."""
        for _ in range(MAX_REDIRECTS):
            response = await self._once(prepared, credential, limits, progress, turn)
            target = redirect_target(prepared, response) if isinstance(response, Received) else None
            if target is None:
                return response
            prepared, turn = replace(prepared, url=target), None
        return await self._once(prepared, credential, limits, progress, None)

    async def _once(
        self, prepared: Prepared, credential: Credential, limits: Timeout, progress: Progress, turn: Turn | None
    ) -> Received | Failed:
        """Send one request. What hooks and sources of tokens raise passes through untouched; so does cancellation."""
        request, token = await self._ready(prepared, credential, limits, progress)
        handled = sys.exception()
        try:
            await self._find_place(turn)
            try:
                progress.left = not self._own
                response, content = await self._send(request, token, progress)
            finally:
                self._places.release()
        except BaseException as error:
            strip_traceback(error, handled)
            if not isinstance(error, httpx.RequestError):
                raise
            return _failure(error, request, progress)
        quoted = token is not None and not response.is_success and token.is_in(content)
        received = Received(response.status_code, Headers(response.headers.raw), content, quoted)
        del content  # it may be secret, and the hook may fail
        if self._options.on_response is not None:
            await self._options.on_response(response)
        return received

    async def _find_place(self, turn: Turn | None) -> None:
        """Wait for a place among those under way. Nobody keeps one while he waits at the gate."""
        await self._places.acquire()
        while turn is not None and not turn.take_turn():
            self._places.release()
            await turn.wait_for_turn()
            await self._places.acquire()

    async def _ready(
        self, prepared: Prepared, credential: Credential | None, limits: Timeout, progress: Progress
    ) -> tuple[httpx.Request, Token | None]:
        """A request that the hook has seen, and the token that goes on it last."""
        extensions: dict[str, Any] = {
            "timeout": {"connect": limits.connect, "read": limits.read, "write": limits.write, "pool": limits.connect}
        }
        if self._own:  # a foreign transport does not say when the request leaves
            extensions["trace"] = progress.trace
        progress.left, progress.status = False, None
        request = (lean_request if self._lean else full_request)(prepared, extensions)
        if self._options.on_request is not None:
            await self._options.on_request(request)
        return request, None if credential is None else await credential.token()

    async def _send(
        self, request: httpx.Request, token: Token | None, progress: Progress
    ) -> tuple[httpx.Response, bytes]:
        """Send one request, and give its response with the body that was read."""
        response = await self._begin(request, token, progress)
        assert isinstance(response.stream, httpx.AsyncByteStream)
        try:
            content = b"".join([piece async for piece in response.stream])
            if self._options.on_response is not None or "content-encoding" in response.headers:
                whole = _with_body(response, content)
                return whole, whole.content
        except httpx.RequestError:
            if response.is_success:
                raise
            return _with_body(response, b""), b""  # the status says enough
        finally:
            await response.aclose()
        return response, content

    async def _begin(self, request: httpx.Request, token: Token | None, progress: Progress) -> httpx.Response:
        try:
            if token is not None:
                token.put_on(request.headers)
            response = await self._transport.handle_async_request(request)
        except BaseException:
            if progress.connecting is not None:  # httpcore forgets one whose handshake was cancelled
                with anyio.CancelScope(shield=True):
                    await progress.connecting.aclose()
            raise
        finally:
            Token.take_off(request.headers)
        self._connected = True
        response.request = request
        progress.status = response.status_code
        return response

    async def open(
        self,
        prepared: Prepared,
        credential: Credential | None,
        limits: Timeout,
        progress: Progress,
        turn: Turn | None,
    ) -> Opened | Failed:
        """Send one request and give its response with the body still to come. Follows no redirect.

        Without a credential no token is sent. `on_response` sees a response that has no body.
        """
        request, token = await self._ready(prepared, credential, limits, progress)
        handled = sys.exception()
        try:
            await self._find_place(turn)
            try:
                progress.left = not self._own
                response = await self._begin(request, token, progress)
            except BaseException:
                self._places.release()
                raise
        except BaseException as error:
            strip_traceback(error, handled)
            if not isinstance(error, httpx.RequestError):
                raise
            return _failure(error, request, progress)
        opened = Opened(response, progress, self._places)
        if self._options.on_response is not None:
            try:
                await self._options.on_response(_with_body(response, b""))
            except BaseException:
                await opened.aclose()
                raise
        return opened

    async def aclose(self) -> None:
        """Close what this object opened; a borrowed client or transport stays open."""
        if self._own:
            self._connected = False
            await self._transport.aclose()


class Opened:
    """A response whose body is read piece by piece, as it came over the wire. Close it in any case."""

    def __init__(self, response: httpx.Response, progress: Progress, places: anyio.Semaphore) -> None:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        self.status: Final = response.status_code
        self.headers: Final = Headers(response.headers.raw)
        self._response = response
        self._progress = progress
        self._places: anyio.Semaphore | None = places
        self._pieces = aiter(response.stream)

    async def read(self) -> bytes | Failed:
        """The next piece; empty at the end."""
        handled = sys.exception()
        try:
            async for piece in self._pieces:
                if piece:
                    return piece
            return b""
        except BaseException as error:
            strip_traceback(error, handled)
            if not isinstance(error, httpx.RequestError):
                raise
            return _failure(error, self._response.request, self._progress)

    async def aclose(self) -> None:
        """Give the connection back, or end it if the body was not read to its end."""
        places, self._places = self._places, None
        if places is None:
            return
        with anyio.CancelScope(shield=True):
            try:
                await self._response.aclose()
                # trio complains of generators that were left in the middle, and httpx has several of them in a
                # row. On a closed connection the next piece or one soon after is an error, which ends them all.
                with suppress(Exception):
                    for _ in range(_LEFT_OVER):
                        await anext(self._pieces)
                close = getattr(self._pieces, "aclose", None)
                if close is not None:
                    await close()
            finally:
                places.release()


def _with_body(response: httpx.Response, content: bytes) -> httpx.Response:
    """Raises `DecodingError` where the content is not compressed as the headers say."""
    told = {name: value for name, value in response.extensions.items() if name in ("http_version", "reason_phrase")}
    return httpx.Response(
        response.status_code, headers=response.headers, content=content, request=response.request, extensions=told
    )


class _Borrowed(httpx.AsyncBaseTransport):
    """A user's client, used as a transport: its hooks, proxies and mounts apply, its redirects do not."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True, auth=None, follow_redirects=False)


def _failure(error: httpx.RequestError, request: httpx.Request, progress: Progress) -> Failed:
    error.request = without_query(request)
    reason = str(error) or _reason_below(error)
    text = f"{type(error).__name__}: {reason}" if reason else type(error).__name__
    match error:
        case httpx.PoolTimeout():
            return Failed("pool", Delivered.NO, True, text, error)
        case httpx.ConnectTimeout():
            return Failed("timeout", Delivered.NO, True, text, error)
        case httpx.ConnectError() | httpx.ProxyError():
            return Failed("connection", Delivered.NO, True, text, error)
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return Failed("timeout", progress.delivered, True, text, error)
        case httpx.DecodingError():
            return Failed(
                "unreadable", progress.delivered, False, f"The response's compression is broken: {error}", error
            )
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return Failed("connection", progress.delivered, True, text, error)
        case _:
            return Failed("connection", progress.delivered, False, text, error)


def _reason_below(error: BaseException) -> str:
    """On trio the reason, such as a certificate that nobody vouches for, is only told some way down."""
    below: BaseException | None = error
    while below is not None and not (isinstance(below, OSError) and str(below)):
        below = below.__cause__ or below.__context__
    return str(below or "")


def redirect_target(prepared: Prepared, response: Received) -> str | None:
    """Where a redirect leads, if it is one that is followed: GET and HEAD, to the same scheme, host and port."""
    if response.status not in (301, 302, 303, 307, 308) or prepared.method not in ("GET", "HEAD"):
        return None
    location = response.headers.get("location")
    if not location:
        return None
    here = httpx.URL(prepared.url)
    try:
        target = here.join(location)
    except httpx.InvalidURL:
        return None
    same = (target.scheme, target.host, target.port) == (here.scheme, here.host, here.port)
    return str(target) if same and not target.userinfo else None
