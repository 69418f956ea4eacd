"""Usage comes in windows without gap or overlap, within the limits, as typed rows; on asyncio and trio."""

from __future__ import annotations

import gzip
import io
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import UTC, date, datetime, timedelta, timezone
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import (
    AsyncCircleCI,
    CallError,
    CircleCIError,
    ConnectionFailedError,
    DecodeError,
    Drift,
    InvalidArgumentError,
    Mismatch,
    NotFoundError,
    RequestTimeoutError,
    ServerError,
)
from circleci_sdk.helpers.usage.exports import UsageProgress, poll_delay, request_delay
from circleci_sdk.helpers.usage.rows import RowReader, UsageRow, column_name
from circleci_sdk.helpers.usage.windows import file_stem, windows
from circleci_sdk.testing import FakeCircleCI, Job, Workflow
from tests.support.clients import TOKEN, client_on
from tests.support.clock import FakeClock
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, hang, reply

ORG = "b9291e0d-a11e-41fb-8517-c545388b5953"
ORDER = f"/api/v2/organizations/{ORG}/usage_export_job"
NAIVE = datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None)
JANUARY = (date(2026, 1, 1), date(2026, 2, 1))


def table(*rows: Sequence[str], columns: Sequence[str] = ("JOB_NAME", "TOTAL_CREDITS")) -> bytes:
    return gzip.compress("\n".join(",".join(row) for row in (columns, *rows)).encode())


class Exports:
    """The exports of an organization on a scripted server.

    Each export goes through `states`, one per look; then it has `files`, each at an address of its own.
    """

    def __init__(self, server: ScriptedServer, *files: bytes | Response | Sequence[Response]) -> None:
        self.server = server
        self.states = ["processing", "completed"]
        self.links = [f"{server.url}/files/{number}?X-Signature=hidden" for number in range(len(files))]
        self._left: dict[str, deque[str]] = {}
        server.on("POST", ORDER, self.order)
        for number, file in enumerate(files):
            server.on("GET", f"/files/{number}", reply(body=file) if isinstance(file, bytes) else file)

    @property
    def orders(self) -> list[dict[str, Any]]:
        return [request.json for request in self.server.requests if request.method == "POST"]

    def order(self, request: Request) -> Response:
        export = f"00000000-0000-4000-8000-{len(self._left):012}"
        self._left[export] = deque(self.states)
        self.server.on("GET", f"{ORDER}/{export}", lambda request: self.look(export))
        return reply(201, json={"usage_export_job_id": export, "state": "created"})

    def look(self, export: str) -> Response:
        left = self._left[export]
        state = left.popleft() if len(left) > 1 else left[0]
        response: dict[str, Any] = {"usage_export_job_id": export, "state": state}
        if state == "completed":
            response["download_urls"] = self.links
        if state == "failed":
            response["error_reason"] = "too much"
        return reply(json=response)

    def fetched(self) -> list[Request]:
        return [request for request in self.server.requests if request.path.startswith("/files/")]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def client(server: ScriptedServer, clock: FakeClock) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, clock) as client:
        yield client


async def names(rows: AsyncIterator[UsageRow]) -> list[str | None]:
    return [row.job_name async for row in rows]


async def test_rows_of_all_files_in_order(server: ScriptedServer, client: AsyncCircleCI) -> None:
    exports = Exports(server, table(("a", "1.5"), ("b", "2")), table(("c", "0")))
    rows = client.usage.rows(ORG, *JANUARY)
    assert not server.requests
    found = [row async for row in rows]
    assert [(row.job_name, row.total_credits) for row in found] == [("a", 1.5), ("b", 2.0), ("c", 0.0)]
    assert exports.orders == [{"start": "2026-01-01T00:00:00Z", "end": "2026-01-31T23:59:59.999999Z"}]
    for request in exports.fetched():
        assert "circle-token" not in request.headers  # the links are signed, and lead to another company
    assert server.requests[0].headers["circle-token"] == TOKEN


