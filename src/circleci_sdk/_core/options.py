"""Small value objects that configure calls."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal

from circleci_sdk._public import public

from .checks import (
    ASYNC_FUNCTION,
    MAPPING,
    STR,
    TIMEOUT,
    at_least,
    check_configuration,
    got,
    is_text,
    methods,
    number,
    or_none,
)
from .checks import is_count as is_count
from .environment import check_proxy
from .errors import ConfigError
from .unset import UNSET, Unset

if TYPE_CHECKING:
    import ssl

    import httpx

Method = Literal["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"]
MAX_RESPONSE_BYTES: Final = 64 * 1024 * 1024
"""The default limit of a response that is read as a whole."""
Hook = Callable[[Any], Awaitable[None]]
"""An async callable that is awaited with the `httpx.Request` or the `httpx.Response` of each attempt."""


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class Timeout:
    """Limits in seconds. `total` covers the whole call: waiting, all attempts, decoding. None means no limit.

    `connect`, `read` and `write` limit single steps on the network.
    """

    total: float | None = 60.0
    connect: float | None = 5.0
    read: float | None = 30.0
    write: float | None = 30.0

    def __post_init__(self) -> None:
        parts = {f"timeout: {name}": getattr(self, name) for name in ("total", "connect", "read", "write")}
        check_configuration(**{place: (value, TIMEOUT) for place, value in parts.items()})

    @classmethod
    def of(cls, value: float | Timeout | None) -> Timeout:
        """A number is the total; None means no limits."""
        if isinstance(value, Timeout):
            return value
        if value is None:
            return cls(total=None, connect=None, read=None, write=None)
        return cls(total=value)


_HTTP_CLIENT: Final = methods("an httpx.AsyncClient", "send", "aclose")
_TRANSPORT: Final = methods("an httpx.AsyncBaseTransport", "handle_async_request")
"""By their methods: httpx is loaded with the first connection."""


@dataclass(slots=True, eq=False, repr=False)
class Network:
    """How a client reaches the network: the arguments of `AsyncCircleCI` of the same names."""

    http_client: httpx.AsyncClient | None = None
    transport: httpx.AsyncBaseTransport | None = None
    verify: bool | ssl.SSLContext = True
    proxy: str | None = None
    max_concurrency: int = 50
    on_request: Hook | None = None
    on_response: Hook | None = None

    def __post_init__(self) -> None:
        check_configuration(
            http_client=(self.http_client, or_none(_HTTP_CLIENT)),
            transport=(self.transport, or_none(_TRANSPORT)),
            proxy=(self.proxy, or_none(STR)),
            max_concurrency=(self.max_concurrency, at_least(1)),
            on_request=(self.on_request, or_none(ASYNC_FUNCTION)),
            on_response=(self.on_response, or_none(ASYNC_FUNCTION)),
        )
        if self.http_client is not None and self.transport is not None:
            raise ConfigError("Give http_client= or transport=, not both.")
        if self.proxy is not None:
            check_proxy(self.proxy, "proxy")


def tls_verification(value: object) -> bool | ssl.SSLContext:
    """What the argument `verify` says; the certificates at a path are read now.

    Nothing is read by its truth: the value of an environment variable that is not set must not disable verification.
    """
    if isinstance(value, bool):
        return value
    import ssl
    from pathlib import Path

    if isinstance(value, ssl.SSLContext):
        return value
    if not isinstance(value, str | Path) or not str(value):
        shown = repr(value) if isinstance(value, str) or value is None else type(value).__name__
        raise ConfigError(
            f"verify: expected True, False, an ssl.SSLContext, or the path of a file or directory of CA "
            f"certificates as str or Path, got {shown}."
        )
    try:
        if Path(value).is_dir():
            return ssl.create_default_context(capath=value)
        return ssl.create_default_context(cafile=value)
    except (OSError, ValueError) as error:  # also `ssl.SSLError`: the file has no certificates
        raise ConfigError(f"verify: the CA certificates at {str(value)!r} cannot be read: {error}") from None


@dataclass(slots=True, eq=False, repr=False)
class Options:
    """The options of a client that `with_options` can change, for each of its calls."""

    timeout: Timeout
    max_retries: int
    max_retry_after: float
    max_response_bytes: int | None = MAX_RESPONSE_BYTES
    headers: tuple[tuple[str, str], ...] = ()
    query: tuple[tuple[str, str], ...] = ()

    def __post_init__(self) -> None:
        check_configuration(
            max_retries=(self.max_retries, at_least(0)),
            max_retry_after=(self.max_retry_after, number(least=0, noun="seconds from 0 up")),
            max_response_bytes=(self.max_response_bytes, or_none(at_least(1))),
        )

    def changed(
        self,
        *,
        timeout: float | Timeout | None | Unset = UNSET,
        max_retries: int | Unset = UNSET,
        max_retry_after: float | Unset = UNSET,
        max_response_bytes: int | None | Unset = UNSET,
        headers: Mapping[str, str] | Unset = UNSET,
        query: Mapping[str, str] | Unset = UNSET,
    ) -> Options:
        """A copy with some options replaced; headers and query parameters are added to the present ones."""
        return replace(
            self,
            timeout=self.timeout if timeout is UNSET else Timeout.of(timeout),
            max_retries=self.max_retries if max_retries is UNSET else max_retries,
            max_retry_after=self.max_retry_after if max_retry_after is UNSET else max_retry_after,
            max_response_bytes=self.max_response_bytes if max_response_bytes is UNSET else max_response_bytes,
            headers=self.headers if headers is UNSET else _with_headers(self.headers, headers),
            query=self.query if query is UNSET else (*self.query, *_checked_query(query)),
        )


_OWN_HEADERS = frozenset(
    {"circle-token", "authorization", "host", "content-length", "transfer-encoding", "content-type"}
)


def _with_headers(have: tuple[tuple[str, str], ...], extra: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    check_configuration(headers=(extra, MAPPING))
    for name, value in extra.items():
        if not is_text(name):
            raise ConfigError(f"headers: expected str as name, got {got(name)}.")
        if not is_text(value):
            raise ConfigError(f"headers: {name}: expected str, got {type(value).__name__}.")
        if name.lower() in _OWN_HEADERS:
            raise ConfigError(
                f"headers: {name} is set by the client itself; give the token as token=, the rest to the call."
            )
        if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum():
            raise ConfigError(f"headers: {name!r} is no valid name of a header.")
        if not value.isascii() or not value.isprintable():
            raise ConfigError(f"headers: the value of {name} holds characters that no header may carry.")
    lowered = {name.lower() for name in extra}
    return (*(item for item in have if item[0].lower() not in lowered), *extra.items())


def _checked_query(extra: Mapping[str, str]) -> Iterable[tuple[str, str]]:
    check_configuration(query=(extra, MAPPING))
    for name, value in extra.items():
        if not is_text(name) or not is_text(value) or any("\ud800" <= char <= "\udfff" for char in name + value):
            shown = repr(name) if is_text(name) else got(name)
            raise ConfigError(f"query: {shown}: expected str without lone surrogates, as name and as value.")
    return extra.items()
