"""A window, file or row of a period that cannot be read is named, and all others come out; on asyncio and trio."""

from __future__ import annotations

import gzip
from collections import deque
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from circleci_sdk import AuthenticationError, CallError, CircleCIError, DecodeError, PermissionDeniedError
from circleci_sdk.helpers import UsageRows
from circleci_sdk.helpers.usage.rows import MAX_BAD_ROWS
from tests.helpers.long_work import COUNT, EACH_PLACE, FAILURES, REFUSALS, Failure, assert_named
from tests.support.clients import client_on
from tests.support.clock import FakeClock
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import Request, Response, ScriptedServer, reply

ORG: Final = "b9291e0d-a11e-41fb-8517-c545388b5953"
ORDER: Final = f"/api/v2/organizations/{ORG}/usage_export_job"
START: Final = datetime(2026, 1, 1, tzinfo=UTC)
STARTS: Final = [START + timedelta(days=31) * place for place in range(COUNT)]
PERIOD: Final = (date(2026, 1, 1), (START + timedelta(days=31) * COUNT).date())
ONE_WINDOW: Final = (date(2026, 1, 1), date(2026, 2, 1))
COLUMNS: Final = "JOB_NAME,TOTAL_CREDITS"


def packed(*rows: str) -> bytes:
    return gzip.compress("\n".join((COLUMNS, *rows)).encode(), mtime=0)


class Organization:
    """Exports of windows, in the order of `turns`, each with these files. `orders` and `looks` have odd responses."""

    def __init__(self, server: ScriptedServer, files: Mapping[str, bytes | Response | list[Response]]) -> None:
        self.server = server
        self.orders: dict[int, Response] = {}
        self.looks: dict[int, dict[str, Any]] = {}
        self.files = files
        self.turns = deque(range(COUNT))
        server.on("POST", ORDER, self.order)

    def order(self, _: Request) -> Response:
        place = self.turns.popleft()
        if place in self.orders:
            return self.orders[place]
        export = f"00000000-0000-4000-8000-{place:012}"
        links = [f"{self.server.url}/{place}/{name}" for name in self.files]
        for name, file in self.files.items():
            response = reply(body=file.replace(b"job-@", b"job-%d" % place)) if isinstance(file, bytes) else file
            self.server.on("GET", f"/{place}/{name}", response)
        look = {"usage_export_job_id": export, "state": "completed", "download_urls": links}
        self.server.on("GET", f"{ORDER}/{export}", reply(json={**look, **self.looks.get(place, {})}))
        return reply(201, json={"usage_export_job_id": export, "state": "created"})


async def read(rows: UsageRows) -> list[str]:
    return [str(row.job_name) async for row in rows]


def period(place: int) -> str:
    return f"{STARTS[place].isoformat()}/{(STARTS[place] + timedelta(days=31)).isoformat()}"


ORDER_FAILURES: Final[dict[str, Callable[[Organization, int], None]]] = {
    name: lambda org, place, failure=failure: org.orders.__setitem__(place, failure.response)  # type: ignore[misc]  # bound for each item
    for name, failure in FAILURES.items()
    if "null" not in name and "token" not in name
}
LOOKS: Final[dict[str, dict[str, Any]]] = {
    "failed": {"state": "failed", "error_reason": "too much"},
    "never": {"state": "processing"},
    "no links": {"download_urls": None},
}


@ON_ASYNCIO
@EACH_PLACE
@pytest.mark.parametrize("kind", [*ORDER_FAILURES, *LOOKS])
@pytest.mark.parametrize("to_disk", [False, True], ids=["rows", "download"])
async def test_a_window_that_fails_is_named(
    server: ScriptedServer, kind: str, place: int, to_disk: bool, tmp_path: Path
) -> None:
    org = Organization(server, {"a": b"JOB_NAME\njob-@"})
    if kind in LOOKS:
        org.looks[place] = LOOKS[kind]
    else:
        ORDER_FAILURES[kind](org, place)
    async with client_on(server, FakeClock()) as circleci:
        if to_disk:
            report = await circleci.usage.download(ORG, *PERIOD, tmp_path, timeout=1000)
            assert [path.read_bytes() for path in report] == [
                b"JOB_NAME\njob-%d" % at for at in range(COUNT) if at != place
            ]
            skipped, missing = report.skipped, report.missing
            assert len(report) == COUNT - 1
            assert not report.ok
            with pytest.raises(CircleCIError, match=r"^usage\.download: 1 passed over:"):
                report.raise_for_failure()
        else:
            rows = circleci.usage.rows(ORG, *PERIOD, timeout=1000)
            assert await read(rows) == [f"job-{at}" for at in range(COUNT) if at != place]
            skipped, missing = rows.skipped, rows.missing
        assert [(one.operation, one.id) for one in skipped] == [("v2.usage_exports.create", period(place))]
        assert isinstance(skipped[0].error, CallError)
        assert skipped[0].error.next == STARTS[place].isoformat()
        # Asked again.
        org.orders.clear()
        org.looks.clear()
        org.turns = deque([place])
        (window,) = missing
        again = circleci.usage.rows(ORG, window.start, window.end)
        assert await read(again) == [f"job-{place}"]
        assert again.raise_for_failure() is again


