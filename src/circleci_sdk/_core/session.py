"""The shared part of a client and its copies: server, credential, rate limits, connections, open or closed."""

from __future__ import annotations

import os
import re
import sys
import warnings
import weakref
from collections import defaultdict
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, Literal, NamedTuple, TypeAlias, TypeVar
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from circleci_sdk._public import Uncopied
from circleci_sdk._version import __version__

from .checks import BOOL, STR, check_configuration, methods, one_of, or_none
from .clock import SystemClock
from .drift_log import DriftLog
from .environment import check_environment
from .errors import ClientClosedError, ConfigError
from .limiter import LocalRateLimiter
from .logs import logger as logger
from .policy.rate_limit import LONGEST_PAUSE
from .policy.retry import parse_date
from .sleepers import Sleepers

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    import anyio

    from .clock import Clock
    from .guarded_limiter import GuardedLimiter
    from .limiter import RateLimiter
    from .mismatches import Drift
    from .options import Network
    from .policy.rate_limit import RateKey, RateLimit
    from .tracer import Tracer
    from .transport.auth import Credential
    from .transport.http import Http

Deployment: TypeAlias = Literal["cloud", "server"]
HOST_VARIABLES: Final = ("CIRCLECI_BASE_URL", "CIRCLECI_HOST")
DEFAULT_ORIGIN: Final = "https://circleci.com"
_RATE_LIMITER: Final = methods("a rate limiter with async methods acquire and observe", "acquire", "observe")
_USUAL_HOST: Final = r"([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z]([a-z0-9-]{0,61}[a-z0-9])?\.?"
_LONGEST_HOST: Final = 253
_API_PATHS: Final = ("", "/api", "/api/v1", "/api/v1.1", "/api/v2", "/api/v3")


T = TypeVar("T")
_of_parent: Final[list[object]] = []
"""Connections of the parent process. Collecting them would remove their sockets from the selector of the parent."""


class LoopResources(NamedTuple):
    """What belongs to one event loop: connections and concurrency slots."""

    http: Http
    slots: anyio.Semaphore


