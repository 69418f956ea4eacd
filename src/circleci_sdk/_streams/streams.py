"""`ByteStream` and `ItemStream`: the bytes of a response as they come, and the models in its lines."""

from __future__ import annotations

import codecs
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Generic, Self, TypeVar

from circleci_sdk._core.checks import at_least, check
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public

from .buffered import Buffered, fill_buffer, next_buffered
from .stream_call import StreamCall

if TYPE_CHECKING:
    from types import TracebackType

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.operation import Operation

T_co = TypeVar("T_co", covariant=True)


class _Stream(Uncopied):
    """The block in which a response is open."""

    __slots__ = ("_arguments", "_call", "_caller", "_operation", "_start")

    def __init__(
        self, caller: Caller, operation: Operation[Any], arguments: Mapping[str, object], start: int = 0, /
    ) -> None:
        self._caller = caller
        self._operation = operation
        self._arguments = arguments
        self._start = start
        self._call: StreamCall | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._operation.label}>"

    async def __aenter__(self) -> Self:
        self._call = call = StreamCall(self._caller, self._operation, self._arguments, self._start)
        try:
            await call.run()
        except BaseException:  # a cancellation too leaves nothing open
            await call.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._entered.aclose()

    def __aiter__(self) -> Self:
        return self

    @property
    def _entered(self) -> StreamCall:
        if self._call is None:
            raise RuntimeError(f"{self._operation.label}: the stream is not open; use it inside its `with` block.")
        return self._call


@public("circleci_sdk")
class ByteStream(_Stream):
    """The bytes of a response as they come: `async with ... as stream`, then `async for piece in stream`.

    Entering raises what any call raises. A connection that breaks is opened again behind the last byte, so that no byte
    is lost or given twice. The time limit of the client counts for each piece; no limit of size applies.
    """

    __slots__ = ()

    @property
    def offset(self) -> int:
        """The number of bytes before the next piece, those before a `resume` included."""
        return self._start if self._call is None else self._call.offset

    @property
    def is_terminal(self) -> bool:
        """Whether the server said that this response holds all that will ever come (`X-Terminal: true`)."""
        return self._call is not None and self._call.response.headers.get("x-terminal") == "true"

    def resume(self, offset: int) -> ByteStream:
        """The same stream from `offset` on, in bytes. Without an end mark it may have more to give than before."""
        check(f"{self._operation.label}: resume", offset=(offset, at_least(0)))
        return ByteStream(self._caller, self._operation, self._arguments, offset)

    async def __anext__(self) -> bytes:
        piece = await self._entered.piece()
        if not piece:
            raise StopAsyncIteration
        return piece

    def lines(self) -> AsyncIterator[str]:
        """The lines as text in UTF-8, without line ends; other bytes become U+FFFD. The last one may have no end."""
        return _Lines(self._entered)


@public("circleci_sdk")
class ItemStream(_Stream, Buffered[T_co], Generic[T_co]):
    """Models from the lines of a response: `async with ... as stream`, then `async for item in stream`.

    Entering raises what any call raises. One line is in memory at a time. A line that cannot be read raises
    `DecodeError`, and the next one can be read after it. A connection that breaks raises `ConnectionFailedError`: the
    stream cannot be resumed.
    """

    __slots__ = ("_lines",)

    async def __aenter__(self) -> Self:
        await super().__aenter__()
        self._lines = _Lines(self._entered)
        return self

    def _next_buffered(self) -> T_co | Unset:
        call = self._entered
        while (line := next_buffered(self._lines)) is not UNSET:
            if line.strip():
                content = line.encode()
                item: T_co = self._caller.read(self._operation, replace(call.response, content=content), call.facts)
                return item
        return UNSET

    async def _fill_buffer(self) -> None:
        await fill_buffer(self._lines)


class _Lines(Buffered[str]):
    """The lines of a stream. Not a generator: one that is left early would have to be closed."""

    def __init__(self, call: StreamCall) -> None:
        self._call = call
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._whole: Iterator[str] = iter(())
        self._ended = False

    def _next_buffered(self) -> str | Unset:
        line = next(self._whole, None)
        return UNSET if line is None else line.removesuffix("\r")

    async def _fill_buffer(self) -> None:
        if self._ended:
            raise StopAsyncIteration
        piece = await self._call.piece()
        self._ended = not piece
        *whole, self._rest = (self._rest + self._decoder.decode(piece, self._ended)).split("\n")
        if self._ended and self._rest:
            whole.append(self._rest)
        self._call.check_line(len(self._rest))
        self._whole = iter(whole)
