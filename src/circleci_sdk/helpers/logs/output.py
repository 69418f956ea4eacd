"""The output of a step as a stream of text, from a signed link of v1.1 or from the streams of v3."""

from __future__ import annotations

import codecs
from collections.abc import Awaitable, Callable
from dataclasses import replace
from math import inf
from typing import TYPE_CHECKING, Protocol, Self, TypeAlias, TypeVar

import anyio

from circleci_sdk._core.caller import Caller
from circleci_sdk._core.errors import CallFacts, NotFoundError, RequestTimeoutError
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.helpers._shared.versions import NOT_SERVED, note_fallback
from circleci_sdk.v3._client import V3

from .step_output import OutputReader

if TYPE_CHECKING:
    from types import TracebackType

    from circleci_sdk._core.errors import CircleCIError
    from circleci_sdk._streams.streams import ByteStream
    from circleci_sdk.helpers._downloads.download import Download
    from circleci_sdk.helpers._shared.versions import ApiVersion

    from .steps import Step

T = TypeVar("T")


class Source(Protocol):
    """Where the text of a step comes from. `api` and `is_cut` are known at the end."""

    api: ApiVersion

    @property
    def is_cut(self) -> bool:
        """Whether the server kept only a part, as far as the output was read."""
        ...

    async def open(self) -> None:
        """Begin. Raises what any call raises."""
        ...

    async def read(self) -> str | None:
        """The next text, perhaps none; None at the end."""
        ...

    async def aclose(self) -> None:
        """Close what is open. Safe to call twice."""
        ...


Find: TypeAlias = Callable[[], Awaitable[Source | None]]
"""Finds the same output with v1.1; None if it has no such step."""


@public("circleci_sdk.helpers")
class Output:
    """A stream of the output of a step: `async with circleci.logs.open(step) as output`, then `async for`.

    Yields strings of any length. `is_cut` reports, at the end, whether the server kept only a part, and `api` which
    version of the API has it. A broken connection is resumed; an expired link is renewed, once.
    """

    def __init__(self, source: Source, /) -> None:
        self._source = source
        self._ended = False

    @property
    def is_cut(self) -> bool:
        """Whether the server kept only a part, as far as the output was read."""
        return self._source.is_cut

    @property
    def api(self) -> ApiVersion:
        """The version of the API that it is read with: `v3` or `v1.1`."""
        return self._source.api

    async def __aenter__(self) -> Self:
        try:
            await self._source.open()
        except BaseException:  # a cancellation too leaves nothing open
            await self._source.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        await self._source.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._ended:
            text = await self._source.read()
            if text is None:
                self._ended = True
            elif text:
                return text
        raise StopAsyncIteration


class LinkSource:
    """The file behind a signed link of v1.1; empty without one.

    `new_download` is called when it is opened: a download needs the event loop that it runs in.
    """

    api: ApiVersion = "v1.1"

    def __init__(self, new_download: Callable[[], Download] | None) -> None:
        self._new_download = new_download
        self._download: Download | None = None
        self._reader = OutputReader()
        self._ended = new_download is None

    @property
    def is_cut(self) -> bool:
        return self._reader.truncated

    async def open(self) -> None:
        if self._new_download is not None:
            self._download = self._download or self._new_download()
            await self._download.__aenter__()

    async def read(self) -> str | None:
        if self._ended or self._download is None:
            return None
        try:
            return self._reader.feed(await self._download.__anext__())
        except StopAsyncIteration:
            self._ended = True
            return self._reader.feed(b"", last=True)

    async def aclose(self) -> None:
        if self._download is not None:
            await self._download.aclose()


class StreamSource:
    """Standard output, then standard error, from the streams of v3, within `timeout` seconds.

    If they are refused, or missing though the step may have written, `find`, if given, looks for another source.
    """

    is_cut: bool = False

    def __init__(self, caller: Caller, job_id: str, step: Step, find: Find | None, timeout: float | None) -> None:
        self.api: ApiVersion = "v3"
        self._clock = caller.clock
        self._deadline = inf if timeout is None else caller.clock.monotonic() + timeout
        options = caller.options.changed(timeout=replace(caller.options.timeout, total=timeout))
        jobs = V3(Caller(caller.session, options)).jobs
        sizes = getattr(step, "stdout_bytes", None), getattr(step, "stderr_bytes", None)
        is_final = if_available(lambda: step.status) != "running"
        self._is_silent = is_final and sizes[0] == 0
        place: dict[str, int] = {"step_num": step.number, "execution": step.index}
        self._stdout = None if is_final and sizes[0] == 0 else jobs.stream_stdout(job_id, **place)
        unrepeated = V3(Caller(caller.session, replace(options, max_retries=0))).jobs
        self._stderr = None if is_final and sizes[1] == 0 else unrepeated.stream_stderr(job_id, **place)
        self._caller = caller
        self._find = find
        self._stream: ByteStream | None = None
        self._decoder = new_decoder()
        self._other: Source | None = None
        self._rest = ""

    async def open(self) -> None:
        reason: CircleCIError | str = "no output"
        try:
            if await self._begin() or self._is_silent or self._find is None:
                return
            self._rest = await self._errors()
            if self._rest:
                return
        except NOT_SERVED as error:
            if self._find is None:
                raise
            reason = error
        other = await self._find()
        if other is not None:
            note_fallback("logs.open", other.api, reason)
            self._other, self.api = other, other.api
            await other.open()
        elif isinstance(reason, Exception):
            raise reason

    async def read(self) -> str | None:
        if self._other is not None:
            text = await self._other.read()
            self.is_cut = self._other.is_cut
            return text
        if self._stream is None:
            text, self._rest = self._rest, ""
            return text or await self._errors() or None
        try:
            return self._decoder.decode(await self._timed(self._stream.__anext__()))
        except StopAsyncIteration:
            text = self._decoder.decode(b"", final=True)
            await self.aclose()
            return text

    async def aclose(self) -> None:
        stream, self._stream = self._stream, None
        if stream is not None:
            await stream.__aexit__(None, None, None)
        if self._other is not None:
            await self._other.aclose()

    async def _begin(self) -> bool:
        """Open standard output. Whether there is any."""
        stream, self._stdout = self._stdout, None
        if stream is None:
            return False
        try:
            await self._timed(stream.__aenter__())
        except NotFoundError:
            return False
        self._stream = stream
        return True

    async def _errors(self) -> str:
        """Standard error, once."""
        stream, self._stderr = self._stderr, None
        if stream is None:
            return ""
        content = await self._timed(retry_reads(self._caller, lambda: whole(stream)))
        return content.decode(errors="replace")

    async def _timed(self, work: Awaitable[T]) -> T:
        left = self._deadline - self._clock.monotonic()
        with anyio.move_on_after(None if left == inf else left):
            return await work
        facts = CallFacts("logs.output", "GET", "", retry_stop_reason="deadline", request_outcome="processed")
        raise RequestTimeoutError("logs.output: the time ran out.", facts=facts)


async def whole(stream: ByteStream) -> bytes:
    """All of a stream; nothing if it is missing. It has no ranges: after a failure it has to be read anew."""
    pieces: list[bytes] = []
    try:
        async with stream:
            async for piece in stream:
                pieces.append(piece)  # noqa: PERF401  # an error has to leave the block
    except NotFoundError:
        return b""
    return b"".join(pieces)


def new_decoder() -> codecs.IncrementalDecoder:
    """Decodes UTF-8 that may be cut anywhere; other bytes become U+FFFD."""
    return codecs.getincrementaldecoder("utf-8")("replace")
