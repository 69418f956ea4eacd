"""Streams: the bytes of a response as they come, and the models in its lines."""

from __future__ import annotations

import codecs
import re
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, Generic, Self, TypeVar

from circleci_sdk._public import Uncopied, public

from .errors import DecodeError
from .messages import Failed, Headers, Received
from .open_call import OpenCall

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Any

    from .errors import CallFacts
    from .messages import Prepared, Progress
    from .operation import Operation
    from .options import Options
    from .session import Session

T_co = TypeVar("T_co", covariant=True)
_FIRST_BYTE: Final = re.compile(r"bytes (\d+)-")


class StreamCall(OpenCall):
    """The call of a stream, from `offset` on. Its time limit counts anew with each piece.

    A stream of bytes is opened again at its offset if the connection breaks; one of lines is not.
    """

    def __init__(
        self, session: Session, options: Options, operation: Operation[Any], prepared: Prepared, offset: int
    ) -> None:
        super().__init__(session, options, operation, prepared)
        self.offset = offset
        self.response = Received(0, Headers([]), b"")
        self._is_ranged = operation.response_body.form == "bytes"

    @property
    def facts(self) -> CallFacts:
        """The facts of the call so far."""
        return self._facts("processed", None)

    async def piece(self) -> bytes:
        """The next bytes; none at the end."""
        while self._opened is not None:
            piece = await self._opened.read()
            if not isinstance(piece, Failed):
                self.offset += len(piece)
                self.note_progress()
                if self._options.timeout.total is not None:
                    self._deadline = self._session.clock.monotonic() + self._options.timeout.total
                if not piece:
                    await self.aclose()
                return piece
            await self.aclose()
            if not self._is_ranged:
                self.fail(piece)
            await self._after(piece)
            await self.run()
        return b""

    @property
    def longest_line(self) -> int | None:
        """The longest line in characters, None for no limit."""
        return self._options.max_response_bytes

    def fail(self, failed: Failed) -> None:
        """Raise the error of a stream that cannot be continued."""
        self._raise_failed(failed, "not_retryable")

    async def _exchange(self, progress: Progress) -> Received | Failed:
        prepared = self._prepared
        if self._is_ranged:
            prepared = replace(prepared, headers=(*prepared.headers, ("Range", f"bytes={self.offset}-")))
        response = await self.open(prepared, self._session.credential, progress)
        if isinstance(response, Failed):
            return response
        if response.status == 416 and self._is_ranged:  # nothing is behind the offset yet
            await self.aclose()
            response = replace(response, status=206)
        if not 200 <= response.status < 300:
            return await self.refused(response)
        self.response = response
        first = _FIRST_BYTE.match(response.headers.get("content-range", ""))
        problem = ""
        if first is not None and int(first[1]) != self.offset:
            problem = f"expected the bytes from {self.offset} on, received those from {first[1]} on"
        if (encoding := response.headers.get("content-encoding", "identity")) != "identity":
            problem = f"expected bytes as they are, received them as {encoding}"
        if problem:
            await self.aclose()
            return Failed(DecodeError, "processed", False, problem, status=response.status)
        return response


class _Stream(Uncopied):
    """The block in which a response is open."""

    __slots__ = ("_begin", "_call")

    def __init__(self, begin: Callable[[int], StreamCall], offset: int = 0, /) -> None:
        self._begin = begin
        self._call = begin(offset)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self._call.facts.operation}>"

    async def __aenter__(self) -> Self:
        try:
            await self._call.run()
        except BaseException:  # a cancellation too leaves nothing open
            await self._call.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._call.aclose()

    def __aiter__(self) -> Self:
        return self


@public("circleci_sdk")
class ByteStream(_Stream):
    """The bytes of a response as they come: `async with ... as stream`, then `async for piece in stream`.

    Entering raises what any call raises. A connection that breaks is opened again behind the last byte, so that no byte
    is lost or given twice. The time limit of the client counts for each piece. `offset` counts the bytes from the
    beginning, those before a `resume` included; `is_terminal` says that no more will come than this response has.
    """

    __slots__ = ()

    @property
    def offset(self) -> int:
        """The number of bytes before the next piece."""
        return self._call.offset

    @property
    def is_terminal(self) -> bool:
        """Whether the server said with its response (`X-Terminal: true`) that it is the end of the output."""
        return self._call.response.headers.get("x-terminal", "") == "true"

    def resume(self, offset: int) -> ByteStream:
        """The same stream from `offset` on, in bytes. It may be empty, and has more to give later."""
        return ByteStream(self._begin, offset)

    async def __anext__(self) -> bytes:
        piece = await self._call.piece()
        if not piece:
            raise StopAsyncIteration
        return piece

    def lines(self) -> AsyncIterator[str]:
        """The lines as text in UTF-8, without line ends; other bytes become U+FFFD. The last one may have no end."""
        return _Lines(self._call)


@public("circleci_sdk")
class ItemStream(_Stream, Generic[T_co]):
    """Models from the lines of a response: `async with ... as stream`, then `async for item in stream`.

    One line is in memory at a time. A line that cannot be read raises `DecodeError`, and the next one can be read after
    it. A connection that breaks raises `ConnectionFailedError`: the stream cannot be resumed.
    """

    __slots__ = ("_lines", "_read")

    def __init__(self, begin: Callable[[int], StreamCall], read: Callable[[bytes, StreamCall], T_co], /) -> None:
        super().__init__(begin)
        self._lines = _Lines(self._call)
        self._read = read

    async def __anext__(self) -> T_co:
        while not (line := (await self._lines.__anext__()).strip()):
            pass
        return self._read(line.encode(), self._call)


class _Lines:
    """The lines of a stream. Not a generator: one that is left early would have to be closed."""

    def __init__(self, call: StreamCall) -> None:
        self._call = call
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""
        self._whole: Iterator[str] = iter(())
        self._ended = False

    def __aiter__(self) -> _Lines:
        return self

    async def __anext__(self) -> str:
        while (line := next(self._whole, None)) is None:
            if self._ended:
                raise StopAsyncIteration
            piece = await self._call.piece()
            self._ended = not piece
            *whole, self._rest = (self._rest + self._decoder.decode(piece, self._ended)).split("\n")
            if self._ended and self._rest:
                whole.append(self._rest)
            self._check_length()
            self._whole = iter(whole)
        return line.removesuffix("\r")

    def _check_length(self) -> None:
        limit = self._call.longest_line
        if limit is not None and len(self._rest) > limit:
            text = f"a line is longer than max_response_bytes ({limit})"
            self._call.fail(Failed(DecodeError, "processed", False, text, status=self._call.response.status))