CORRUPT: Final[dict[str, Failure]] = {
    "half": Failure(reply(body=packed("x,1")[:-12]), DecodeError),
    "noise": Failure(reply(body=b"\x1f\x8bnot really"), DecodeError),
    "br": Failure(reply(body=b"noise", headers={"Content-Encoding": "br"}), DecodeError),
}
FILE_FAILURES: Final = {
    **REFUSALS,
    "404": FAILURES["404"],
    **CORRUPT,
}


@EACH_PLACE
@pytest.mark.parametrize("failure", FILE_FAILURES.values(), ids=FILE_FAILURES)
async def test_a_file_that_cannot_be_read_is_named(server: ScriptedServer, failure: Failure, place: int) -> None:
    files: dict[str, bytes | Response] = {str(at): packed(f"job-{at},1") for at in range(COUNT)}
    files[str(place)] = failure.response
    Organization(server, files)
    async with client_on(server, FakeClock()) as circleci:
        rows = circleci.usage.rows(ORG, *ONE_WINDOW)
        assert [name for name in await read(rows) if name != "x"] == [f"job-{at}" for at in range(COUNT) if at != place]
    assert [(one.operation, one.id) for one in rows.skipped] == [("usage.rows", f"{period(0)} file {place}")]
    assert isinstance(rows.skipped[0].error, failure.error)
    assert [window.start for window in rows.missing] == [START]


@EACH_PLACE
@pytest.mark.parametrize("kind", [*REFUSALS, "404", "br"])
async def test_a_file_that_cannot_be_downloaded_is_named(
    server: ScriptedServer, kind: str, place: int, tmp_path: Path
) -> None:
    files: dict[str, bytes | Response] = {str(at): packed(f"job-{at},1") for at in range(COUNT)}
    files[str(place)] = FILE_FAILURES[kind].response
    Organization(server, files)
    async with client_on(server, FakeClock()) as circleci:
        report = await circleci.usage.download(ORG, *ONE_WINDOW, tmp_path)
    assert [path.name[-8] for path in report.files] == [str(at) for at in range(COUNT) if at != place]
    assert_named(report.skipped, "usage.download", f"{period(0)} file {place}", FILE_FAILURES[kind])


@EACH_PLACE
@pytest.mark.parametrize("odd", ["a,1,2", "a"], ids=["more", "fewer"])
async def test_a_row_that_cannot_be_read_is_named(server: ScriptedServer, place: int, odd: str) -> None:
    lines = [f"job-{at},1" for at in range(COUNT)]
    lines[place] = odd
    Organization(server, {"a": packed(*lines)})
    async with client_on(server, FakeClock()) as circleci:
        rows = circleci.usage.rows(ORG, *ONE_WINDOW)
        assert await read(rows) == [f"job-{at}" for at in range(COUNT) if at != place]
    (skipped,) = rows.skipped
    assert skipped.id == f"{period(0)} file 0"
    assert f"row {place + 2} of a file" in str(skipped)


@EACH_PLACE
async def test_bytes_that_are_not_utf8_lose_no_other_row(server: ScriptedServer, place: int) -> None:
    lines = [b"job-%d,1" % at for at in range(COUNT)]
    lines[place] = b"job-\xff\xfe,1"
    Organization(server, {"a": b"\n".join((COLUMNS.encode(), *lines)), "b": packed("last,1")})
    async with client_on(server, FakeClock()) as circleci:
        rows = circleci.usage.rows(ORG, *ONE_WINDOW)
        assert await read(rows) == [*[f"job-{at}" for at in range(COUNT) if at != place], "last"]
    assert [one.id for one in rows.skipped] == [f"{period(0)} file 0"]
    assert f"row {place + 2} of a file cannot be decoded: it is not UTF-8" in str(rows.skipped[0])