async def test_organizations_by_slug(server: ScriptedServer, client: AsyncCircleCI) -> None:
    organization = {"id": ORG, "name": "acme", "slug": "gh/acme", "vcs_type": "github"}
    server.on("GET", "/api/v2/organization/gh/acme", reply(json=organization))
    server.on("GET", "/api/v2/organization/gh%2Facme", reply(json=organization))
    exports = Exports(server, table(("a", "1.5")))
    period = (date(2026, 1, 1), date(2026, 2, 10))
    assert await names(client.usage.rows(" gh/acme ", *period, shared_orgs=["gh/acme"])) == ["a", "a"]
    assert [order["shared_org_ids"] for order in exports.orders] == [[ORG], [ORG]]
    assert sum("organization/" in request.path for request in server.requests) == 1


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"org": "gh/acme/web"}, "org: 'gh/acme/web' is the slug of a project; the organization is 'gh/acme'"),
        ({"org": None}, "org: expected the slug or id of an organization, got None"),
        ({"org": "acme"}, "org: expected a slug such as gh/acme, got 'acme'"),
        ({"shared_orgs": ORG}, "shared_orgs: expected a list, got str"),
        ({"shared_orgs": ["gh/acme/web"]}, "shared_orgs: 'gh/acme/web' is the slug of a project"),
        ({"start": "2026-01-01"}, "start: expected date or datetime, got str"),
        ({"end": NAIVE}, "end: expected a time zone"),
        ({"end": date(2026, 1, 1)}, "end: expected a time after start"),
        ({"timeout": 0}, "timeout: expected seconds above 0 or None, got 0"),
        ({"concurrency": 0}, "concurrency: expected an int of at least 1, got 0"),
    ],
)
async def test_invalid_arguments(
    server: ScriptedServer, client: AsyncCircleCI, wrong: dict[str, Any], says: str, tmp_path: Path
) -> None:
    arguments: dict[str, Any] = {"org": ORG, "start": JANUARY[0], "end": JANUARY[1], **wrong}
    with pytest.raises(InvalidArgumentError, match=rf"^usage\.rows: {says}"):
        client.usage.rows(**arguments)
    with pytest.raises(InvalidArgumentError, match=rf"^usage\.download: {says}"):
        await client.usage.download(**arguments, dest=tmp_path)
    assert not server.requests


async def test_each_window_is_ordered_when_its_turn_comes(server: ScriptedServer, client: AsyncCircleCI) -> None:
    exports = Exports(server, table(("a", "1"), ("b", "1")))
    rows = client.usage.rows(ORG, date(2026, 1, 1), date(2026, 3, 5), shared_orgs=[ORG])
    await anext(rows)
    assert len(exports.orders) == 1
    assert len(await names(rows)) == 5
    assert [order["start"] for order in exports.orders] == [
        "2026-01-01T00:00:00Z",
        "2026-02-01T00:00:00Z",
        "2026-03-04T00:00:00Z",
    ]
    assert all(order["shared_org_ids"] == [ORG] for order in exports.orders)


async def test_it_looks_no_quicker_than_allowed(
    server: ScriptedServer, client: AsyncCircleCI, clock: FakeClock
) -> None:
    exports = Exports(server, table())
    exports.states = ["created", *["processing"] * 30, "completed"]
    told: list[UsageProgress] = []
    assert await names(client.usage.rows(ORG, *JANUARY, on_progress=told.append)) == []
    assert len(clock.slept) == 32
    assert min(clock.slept) >= 6
    assert max(clock.slept) <= 30
    assert [one.state for one in told] == ["created", "created", *["processing"] * 30, "completed"]
    assert told[-1].files == 1
    assert told[0].window.start == datetime(2026, 1, 1, tzinfo=UTC)


async def test_ten_orders_an_hour(server: ScriptedServer, clock: FakeClock) -> None:
    Exports(server, table())
    async with client_on(server, clock) as client:
        await names(client.usage.rows(ORG, date(2025, 1, 1), date(2025, 12, 31)))
    starts = [request for request in server.requests if request.method == "POST"]
    assert len(starts) == 12
    assert 3600 <= clock.now - 1000 < 4500


