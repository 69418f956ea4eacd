"""Tracebacks without the frames that hold headers and bodies in their locals: the transport layer and all below it."""

from __future__ import annotations

from collections.abc import Collection
from types import TracebackType
from typing import Final

_OURS: Final = f"{__package__}."
_BELOW: Final = frozenset(
    {
        *("httpx", "httpx2", "httpcore", "httpcore2", "h11", "h2", "hpack", "anyio", "asyncio", "trio", "outcome"),
        *("uvloop", "ssl", "socket", "contextlib", "aiohttp", "httpx_aiohttp", "pydantic", "pydantic_core"),
    }
)
PLUMBING: Final = frozenset({__name__.partition(".")[0], "asyncio", "anyio", "concurrent", "threading", "uvloop"})
"""Packages whose frames no user of a sync client needs to see."""


def strip_traceback(error: BaseException, handled: BaseException | None) -> None:
    """Remove the frames of the HTTP stack from `error`, its causes, contexts and groups.

    `handled` is an exception that the caller was handling already; it is left unchanged, with its own causes.
    """
    from circleci_sdk._core.causes import with_causes  # not for a call that succeeds

    for one in with_causes(error, handled):
        one.__traceback__ = without_frames(one.__traceback__, _BELOW, _OURS)


def without_frames(
    traceback: TracebackType | None, packages: Collection[str], prefix: str | None = None
) -> TracebackType | None:
    """A traceback without the frames of these packages, and of the modules whose name begins with the prefix."""
    links: list[TracebackType] = []
    while traceback is not None:
        module = str(traceback.tb_frame.f_globals.get("__name__"))
        if module.partition(".")[0] not in packages and not (prefix and module.startswith(prefix)):
            links.append(traceback)
        traceback = traceback.tb_next
    kept = None
    for link in reversed(links):
        kept = TracebackType(kept, link.tb_frame, link.tb_lasti, link.tb_lineno)
    return kept
