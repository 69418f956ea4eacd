"""`AsyncCircleCI`: configuration and entry points. It makes no decision."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Awaitable, Callable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, ParamSpec, Self, TypeVar, cast

from circleci_sdk._public import Uncopied, public

from ._core.caller import Caller
from ._core.checks import MAPPING, check, or_none
from ._core.errors import ConfigError, InvalidArgumentError
from ._core.options import MAX_RESPONSE_BYTES, Hook, Network, Options, Timeout, tls_verification
from ._core.resource import Resource
from ._core.session import Deployment, Session
from ._core.transport.auth import AuthScheme, Credential, TokenSource
from ._core.unset import UNSET, Unset

if TYPE_CHECKING:
    import ssl
    from pathlib import Path
    from types import TracebackType

    import httpx
    from opentelemetry.trace import TracerProvider

    from ._core.limiter import RateLimiter
    from ._core.mismatches import Drift
    from ._core.options import Method
    from ._core.policy.rate_limit import RateLimit
    from ._core.reply import Reply
    from .helpers.artifacts.artifacts import Artifacts
    from .helpers.history.history import History
    from .helpers.logs.logs import Logs
    from .helpers.runs.runs import Runs
    from .helpers.secrets.secrets import Secrets
    from .helpers.usage.usage import Usage
    from .v1._client import V1
    from .v2._client import V2
    from .v3._client import V3

P = ParamSpec("P")
T = TypeVar("T")


@public("circleci_sdk")
class AsyncCircleCI(Uncopied):
    """A client of CircleCI's API, for asyncio and trio.

    Args:
        token: a personal API token. Default: the environment variable `CIRCLECI_TOKEN`, then `CIRCLE_TOKEN`.
        auth: how the token is sent to v1.1 and v2: as `"circle-token"`, `"bearer"` or `"basic"`. v3 always gets the
            bearer token that it documents. `"none"` sends no token (v1.1 lets anyone read open projects). Or an async
            callable that returns a token; it is awaited for each attempt, and once more after a 401.
        base_url: the server: a host name, or any URL of its API. Default: `CIRCLECI_BASE_URL`, then `CIRCLECI_HOST`,
            then circleci.com.
        timeout: seconds for a whole call, waiting and retries included; a `Timeout` sets the parts, None means no
            limits. For a list it counts per page.
        max_retries: further attempts after the first. A call that the server may have processed is only repeated
            when that is harmless.
        max_retry_after: the longest wait in seconds that the server may ask for; a longer one raises at once. More than
            3,600 is taken for no wait, but for a point in time, for instance: it is ignored, with one warning.
        max_response_bytes: the largest response body that is read, after decompression; a larger one raises
            `DecodeError`, and of an error response the rest is left out (never more than 1 MiB of it is kept). None
            means no limit. Downloads are streamed and have none.
        max_concurrency: requests in flight at once in each event loop; further ones wait.
        rate_limiter: a custom rate limiter, for instance one that several processes share. If it fails or hangs, the
            one of this process decides in its place, with a warning.
        http_client: an `httpx.AsyncClient` to borrow, for instance one with HTTP/2, whose logger `hpack` says the token
            at DEBUG. It is never closed, and serves one event loop. Its pool has the limits of httpx; see
            `PoolExhaustedError`.
        transport: an httpx transport to use instead of the built-in one, for tests or other HTTP libraries. It is never
            closed.
        verify: False disables TLS verification. The path of a file or directory with CA certificates, read at once, or
            an `ssl.SSLContext` replaces the public ones.
        proxy: the URL of a proxy. Default: the environment (`HTTPS_PROXY`, `NO_PROXY`), as in httpx.
        strict: raise `DecodeError` for any field that does not fit its documented type, instead of leaving the field
            unset. For tests, and for curating the types; unknown fields and values stay readable.
        on_drift: a plain function that is called with each kind of `Drift` at its first sight. What it raises is
            logged. With it, or with DEBUG on the logger `circleci_sdk.drift`, unknown fields and values are looked for.
        allow_http: permit plain http to other machines than this one.
        deployment: `"cloud"` or `"server"`, which has no API v3: helpers then use v2 and v1.1 only, and errors of v3
            calls say so. Default: `"cloud"` for circleci.com, `"server"` for any other host.
        on_request: an async callable, awaited with the `httpx.Request` of each attempt before it is sent.
        on_response: an async callable, awaited with the `httpx.Response` of each attempt when it is read. Exceptions of
            hooks pass through unchanged. Hooks see no token; borrowed clients and transports do.
        instrument: True makes an OpenTelemetry span for each call, such as `v2.jobs.get`, with an event for each
            attempt; a `TracerProvider` is used instead of the global one. Needs the extra `tracing`. Spans hold no
            token, argument, URL or body.

    Raises:
        ConfigError: wrong, missing or contradicting configuration; nothing was opened.

    One client serves any number of tasks. Close it with `async with` or `aclose()`.

    The environment variable `CIRCLECI_SDK_LOG`, with the level `debug`, `info`, `warning` or `error`, writes what the
    logger `circleci_sdk` says to standard error.
    """

    def __init__(
        self,
        token: str | None = None,
        *,
        auth: AuthScheme | TokenSource = "circle-token",
        base_url: str | None = None,
        timeout: float | Timeout | None = 60,
        max_retries: int = 2,
        max_retry_after: float = 60.0,
        max_response_bytes: int | None = MAX_RESPONSE_BYTES,
        max_concurrency: int = 50,
        rate_limiter: RateLimiter | None = None,
        http_client: httpx.AsyncClient | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        verify: bool | str | Path | ssl.SSLContext = True,
        proxy: str | None = None,
        strict: bool = False,
        on_drift: Callable[[Drift], object] | None = None,
        allow_http: bool = False,
        deployment: Deployment | None = None,
        on_request: Hook | None = None,
        on_response: Hook | None = None,
        instrument: bool | TracerProvider = False,
    ) -> None:
        try:
            credential = Credential(token, auth)
        except ConfigError as error:
            raise error.with_traceback(None) from None
        finally:
            del token  # no frame of ours holds a token while an error passes through it
        options = Options(Timeout.of(timeout), max_retries, max_retry_after, max_response_bytes)
        network = Network(
            http_client, transport, tls_verification(verify), proxy, max_concurrency, on_request, on_response
        )
        session = Session(
            credential,
            network,
            base_url=base_url,
            allow_http=allow_http,
            rate_limiter=rate_limiter,
            strict=strict,
            on_drift=on_drift,
            deployment=deployment,
        )
        if instrument is not False:
            from ._tracing.instrument import tracer_of

            session.tracer = tracer_of(instrument)
        self._attach(session, options, owner=True)

    def _attach(self, session: Session, options: Options, *, owner: bool) -> None:
        self._session = session
        self._options = options
        self._owner = owner
        self._caller = Caller(session, options)

    def __repr__(self) -> str:
        session = getattr(self, "_session", None)  # none in a traceback out of the constructor
        return f"<AsyncCircleCI {session.origin if session else 'unfinished'}>"

    @cached_property
    def v3(self) -> V3:
        """API v3 as it is: one method per operation. Only circleci.com has it, no CircleCI Server."""
        from .v3._client import V3

        return V3(self._caller)

    @cached_property
    def v2(self) -> V2:
        """API v2 as it is: one method per operation."""
        from .v2._client import V2

        return V2(self._caller)

    @cached_property
    def v1(self) -> V1:
        """API v1.1 as it is, for what v2 does not have."""
        from .v1._client import V1

        return V1(self._caller)

    @cached_property
    def runs(self) -> Runs:
        """Runs: start a pipeline, wait for its end, watch it, approve, run again, cancel."""
        from .helpers.runs.runs import Runs

        return Runs(self._caller)

    @cached_property
    def logs(self) -> Logs:
        """The output of the steps of a job."""
        from .helpers.logs.logs import Logs

        return Logs(self._caller)

    @cached_property
    def history(self) -> History:
        """The runs of a project, as flat records."""
        from .helpers.history.history import History

        return History(self._caller)

    @cached_property
    def artifacts(self) -> Artifacts:
        """The files that jobs store."""
        from .helpers.artifacts.artifacts import Artifacts

        return Artifacts(self._caller)

    @cached_property
    def secrets(self) -> Secrets:
        """Environment variables of many contexts and projects at once."""
        from .helpers.secrets.secrets import Secrets

        return Secrets(self._caller)

    @cached_property
    def usage(self) -> Usage:
        """The credits that jobs used, row by row."""
        from .helpers.usage.usage import Usage

        return Usage(self._caller)

    @property
    def base_url(self) -> str:
        """Scheme and host that calls go to."""
        return self._session.origin

    @property
    def rate_limit(self) -> RateLimit | None:
        """The state of the rate limit in the last response that had one; None before."""
        return self._session.rate_limit

    @property
    def drift(self) -> tuple[Drift, ...]:
        """All differences between the responses so far and their documentation, at most 1,000, shared by all copies."""
        return self._session.drift.seen

    def reset_rate_limits(self) -> None:
        """Forget what refusals and headers said of rate limits, and wake the calls that wait because of them.

        For all copies of this client and all threads, and to be called from any of them. `rate_limit` is None then. A
        custom rate limiter keeps its own state.
        """
        self._session.reset_rate_limits()

    def with_options(
        self,
        *,
        timeout: float | Timeout | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_after: float | Unset = UNSET,
        max_response_bytes: int | None | Unset = UNSET,
        headers: Mapping[str, str] | Unset = UNSET,
        query: Mapping[str, str] | Unset = UNSET,
    ) -> AsyncCircleCI:
        """A copy with other options that shares connections and rate limits. Closing the copy closes nothing.

        `headers` and `query` are added to each request. Raises `ConfigError` for invalid values.
        """
        options = self._options.changed(
            timeout=timeout,
            max_retries=max_retries,
            max_retry_after=max_retry_after,
            max_response_bytes=max_response_bytes,
            headers=headers,
            query=query,
        )
        copy = object.__new__(AsyncCircleCI)
        copy._attach(self._session, options, owner=False)
        return copy

    async def raw_response(self, method: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> Reply[T]:
        """Call one operation and return its response too: status, headers, rate limit, attempts, raw body.

        `await circleci.raw_response(circleci.v2.jobs.get, "gh/acme/web", 42)`. For a list it returns the first page.
        The options are those of the client it is called on. Raises `TypeError` for anything but a method of `v1`, `v2`
        or `v3`, and for streams.
        """
        function, before, named = _unwrapped(method)
        resource = getattr(function, "__self__", None)
        if not isinstance(resource, Resource):
            raise TypeError(
                "raw_response takes one method of v1, v2 or v3, such as circleci.v2.jobs.get, and its arguments."
            )
        replies: list[Reply[Any]] = []
        caller = Caller(self._session, self._options, replies)
        bound = getattr(type(resource)(caller), function.__name__)
        data: object = await bound(*before, *args, **{**named, **kwargs})
        if len(replies) != 1 or replies[0].data is not data:
            raise TypeError(f"raw_response takes one operation; {function.__name__} makes no call, or several.")
        return cast("Reply[T]", replies[0])

    async def request(
        self,
        method: Method,
        path: str,
        *,
        query: Mapping[str, Any] | None = None,
        json: object = UNSET,
        headers: Mapping[str, str] | None = None,
    ) -> Reply[Any]:
        """Call any path of the API, also those that this package does not know.

        `path` starts with `/api/` and is sent unchanged; escape its values yourself. Values of `query` are strings,
        numbers, booleans, or lists of them, which repeat the key. `json` is the body; None is sent as null. JSON
        responses come as plain data. GET, HEAD, PUT and DELETE are retried like other calls, POST and PATCH only when
        the server rejected them or they were not sent. Raises `InvalidArgumentError` before sending, otherwise the
        errors of any call.
        """
        check("client.request", query=(query, or_none(MAPPING)), headers=(headers, or_none(MAPPING)))
        try:
            options = self._options.changed(headers=UNSET if headers is None else headers)
        except ConfigError as error:
            raise InvalidArgumentError(f"client.request: {error}") from None
        replies: list[Reply[Any]] = []
        await Caller(self._session, options, replies).anything(method, path, {} if query is None else query, json)
        return replies[0]

    async def aclose(self) -> None:
        """Close the connections that this client opened. On a copy it does nothing. Safe to call twice.

        Calls in flight finish normally, and their connections are closed then. Those of other event loops are closed
        soon: a loop that runs in another thread does it itself, and `aclose` does not wait for it.
        """
        if self._owner:
            await self._session.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


def _unwrapped(method: Any) -> tuple[Any, tuple[Any, ...], dict[str, Any]]:
    """The method in a `functools.partial`, with the arguments that it holds."""
    before: tuple[Any, ...] = ()
    named: dict[str, Any] = {}
    while isinstance(method, functools.partial):
        before, named = (*method.args, *before), {**method.keywords, **named}
        method = method.func
    return method if inspect.ismethod(method) else None, before, named
