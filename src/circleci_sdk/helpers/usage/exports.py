"""Usage exports: requested, polled and downloaded, window by window."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from circleci_sdk._core.errors import CallError, CallFacts, CircleCIError, RateLimitError, RequestTimeoutError
from circleci_sdk._core.serialization.model import UnknownStr
from circleci_sdk._core.unset import UNSET
from circleci_sdk._public import public
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.helpers._downloads.inflate import encodings_of_file
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.callbacks import call_back
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.deadline import TimedCaller
from circleci_sdk.helpers._shared.organizations import org_id_of
from circleci_sdk.helpers._shared.partial import UNAVAILABLE, known
from circleci_sdk.helpers._shared.retrying import MAX_ATTEMPTS, asked_wait, backoff, may_pass, retry_reads
from circleci_sdk.helpers._shared.values import Value
from circleci_sdk.v2._client import V2

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.session import Session
    from circleci_sdk.helpers._downloads.download import Download
    from circleci_sdk.v2.models import UsageExport, UsageExportState

    from .missing import UsageLog
    from .windows import UsageWindow

EXPORTS_PER_HOUR: Final = 10
SHORTEST_POLL: Final = 6.5
"""Seconds between two polls of an export: an organization may poll about ten times a minute."""
LONGEST_POLL: Final = 30.0
MAX_ORGANIZATIONS: Final = 1000
"""Number of remembered ids, which bounds the memory."""


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class UsageProgress(Value):
    """The state of the export of one window; `files` is the number of its files once it is completed."""

    window: UsageWindow
    export_id: str
    state: UsageExportState
    files: int = 0


OnProgress: TypeAlias = Callable[[UsageProgress], None]
"""Called after each poll of an export."""


@dataclass(frozen=True, slots=True)
class ExportRequest:
    """What to export in every window. `method` is the public method for error texts, organizations are slugs or ids."""

    method: str
    org: str
    shared_orgs: tuple[str, ...]
    timeout: float | None
    concurrency: int
    on_progress: OnProgress | None


class Exports:
    """The exports of one client. Remembers the times of earlier requests, which the API limits per organization."""

    def __init__(self, caller: Caller) -> None:
        self.session: Session = caller.session
        self._caller = caller
        self._requested: dict[str, deque[float]] = {}
        self._org_ids: dict[str, str] = {}

    async def fetch(
        self, request: ExportRequest, window: UsageWindow, store: Callable[[int, Download], Any], log: UsageLog
    ) -> list[Any]:
        """Request the export of one window, wait for it, and pass each of its files to `store`.

        The results of `store`. An export or file that cannot be had is passed over, and added to the log.
        """
        caller = TimedCaller(self._caller, request.timeout)
        exports = V2(caller).usage_exports
        try:
            org_id = await self._org_id(caller, request.org)
            shared_ids = [await self._org_id(caller, org) for org in request.shared_orgs]
        except CallError as error:
            error.next = window.start.isoformat()
            raise
        try:
            export_id, links = await self._export(request, org_id, shared_ids, window, caller)
        except CircleCIError as error:
            log.add("v2.usage_exports.create", window, "", error)
            return []
        log.succeeded()
        log.has_any = log.has_any or not links

        async def get(item: tuple[int, str]) -> Any:
            number, url = item

            async def renew() -> str:
                fresh = _links(await exports.get(org_id, export_id))
                return fresh[number] if number < len(fresh) else url

            async def read() -> Any:
                file = download_of(
                    caller,
                    url,
                    label=request.method,
                    timeout=caller.left,
                    renew=renew,
                    signed=True,
                    keep=encodings_of_file(".csv.gz"),
                )
                return await store(number, file)

            try:
                result = await retry_reads(caller, read, until=caller.deadline)
            except CircleCIError as error:
                log.add(request.method, window, f"file {number}", error)
                return None
            log.succeeded()
            return result

        results = await map_concurrently(get, list(enumerate(links)), limit=request.concurrency)
        return [one for one in results if one is not None]

    async def _org_id(self, caller: TimedCaller, org: str) -> str:
        if org not in self._org_ids:
            if len(self._org_ids) >= MAX_ORGANIZATIONS:
                self._org_ids.clear()
            self._org_ids[org] = await retry_reads(caller, lambda: org_id_of(V2(caller), org))
        return self._org_ids[org]

    async def _export(
        self, request: ExportRequest, org_id: str, shared_ids: list[str], window: UsageWindow, caller: TimedCaller
    ) -> tuple[str, list[str]]:
        exports = V2(caller).usage_exports
        export = await self._create(request, org_id, shared_ids, window, caller)
        export_id = if_available(lambda one: one.usage_export_job_id, export)
        if not export_id:
            raise _failed(request.method, window, "the API returned no id of the new export")
        polls = failures = unread = 0
        while True:
            links, state = _links(export), _state(export)
            if request.on_progress is not None:
                await call_back(request.on_progress, UsageProgress(window, export_id, state, len(links)))
            if state == "completed":
                return export_id, links
            if if_available(lambda one: one.state, export) == "completed":
                unread += 1
                if unread == MAX_ATTEMPTS:
                    raise _failed(request.method, window, "the API returned no links to its files")
            if state == "failed":
                reason = if_available(lambda one: one.error_reason or "", export)
                raise _failed(request.method, window, reason or "the API gave no reason")
            await self._sleep(request, poll_delay(polls), window, caller)
            polls += 1
            while True:
                try:
                    export = await exports.get(org_id, export_id)
                    failures = 0
                    break
                except CircleCIError as error:
                    failures += 1
                    if not may_pass(error) or failures == MAX_ATTEMPTS:
                        raise
                    left = caller.deadline - caller.clock.monotonic()
                    pause = max(SHORTEST_POLL, backoff(error, failures, caller.clock.random(), left))
                await self._sleep(request, pause, window, caller)

    async def _create(
        self, request: ExportRequest, org_id: str, shared_ids: list[str], window: UsageWindow, caller: TimedCaller
    ) -> UsageExport:
        """Request an export as soon as the hourly limit of the organization allows."""
        clock = caller.clock
        for other in [one for one, times in self._requested.items() if request_delay(times, clock.monotonic()) == 0]:
            if not self._requested[other]:
                del self._requested[other]
        requested = self._requested.setdefault(org_id, deque())
        refusals = 0
        while True:
            await self._sleep(request, request_delay(requested, clock.monotonic()), window, caller)
            requested.append(clock.monotonic())
            try:
                return await V2(caller).usage_exports.create(
                    org_id,
                    start=window.start,
                    end=window.last,
                    shared_org_ids=shared_ids or UNSET,
                )
            except RateLimitError as error:  # other clients count too; the API rejected the request
                refusals += 1
                if refusals > EXPORTS_PER_HOUR:
                    raise
                pause = max(60.0, asked_wait(error, caller.deadline - clock.monotonic()))
            await self._sleep(request, pause, window, caller)

    async def _sleep(self, request: ExportRequest, seconds: float, window: UsageWindow, caller: TimedCaller) -> None:
        clock = caller.clock
        if clock.monotonic() + seconds >= caller.deadline:
            raise RequestTimeoutError(
                f"{request.method}: the export from {window.start:%Y-%m-%d} on was not completed within the timeout.",
                facts=CallFacts(request.method, "GET", "", retry_stop_reason="deadline", request_outcome="processed"),
            )
        if seconds > 0:
            await clock.sleep(seconds)


def poll_delay(polls: int) -> float:
    """Seconds until the next poll of an export: at least the limit of the API, longer with each poll."""
    return min(LONGEST_POLL, SHORTEST_POLL * 1.25 ** min(polls, 20))


def request_delay(requested: deque[float], now: float) -> float:
    """Seconds until the next export may be requested; drops times older than an hour from `requested`."""
    while requested and now - requested[0] >= 3600:
        requested.popleft()
    return 0.0 if len(requested) < EXPORTS_PER_HOUR else requested[-EXPORTS_PER_HOUR] + 3600 - now


def _links(export: UsageExport) -> list[str]:
    return if_available(lambda: export.download_urls) or []


def _state(export: UsageExport) -> UsageExportState:
    """The state; without a readable one, or completed without links, it is unknown, so that the wait continues."""
    state: UsageExportState = known(lambda: export.state or "created")
    if state == "completed" and if_available(lambda: export.download_urls) is None:
        return UnknownStr(UNAVAILABLE)
    return state


def _failed(method: str, window: UsageWindow, why: str) -> CallError:
    facts = CallFacts(method, "GET", "", request_outcome="processed")
    return CallError(f"{method}: the export from {window.start:%Y-%m-%d} on failed: {why}.", facts=facts)