class Session(Uncopied):
    """The shared part of a client and its copies: server, credential, rate limits, connections, open or closed."""

    def __init__(
        self,
        credential: Credential,
        network: Network,
        *,
        base_url: str | None,
        allow_http: bool,
        rate_limiter: RateLimiter | None,
        strict: bool,
        on_drift: Callable[[Drift], object] | None,
        deployment: Deployment | None = None,
    ) -> None:
        check_configuration(
            base_url=(base_url, or_none(STR)),
            allow_http=(allow_http, BOOL),
            rate_limiter=(rate_limiter, or_none(_RATE_LIMITER)),
            strict=(strict, BOOL),
            deployment=(deployment, or_none(one_of("cloud", "server"))),
        )
        self._loops: WeakKeyDictionary[object, LoopResources] = WeakKeyDictionary()
        self.credential: Final = credential
        self.network = network
        self.allow_http: Final = allow_http
        self.origin: Final = find_origin(base_url, allow_http=allow_http)
        self.is_server: Final = deployment == "server" or (deployment is None and not _is_cloud(self.origin))
        if network.http_client is None and network.transport is None:
            is_secure = self.origin.startswith("https:")
            check_environment(proxies=network.proxy is None, certificates=is_secure and network.verify is True)
        self.clock: Clock = SystemClock()
        self.tracer: Tracer | None = None
        self._custom_limiter: RateLimiter | None = rate_limiter
        self.run_in_caller: Callable[..., Awaitable[object]] = run_here
        # Sets, not numbers: threads would lose counts.
        self.in_flight: Final[defaultdict[RateKey, set[object]]] = defaultdict(set)
        self.limiter: LocalRateLimiter | GuardedLimiter = self._limiter_of(rate_limiter)
        self._sleepers = Sleepers()
        self.rate_limit: RateLimit | None = None
        self.server_date: tuple[str, float] | None = None
        self.announced: Final[set[str]] = set()
        self.strict = strict
        self.drift: Final = DriftLog(on_drift)
        self.is_closed: bool = False
        self._borrowed_by: weakref.ref[object] | None = None

    def _limiter_of(self, custom: RateLimiter | None) -> LocalRateLimiter | GuardedLimiter:
        if isinstance(custom, LocalRateLimiter):
            return custom
        local = LocalRateLimiter(self.clock, self.in_flight)
        if custom is None:
            return local
        from .guarded_limiter import GuardedLimiter

        return GuardedLimiter(custom, local, self.clock)

    async def sleep(self, seconds: float) -> None:
        """Sleep between attempts, until `reset_rate_limits` at most."""
        await self._sleepers.sleep(self.clock, seconds)

    def reset_rate_limits(self) -> None:
        """Forget what refusals and headers said, and wake all calls that wait because of it."""
        self.rate_limit = None
        self.limiter.reset()
        self._sleepers.wake()

    def warn_of_wait(self, header: str, label: str) -> None:
        """Log once that a header names a wait that is too long to be meant."""
        if header not in self.announced:
            self.announced.add(header)
            text = "%s: the header %s names a wait of more than %d s, which is ignored, here and in later responses"
            logger.warning(text, label, header, LONGEST_PAUSE)

    def note_date(self, date: str | None) -> None:
        """Keep the `Date` header of a response."""
        if date is not None:
            self.server_date = date, self.clock.monotonic()

    def server_time(self) -> float:
        """Seconds since 1970 by the clock of the server: the last `Date` header, and what has passed since.

        By the clock of this machine if no response had one.
        """
        if self.server_date is not None:
            text, received = self.server_date
            date = parse_date(text)
            if date is not None:
                return date + self.clock.monotonic() - received
        return self.clock.time()

    def resources(self) -> LoopResources:
        """The resources of the running event loop, made on first use."""
        if self.is_closed:
            raise ClientClosedError(
                "The client is closed. Make a new one, or keep it open: use it inside its `with` block."
            )
        from anyio.lowlevel import current_token

        loop = current_token().native_token
        resources = self._loops.get(loop)
        if resources is None:
            # The connections of an asyncio loop refer to it, so that a closed loop would be kept for ever.
            if self._loops:
                self._close_ended()
            self._check_loop(loop)
            resources = self._loops[loop] = self._open()
        return resources

    def _check_loop(self, loop: object) -> None:
        """Refuse a second event loop for what belongs to the first one: it would hang, or end the loop."""
        from .transport.http import belongs_to_a_loop

        if not belongs_to_a_loop(self.network):
            return
        first = self._borrowed_by
        if first is None:
            self._borrowed_by = weakref.ref(loop)
        elif first() is not loop:
            name = "http_client" if self.network.http_client is not None else "transport"
            raise ConfigError(
                f"{name}: its connections belong to the event loop that used them first. Leave it out, so that the SDK "
                "opens connections for each loop, or make a client with its own one for each loop."
            )

    def _open(self) -> LoopResources:
        import anyio

        from .transport.http import Http

        count = self.network.max_concurrency
        return LoopResources(Http(self.network), anyio.Semaphore(count, max_value=count, fast_acquire=True))

    async def aclose(self) -> None:
        """Close what this client opened. Safe to call twice."""
        from anyio.lowlevel import current_token

        self.is_closed = True
        resources = self._loops.pop(current_token().native_token, None)
        for other in self._known_loops():
            self._close_in(other)
        if resources is not None:
            await resources.http.aclose()

    def forget(self) -> None:
        """In a forked process: forget what belongs to the parent, which runs on. Its connections are not closed."""
        _of_parent.extend(self._loops.values())
        self._loops.clear()
        self.in_flight.clear()
        self.limiter = self._limiter_of(self._custom_limiter)
        self._sleepers = Sleepers()
        self.rate_limit = None
        self.drift.renew_lock()

    def _close_ended(self) -> None:
        from .loops import has_ended

        for loop in self._known_loops():
            if has_ended(loop):
                self._close_in(loop)

    def _known_loops(self) -> list[object]:
        return [loop for reference in self._loops.keyrefs() if (loop := reference()) is not None]

    def _close_in(self, loop: object) -> None:
        """Close the connections of another event loop: there if it runs, else from here."""
        from .loops import start_soon

        resources = self._loops.pop(loop, None)
        if resources is not None and not start_soon(loop, resources.http.aclose):
            resources.http.shut_down()

    def __del__(self) -> None:
        loops = getattr(self, "_loops", None)  # none if its constructor never ran
        if loops and any(resources.http.holds_connections for resources in loops.values()):
            warnings.warn(
                "An AsyncCircleCI was not closed and may leave connections open; use `async with` or await aclose().",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


async def run_here(function: Callable[[T], object], argument: T) -> None:
    """Call a plain function that concerns the code of the caller, such as a warning about it.

    Callers of a sync client run in other threads; such a client replaces this.
    """
    function(argument)


def find_origin(base_url: str | None, *, allow_http: bool) -> str:
    """Scheme, host and port of the server, from a host name or any URL of the API."""
    text, source = base_url, "base_url="
    if text is None:
        for variable in HOST_VARIABLES:
            if value := os.environ.get(variable):
                text, source = value, variable
                break
        else:
            return DEFAULT_ORIGIN
    text = text.strip()
    if "@" in text:
        raise ConfigError(f"{source}: expected a host without a user; the token goes into token=.")
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
        port = url.port
    except ValueError:
        raise ConfigError(f"{source}: expected a host or a URL, got {text!r}.") from None
    host = url.hostname or ""
    is_bracketed = "[" in url.netloc and ":" not in host  # an address that is not of IPv6
    if url.scheme not in ("http", "https") or port == 0 or is_bracketed or not _is_host(host):
        raise ConfigError(f"{source}: expected a URL such as https://circleci.example.com, got {text!r}.")
    if url.query or url.fragment:
        raise ConfigError(f"{source}: expected a host without query or fragment; the token goes into token=.")
    if url.path.rstrip("/") not in _API_PATHS:
        raise ConfigError(f"{source}: expected a host or the path of an API, got the path {url.path!r}.")
    if url.scheme == "http" and not allow_http and not is_loopback(host):
        raise ConfigError(
            f"{source}: expected https, because http sends the token unencrypted; allow_http=True permits it."
        )
    shown = f"[{host}]" if ":" in host else host
    return f"{url.scheme}://{shown}" + (f":{port}" if port is not None else "")


def _is_cloud(origin: str) -> bool:
    return f".{urlsplit(origin).hostname}".endswith(".circleci.com")


def _is_host(host: str) -> bool:
    """Whether requests can be sent to it. Only unusual hosts need the HTTP library, which takes long to import."""
    if not host or any(char.isspace() or char in "\\^|`<>{}%" for char in host):
        return False
    try:
        ip_address(host)
    except ValueError:
        pass
    else:
        return True
    if re.fullmatch(_USUAL_HOST, host) and len(host) <= _LONGEST_HOST and "xn--" not in host:
        return True
    from .transport.request import is_sendable

    return is_sendable(host)


def is_loopback(host: str) -> bool:
    """Whether requests to this host stay on this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def user_agent() -> str:
    """The `User-Agent` header: this package, Python and httpx, with versions."""
    from .transport.http import HTTPX

    return f"circleci-sdk/{__version__} python/{sys.version.partition(' ')[0]} {HTTPX} ({sys.platform})"