@pytest.mark.parametrize("fault", [reply(429, text="Rate limited."), reply(502), reply(503), drop()])
async def test_every_call_may_fail_once(server: ScriptedServer, client: AsyncCircleCI, fault: Response) -> None:
    exports = Exports(server, [fault, reply(body=table(("a", "1")))])
    look = exports.look
    faults = [fault]
    exports.look = lambda export: faults.pop() if faults else look(export)  # type: ignore[method-assign]  # replaced for this test
    assert await names(client.usage.rows(ORG, *JANUARY)) == ["a"]
    assert len(exports.orders) == 1


async def test_a_longer_outage_while_it_waits(server: ScriptedServer, client: AsyncCircleCI) -> None:
    exports = Exports(server, table(("a", "1")))
    look = exports.look
    faults = [reply(502)] * 5  # more than a single call tries
    exports.look = lambda export: faults.pop() if faults else look(export)  # type: ignore[method-assign]  # replaced for this test
    assert await names(client.usage.rows(ORG, *JANUARY)) == ["a"]
    assert len(exports.orders) == 1
    faults += [reply(502)] * 100
    with pytest.raises(ServerError):
        await names(client.usage.rows(ORG, *JANUARY))


async def test_a_long_refusal_is_waited_for(server: ScriptedServer, client: AsyncCircleCI, clock: FakeClock) -> None:
    exports = Exports(server, table(("a", "1")))
    server.script([reply(429, text="Rate limited.", headers={"Retry-After": "1800"})])
    assert await names(client.usage.rows(ORG, *JANUARY)) == ["a"]
    assert clock.now - 1000 >= 1800
    assert len(exports.orders) == 2  # the one that was refused, and the one that was not


