"""The methods of `FakeCircleCI` that make clients of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from circleci_sdk._core.checks import STR, check, one_of

from ._fault_methods import FaultMethods

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx
    from opentelemetry.trace import TracerProvider

    from circleci_sdk._core.limiter import RateLimiter
    from circleci_sdk._core.mismatches import Drift
    from circleci_sdk._core.options import Hook, Timeout
    from circleci_sdk._core.session import Deployment
    from circleci_sdk._core.transport.auth import AuthScheme, TokenSource
    from circleci_sdk._engine.calls import SyncHook, SyncTokenSource
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.sync.client import CircleCI
    from circleci_sdk.sync.limiter import SyncRateLimiter

    from ._protocol.app import App
    from ._store.clock import FakeClock


class ClientMethods(FaultMethods):
    """Clients of a fake, in process."""

    def __init__(self, clock: FakeClock, app: App, token: str) -> None:
        super().__init__(clock, app)
        self.token: Final[str] = token

    @property
    def deployment(self) -> Deployment:
        """`"cloud"` or `"server"`: for clients on a port, which take each host but circleci.com for a Server.

        `AsyncCircleCI(fake.token, base_url=server.base_url, deployment=fake.deployment)`
        """
        return "server" if self._app.server else "cloud"

    def client(
        self,
        token: str | None = None,
        *,
        wait: Literal["fake", "real"] = "fake",
        auth: AuthScheme | TokenSource = "circle-token",
        base_url: str = "https://circleci.com",
        timeout: float | Timeout | None = 60,
        max_retries: int = 2,
        max_retry_after: float = 60.0,
        max_response_bytes: int | None = 64 * 1024 * 1024,
        max_concurrency: int = 50,
        rate_limiter: RateLimiter | None = None,
        strict: bool | None = None,
        on_drift: Callable[[Drift], object] | None = None,
        allow_http: bool = False,
        on_request: Hook | None = None,
        on_response: Hook | None = None,
        instrument: bool | TracerProvider = False,
    ) -> AsyncCircleCI:
        """A client of the fake without a socket, on asyncio and on trio. Close it like any other.

        Args:
            token: the token. Default: the one of the fake, unless `auth` is `"none"` or a callable.
            wait: `"fake"`: waits for retries, rate limits and polling move the clock of the fake and take no time.
                `"real"`: they take real time.
            base_url: the base URL of the requests; no request leaves the process.
            strict: raise `DecodeError` for any field that does not fit its type. The responses of the fake fit, so this
                shows mistakes in the bodies of `fail_next`. False reads as in production, to test with such bodies.
                Default: true while no response is changed by `misbehave`.

        The other options are those of `AsyncCircleCI`, with the same defaults.
        """
        from circleci_sdk.client import AsyncCircleCI

        check("FakeCircleCI.client", wait=(wait, one_of("fake", "real")), base_url=(base_url, STR))
        client = AsyncCircleCI(
            self._token_for(token, auth),
            auth=auth,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            max_retry_after=max_retry_after,
            max_response_bytes=max_response_bytes,
            max_concurrency=max_concurrency,
            rate_limiter=rate_limiter,
            transport=self.transport(),
            strict=not self._app.misbehaviours if strict is None else strict,
            on_drift=on_drift,
            allow_http=allow_http,
            on_request=on_request,
            on_response=on_response,
            instrument=instrument,
            deployment=self.deployment,
        )
        self._adapt(client, wait, limited=rate_limiter is not None, strict=strict)
        return client

    def sync_client(
        self,
        token: str | None = None,
        *,
        wait: Literal["fake", "real"] = "fake",
        auth: AuthScheme | SyncTokenSource = "circle-token",
        base_url: str = "https://circleci.com",
        timeout: float | Timeout | None = 60,
        max_retries: int = 2,
        max_retry_after: float = 60.0,
        max_response_bytes: int | None = 64 * 1024 * 1024,
        max_concurrency: int = 50,
        rate_limiter: RateLimiter | SyncRateLimiter | None = None,
        strict: bool | None = None,
        on_drift: Callable[[Drift], object] | None = None,
        allow_http: bool = False,
        on_request: SyncHook | None = None,
        on_response: SyncHook | None = None,
        instrument: bool | TracerProvider = False,
    ) -> CircleCI:
        """A client of the fake without `await`, and without a socket. Close it like any other.

        The arguments are those of `client`; hooks, the source of tokens and the rate limiter may be plain functions, as
        in `CircleCI`. The fake may be used in any thread between two calls, and in hooks.
        """
        from circleci_sdk.sync.client import CircleCI

        check("FakeCircleCI.sync_client", wait=(wait, one_of("fake", "real")), base_url=(base_url, STR))
        client = CircleCI(
            self._token_for(token, auth),
            auth=auth,
            base_url=base_url,
            timeout=timeout,
            max_retries=max_retries,
            max_retry_after=max_retry_after,
            max_response_bytes=max_response_bytes,
            max_concurrency=max_concurrency,
            rate_limiter=rate_limiter,
            transport=self.transport(),
            strict=not self._app.misbehaviours if strict is None else strict,
            on_drift=on_drift,
            allow_http=allow_http,
            on_request=on_request,
            on_response=on_response,
            instrument=instrument,
            deployment=self.deployment,
        )
        adapted = client._async  # pyright: ignore[reportPrivateUsage]  # its clock is replaced, as that of others
        self._adapt(adapted, wait, limited=rate_limiter is not None, strict=strict)
        return client

    def transport(self) -> httpx.AsyncBaseTransport:
        """An httpx transport to the fake, for your own clients. It accepts any host."""
        from ._servers.transport import FakeTransport

        return FakeTransport(self._app)

    def _token_for(self, token: str | None, auth: object) -> str | None:
        return self.token if token is None and auth != "none" and not callable(auth) else token

    def _adapt(
        self, client: AsyncCircleCI, wait: Literal["fake", "real"], *, limited: bool, strict: bool | None
    ) -> None:
        """Let a new client read as in production while responses are changed, and wait on the clock of the fake."""
        from ._servers.clients import follow_misbehaviour, wait_on

        if strict is None:
            follow_misbehaviour(client, self._app)
        if wait == "fake" and not self.clock.speed:
            wait_on(self.clock, client, limited=limited)
