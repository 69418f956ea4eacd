"""Requests out of operations, answers out of responses: everything that knows httpx, but no decision.

`Http` is one event loop's door to the network. It sends one request and tells what happened, as `Received` or
`Failed`; whether to try again is for others to say.
"""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import httpx

from .frames import cut_frames
from .retry import Delivered
from .transport import ConnectionOptions, SlotTransport, open_transport
from .wire import Failed, Headers, Prepared, Progress, Received

if TYPE_CHECKING:
    from .auth import Credential
    from .options import Timeout

Hook = Callable[[Any], Awaitable[None]]
MAX_REDIRECTS: Final = 5


@dataclass(frozen=True, slots=True)
class HttpOptions:
    """What a client was given to reach the network with; at most one of `client` and `transport`."""

    connections: ConnectionOptions
    client: httpx.AsyncClient | None = None
    transport: httpx.AsyncBaseTransport | None = None
    on_request: Hook | None = None
    on_response: Hook | None = None


class Http:
    """One event loop's way to the network."""

    def __init__(self, options: HttpOptions) -> None:
        self._options = options
        self._own = options.client is None and options.transport is None
        slots = options.connections.max_concurrency
        if options.client is not None:
            self._transport: httpx.AsyncBaseTransport = SlotTransport(_Borrowed(options.client), slots)
        elif options.transport is not None:
            self._transport = SlotTransport(options.transport, slots)
        else:
            self._transport = open_transport(options.connections)

    async def exchange(  # limits for single steps, not for this function
        self, prepared: Prepared, credential: Credential, limits: Timeout, progress: Progress
    ) -> Received | Failed:
        """Send one request, follow its redirects on the same server, and read the answer to its end.

        Hooks run here; what they raise passes through untouched. So does cancellation.
        """
        request = _request(prepared, limits, progress if self._own else None)
        progress.left = not self._own  # a foreign transport does not say when the request leaves
        handled = sys.exception()
        try:
            answer = await self._once(request, credential, progress)
            for _ in range(MAX_REDIRECTS):
                target = redirect_target(request, answer)
                if target is None:
                    break
                request = _request(replace(prepared, url=str(target)), limits, progress if self._own else None)
                answer = await self._once(request, credential, progress)
            return answer
        except httpx.TransportError as error:
            cut_frames(error, handled)
            error.request = httpx.Request(request.method, request.url)
            return _failure(error, progress)
        except httpx.DecodingError as error:
            cut_frames(error, handled)
            error.request = httpx.Request(request.method, request.url)
            return Failed(
                "unreadable", progress.delivered, False, f"The answer's compression is broken: {error}", error
            )
        except BaseException as error:
            cut_frames(error, handled)
            raise

    async def _once(self, request: httpx.Request, credential: Credential, progress: Progress) -> Received:
        if self._options.on_request is not None:
            await self._options.on_request(request)
        await _put_token_on(request, credential)
        try:
            response = await self._transport.handle_async_request(request)
        finally:
            _take_token_off(request)
        response.request = request
        progress.status = response.status_code
        try:
            content = await response.aread()
        except httpx.TransportError:
            if response.is_success:
                raise
            content = b""  # the status says enough
        finally:
            await response.aclose()
        if self._options.on_response is not None:
            await self._options.on_response(response)
        return Received(response.status_code, Headers(response.headers.raw), content)

    async def aclose(self) -> None:
        """Close what this object opened; a borrowed client or transport stays open."""
        if self._own:
            await self._transport.aclose()


class _Borrowed(httpx.AsyncBaseTransport):
    """A user's client, used as a transport: its hooks, proxies and mounts apply, its redirects do not."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self._client.send(request, stream=True, auth=None, follow_redirects=False)


def _request(prepared: Prepared, timeout: Timeout, progress: Progress | None) -> httpx.Request:
    extensions: dict[str, Any] = {
        "timeout": {"connect": timeout.connect, "read": timeout.read, "write": timeout.write, "pool": timeout.connect}
    }
    if progress is not None:
        extensions["trace"] = progress.trace
    return httpx.Request(
        prepared.method, prepared.url, headers=prepared.headers, content=prepared.content, extensions=extensions
    )


async def _put_token_on(request: httpx.Request, credential: Credential) -> None:
    header = await credential.header()
    if header is not None:
        request.headers[header[0]] = header[1]


def _take_token_off(request: httpx.Request) -> None:
    for name in ("Circle-Token", "Authorization"):
        request.headers.pop(name, None)


def _failure(error: httpx.TransportError, progress: Progress) -> Failed:
    text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
    match error:
        case httpx.PoolTimeout():
            return Failed("pool", Delivered.NO, True, text, error)
        case httpx.ConnectTimeout():
            return Failed("timeout", Delivered.NO, True, text, error)
        case httpx.ConnectError() | httpx.ProxyError():
            return Failed("connection", Delivered.NO, True, text, error)
        case httpx.ReadTimeout() | httpx.WriteTimeout():
            return Failed("timeout", progress.delivered, True, text, error)
        case httpx.NetworkError() | httpx.RemoteProtocolError():
            return Failed("connection", progress.delivered, True, text, error)
        case _:
            return Failed("connection", progress.delivered, False, text, error)


def redirect_target(request: httpx.Request, answer: Received) -> httpx.URL | None:
    """Where a redirect leads, if it is one that is followed: GET and HEAD, to the same scheme, host and port."""
    location = answer.headers.get("location")
    if answer.status not in (301, 302, 303, 307, 308) or request.method not in ("GET", "HEAD") or not location:
        return None
    try:
        target = request.url.join(location)
    except httpx.InvalidURL:
        return None
    same = (target.scheme, target.host, target.port) == (request.url.scheme, request.url.host, request.url.port)
    return target if same else None