async def test_an_order_that_may_have_arrived_is_not_repeated(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("POST", ORDER, reply(502))
    with pytest.raises(ServerError) as caught:
        await names(client.usage.rows(ORG, *JANUARY))
    assert caught.value.request_outcome == "unknown"
    assert caught.value.next == "2026-01-01T00:00:00+00:00"
    assert len(server.requests) == 1


async def test_a_failed_export_says_why(server: ScriptedServer, client: AsyncCircleCI) -> None:
    exports = Exports(server)
    exports.states = ["processing", "failed"]
    with pytest.raises(CallError, match=r"export from 2026-01-01 on failed: too much") as caught:
        await names(client.usage.rows(ORG, *JANUARY))
    assert caught.value.next == "2026-01-01T00:00:00+00:00"


async def test_the_time_for_a_window(server: ScriptedServer, client: AsyncCircleCI, clock: FakeClock) -> None:
    exports = Exports(server)
    exports.states = ["processing"]
    with pytest.raises(RequestTimeoutError):
        await names(client.usage.rows(ORG, *JANUARY, timeout=100))
    assert clock.now - 1000 < 100


async def test_no_call_outlasts_the_time_of_its_window(server: ScriptedServer) -> None:
    server.on("POST", ORDER, hang())
    async with client_on(server) as client:
        with pytest.raises(RequestTimeoutError) as caught, anyio.fail_after(30):
            await names(client.usage.rows(ORG, *JANUARY, timeout=2))
    assert (caught.value.request_outcome, caught.value.next) == ("unknown", "2026-01-01T00:00:00+00:00")


async def test_an_error_has_the_start_of_its_window(server: ScriptedServer, client: AsyncCircleCI) -> None:
    exports = Exports(server, [reply(body=table(("a", "1"))), reply(404)])
    rows = client.usage.rows(ORG, date(2026, 1, 1), date(2026, 2, 5))
    assert await names(rows) == ["a"]
    (skipped,) = rows.skipped
    assert isinstance(skipped.error, NotFoundError)
    assert skipped.error.next == "2026-02-01T00:00:00+00:00"
    assert skipped.id == "2026-02-01T00:00:00+00:00/2026-02-05T00:00:00+00:00 file 0"
    assert "hidden" not in str(skipped)
    assert len(exports.orders) == 2


async def test_a_broken_connection_is_resumed(server: ScriptedServer, client: AsyncCircleCI) -> None:
    file = table(*((f"job{number}", str(number)) for number in range(5000)))
    Exports(server, [reply(body=file).cut(), reply(body=file)])
    assert len(await names(client.usage.rows(ORG, *JANUARY))) == 5000


async def test_an_expired_link_is_asked_for_again(server: ScriptedServer, client: AsyncCircleCI) -> None:
    exports = Exports(server, reply(403, text="<Error>Request has expired</Error>"))
    server.on("GET", "/fresh", reply(body=table(("a", "1"))))
    look = exports.look

    def fresh(export: str) -> Response:
        response = look(export)
        exports.links = [server.url + "/fresh"] if exports.fetched() else exports.links
        return look(export) if exports.fetched() else response

    exports.look = fresh  # type: ignore[method-assign]  # replaced for this test
    assert await names(client.usage.rows(ORG, *JANUARY)) == ["a"]


@ON_ASYNCIO
@pytest.mark.load
async def test_large_files_cost_little_memory(server: ScriptedServer, client: AsyncCircleCI) -> None:
    import tracemalloc

    # Few rows with much text: each row of a sync client crosses threads, which takes long on a slow machine.
    file = table(*((f"job{number}" + "x" * 7_000, "1") for number in range(3_000)))
    Exports(server, file)
    count = 0
    tracemalloc.start()
    async for _ in client.usage.rows(ORG, *JANUARY):
        count += 1
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert count == 3_000
    assert peak < 8_000_000  # of 21 MB


async def test_leaving_early_leaves_nothing_open(server: ScriptedServer, client: AsyncCircleCI) -> None:
    exports = Exports(server, *[table(("a", "1"), ("b", "1"))] * 3)
    async for _ in client.usage.rows(ORG, *JANUARY):
        break
    async with client.usage.rows(ORG, date(2026, 1, 1), date(2026, 12, 1)) as rows:
        await anext(rows)
    assert await names(rows) == []
    assert len(exports.orders) == 2


async def test_a_cancelled_reader_loses_no_row(server: ScriptedServer, client: AsyncCircleCI) -> None:
    Exports(server, table(*((f"job{number}", "1") for number in range(3000))))
    rows = client.usage.rows(ORG, *JANUARY)
    found = [(await anext(rows)).job_name]
    while True:
        with anyio.CancelScope() as scope:
            scope.cancel()
            await anext(rows, None)
        try:
            found.append((await anext(rows)).job_name)
        except StopAsyncIteration:
            break
    # A cancelled call may give a row that was ready; what it fetched is never thrown away.
    assert len(found) >= 1500
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("file", "word"),
    [
        (table(("a", "1", "2")), "3 cells for 2 columns"),
        (table(("a", "1"))[:-12], "row"),
        (b"\x1f\x8bnot really", "row"),
        (gzip.compress(b"JOB_NAME\n\xff\xff", mtime=0), "row"),
    ],
    ids=range(4),
)
async def test_a_broken_file_is_an_error(server: ScriptedServer, client: AsyncCircleCI, file: bytes, word: str) -> None:
    Exports(server, file)
    rows = client.usage.rows(ORG, date(2026, 1, 1), date(2026, 3, 1))
    with pytest.raises(DecodeError, match=word) as caught:
        await names(rows)
    assert caught.value.request_outcome == "processed"
    assert caught.value.next == "2026-01-01T00:00:00+00:00"
    assert await names(rows) == []


