"""What goes out and what comes back, as data: no HTTP library, no decision."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal
from urllib.parse import quote

from circleci_sdk._public import public

from .policy.retry import Delivered, delivered_by

FailureKind = Literal["connection", "timeout", "pool", "unreadable"]
_MAX_URL: Final = 65_536


@public("circleci_sdk")
class Headers(Mapping[str, str]):
    """The headers of a response; names in any case, repeated ones joined by commas."""

    __slots__ = ("_items", "_names", "raw")

    def __init__(self, raw: list[tuple[bytes, bytes]]) -> None:
        self.raw: list[tuple[bytes, bytes]] = raw
        self._items: dict[str, str] | None = None
        self._names: bytes | None = None

    def contains(self, part: bytes) -> bool:
        """Whether any name may hold this, in lower case: a quick look before a slow one, which every call takes."""
        if self._names is None:
            self._names = b"\n".join([name for name, _ in self.raw]).lower()
        return part in self._names

    def _read(self) -> dict[str, str]:
        if self._items is None:
            self._items = {}
            for raw_name, raw_value in self.raw:
                name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
                self._items[name] = f"{self._items[name]}, {value}" if name in self._items else value
        return self._items

    def __getitem__(self, name: str) -> str:
        return self._read()[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._read())

    def __len__(self) -> int:
        return len(self._read())

    def __repr__(self) -> str:
        return f"Headers({self._read()!r})"


@dataclass(slots=True, repr=False)
class Prepared:
    """A request before a token is put on it. Without a `repr`: its body may hold secrets."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...]
    content: bytes | None


@dataclass(slots=True)
class Received:
    """A complete response. `repeats_token` says of a refusal that the server quotes the token in it."""

    status: int
    headers: Headers
    content: bytes = field(repr=False)
    repeats_token: bool = False


@dataclass(slots=True)
class Failed:
    """No complete response. `error` is what the transport raised; its request no longer holds headers or body."""

    kind: FailureKind
    delivered: Delivered
    retryable: bool
    text: str
    error: Exception | None = None


@dataclass(slots=True)
class Progress:
    """How far an attempt got, for the case that it is cut short. `connecting` is a connection not in use yet."""

    left: bool = False
    status: int | None = None
    connecting: Any = None

    @property
    def delivered(self) -> Delivered:
        """What a cut at this moment means."""
        if self.status is not None:
            return delivered_by(self.status)
        return Delivered.MAYBE if self.left else Delivered.NO

    async def trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Take an event of httpcore's trace extension: from the first bytes on the request may have arrived."""
        if event.endswith("connect_tcp.complete"):
            self.connecting = info["return_value"]
        elif event.endswith("send_request_headers.started") and info["request"].method != b"CONNECT":
            self.left, self.connecting = True, None
            # Nothing that comes later is of use, and each event costs as much as a header.
            info["request"].extensions.pop("trace", None)


def build_url(origin: str, path: str, query: list[tuple[str, str]]) -> str:
    """The address of a call. Raises ValueError when it is longer than any server takes."""
    url = origin + path
    if query:
        url += "?" + "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in query)
    if len(url) > _MAX_URL:
        raise ValueError(f"the address would be {len(url)} characters long, the limit is {_MAX_URL}")
    return url
