"""What all views of one client share: where it goes, who it is, its gate, its connections, open or closed."""

from __future__ import annotations

import logging
import os
import platform
import ssl
import sys
import warnings
from collections import Counter
from functools import cache
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from circleci_sdk._version import __version__

from .clock import Clock, SystemClock
from .errors import ClientClosedError, ConfigError
from .options import is_count
from .policy.rate_limit import LocalRateLimiter, RateKey, RateLimit, RateLimiter

if TYPE_CHECKING:
    import httpx

    from .options import Hook
    from .transport.auth import Credential
    from .transport.http import Http

logger: Final = logging.getLogger("circleci_sdk")
HOST_VARIABLES: Final = ("CIRCLECI_BASE_URL", "CIRCLECI_HOST")
DEFAULT_ORIGIN: Final = "https://circleci.com"
_API_PATHS: Final = ("", "/api", "/api/v1", "/api/v1.1", "/api/v2")


class Session:
    """The shared part of a client. Connections belong to the event loop they are made in: one `Http` for each."""

    def __init__(
        self,
        *,
        credential: Credential,
        base_url: str | None,
        allow_http: bool,
        rate_limiter: RateLimiter | None,
        http_client: httpx.AsyncClient | None,
        transport: httpx.AsyncBaseTransport | None,
        verify: bool | ssl.SSLContext,
        proxy: str | None,
        max_concurrency: int,
        on_request: Hook | None,
        on_response: Hook | None,
        clock: Clock | None,
    ) -> None:
        self._https: WeakKeyDictionary[object, Http] = WeakKeyDictionary()
        if http_client is not None and transport is not None:
            raise ConfigError("Give http_client= or transport=, not both.")
        if proxy is not None and urlsplit(proxy).scheme not in ("http", "https", "socks5", "socks5h"):
            raise ConfigError("proxy= must be an address such as http://proxy.example.com:3128.")
        if not is_count(max_concurrency, least=1):
            raise ConfigError(f"max_concurrency must be a whole number from 1 up; it is {max_concurrency!r}.")
        self.credential = credential
        self.allow_http: Final = allow_http
        self.origin: Final = find_origin(base_url, allow_http=allow_http)
        self.clock: Final = clock or SystemClock()
        self.under_way: Final[Counter[RateKey]] = Counter()
        self.limiter: Final = rate_limiter or LocalRateLimiter(self.clock, self.under_way)
        self.rate_limit: RateLimit | None = None
        self.announced: Final[set[str]] = set()
        self._client = http_client
        self._transport = transport
        self._verify = verify
        self._proxy = proxy
        self._max_concurrency = max_concurrency
        self._on_request = on_request
        self._on_response = on_response
        self._closed = False

    def http(self) -> Http:
        """The way to the network in the running event loop, made when it is first needed."""
        if self._closed:
            raise ClientClosedError(
                "The client is closed. Make a new one, or keep it open: use it inside its `async with`."
            )
        from anyio.lowlevel import current_token

        loop = current_token().native_token
        http = self._https.get(loop)
        if http is None:
            # An asyncio loop hangs on its connections: one that is over is forgotten here, or it would stay for ever.
            for other in [loop for loop in self._https if getattr(loop, "is_closed", bool)()]:
                del self._https[other]
            http = self._https[loop] = self._open()
        return http

    def is_limited(self, key: RateKey) -> bool:
        """Whether those who have passed the gate are to wait all the same. A gate of the user's keeps its own books."""
        return isinstance(self.limiter, LocalRateLimiter) and self.limiter.is_limited(key)

    def _open(self) -> Http:
        from .transport.connections import ConnectionOptions
        from .transport.http import Http, HttpOptions

        return Http(
            HttpOptions(
                ConnectionOptions(self._verify, self._proxy),
                self._max_concurrency,
                client=self._client,
                transport=self._transport,
                on_request=self._on_request,
                on_response=self._on_response,
            )
        )

    async def aclose(self) -> None:
        """Close what this client opened. Safe to call twice."""
        from anyio.lowlevel import current_token

        self._closed = True
        http = self._https.pop(current_token().native_token, None)
        self._https.clear()  # other loops took their connections with them
        if http is not None:
            await http.aclose()

    def __del__(self) -> None:
        if any(http.holds_connections for http in self._https.values()):
            warnings.warn(
                "An AsyncCircleCI was not closed and may leave connections open; use `async with` or await aclose().",
                ResourceWarning,
                stacklevel=2,
                source=self,
            )


def find_origin(base_url: str | None, *, allow_http: bool) -> str:
    """Scheme, host and port out of whatever people paste: a host, a trailing slash, an address of an API."""
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
        raise ConfigError(f"{source}: it holds a user; give only the host, the token goes into token=.")
    try:
        url = urlsplit(text if "://" in text else f"https://{text}")
        port = url.port
    except ValueError:
        raise ConfigError(f"{source}: {text!r} is not an address.") from None
    if url.scheme not in ("http", "https") or not url.hostname or not _is_host(url.hostname):
        raise ConfigError(f"{source}: {text!r} is not an address such as https://circleci.example.com.")
    if url.query or url.fragment:
        raise ConfigError(f"{source}: it holds a query or a fragment; give only the host, the token goes into token=.")
    if url.path.rstrip("/") not in _API_PATHS:
        raise ConfigError(f"{source}: the path {url.path!r} is none of the API's; give only the host.")
    if url.scheme == "http" and not allow_http and not is_loopback(url.hostname):
        raise ConfigError(
            f"{source}: over http the token could be read on the way. Use https, or pass allow_http=True."
        )
    host = f"[{url.hostname}]" if ":" in url.hostname else url.hostname
    return f"{url.scheme}://{host}" + (f":{port}" if port is not None else "")


def _is_host(host: str) -> bool:
    return not any(char.isspace() or char in "\\^|`<>{}%" for char in host)


def is_loopback(host: str) -> bool:
    """Whether what is sent to this host stays on this machine."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


@cache
def user_agent() -> str:
    """Who we are, with versions."""
    from .transport.http import HTTPX

    return f"circleci-sdk/{__version__} python/{platform.python_version()} {HTTPX} ({sys.platform})"
