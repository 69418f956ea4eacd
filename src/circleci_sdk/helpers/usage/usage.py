"""What jobs have cost: usage exports, from their order to typed rows."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Any, Final, Self

import anyio
from anyio.to_thread import run_sync

from circleci_sdk._core.errors import (
    CallError,
    CallFacts,
    InvalidArgumentError,
    RateLimitError,
    RequestTimeoutError,
)
from circleci_sdk._core.unset import UNSET
from circleci_sdk._public import public
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.helpers._downloads.files import save
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.deadline import TimedCaller
from circleci_sdk.helpers._shared.retrying import MAX_ATTEMPTS, backoff, is_transient
from circleci_sdk.v2._client import V2

from .rows import RowReader, UsageRow

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from circleci_sdk._core.caller import Caller
    from circleci_sdk.helpers._downloads.download import Download
    from circleci_sdk.v2.models import UsageExport, UsageExportState

LONGEST_WINDOW: Final = timedelta(days=31)
ORDERS_PER_HOUR: Final = 10
SHORTEST_POLL: Final = 6.5
"""Seconds between two looks at an export: an organization may look about ten times a minute."""
LONGEST_POLL: Final = 30.0
_TICK: Final = timedelta(microseconds=1)
_IN_MEMORY: Final = 1 << 23


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class UsageWindow:
    """A period: from `start` up to, but not including, `end`."""

    start: datetime
    end: datetime

    @property
    def last(self) -> datetime:
        """The last moment in it: the API counts the end of a period as part of it."""
        return self.end - _TICK


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class UsageProgress:
    """How far the export of one window is; `files` are counted once it is completed."""

    window: UsageWindow
    export_id: str
    state: UsageExportState
    files: int = 0


OnProgress = Callable[[UsageProgress], None]


@public("circleci_sdk.helpers")
class Usage:
    """What jobs have used, and what it cost in credits. Not on Server. Reached as `circleci.usage`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._ordered: dict[str, deque[float]] = {}

    def rows(
        self,
        org_id: str | UUID,
        start: date | datetime,
        end: date | datetime,
        *,
        shared_org_ids: Sequence[str | UUID] = (),
        timeout: float | None = 7200.0,
        concurrency: int = 4,
        on_progress: OnProgress | None = None,
    ) -> UsageRows:
        """Every run of every job in a period, row by row.

        The period is split into windows of at most 31 days, which end at midnight UTC where they can; each is an
        export of its own, ordered when the one before it has been read. Exports take minutes. The files of a window
        are fetched, to disk if they are large, before its first row is given.

        Args:
            org_id: Id of the organization.
            start: The beginning of the period, at most a year ago. A date begins at midnight UTC.
            end: Its end, which is not part of it: `rows(org, date(2026, 1, 1), date(2026, 2, 1))` is January.
            shared_org_ids: Organizations on the same plan, whose usage is wanted too.
            timeout: Seconds for each window, waiting for its turn included; None for no limit. An organization may
                order about ten exports an hour, so more than ten windows need patience.
            concurrency: Files fetched at once.
            on_progress: Called whenever the state of an export is read.

        Returns:
            The rows, to be read with `async for`. Nothing is sent before the first is asked for. When a window fails,
            the error's `next` is its start, and rows of earlier windows are complete: begin again there.

        Raises:
            InvalidArgumentError: The period is empty, or a datetime has no time zone.
            BadRequestError: The API refuses the period, for instance because it is too long ago.
            CallError: An export failed; the message says why.
            RequestTimeoutError: A window took longer than `timeout`.
            DecodeError: A file is broken, or a cell does not fit its column.

        Calls per window: `v2.usage_exports.create` once, `v2.usage_exports.get` every 6 to 30 seconds, and each file.
        """
        order = _Order(str(org_id), tuple(shared_org_ids), timeout, concurrency, on_progress)
        return UsageRows(self, order, windows(start, end))

    async def download(
        self,
        org_id: str | UUID,
        start: date | datetime,
        end: date | datetime,
        dest: str | os.PathLike[str],
        *,
        shared_org_ids: Sequence[str | UUID] = (),
        overwrite: bool = False,
        timeout: float | None = 7200.0,
        concurrency: int = 4,
        on_progress: OnProgress | None = None,
    ) -> list[Path]:
        """Fetch the files of a period as they are: gzipped CSV, one or more for each window of at most 31 days.

        They are called `usage-<first day>-<last day>-<number>.csv.gz`. The arguments are those of `rows`; `dest` is
        the folder, made if it is missing.

        Raises:
            FileExistsError: Files of one of the windows are there already and `overwrite` is False; nothing was
                ordered.

        Otherwise raises what `rows` raises, and calls what it calls.
        """
        order = _Order(str(org_id), tuple(shared_org_ids), timeout, concurrency, on_progress)
        planned = windows(start, end)
        folder = Path(dest)
        there = await run_sync(_existing, folder, [file_stem(window) for window in planned])
        if there is not None and not overwrite:
            raise FileExistsError(f"{there} exists; pass overwrite=True to replace the files of these windows.")
        paths: list[Path] = []
        for window in planned:

            async def store(number: int, file: Download, window: UsageWindow = window) -> Path:
                path = folder / f"{file_stem(window)}-{number}.csv.gz"
                await save(file, path)
                return path

            paths += await self.fetch(order, window, store)
        return paths

    async def fetch(self, order: _Order, window: UsageWindow, store: Callable[[int, Download], Any]) -> list[Any]:
        """Order the export of one window, wait for it, and hand its files to `store`."""
        caller = TimedCaller(self._caller, order.timeout)
        exports = V2(caller).usage_exports
        try:
            export_id, links = await self._export(order, window, caller)

            async def get(item: tuple[int, str]) -> Any:
                number, url = item

                async def renew() -> str:
                    export = await exports.get(order.org_id, export_id)
                    fresh = export.download_urls or []
                    return fresh[number] if number < len(fresh) else url

                file = download_of(
                    caller, url, label="usage.download", timeout=caller.left, renew=renew, signed=True, decode=False
                )
                return await store(number, file)

            return await map_concurrently(get, list(enumerate(links)), limit=order.concurrency)
        except CallError as error:
            error.next = window.start.isoformat()
            raise

    async def _export(self, order: _Order, window: UsageWindow, caller: TimedCaller) -> tuple[str, list[str]]:
        exports = V2(caller).usage_exports
        export = await self._order(order, window, caller)
        export_id = export.usage_export_job_id
        if export_id is None:
            raise _failed(window, "the API gave the new export no id")
        looks = failures = 0
        while True:
            links = export.download_urls or []
            if order.on_progress is not None:
                order.on_progress(UsageProgress(window, export_id, export.state or "created", len(links)))
            if export.state == "completed":
                return export_id, links
            if export.state == "failed":
                raise _failed(window, export.error_reason or "the API does not say why")
            await self._sleep(poll_pause(looks), window, caller)
            looks += 1
            while True:
                try:
                    export = await exports.get(order.org_id, export_id)
                    failures = 0
                    break
                except CallError as error:
                    failures += 1
                    if not is_transient(error) or failures == MAX_ATTEMPTS:
                        raise
                    pause = max(SHORTEST_POLL, backoff(error, failures, caller.clock.random()))
                await self._sleep(pause, window, caller)

    async def _order(self, order: _Order, window: UsageWindow, caller: TimedCaller) -> UsageExport:
        """Order an export, when the organization may order one again."""
        clock = caller.clock
        ordered = self._ordered.setdefault(order.org_id, deque())
        refusals = 0
        while True:
            await self._sleep(order_pause(ordered, clock.monotonic()), window, caller)
            ordered.append(clock.monotonic())
            try:
                return await V2(caller).usage_exports.create(
                    order.org_id,
                    start=window.start,
                    end=window.last,
                    shared_org_ids=list(order.shared_org_ids) or UNSET,
                )
            except RateLimitError as error:  # others may have ordered too; the API refused, nothing was done
                refusals += 1
                if refusals > ORDERS_PER_HOUR:
                    raise
                pause = max(60.0, error.retry_after or 0.0)
            await self._sleep(pause, window, caller)

    async def _sleep(self, seconds: float, window: UsageWindow, caller: TimedCaller) -> None:
        clock = caller.clock
        if clock.monotonic() + seconds >= caller.deadline:
            raise RequestTimeoutError(
                f"usage: the export from {window.start:%Y-%m-%d} on was not ready in the time given.",
                facts=CallFacts("usage.rows", "GET", "", retry_stop_reason="deadline", request_outcome="processed"),
            )
        if seconds > 0:
            await clock.sleep(seconds)