async def test_a_file_in_an_encoding_without_a_decoder_is_an_error(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    Exports(server, reply(body=b"noise", headers={"Content-Encoding": "br"}))
    folder = tmp_path / "files"
    with pytest.raises(DecodeError, match="Content-Encoding: br"):
        await names(client.usage.rows(ORG, *JANUARY))
    with pytest.raises(DecodeError, match="Content-Encoding: br"):
        await client.usage.download(ORG, *JANUARY, folder)
    assert not folder.exists()


async def test_an_odd_cell_is_unavailable_in_its_row(server: ScriptedServer) -> None:
    Exports(server, table(("a", "much"), ("b", "2")))
    drift: list[Drift] = []
    async with client_on(server, FakeClock(), on_drift=drift.append) as client:
        rows = [row async for row in client.usage.rows(ORG, date(2026, 1, 1), date(2026, 1, 2))]
    assert [row.job_name for row in rows] == ["a", "b"]
    assert [getattr(row, "total_credits", "unavailable") for row in rows] == ["unavailable", 2.0]
    assert rows[0].model_dump()["total_credits"] == "much"
    assert [row.mismatches for row in rows] == [(Mismatch("total_credits", "number or null", "string"),), ()]
    assert [(one.operation, one.place, one.kind) for one in drift] == [("usage.rows", "total_credits", "type")]


async def test_an_odd_cell_is_an_error_for_a_strict_client(server: ScriptedServer) -> None:
    Exports(server, table(("a", "1"), ("b", "much")))
    async with client_on(server, FakeClock(), strict=True) as client:
        rows = client.usage.rows(ORG, date(2026, 1, 1), date(2026, 1, 2))
        assert await names(rows) == ["a"]
        with pytest.raises(CircleCIError, match=r"row 3 of a file.*total_credits: expected number"):
            rows.raise_for_failure()
    (skipped,) = rows.skipped
    assert isinstance(skipped.error, DecodeError)
    assert skipped.error.field == "total_credits"


@pytest.mark.parametrize(
    "odd",
    [
        reply(text="<html><title>Sign in</title></html>"),
        reply(json=[]),
        reply(json={"usage_export_job_id": "x", "state": 5}),
        reply(json={"usage_export_job_id": "x", "state": "completed", "download_urls": "soon"}),
        reply(json={"usage_export_job_id": "x", "state": "completed", "download_urls": None}),
    ],
    ids=["a page", "a list", "no state", "odd links", "null"],
)
async def test_an_odd_response_is_read_again_at_the_next_poll(server: ScriptedServer, odd: Response) -> None:
    exports = Exports(server, table(("a", "1")))
    waiting = [odd, odd]
    look = exports.look
    exports.look = lambda export: waiting.pop() if waiting else look(export)  # type: ignore[method-assign]  # replaced for this test
    states: list[str] = []
    async with client_on(server, FakeClock()) as client:
        rows = client.usage.rows(
            ORG, date(2026, 1, 1), date(2026, 1, 2), on_progress=lambda progress: states.append(progress.state)
        )
        assert await names(rows) == ["a"]
    assert not waiting
    assert len(exports.orders) == 1
    assert states in (
        ["created", "processing", "completed"],
        ["created", "unknown", "unknown", "processing", "completed"],
    )


async def test_polls_that_are_always_odd_end_the_wait(server: ScriptedServer) -> None:
    exports = Exports(server, table(("a", "1")))
    exports.look = lambda export: reply(text="<html></html>")  # type: ignore[method-assign]  # replaced for this test
    async with client_on(server, FakeClock()) as client:
        with pytest.raises(DecodeError, match="HTML"):
            await names(client.usage.rows(ORG, date(2026, 1, 1), date(2026, 1, 2)))
    assert len(exports.orders) == 1


@pytest.mark.parametrize("links", [5, None])
async def test_a_completed_export_without_links_is_polled_and_then_an_error(
    server: ScriptedServer, links: object
) -> None:
    export = {"usage_export_job_id": "x", "state": "completed", "download_urls": links}
    server.on("POST", ORDER, reply(201, json=export))
    server.on("GET", f"{ORDER}/x", reply(json=export))
    async with client_on(server, FakeClock()) as client:
        with pytest.raises(CallError, match="no links to its files") as caught:
            await names(client.usage.rows(ORG, date(2026, 1, 1), date(2026, 1, 2)))
    assert caught.value.next is not None
    assert [request.method for request in server.requests] == ["POST", "GET", "GET", "GET"]


async def test_an_export_without_an_id_is_not_requested_again(server: ScriptedServer) -> None:
    server.on("POST", ORDER, reply(201, json={"usage_export_job_id": 5, "state": "created"}))
    async with client_on(server, FakeClock()) as client:
        with pytest.raises(CallError, match="the API returned no id of the new export") as caught:
            await names(client.usage.rows(ORG, date(2026, 1, 1), date(2026, 1, 2)))
    assert caught.value.request_outcome == "processed"
    assert len(server.requests) == 1


# To disk.


async def test_files_go_to_disk_as_they_are(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    files = [table(("a", "1")), table(("b", "1"))]
    exports = Exports(server, *files)
    paths = await client.usage.download(ORG, date(2026, 1, 1), date(2026, 2, 3), tmp_path / "new")
    assert [path.name for path in paths] == [
        "usage-20260101-20260131-0.csv.gz",
        "usage-20260101-20260131-1.csv.gz",
        "usage-20260201-20260202-0.csv.gz",
        "usage-20260201-20260202-1.csv.gz",
    ]
    assert [path.read_bytes() for path in paths] == files * 2
    with pytest.raises(FileExistsError):
        await client.usage.download(ORG, date(2026, 2, 1), date(2026, 2, 3), tmp_path / "new")
    assert len(exports.orders) == 2
    await client.usage.download(ORG, date(2026, 2, 1), date(2026, 2, 3), tmp_path / "new", overwrite=True)
    assert len(exports.orders) == 3


async def test_a_failed_file_leaves_nothing(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    Exports(server, reply(body=table(("a", "1"))).cut(keep=0))
    with pytest.raises(ConnectionFailedError) as caught:
        await client.usage.download(ORG, *JANUARY, tmp_path)
    assert not list(tmp_path.rglob("*.gz"))  # noqa: ASYNC240  # nothing else runs
    assert not list(tmp_path.rglob("*.part"))  # noqa: ASYNC240  # nothing else runs
    assert caught.value.next == "2026-01-01T00:00:00+00:00"


# On the fake.


@pytest.mark.parametrize("fault", [None, {"status": 429}, {"status": 502}, {"truncate": True}, {"expired": True}])
async def test_the_fake_counts_what_its_jobs_used(fault: dict[str, Any] | None) -> None:
    fake = FakeCircleCI()
    web = fake.add_project("gh/acme/web")
    org = fake.organization("gh/acme").id
    async with fake.client() as circleci:
        for _ in range(3):
            web.will_run(Workflow("build", Job("test", 60), Job("lint", 30)))
            await circleci.v2.pipelines.trigger("gh/acme/web", branch="main")
            fake.clock.advance(86400 * 20)
        if fault is not None:
            fake.fail_next("usage", **fault)
        start = fake.clock.now - timedelta(days=70)
        rows = [row async for row in circleci.usage.rows(org, start, fake.clock.now)]
    assert sorted(row.job_name or "" for row in rows) == ["lint"] * 3 + ["test"] * 3
    assert {row.project_name for row in rows} == {"web"}
    assert all((row.total_credits or 0) > 0 for row in rows)
    assert all(row.job_run_started_at is not None and row.job_run_started_at.tzinfo is UTC for row in rows)


# Decisions.


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (date(2026, 1, 1), date(2026, 1, 2), [("01-01", "01-02")]),
        (date(2026, 1, 1), date(2026, 2, 1), [("01-01", "02-01")]),
        (date(2026, 1, 1), date(2026, 2, 2), [("01-01", "02-01"), ("02-01", "02-02")]),
        (date(2026, 1, 1), date(2026, 4, 1), [("01-01", "02-01"), ("02-01", "03-04"), ("03-04", "04-01")]),
    ],
)
def test_windows_of_days(start: date, end: date, expected: list[tuple[str, str]]) -> None:
    assert [(f"{one.start:%m-%d}", f"{one.end:%m-%d}") for one in windows(start, end)] == expected


def test_windows_of_moments_are_cut_at_midnight() -> None:
    start = datetime(2026, 1, 1, 15, 30, tzinfo=timezone(timedelta(hours=2)))
    found = windows(start, datetime(2026, 2, 10, 1, tzinfo=UTC))
    assert [(one.start.isoformat(), one.last.isoformat()) for one in found] == [
        ("2026-01-01T13:30:00+00:00", "2026-01-31T23:59:59.999999+00:00"),
        ("2026-02-01T00:00:00+00:00", "2026-02-10T00:59:59.999999+00:00"),
    ]


MOMENTS = st.datetimes(timezones=st.just(UTC)).map(lambda moment: moment.replace(year=2020 + moment.year % 8, day=1))


@given(MOMENTS, st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(days=400)))
def test_windows_have_no_gap_and_no_overlap(start: datetime, length: timedelta) -> None:
    found = windows(start, start + length)
    assert found[0].start == start
    assert found[-1].end == start + length
    for before, after in pairwise(found):
        assert before.end == after.start
        assert after.start - before.last == timedelta(microseconds=1)
        assert before.last.date() < after.start.date()  # nor do they share a day
    assert all(timedelta(0) <= one.last - one.start < timedelta(days=31) for one in found)
    assert len(found) <= length / timedelta(days=30) + 1
    assert len({file_stem(one) for one in found}) == len(found)


