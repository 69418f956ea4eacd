"""What goes wrong on purpose."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from .messages import JSON, TEXT, Reply, Sending
from .routing import operation_names

STORAGE: Final = ("artifact", "output", "usage")
"""Names of what is fetched by link and not by operation: artifacts, outputs of steps, files of usage exports."""

Drop = Literal["before", "after"]
Rolls = Mapping[str, float]

TEXTS: Final = {
    429: "Rate limited.",
    500: '{"message":"Internal server error"}',
    502: "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>",
    503: "upstream connect error or disconnect/reset before headers",
    504: "upstream request timeout",
}


@dataclass(slots=True)
class Fault:
    """One thing that goes wrong, for the next `left` calls of some operations (all of them when empty)."""

    labels: frozenset[str]
    left: int
    status: int | None = None
    body: object = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    drop: Drop | None = None
    delay: float = 0.0
    truncate: bool = False
    expired: bool = False
    carried_out: bool = False

    @property
    def responses_alone(self) -> bool:
        """Whether the call never comes to what it asked for."""
        return not self.carried_out and (self.status is not None or self.drop == "before" or self.expired)

    def bend(self, reply: Reply | None) -> Sending:
        """What goes out instead of `reply`, which is None when the call was not carried out."""
        if self.expired:
            reply = expired_link()
        elif self.status is not None:
            reply = failure(self.status, self.body, self.headers)
        elif reply is None:
            reply = Reply()
        return Sending(reply, self.delay, drop=self.drop is not None, keep=0.5 if self.truncate else 1.0)


def failure(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> Reply:
    """A response with that status; without a body, one as gateways and the API give it."""
    if body is None:
        body = TEXTS.get(status, '{"message":"' + ("Not found" if status == 404 else "Bad request") + '"}')
        kind = JSON if body.startswith("{") else "text/html" if body.startswith("<") else TEXT
        return Reply(status, body.encode(), headers or {}, kind)
    return Reply(status, body, headers or {}, TEXT if isinstance(body, (str, bytes)) else JSON)


def expired_link() -> Reply:
    """What a signed link returns when its time is over."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    )
    return Reply(403, text, media_type="application/xml")


def labels_of(name: str) -> frozenset[str]:
    """The operations that a name stands for; `*` for all. Raises `ValueError` for a name that is none."""
    if name == "*":
        return frozenset()
    if name in STORAGE:
        return frozenset({name})
    names = operation_names()
    if name in names:
        return names[name]
    close = difflib.get_close_matches(name, [*names, *STORAGE], n=1)
    hint = f" Did you mean {close[0]!r}?" if close else ""
    raise ValueError(f"{name!r} is no operation; names look like 'v2.jobs.get' or 'jobs.get'.{hint}")