@dataclass(frozen=True, slots=True)
class _Order:
    """What is wanted of every window."""

    org_id: str
    shared_org_ids: tuple[str | UUID, ...]
    timeout: float | None
    concurrency: int
    on_progress: OnProgress | None


@public("circleci_sdk.helpers")
class UsageRows(AsyncIterator[UsageRow]):
    """The rows of a period. Made by `circleci.usage.rows`.

    Read it with `async for`. Who stops early may call `aclose`, or use it in `async with`, to give up the files at
    once.
    """

    def __init__(self, usage: Usage, order: _Order, planned: Sequence[UsageWindow]) -> None:
        self._usage = usage
        self._order = order
        self._windows = deque(planned)
        self._readers: deque[RowReader] = deque()
        self._rows: deque[UsageRow] = deque()
        self._window: UsageWindow | None = None

    async def __anext__(self) -> UsageRow:
        while True:
            if self._rows:
                return self._rows.popleft()
            if self._readers:
                await run_sync(self._read)
            elif self._windows:
                await self._fetch(self._windows[0])
                self._windows.popleft()
            else:
                raise StopAsyncIteration

    async def _fetch(self, window: UsageWindow) -> None:
        """Make ready what a window has. All of its files, or the error and none."""
        self._window = window
        kept: list[RowReader] = []

        async def keep(number: int, file: Download) -> RowReader:
            reader = await _keep(file)
            kept.append(reader)
            return reader

        try:
            self._readers.extend(await self._usage.fetch(self._order, window, keep))
        except BaseException:
            for reader in kept:
                reader.close()
            raise

    def _read(self) -> None:
        """Runs in a thread, and puts rows where a cancelled caller finds them again."""
        try:
            more = self._readers[0].more()
        except CallError as error:
            self._windows.clear()  # to go on would leave a gap that nobody sees
            while self._readers:
                self._readers.popleft().close()
            if self._window is not None:
                error.next = self._window.start.isoformat()
            raise
        self._rows.extend(more)
        if not more:
            self._readers.popleft().close()

    async def aclose(self) -> None:
        """Give up the files that were not read."""
        self._windows.clear()
        self._rows.clear()
        with anyio.CancelScope(shield=True):
            while self._readers:
                await run_sync(self._readers.popleft().close)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        for reader in getattr(self, "_readers", ()):
            reader.close()


