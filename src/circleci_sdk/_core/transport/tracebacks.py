"""Tracebacks without the frames that hold headers and bodies in their locals: the transport layer and all below it."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Final

_OURS: Final = f"{__package__}."
_BELOW: Final = frozenset(
    {
        *("httpx", "httpx2", "httpcore", "httpcore2", "h11", "h2", "hpack", "anyio", "asyncio", "trio", "outcome"),
        *("uvloop", "ssl", "socket", "contextlib", "aiohttp", "httpx_aiohttp", "pydantic", "pydantic_core"),
    }
)


def strip_traceback(error: BaseException, handled: BaseException | None) -> None:
    """Take the frames of the HTTP stack out of `error` and of all it hangs on.

    `handled` is what the caller was handling already; it and its past are left alone.
    """
    seen = {id(handled)}
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        one.__traceback__ = _kept(one.__traceback__)
        todo += getattr(one, "exceptions", ())
        todo += [one.__cause__, one.__context__]


def _kept(traceback: TracebackType | None) -> TracebackType | None:
    frames = [
        (link.tb_frame, link.tb_lasti, link.tb_lineno)
        for link in _links(traceback)
        if not _is_below(str(link.tb_frame.f_globals.get("__name__")))
    ]
    kept = None
    for frame, instruction, line in reversed(frames):
        kept = TracebackType(kept, frame, instruction, line)
    return kept


def _is_below(module: str) -> bool:
    return module.startswith(_OURS) or module.partition(".")[0] in _BELOW


def _links(traceback: TracebackType | None) -> Iterator[TracebackType]:
    while traceback is not None:
        yield traceback
        traceback = traceback.tb_next