@EACH_PLACE
async def test_a_row_that_is_no_csv_is_named(server: ScriptedServer, place: int) -> None:
    """Such as a quotation mark without an end: no field has more than 128 KiB."""
    lines = [f"job-{at},1" for at in range(COUNT)]
    lines[place] = '"' + "x" * 200_000 + '",1'
    Organization(server, {"a": packed(*lines)})
    async with client_on(server, FakeClock()) as circleci:
        rows = circleci.usage.rows(ORG, *ONE_WINDOW)
        assert await read(rows) == [f"job-{at}" for at in range(COUNT) if at != place]
    assert [one.id for one in rows.skipped] == [f"{period(0)} file 0"]
    assert f"row {place + 2} of a file" in str(rows.skipped[0])


@pytest.mark.parametrize("to_disk", [False, True], ids=["rows", "download"])
async def test_a_file_is_asked_for_again_after_transient_errors(
    server: ScriptedServer, to_disk: bool, tmp_path: Path
) -> None:
    """More of them than the retries of a single call."""
    Organization(server, {"a": [*[reply(503)] * 5, reply(body=packed("job,1"))]})
    async with client_on(server, FakeClock()) as circleci:
        if to_disk:
            assert len((await circleci.usage.download(ORG, *ONE_WINDOW, tmp_path)).raise_for_failure()) == 1
        else:
            rows = circleci.usage.rows(ORG, *ONE_WINDOW)
            assert await read(rows) == ["job"]
            rows.raise_for_failure()
    assert sum(request.path == "/0/a" for request in server.requests) == 6


async def test_the_rows_before_a_corrupt_place_come_out(server: ScriptedServer) -> None:
    whole = gzip.compress("\n".join((COLUMNS, *[f"job-{at},1" for at in range(5000)])).encode())
    Organization(server, {"a": whole[:-4], "b": packed("last,1")})
    async with client_on(server, FakeClock()) as circleci:
        rows = circleci.usage.rows(ORG, *ONE_WINDOW)
        found = await read(rows)
    assert found[:500] == [f"job-{at}" for at in range(500)]
    assert found[-1] == "last"
    assert [one.id for one in rows.skipped] == [f"{period(0)} file 0"]


async def test_a_file_of_other_content_is_given_up(server: ScriptedServer) -> None:
    Organization(server, {"a": packed(*["odd"] * 10_000), "b": packed("last,1")})
    async with client_on(server, FakeClock()) as circleci:
        rows = circleci.usage.rows(ORG, *ONE_WINDOW)
        assert await read(rows) == ["last"]
    assert len(rows.skipped) == MAX_BAD_ROWS + 1


async def test_nothing_at_all_is_an_error(server: ScriptedServer, tmp_path: Path) -> None:
    org = Organization(server, {"a": packed("job,1")})
    org.orders = {place: reply(403, json={"message": "Permission denied"}) for place in range(COUNT)}
    async with client_on(server, FakeClock()) as circleci:
        rows = circleci.usage.rows(ORG, *PERIOD)
        with pytest.raises(PermissionDeniedError) as caught:
            await read(rows)
        assert caught.value.next == START.isoformat()
        assert await read(rows) == []
        assert len(rows.skipped) == COUNT
        org.turns = deque(range(COUNT))
        with pytest.raises(PermissionDeniedError):
            await circleci.usage.download(ORG, *PERIOD, tmp_path)


async def test_three_refusals_in_a_row_end_the_period(server: ScriptedServer) -> None:
    org = Organization(server, {"a": packed("job,1")})
    org.orders = {place: reply(401, json={"message": "You must log in first."}) for place in range(1, COUNT)}
    async with client_on(server, FakeClock()) as circleci:
        rows = circleci.usage.rows(ORG, *PERIOD)
        with pytest.raises(AuthenticationError) as caught:
            await read(rows)
        assert caught.value.next == STARTS[3].isoformat()
        org.orders.clear()
        org.turns = deque([3, 4])
        assert await read(rows) == ["job"] * 2
    assert [one.id for one in rows.skipped] == [period(1), period(2)]