async def _keep(download: Download) -> RowReader:
    """A file out of sight: in memory while it is small, else on disk, and gone when it is closed."""
    with ExitStack() as unread:
        file: IO[bytes] = unread.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY))
        async with download:
            async for piece in download:
                await run_sync(file.write, piece)
        reader = await run_sync(RowReader, file)
        unread.pop_all()  # from here on the reader closes it
        return reader


def windows(start: date | datetime, end: date | datetime) -> list[UsageWindow]:
    """The period in windows of at most 31 days: no gap, no overlap, cut at midnight UTC.

    Midnight, because then it makes no difference whether the API counts moments or days.
    """
    begin, stop = _moment(start, "start"), _moment(end, "end")
    if begin >= stop:
        raise InvalidArgumentError(f"usage: the period is empty: it starts {begin:%Y-%m-%d} and ends {stop:%Y-%m-%d}.")
    found: list[UsageWindow] = []
    while begin < stop:
        latest = begin + LONGEST_WINDOW
        cut = stop if stop <= latest else datetime.combine(latest.date(), time(), UTC)
        found.append(UsageWindow(begin, cut))
        begin = cut
    return found


def _moment(value: date | datetime, name: str) -> datetime:
    if not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    if value.utcoffset() is None:
        raise InvalidArgumentError(f"usage: {name} has no time zone; give it one, such as tzinfo=UTC.")
    return value.astimezone(UTC)


def poll_pause(looks: int) -> float:
    """Seconds before the next look at an export: never quicker than the limit, slower as time goes by."""
    return min(LONGEST_POLL, SHORTEST_POLL * 1.25 ** min(looks, 20))


def order_pause(ordered: deque[float], now: float) -> float:
    """Seconds until another export may be ordered, by the moments of earlier orders; forgets those of past hours."""
    while ordered and now - ordered[0] >= 3600:
        ordered.popleft()
    return 0.0 if len(ordered) < ORDERS_PER_HOUR else ordered[-ORDERS_PER_HOUR] + 3600 - now


def file_stem(window: UsageWindow) -> str:
    """The beginning of the names of a window's files."""
    return f"usage-{_stamp(window.start)}-{_stamp(window.last)}"


def _stamp(moment: datetime) -> str:
    whole_day = moment.time() in (time(), time(23, 59, 59, 999999))
    return f"{moment:%Y%m%d}" if whole_day else f"{moment:%Y%m%dT%H%M%S}"


def _existing(folder: Path, stems: Sequence[str]) -> Path | None:
    return next((path for stem in stems for path in folder.glob(f"{stem}-*.csv.gz")), None)


def _failed(window: UsageWindow, why: str) -> CallError:
    facts = CallFacts("usage.rows", "GET", "", request_outcome="processed")
    return CallError(f"usage: the export from {window.start:%Y-%m-%d} on failed: {why}.", facts=facts)
