"""Requests and responses as data, independent of the HTTP library."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote

from circleci_sdk._public import public

from .errors import DecodeError, RequestOutcome, TransportError, outcome_of
from .redaction import LEFT_OUT, NO_SECRETS, Secrets

_MAX_URL: Final = 65_536
_HTTPCORE: Final = [logging.getLogger(name) for name in ("httpcore.http11", "httpcore2.http11")]


@public("circleci_sdk")
class Headers(Mapping[str, str]):
    """The headers of a response; names in any case, repeated ones joined by commas."""

    __slots__ = ("_items", "raw")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self.raw: list[tuple[bytes, bytes]] = raw
        self._items: dict[str, str] | None = None

    def without(self, secrets: Secrets) -> Headers:
        """These headers, with `LEFT_OUT` in place of each value that repeats a secret; without such names."""
        if not secrets.are_in_bytes(b"\n".join([part for header in self.raw for part in header])):
            return self
        left_out = LEFT_OUT.encode()
        return Headers(
            [
                (name, left_out if secrets.are_in(value) else value)
                for name, value in self.raw
                if not secrets.are_in(name)
            ]
        )

    def _read(self) -> dict[str, str]:
        if self._items is None:
            self._items = {}
            for raw_name, raw_value in self.raw:
                name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
                self._items[name] = f"{self._items[name]}, {value}" if name in self._items else value
        return self._items

    def __getitem__(self, name: str) -> str:
        return (self._items or self._read())[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"Headers({self._read()!r})"


@dataclass(slots=True, eq=False, repr=False)
class Prepared:
    """A request before a token is added. Without a `repr`: its body may hold secrets.

    `origin` is given when the rest of the URL was written by `build_url`, which leaves nothing to escape. `secrets`
    are the secrets in it. `takes_circle_token`: the token is sent as `Circle-Token`, whatever its path.
    """

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    content: bytes | None = None
    origin: str | None = None
    secrets: Secrets = NO_SECRETS
    takes_circle_token: bool = False


@dataclass(slots=True, eq=False, repr=False)
class Received:
    """A complete response. `secrets` are those of the request; no header repeats one."""

    status: int
    headers: Headers
    content: bytes
    secrets: Secrets = NO_SECRETS
    _searched: bool | None = field(default=None, init=False)

    @property
    def repeats_secret(self) -> bool:
        """Whether the body repeats a secret of the request. Searched once."""
        if self._searched is None:
            self._searched = self.secrets.are_in(self.content)
        return self._searched


@dataclass(slots=True, eq=False, repr=False)
class Failed:
    """No complete response. `raises` is the class of its error, `cause` the exception of the transport.

    The request of `cause` no longer holds headers or body. `status` is that of a response whose body is of no use.
    """

    raises: type[TransportError | DecodeError]
    outcome: RequestOutcome
    retryable: bool
    text: str
    cause: Exception | None = None
    status: int = 0


@dataclass(slots=True, eq=False, repr=False)
class Progress:
    """How far an attempt got, in case it is cut short, and its secrets.

    `sent` is also True where nothing reports it, as in most transports of users; `written` says that httpcore has
    begun to send. `connecting` is a connection that is not in use yet. `while_waiting` is called once, when httpcore
    has sent the request: the response takes its time.
    """

    while_waiting: Callable[[], object] | None = None
    sent: bool = False
    written: bool = False
    status: int | None = None
    connecting: Any = None
    secrets: Secrets = NO_SECRETS

    @property
    def outcome(self) -> RequestOutcome:
        """What is known of the request if it is cut short now."""
        if self.status is not None:
            return outcome_of(self.status)
        return "unknown" if self.sent else "not_sent"

    async def trace(self, event: str, info: dict[str, Any]) -> None:
        """Handle an event of httpcore's trace extension: from the first bytes on the request may have arrived.

        httpcore logs an event after this, with the values that are in `info` then.
        """
        if self.while_waiting is not None and self.written and event.endswith("send_request_body.complete"):
            work, self.while_waiting = self.while_waiting, None
            with suppress(Exception):  # it is raised again when the response is read
                work()
        if event.endswith("connect_tcp.complete"):
            self.connecting = info["return_value"]
        elif event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.sent, self.written, self.connecting = True, True, None
            if self.while_waiting is None and not any(logger.isEnabledFor(logging.DEBUG) for logger in _HTTPCORE):
                # Later events are of no use, and each one costs as much as a header.
                info["request"].extensions.pop("trace", None)
        elif event.endswith("setup_socks5_connection.started") and info["auth"] is not None:
            info["auth"] = _Unshown(info["auth"])
        elif event.endswith((".complete", ".failed")):
            for name, value in info.items():
                if self.secrets.are_in(repr(value)):
                    info[name] = LEFT_OUT


class _Unshown(tuple[bytes, ...]):
    """The user and the password for a proxy."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<user and password>"


def build_url(origin: str, path: str, query: list[tuple[str, str]]) -> str:
    """The URL of a call. Raises ValueError when it is longer than any server accepts."""
    url = origin + path
    if query:
        url += "?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    if len(url) > _MAX_URL:
        raise ValueError(f"the URL would be {len(url)} characters long, the limit is {_MAX_URL}")
    return url
