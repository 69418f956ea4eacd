"""The call of a stream: pieces of a response, from an offset on."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NoReturn

from circleci_sdk._core.errors import DecodeError
from circleci_sdk._core.messages import Failed, Headers, Received

from .open_call import OpenCall

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.errors import CallFacts
    from circleci_sdk._core.messages import Progress
    from circleci_sdk._core.operation import Operation

_FIRST_BYTE: Final = re.compile(r"bytes (\d+)-")


class StreamCall(OpenCall):
    """The call of a stream, from `offset` on. Its time limit counts anew with each piece.

    A stream of bytes is opened again at its offset if the connection breaks; one of lines is not.
    """

    def __init__(self, caller: Caller, operation: Operation[Any], arguments: Mapping[str, object], offset: int) -> None:
        super().__init__(caller.session, caller.options, operation, caller.prepare(operation, arguments))
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
                self._raise_failed(piece, "not_retryable")
            await self._after(piece)
            await self.run()
        return b""

    def check_line(self, length: int) -> None:
        """Raise if a line of this length is larger than a response may be."""
        limit = self._options.max_response_bytes
        if limit is not None and length > limit:
            self._refuse(f"a line is longer than max_response_bytes ({limit})")

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
            return await self.error_response(response)
        self.response = response
        first = _FIRST_BYTE.match(response.headers.get("content-range", ""))
        if first is not None and int(first[1]) != self.offset:
            self._refuse(f"expected the bytes from {self.offset} on, received those from {first[1]} on")
        if (encoding := response.headers.get("content-encoding", "identity")) != "identity":
            self._refuse(f"expected bytes as they are, received them as {encoding}")
        return response

    def _refuse(self, problem: str) -> NoReturn:
        status = self.response.status
        self._raise_failed(Failed(DecodeError, "processed", False, problem, status=status), "not_retryable")