@pytest.mark.parametrize(
    ("start", "end"),
    [
        (date(2026, 1, 2), date(2026, 1, 2)),
        (date(2026, 1, 2), date(2026, 1, 1)),
        (NAIVE, date(2026, 1, 2)),
        (date(2026, 1, 1), NAIVE),
    ],
)
def test_periods_that_are_refused(start: date, end: date) -> None:
    with pytest.raises(InvalidArgumentError):
        windows(start, end)


@given(st.lists(st.floats(0, 20_000), max_size=60))
def test_never_more_than_ten_orders_in_an_hour(wishes: list[float]) -> None:
    ordered: deque[float] = deque()
    times: list[float] = []
    now = 0.0
    for wish in sorted(wishes):
        now = max(now, wish)
        now += request_delay(ordered, now)
        ordered.append(now)
        times.append(now)
    for first, eleventh in zip(times, times[10:], strict=False):
        assert eleventh - first >= 3600 - 1e-6


def test_looks_slow_down_and_stay_within_ten_a_minute() -> None:
    pauses = [poll_delay(polls) for polls in range(100)]
    assert pauses == sorted(pauses)
    assert all(6 <= pause <= 30 for pause in pauses)


@pytest.mark.parametrize(
    ("cell", "name"),
    [("TOTAL_CREDITS", "total_credits"), (" Total Credits ", "total_credits"), ("total-credits", "total_credits")],
)
def test_names_of_columns(cell: str, name: str) -> None:
    assert column_name(cell) == name


