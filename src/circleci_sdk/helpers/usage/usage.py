"""Usage: the credits and seconds of each job run, from usage exports of the API to typed rows."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from datetime import date, datetime
from functools import partial
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import IO, TYPE_CHECKING, Final, Self

from anyio.to_thread import run_sync

from circleci_sdk._core.cancellation import finish
from circleci_sdk._core.checks import BOOL, check
from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._core.mismatches import Mismatch, with_kinds
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk._streams.buffered import Buffered
from circleci_sdk.helpers._downloads.executor import SerialExecutor, in_thread
from circleci_sdk.helpers._downloads.saving import BATCH, save
from circleci_sdk.helpers._downloads.staging import Stage, remove_stale
from circleci_sdk.helpers._shared.arguments import CALLBACK, PATH, check_count, check_org, check_orgs, check_timeout
from circleci_sdk.helpers._shared.reports import raise_for_skipped

from .exports import ExportRequest, Exports, OnProgress
from .folder import check_windows, put_window
from .missing import UsageDownload, UsageLog
from .rows import RowReader, UsageRow
from .windows import UsageWindow, windows

if TYPE_CHECKING:
    from types import TracebackType
    from uuid import UUID

    from circleci_sdk._core.caller import Caller
    from circleci_sdk.helpers._downloads.download import Download
    from circleci_sdk.helpers._shared.skipped import Skipped

_IN_MEMORY: Final = 1 << 23
"""Bytes of a file that are kept in memory; larger files go to disk."""


@public("circleci_sdk.helpers")
class Usage(Uncopied):
    """The usage of jobs, in seconds and credits. Not on CircleCI Server. Available as `circleci.usage`."""

    def __init__(self, caller: Caller, /) -> None:
        self._exports = Exports(caller)

    def __repr__(self) -> str:
        return "<Usage>"

    def rows(
        self,
        org: str | UUID,
        start: date | datetime,
        end: date | datetime,
        *,
        shared_orgs: Sequence[str | UUID] = (),
        timeout: float | None = 7200.0,
        concurrency: int = 4,
        on_progress: OnProgress | None = None,
    ) -> UsageRows:
        """Every run of every job in a period, row by row.

        The period is split into windows of at most 31 days, at midnight UTC; each window is an export of its own,
        requested after the rows of the previous one. An export takes minutes. The files of a window are downloaded,
        to disk if they are large, before its first row.

        Args:
            org: Slug of the organization, such as `gh/acme`, or its id.
            start: The start of the period, at most a year ago. A date starts at midnight UTC.
            end: Its end (excluded): `rows(org, date(2026, 1, 1), date(2026, 2, 1))` is January.
            shared_orgs: Slugs or ids of further organizations on the same plan.
            timeout: Seconds for each window, waiting for the rate limit included; None for no limit. The API allows
                about ten exports an hour and organization, so more than ten windows take over an hour.
            concurrency: The most files downloaded at once.
            on_progress: Called after each poll of an export.

        Returns:
            The rows, for `async for`. The first request is sent for the first row. A window, file or row that cannot be
            read does not stop the rest: it is in `skipped` of the rows, and its window in `missing`, to be requested
            again. If nothing of the whole period can be read, the first error is raised at the end. The `next` of an
            error is the start of its window.

        Raises:
            InvalidArgumentError: At once; an argument is invalid, the period is empty, or a datetime has no time zone.
            NotFoundError: The organization is missing, or hidden from this token.
            BadRequestError: The API rejects the period, for example because it is too long ago.
            AuthenticationError: Three requests in a row were refused.
            CallError: The only export failed; the message has the reason of the API.
            RequestTimeoutError: The only window took longer than `timeout`.
            DecodeError: The only file is corrupt. With `AsyncCircleCI(strict=True)` a row with a cell that does not fit
                its column cannot be read either.

        Calls per window: `v2.usage_exports.create` once, `v2.usage_exports.get` every 6 to 30 seconds, and one download
        for each file; once `v2.organizations.get` for each organization given by slug.
        """
        request = _request("usage.rows", org, shared_orgs, timeout, concurrency, on_progress)
        return UsageRows(self._exports, request, windows(start, end, "usage.rows"))

    async def download(
        self,
        org: str | UUID,
        start: date | datetime,
        end: date | datetime,
        dest: str | os.PathLike[str],
        *,
        shared_orgs: Sequence[str | UUID] = (),
        overwrite: bool = False,
        timeout: float | None = 7200.0,
        concurrency: int = 4,
        on_progress: OnProgress | None = None,
    ) -> UsageDownload:
        """Download the files of a period: gzipped CSV, one or more for each window of at most 31 days.

        Their names are `usage-<first day>-<last day>-<number>.csv.gz`. The arguments are those of `rows`; `dest` is
        the folder, created if it is missing, one for each organization. The files of a window come into it together,
        when all are there, so that it never holds those of two exports of the same days.

        With `overwrite` they replace those of older exports whose period lies within the window; files of other
        windows, and those with other names, stay. The report names the windows and files that could not be downloaded;
        if there is nothing else, the first error is raised. Then the older files of such a window stay, or, if there
        are none, the rest of the new ones is there, with the hidden file `.usage-<first day>-<last day>.incomplete`,
        which a killed program leaves too. The next download replaces what it marks, also without `overwrite`.

        A window that moves, such as the last 30 days on each day, overlaps older files in part. They have days outside
        the window, which `overwrite` does not remove either. Use a folder for each period, or download each new day on
        its own: `download(org, day, day + timedelta(days=1), dest, overwrite=True)`. A window that only grows, such as
        the month until today, replaces its older files with `overwrite`.

        Raises:
            FileExistsError: Files of a window exist and `overwrite` is False, or the period of a file overlaps a window
                in part; no export was requested. Or another download has brought them meanwhile.
            OSError: The files cannot be written.

        Raises the other errors of `rows` too, and makes the same calls.
        """
        check("usage.download", dest=(dest, PATH), overwrite=(overwrite, BOOL))
        request = _request("usage.download", org, shared_orgs, timeout, concurrency, on_progress)
        planned = windows(start, end, "usage.download")
        folder = Path(dest)
        await run_sync(remove_stale, folder)
        await run_sync(partial(check_windows, folder, planned, overwrite=overwrite))
        log = UsageLog()
        paths: list[Path] = []
        stage, executor = Stage(folder), SerialExecutor()
        try:
            for window in planned:
                parts: dict[int, Path] = {}

                async def store(number: int, file: Download, parts: dict[int, Path] = parts) -> int:
                    parts[number] = await save(file, stage, executor, lambda part, size: part)
                    return number

                before = len(log.skipped)
                await self._exports.fetch(request, window, store, log)
                is_complete = len(log.skipped) == before
                put = partial(put_window, stage, window, parts, is_complete=is_complete, overwrite=overwrite)
                paths += await in_thread(put)
        finally:
            await in_thread(stage.close)
        log.has_any = log.has_any or bool(paths)
        log.raise_if_nothing()
        return UsageDownload(tuple(paths), log.skipped, log.missing)


def _request(
    method: str,
    org: str | UUID,
    shared_orgs: Sequence[str | UUID],
    timeout: float | None,
    concurrency: int,
    on_progress: OnProgress | None,
) -> ExportRequest:
    """The checked arguments."""
    checked = check_org(method, org)
    shared = check_orgs(method, "shared_orgs", shared_orgs)
    check_timeout(method, timeout)
    check_count(method, "concurrency", concurrency)
    check(method, on_progress=(on_progress, CALLBACK))
    return ExportRequest(method, checked, shared, timeout, concurrency, on_progress)


@public("circleci_sdk.helpers")
class UsageRows(Uncopied, Buffered[UsageRow]):
    """The rows of a period, for `async for`. Returned by `circleci.usage.rows`.

    After an early exit, `aclose` or `async with` releases the files at once.
    """

    def __init__(self, exports: Exports, request: ExportRequest, planned: Sequence[UsageWindow], /) -> None:
        self._exports = exports
        self._request = request
        self._windows = deque(planned)
        self._readers: deque[RowReader] = deque()
        self._rows: deque[UsageRow] = deque()
        self._window: UsageWindow | None = None
        self._mismatches: list[Mismatch] = []
        self._log = UsageLog()

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The windows, files and rows that were passed over so far.

        Their `id` is the period of the window, in ISO 8601, and the number of the file. The error of a row has its
        number. With more than 100 such rows the rest of a file is passed over.
        """
        return self._log.skipped

    @property
    def missing(self) -> tuple[UsageWindow, ...]:
        """The windows of which something was passed over so far: `rows(org, window.start, window.end)` asks again.

        It has all rows of the window, also those that came before.
        """
        return self._log.missing

    def raise_for_failure(self) -> UsageRows:
        """Return these rows if nothing was passed over so far.

        Otherwise raise `CircleCIError`, whose message lists `skipped`; its `__cause__` is an `ExceptionGroup` of the
        errors.
        """
        raise_for_skipped("usage.rows", self.skipped)
        return self

    def _next_buffered(self) -> UsageRow | Unset:
        return self._rows.popleft() if self._rows else UNSET

    async def _fill_buffer(self) -> None:
        if self._readers:
            await finish(lambda: run_sync(self._read))  # a thread cannot be cancelled
            self._note_drift()
        elif self._windows:
            await self._fetch(self._windows[0])
            self._windows.popleft()
        else:
            self._log.raise_if_nothing()
            raise StopAsyncIteration

    async def _fetch(self, window: UsageWindow) -> None:
        """Open all files of a window, or none and raise the error."""
        self._window = window
        opened: list[RowReader] = []

        async def store(number: int, file: Download) -> RowReader:
            reader = await _open(file, number, strict=self._exports.session.strict)
            opened.append(reader)
            return reader

        try:
            self._readers.extend(await self._exports.fetch(self._request, window, store, self._log))
        except BaseException:  # a cancellation too leaves no file open
            for reader in opened:
                reader.close()
            raise

    def _read(self) -> None:
        """Read more rows, in a thread; they are stored on `self` so that cancellation loses none."""
        reader, window = self._readers[0], self._window
        more: list[UsageRow] = []
        problems: list[CircleCIError] = []
        try:
            more = reader.more()
        except CircleCIError as error:
            problems.append(error)
        self._rows.extend(more)
        self._mismatches += reader.mismatches
        reader.mismatches.clear()
        problems[:0] = reader.bad
        reader.bad.clear()
        for problem in problems:
            if window is not None:
                self._log.add("usage.rows", window, reader.name, problem)
        self._log.has_any = self._log.has_any or bool(more) or not self._log.skipped
        if not more:
            self._readers.popleft().close()

    def _note_drift(self) -> None:
        """Report what did not fit. Not in the thread: `on_drift` is a function of the user."""
        self._exports.session.drift.note("usage.rows", with_kinds(self._mismatches))
        self._mismatches.clear()

    async def aclose(self) -> None:
        """Release the files that were not read."""
        self._windows.clear()
        self._rows.clear()
        await finish(lambda: run_sync(self._close_all))

    def _close_all(self) -> None:
        while self._readers:
            self._readers.popleft().close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __del__(self) -> None:
        for reader in getattr(self, "_readers", ()):
            reader.close()


async def _open(download: Download, number: int, *, strict: bool) -> RowReader:
    """Download a file to a temporary one: in memory while it is small, else on disk; closing it deletes it."""
    with ExitStack() as unread:
        file: IO[bytes] = unread.enter_context(SpooledTemporaryFile(max_size=_IN_MEMORY))
        async with download:
            while batch := await download.batch(BATCH):
                await run_sync(file.writelines, batch)
        reader = await run_sync(partial(RowReader, file, strict=strict, number=number))
        unread.pop_all()  # the reader closes it from now on
        return reader