def read(text: str, pack: Callable[[bytes], bytes] = bytes) -> list[UsageRow]:
    reader = RowReader(io.BytesIO(pack(text.encode())))
    rows: list[UsageRow] = []
    while more := reader.more():
        rows += more
    reader.close()
    return rows


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["plain", "gzip"])
def test_cells_become_what_they_mean(pack: Callable[[bytes], bytes]) -> None:
    [row] = read(
        "\ufeffJOB_NAME,PIPELINE_NUMBER,IS_WORKFLOW_SUCCESSFUL,IS_UNREGISTERED_USER,JOB_RUN_STARTED_AT,JOB_RUN_DATE,"
        "PIPELINE_CREATED_AT,PROJECT_CREATED_DATE,MEDIAN_CPU_UTILIZATION_PCT,VCS_BRANCH,COMPUTE_CREDITS,NEW_COLUMN\r\n"
        '"say ""hi"",\nplease",17,Y,false,2026-01-02 03:04:05.678,2026-01-02,2026-01-02T03:04:05Z,'
        "2020-05-06 07:08:09.000,\\N,,1234567.25,new\r\n",
        pack,
    )
    assert row.job_name == 'say "hi",\nplease'
    assert row.pipeline_number == 17
    assert (row.is_workflow_successful, row.is_unregistered_user) == (True, False)
    assert row.job_run_started_at == datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC)
    assert row.pipeline_created_at == datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert (row.job_run_date, row.project_created_date) == (date(2026, 1, 2), date(2020, 5, 6))
    assert (row.median_cpu_utilization_pct, row.vcs_branch) == (None, None)
    assert row.compute_credits == 1234567.25
    assert row.model_extra == {"new_column": "new"}
    assert row.total_credits is None


def test_an_empty_file_has_no_rows() -> None:
    assert read("") == read("JOB_NAME\n") == []
