"""Artifacts: complete downloads, safe names, and the newest run; on asyncio and trio."""

from __future__ import annotations

import errno
import inspect
import os
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, cast

import anyio
import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import (
    UNSET,
    AsyncCircleCI,
    AuthenticationError,
    CircleCIError,
    ClientClosedError,
    ConnectionFailedError,
    InvalidArgumentError,
    PermissionDeniedError,
    RateLimitError,
    RequestTimeoutError,
)
from circleci_sdk.helpers import DownloadedArtifact, DownloadReport, Skipped
from circleci_sdk.helpers._downloads.names import safe_parts
from circleci_sdk.helpers._downloads.staging import Stage, move_new
from circleci_sdk.helpers.artifacts.manifest import NAME, Manifest, parse
from circleci_sdk.helpers.artifacts.selection import Listed, matches_pattern, pick_workflows, plan
from circleci_sdk.v2.models import Artifact, Workflow
from tests.helpers.long_work import EACH_FAILURE, EACH_REFUSAL, REFUSALS, Failure, assert_named
from tests.support.clients import SLUG, TOKEN, client_on
from tests.support.clock import FakeClock
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, hang, redirect, reply

LIST = f"/api/v2/project/{SLUG}/7/artifacts"
BIG = bytes(range(256)) * 8000


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, FakeClock()) as client:
        yield client


def stores(server: ScriptedServer, *files: tuple[int, str, bytes | Response | Sequence[Response]]) -> None:
    """Job 7 has these artifacts, each on an address of its own."""
    items: list[dict[str, Any]] = []
    for number, (node, path, content) in enumerate(files):
        items.append({"path": path, "node_index": node, "url": f"{server.url}/files/{number}"})
        server.on("GET", f"/files/{number}", reply(body=content) if isinstance(content, bytes) else content)
    server.on("GET", LIST, reply(json={"items": items, "next_page_token": None}))


def tree(folder: Path) -> dict[str, bytes]:
    """All files but the record."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != NAME
    }


def everything(folder: Path) -> list[Path]:
    return list(folder.rglob("*"))


def causes(error: BaseException) -> tuple[Exception, ...]:
    """The errors behind the error of a report."""
    group = error.__cause__
    assert isinstance(group, ExceptionGroup)
    return cast("ExceptionGroup[Exception]", group).exceptions


def names(report: DownloadReport | None) -> list[str]:
    """What was passed over."""
    assert report is not None
    return [one.id for one in report.skipped]


def fetched(server: ScriptedServer) -> list[Request]:
    return [request for request in server.requests if request.path.startswith("/files/")]


async def test_node_indexes_keep_apart_what_has_one_name(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    stores(server, (0, "out/report.xml", b"first"), (1, "out/report.xml", b"second"), (0, "big.bin", BIG))
    told: list[DownloadedArtifact] = []
    files = await client.artifacts.download(SLUG, 7, tmp_path / "new" / "dest", on_file=told.append)
    assert tree(tmp_path / "new" / "dest") == {
        "0/out/report.xml": b"first",
        "1/out/report.xml": b"second",
        "0/big.bin": BIG,
    }
    assert [file.size for file in files] == [5, 6, len(BIG)]
    assert [file.artifact.node_index for file in files] == [0, 1, 0]
    assert sorted(told, key=str) == sorted(files, key=str)
    assert [request.headers["circle-token"] for request in fetched(server)] == [TOKEN] * 3


async def test_every_page_is_read(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    server.on("GET", "/files/x", reply(body=b"x"))
    pages = iter([("a", "next"), ("b", None)])

    def page(request: Request) -> Response:
        name, token = next(pages)
        item = {"path": name, "node_index": 0, "url": f"{server.url}/files/x?{name}"}
        return reply(json={"items": [item], "next_page_token": token})

    server.on("GET", LIST, page)
    await client.artifacts.download(SLUG, 7, tmp_path)
    assert set(tree(tmp_path)) == {"0/a", "0/b"}


def is_deep(artifact: Artifact) -> bool:
    return "er" in artifact.path


@pytest.mark.parametrize(
    ("match", "names"),
    [
        (UNSET, {"a.xml", "deep/b.xml", "deep/er/c.txt"}),
        ("*.xml", {"a.xml", "deep/b.xml"}),
        (["*.txt", "a.*"], {"a.xml", "deep/er/c.txt"}),
        ("deep/**", {"deep/b.xml", "deep/er/c.txt"}),
        (is_deep, {"deep/er/c.txt"}),
        ("nothing", set[str]()),
    ],
)
async def test_only_what_matches(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, match: Any, names: set[str]
) -> None:
    stores(server, (0, "a.xml", b"1"), (0, "deep/b.xml", b"2"), (0, "deep/er/c.txt", b"3"))
    await client.artifacts.download(SLUG, 7, tmp_path, match=match)
    assert set(tree(tmp_path)) == {f"0/{name}" for name in names}
    assert len(fetched(server)) == len(names)


async def test_what_is_there_is_refused_kept_or_replaced(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    stores(server, (0, "a", b"new"), (0, "b", b"new"))
    (tmp_path / "0").mkdir()
    (tmp_path / "0" / "a").write_bytes(b"old!")
    with pytest.raises(FileExistsError):
        await client.artifacts.download(SLUG, 7, tmp_path)
    assert not fetched(server)
    report = await client.artifacts.download(SLUG, 7, tmp_path, overwrite="skip")
    assert tree(tmp_path) == {"0/a": b"old!", "0/b": b"new"}
    assert [(file.path.name, file.skipped) for file in report] == [("b", False)]
    assert names(report) == ["a"]  # its origin is unknown
    with pytest.raises(CircleCIError, match=r"0/a exists and is not known to be this artifact; pass overwrite=True"):
        report.raise_for_failure()
    report = await client.artifacts.download(SLUG, 7, tmp_path, overwrite=True)
    assert tree(tmp_path) == {"0/a": b"new", "0/b": b"new"}
    assert report.raise_for_failure() is report
    count = len(fetched(server))
    report = await client.artifacts.download(SLUG, 7, tmp_path, overwrite="skip")
    assert [(file.skipped, file.size) for file in report.raise_for_failure()] == [(True, 3), (True, 3)]
    assert len(fetched(server)) == count
    (tmp_path / "0" / "a").write_bytes(b"longer")
    assert names(await client.artifacts.download(SLUG, 7, tmp_path, overwrite="skip")) == ["a"]


async def test_jobs_in_one_folder_never_mix(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    """The same path and size, but another content."""
    for number in (7, 8):
        item = {"path": "a", "node_index": 0, "url": f"{server.url}/files/{number}"}
        server.on("GET", f"/api/v2/project/{SLUG}/{number}/artifacts", page(item))
        server.on("GET", f"/files/{number}", reply(body=b"%d" % number))
    assert (await client.artifacts.download(SLUG, 7, tmp_path, overwrite="skip")).ok
    other = await client.artifacts.download(SLUG, 8, tmp_path, overwrite="skip")
    assert tree(tmp_path) == {"0/a": b"7"}
    assert (len(other), names(other)) == (0, ["a"])
    with pytest.raises(CircleCIError, match="exists and is another one; pass overwrite=True"):
        other.raise_for_failure()
    assert (await client.artifacts.download(SLUG, 8, tmp_path, overwrite=True)).ok
    assert tree(tmp_path) == {"0/a": b"8"}
    assert names(await client.artifacts.download(SLUG, 7, tmp_path, overwrite="skip")) == ["a"]


LONG = "x" * 300
FAILURES: dict[str, Any] = {
    "expired": (404, "a.txt"),
    "forbidden": (403, "a.txt"),
    "refused once": (401, "a.txt"),
    "broken for ever": (502, "a.txt"),
    **{f"as any: {name}": (failure.response, "a.txt") for name, failure in REFUSALS.items()},
    "cut for ever": (reply(body=BIG).cut(keep=0), "new/and/a.txt"),
    "encoding": (reply(body=b"noise", headers={"Content-Encoding": "br"}), "a.txt"),
    "long name": (200, f"new/{LONG}"),
    "long folder": (200, f"{LONG}/a.txt"),
    "leads out": (200, "../../evil"),
    "absolute": (200, "/etc/passwd"),
    "drive": (200, "C:/x"),
    "backslash": (200, "..\\x"),
    "same path": (200, "fine 1"),
    "inside of a file": (200, "fine 1/a"),
    "path": (200, None),
    "url": (200, "a.txt"),
    "node_index": (200, "a.txt"),
    "url of another kind": (200, "a.txt"),
    "folder in its place": (200, "folder"),
}


@pytest.mark.parametrize(("place", "overwrite"), [(0, True), (1, "skip"), (2, True)], ids=["first", "middle", "last"])
@pytest.mark.parametrize("kind", FAILURES)
async def test_one_artifact_that_fails_is_one_item_of_the_report(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, kind: str, place: int, overwrite: Any
) -> None:
    if kind in ("same path", "inside of a file") and place == 0:
        return  # the first one has the path
    response, path = FAILURES[kind]
    dest = tmp_path / "dest"
    (dest / "0" / "folder").mkdir(parents=True)
    good = [{"path": f"fine {n}", "node_index": 0, "url": f"{server.url}/fine/{n}"} for n in (1, 2)]
    bad: dict[str, Any] = {"path": path, "node_index": 0, "url": f"{server.url}/bad"}
    if kind in ("url", "node_index"):
        bad[kind] = None
    if kind == "url of another kind":
        bad["url"] = "ftp://example.com/a"
    for n in (1, 2):
        server.on("GET", f"/fine/{n}", reply(body=b"fine"))
    server.on("GET", "/bad", reply(response, text="<html>") if isinstance(response, int) else response)
    server.on("GET", LIST, page(*good[:place], bad, *good[place:]))
    told: list[str] = []
    report = await client.artifacts.download(
        SLUG, 7, dest, overwrite=overwrite, concurrency=1, on_file=lambda file: told.append(file.path.name)
    )
    assert [file.path.name for file in report.files] == told == ["fine 1", "fine 2"]
    assert [(one.operation, one.id) for one in report.skipped] == [
        ("artifacts.download", path if path is not None else f"items.{place}")
    ]
    assert tree(tmp_path) == {"dest/0/fine 1": b"fine", "dest/0/fine 2": b"fine"}
    assert not (dest / "0" / "new").exists()
    assert not report.ok
    with pytest.raises(CircleCIError, match=r"^artifacts: 2 downloaded, 1 passed over:") as caught:
        report.raise_for_failure()
    assert causes(caught.value) == (report.skipped[0].error,)


@pytest.mark.parametrize("name", ["aux.js", "NUL", "a/com1.txt"])
async def test_names_of_devices_are_fine_elsewhere(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, name: str
) -> None:
    stores(server, (0, name, b"1"))
    assert (await client.artifacts.download(SLUG, 7, tmp_path)).ok
    assert tree(tmp_path) == {f"0/{name}": b"1"}


async def test_the_third_refusal_in_a_row_ends_it(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    stores(server, (0, "done", b"1"), *((0, str(n), reply(401)) for n in range(3)), (0, "rest", b"2"))
    with pytest.raises(AuthenticationError):
        await client.artifacts.download(SLUG, 7, tmp_path, concurrency=1)
    assert tree(tmp_path) == {"0/done": b"1"}


async def test_the_rate_limit_ends_it(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    limited = reply(429, text="Rate limited.", headers={"Retry-After": "9999"})
    stores(server, (0, "done", b"1"), (0, "deep/limited", limited), (0, "rest", b"2"))
    with pytest.raises(RateLimitError):
        await client.artifacts.download(SLUG, 7, tmp_path, concurrency=1)
    assert tree(tmp_path) == {"0/done": b"1"}
    assert not (tmp_path / "0" / "deep").exists()


async def test_what_was_passed_over_is_in_the_order_of_the_api(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    """Not in the order of completion: the first response comes last, when the client has asked for all."""
    all_asked = anyio.Event()

    class Held(httpx.AsyncBaseTransport):
        def __init__(self) -> None:
            self.asked = 0

        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            if request.url.path == LIST:
                items = [{"path": str(n), "node_index": 0, "url": f"https://circleci.com/f/{n}"} for n in range(6)]
                return httpx.Response(200, json={"items": items, "next_page_token": None})
            self.asked += 1
            if self.asked == 6:
                all_asked.set()
            if request.url.path.endswith("/0"):
                await all_asked.wait()
            number = int(request.url.path[-1])
            return httpx.Response(200, content=b"x") if number % 2 else httpx.Response(404)

    async with AsyncCircleCI(TOKEN, transport=Held()) as client:
        report = await client.artifacts.download(SLUG, 7, tmp_path, concurrency=2)
    assert names(report) == ["0", "2", "4"]
    assert [file.path.name for file in report] == ["1", "3", "5"]


async def test_a_list_of_artifacts_that_breaks_off(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    """What was listed comes out, and the rest is named."""
    item = {"path": "a", "node_index": 0, "url": f"{server.url}/files/a"}
    server.on("GET", "/files/a", reply(body=b"1"))

    def listed(request: Request) -> Response:
        if request.query:
            return reply(403, json={"message": "Permission denied"})
        return reply(json={"items": [item], "next_page_token": "2"})

    server.on("GET", LIST, listed)
    report = await client.artifacts.download(SLUG, 7, tmp_path)
    assert tree(tmp_path) == {"0/a": b"1"}
    assert [(one.operation, one.id) for one in report.skipped] == [("v2.jobs.list_artifacts", "7")]
    server.on("GET", LIST, reply(403, json={"message": "Permission denied"}))
    with pytest.raises(PermissionDeniedError):
        await client.artifacts.download(SLUG, 7, tmp_path / "b")
    assert not (tmp_path / "b").exists()


async def test_two_jobs_into_one_folder_at_once_never_mix(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    """Both have begun to write when neither file is there."""
    count = 5
    for number in (7, 8):
        items = [{"path": f"{n}", "node_index": 0, "url": f"{server.url}/files/{number}/{n}"} for n in range(count)]
        server.on("GET", f"/api/v2/project/{SLUG}/{number}/artifacts", page(*items))
        for n in range(count):
            server.on("GET", f"/files/{number}/{n}", reply(body=b"%d" % number * 100).dripping(3, pause=0.01))
    reports: dict[int, DownloadReport] = {}

    async def fetch(number: int) -> None:
        reports[number] = await client.artifacts.download(SLUG, number, tmp_path, overwrite="skip")

    async with anyio.create_task_group() as group:
        group.start_soon(fetch, 7)
        group.start_soon(fetch, 8)
    found = tree(tmp_path)
    assert len(found) == count
    for number, report in reports.items():
        assert all(file.path.read_bytes() == b"%d" % number * 100 for file in report)
        again = await client.artifacts.download(SLUG, number, tmp_path, overwrite="skip")
        assert {file.path for file in again} == {file.path for file in report}
    assert sum(len(report) for report in reports.values()) == count


def test_a_file_is_never_put_in_the_place_of_another_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if it has come since it was looked for, and on a file system without hard links."""

    def refuse(*_: object) -> None:
        raise PermissionError

    for link in (os.link, refuse):
        monkeypatch.setattr("circleci_sdk.helpers._downloads.staging.os.link", link)
        part, target = tmp_path / "part", tmp_path / "target"
        part.write_bytes(b"new")
        move_new(part, target)
        assert [path.name for path in everything(tmp_path)] == ["target"]
        part.write_bytes(b"newer")
        with pytest.raises(FileExistsError, match="target exists"):
            move_new(part, target)
        assert target.read_bytes() == b"new"
        target.unlink()
        part.unlink()


async def test_a_record_that_cannot_be_written(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    """The files are there; they are only not known to `skip`."""
    (tmp_path / NAME).mkdir()
    stores(server, (0, "a", b"1"))
    for _ in range(2):
        assert (await client.artifacts.download(SLUG, 7, tmp_path, overwrite=True)).ok
        assert tree(tmp_path) == {"0/a": b"1"}
    assert names(await client.artifacts.download(SLUG, 7, tmp_path, overwrite="skip")) == ["a"]


async def test_names_that_differ_in_case_alone_where_case_is_ignored(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stores(server, (0, "Read", b"1"), (0, "b", b"2"), (0, "rEAD", b"3"))
    assert (await client.artifacts.download(SLUG, 7, tmp_path / "a")).ok
    monkeypatch.setattr("circleci_sdk.helpers._downloads.names.IGNORES_CASE", True)
    report = await client.artifacts.download(SLUG, 7, tmp_path / "b", overwrite=True)
    assert names(report) == ["rEAD"]
    assert "same path on disk" in str(report.skipped[0])
    assert tree(tmp_path / "b") == {"0/Read": b"1", "0/b": b"2"}
    record = Manifest(tmp_path / "b")
    record.read()
    known = record.known(tmp_path / "b/0/READ")
    assert known is not None
    assert known == record.known(tmp_path / "b/0/Read")


@pytest.mark.parametrize("error", [errno.ENOSPC, errno.EROFS])
async def test_a_full_disk_ends_it(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: int
) -> None:
    def full(stage: Stage) -> Any:
        raise OSError(error, "full")

    monkeypatch.setattr(Stage, "create", full)
    stores(server, (0, "a", b"1"), (0, "b", b"2"))
    with pytest.raises(OSError, match="full"):
        await client.artifacts.download(SLUG, 7, tmp_path, concurrency=1)
    assert len(fetched(server)) == 1


async def test_a_destination_that_is_no_folder(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    stores(server, (0, "a", b"1"))
    (tmp_path / "file").write_bytes(b"")
    for dest in (tmp_path / "file", tmp_path / "file" / "deep"):
        with pytest.raises(NotADirectoryError, match=r"artifacts\.download: dest: .*file is no folder"):
            await client.artifacts.download(SLUG, 7, dest)
    assert not fetched(server)


async def test_a_client_that_is_closed_ends_it(server: ScriptedServer, tmp_path: Path) -> None:
    stores(server, (0, "a", b"1"), (0, "b", b"2"))
    async with client_on(server) as client:
        artifacts = client.artifacts
        listed = (await client.v2.jobs.list_artifacts(SLUG, 7)).items
    assert len(listed) == 2
    with pytest.raises(ClientClosedError):
        await artifacts.download(SLUG, 7, tmp_path)


async def test_a_broken_connection_is_resumed(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    half = len(BIG) // 2
    part = {"ETag": '"1"', "Content-Range": f"bytes {half}-{len(BIG) - 1}/{len(BIG)}"}
    stores(
        server, (0, "big", [reply(body=BIG, headers={"ETag": '"1"'}).cut(), reply(206, body=BIG[half:], headers=part)])
    )
    await client.artifacts.download(SLUG, 7, tmp_path)
    assert tree(tmp_path) == {"0/big": BIG}
    assert fetched(server)[1].headers["range"] == f"bytes={half}-"


@pytest.mark.parametrize("fault", [reply(429, text="Rate limited."), reply(502, text="<html>"), drop(reset=True)])
async def test_every_call_may_fail_once(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, fault: Response
) -> None:
    stores(server, (0, "a", [fault, reply(body=b"a")]))
    server.script([fault])
    await client.artifacts.download(SLUG, 7, tmp_path)
    assert tree(tmp_path) == {"0/a": b"a"}


async def test_concurrency_is_bounded(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    stores(server, *((0, f"{number}", reply(body=b"x" * 100).dripping(2, pause=0.01)) for number in range(12)))
    await client.artifacts.download(SLUG, 7, tmp_path, concurrency=3)
    assert len(tree(tmp_path)) == 12
    assert server.max_concurrent == 3
    with pytest.raises(InvalidArgumentError, match="concurrency"):
        await client.artifacts.download(SLUG, 7, tmp_path, concurrency=0, overwrite=True)


async def test_cancelled_it_leaves_no_half_files(server: ScriptedServer, tmp_path: Path) -> None:
    stores(server, (0, "slow", reply(body=BIG).dripping(100, pause=0.05)))
    async with client_on(server, max_concurrency=1) as client:
        with anyio.move_on_after(0.3) as scope:
            await client.artifacts.download(SLUG, 7, tmp_path / "new")
        assert scope.cancelled_caught
        assert everything(tmp_path) == []
        assert (await client.v2.jobs.list_artifacts(SLUG, 7)).items


async def test_the_time_for_all_files(server: ScriptedServer, tmp_path: Path) -> None:
    stores(server, (0, "slow", reply(body=BIG).dripping(100, pause=0.05)))
    async with client_on(server) as client:
        with pytest.raises(RequestTimeoutError):
            await client.artifacts.download(SLUG, 7, tmp_path, timeout=0.2)
    assert tree(tmp_path) == {}


async def test_the_list_of_files_counts_too(server: ScriptedServer, tmp_path: Path) -> None:
    server.otherwise(hang())
    async with client_on(server) as client:
        with pytest.raises(RequestTimeoutError, match="list_artifacts"), anyio.fail_after(5):
            await client.artifacts.download(SLUG, 7, tmp_path, timeout=0.3)


async def test_no_token_for_another_server(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    with ScriptedServer() as storage:
        storage.on("GET", "/signed", reply(body=b"stored"))
        stores(server, (0, "a", redirect(storage.url + "/signed?sig=1")))
        await client.artifacts.download(SLUG, 7, tmp_path)
        assert tree(tmp_path) == {"0/a": b"stored"}
        assert "circle-token" not in storage.requests[0].headers


async def test_compressed_on_the_way_or_by_nature(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    import gzip

    packed = gzip.compress(b"text")
    response = reply(body=packed, headers={"Content-Encoding": "gzip"})
    stores(server, (0, "a.txt", response), (0, "a.tar.gz", response))
    await client.artifacts.download(SLUG, 7, tmp_path)
    assert tree(tmp_path) == {"0/a.txt": b"text", "0/a.tar.gz": packed}


async def test_an_endless_failure_is_told(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    stores(server, (0, "a", reply(body=BIG).cut(keep=0)))
    report = await client.artifacts.download(SLUG, 7, tmp_path)
    assert isinstance(report.skipped[0].error, ConnectionFailedError)
    assert tree(tmp_path) == {}


# The newest ones.

ID = "00000000-0000-4000-8000-{:012}"


def pipeline(number: int) -> dict[str, Any]:
    return {
        "id": ID.format(number),
        "number": number,
        "project_slug": SLUG,
        "state": "created",
        "errors": [],
        "created_at": "2026-01-02T03:04:05Z",
        "trigger": {
            "type": "api",
            "received_at": "2026-01-02T03:04:05Z",
            "actor": {"login": "ada", "avatar_url": None},
        },
    }


def workflow(number: int, name: str, status: str, created: int = 0, **more: object) -> dict[str, Any]:
    return {
        "id": ID.format(number),
        "name": name,
        "status": status,
        "pipeline_id": ID.format(1),
        "pipeline_number": 1,
        "project_slug": SLUG,
        "started_by": ID.format(9),
        "created_at": f"2026-01-02T03:04:{created:02}Z",
        "stopped_at": None,
        **more,
    }


def job(number: int | None, name: str, status: str = "success") -> dict[str, Any]:
    shown: dict[str, Any] = {
        "id": ID.format(number or 99),
        "name": name,
        "status": status,
        "type": "build" if number else "approval",
        "dependencies": [],
        "project_slug": SLUG,
        "started_at": None,
    }
    return shown if number is None else {**shown, "job_number": number}


def page(*items: dict[str, Any]) -> Response:
    return reply(json={"items": items, "next_page_token": None})


@pytest.fixture
def runs(server: ScriptedServer) -> None:
    """Pipeline 3 failed in its tests; pipeline 2 ended well, after a rerun; pipeline 1 ended well."""
    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", page(pipeline(3), pipeline(2), pipeline(1)))
    workflows = {
        3: [workflow(31, "setup", "success", tag="setup"), workflow(32, "build", "failed")],
        2: [
            workflow(21, "build", "failed", 1),
            workflow(22, "build", "success", 5),
            workflow(23, "docs", "success", 2),
        ],
        1: [workflow(11, "build", "success")],
    }
    jobs = {
        31: [job(310, "generate")],
        32: [job(320, "compile"), job(321, "test", "failed")],
        21: [job(210, "compile"), job(211, "test", "failed")],
        22: [job(220, "compile"), job(221, "test"), job(None, "hold")],
        23: [job(230, "docs")],
        11: [job(110, "compile")],
    }
    for number, listed in workflows.items():
        server.on("GET", f"/api/v2/pipeline/{ID.format(number)}/workflow", page(*listed))
    for number, listed in jobs.items():
        server.on("GET", f"/api/v2/workflow/{ID.format(number)}/job", page(*listed))
        for one in listed:
            if "job_number" in one:
                artifact = {"path": f"{one['name']}.txt", "node_index": 0, "url": f"{server.url}/files/x"}
                server.on("GET", f"/api/v2/project/{SLUG}/{one['job_number']}/artifacts", page(artifact))


@pytest.mark.usefixtures("runs")
@pytest.mark.parametrize(
    ("asked", "workflow", "jobs"),
    [
        ({}, 22, [220, 221]),
        ({"workflow": "docs"}, 23, [230]),
        ({"job": "compile"}, 32, [320]),
        ({"job": "test"}, 22, [221]),
        ({"job": "test", "status": "failed"}, 32, [321]),
        ({"job": "compile", "workflow": "build"}, 32, [320]),
        ({"status": "failed"}, 32, [320, 321]),
        ({"status": UNSET}, 32, [320, 321]),
        ({"workflow": "setup"}, 31, [310]),
        ({"job": "docs", "workflow": "build"}, None, []),
        ({"job": "hold"}, 22, []),
        ({"workflow": "none"}, None, []),
        ({"max_pipelines": 1}, None, []),
    ],
)
async def test_the_newest_that_fits(
    client: AsyncCircleCI, asked: dict[str, Any], workflow: int | None, jobs: list[int]
) -> None:
    latest = await client.artifacts.latest(SLUG, **asked)
    if workflow is None:
        assert latest is None
        return
    assert latest is not None
    assert latest.workflow.id == ID.format(workflow)
    assert [one.number for one in latest.jobs] == jobs
    assert [artifact.path for artifact in latest.artifacts] == [f"{one.job.name}.txt" for one in latest.jobs]


@pytest.mark.usefixtures("runs")
async def test_the_branch_is_asked_for(server: ScriptedServer, client: AsyncCircleCI) -> None:
    await client.artifacts.latest(SLUG, branch="a b&c")
    await client.artifacts.latest(SLUG)
    first = [request for request in server.requests if request.path.endswith("/project/gh/acme/web/pipeline")]
    assert [request.query for request in first] == [(("branch", "a b&c"),), ()]


@pytest.mark.usefixtures("runs")
async def test_download_latest(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    server.on("GET", "/files/x", reply(body=b"content"))
    files = await client.artifacts.download_latest(SLUG, tmp_path)
    assert files is not None
    assert tree(tmp_path) == {"compile/0/compile.txt": b"content", "test/0/test.txt": b"content"}
    assert [(file.path, file.size) for file in files] == [
        (tmp_path / "compile/0/compile.txt", 7),
        (tmp_path / "test/0/test.txt", 7),
    ]
    with pytest.raises(FileExistsError):
        await client.artifacts.download_latest(SLUG, tmp_path)
    again = await client.artifacts.download_latest(SLUG, tmp_path, job="test", match="*.txt", overwrite="skip")
    assert again is not None
    assert [file.skipped for file in again] == [True]
    assert await client.artifacts.download_latest(SLUG, tmp_path / "b", match="*.xml") == DownloadReport(())
    assert await client.artifacts.download_latest(SLUG, tmp_path / "c", workflow="none") is None
    assert not (tmp_path / "b").exists()


@pytest.mark.usefixtures("runs")
async def test_jobs_of_one_name_never_share_a_file(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    server.on("GET", f"/api/v2/workflow/{ID.format(22)}/job", page(job(220, "test"), job(221, "test")))
    for number in (220, 221):
        artifact = {"path": "test.txt", "node_index": 0, "url": f"{server.url}/files/{number}"}
        server.on("GET", f"/api/v2/project/{SLUG}/{number}/artifacts", page(artifact))
        server.on("GET", f"/files/{number}", reply(body=b"%d" % number))
    report = await client.artifacts.download_latest(SLUG, tmp_path)
    assert names(report) == ["test.txt"]
    assert tree(tmp_path) == {"test/0/test.txt": b"220"}


@pytest.mark.parametrize("method", ["download", "latest", "download_latest"])
@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        (
            {"project_slug": "gh/acme"},
            r"project_slug: expected a slug such as gh/acme/web, got 'gh/acme'.*ProjectSlug\.parse",
        ),
        ({"project_slug": None}, "project_slug: expected str or ProjectSlug, got None"),
        ({"branch": None}, "branch: expected a non-empty str, got None. Leave it out, or pass UNSET, for no filter"),
        ({"workflow": 7}, "workflow: expected a non-empty str, got 7"),
        ({"job": ""}, "job: expected a non-empty str"),
        ({"status": None}, "status: expected a status of a workflow or job, got None"),
        ({"max_pipelines": 0}, "max_pipelines: expected an int of at least 1, got 0"),
        ({"match": 7}, "match: expected a pattern, several, or a function, got 7"),
        ({"overwrite": "yes"}, "overwrite: expected True, False or 'skip', got 'yes'"),
        ({"concurrency": 0}, "concurrency: expected an int of at least 1, got 0"),
        ({"timeout": 0}, "timeout: expected seconds above 0 or None, got 0"),
        ({"timeout": "60"}, "timeout: expected seconds above 0 or None, got str"),
    ],
)
async def test_invalid_arguments(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, method: str, wrong: dict[str, Any], says: str
) -> None:
    function = getattr(client.artifacts, method)
    parameters = inspect.signature(function).parameters
    if next(iter(wrong)) not in parameters:
        return
    valid = {"project_slug": SLUG, "job_number": 7, "dest": tmp_path}
    arguments = {**{name: value for name, value in valid.items() if name in parameters}, **wrong}
    with pytest.raises(InvalidArgumentError, match=rf"^artifacts\.{method}: {says}"):
        await function(**arguments)
    assert server.requests == []


async def test_white_space_around_a_slug_is_ignored(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    stores(server, (0, "a.txt", b"a"))
    assert len(await client.artifacts.download(f" {SLUG}\n", 7, tmp_path)) == 1


# Decisions.


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("a", ("a",)),
        ("a/b/c.txt", ("a", "b", "c.txt")),
        ("./a//b", ("a", "b")),
        ("a b/ü.txt", ("a b", "ü.txt")),
        ("..a/b..", ("..a", "b..")),
        ("console", ("console",)),
        ("common1", ("common1",)),
        ("10:30.log", ("10:30.log",)),
        ("null.txt", ("null.txt",)),
    ],
)
def test_good_names(name: str, parts: tuple[str, ...]) -> None:
    assert safe_parts(name, windows=False) == parts


@pytest.mark.parametrize(
    "name",
    [
        *("", "/", ".", "./", "a/", "/a", "//server/share/a", "..", "../a", "a/..", "a/../b", "a/b/../../../c"),
        *("\\a", "a\\b", "..\\a", "\\\\server\\share", "C:a", "c:/a", "C:\\a", "z:", "./C:a", "a/z:", "a/C:b"),
        *("a\0b", "a\nb", "a\x1fb", "\x7f", "\x80", "a\x9fb", "\ud800", "\udfff"),
    ],
)
@pytest.mark.parametrize("windows", [False, True])
def test_bad_names(name: str, windows: bool) -> None:
    with pytest.raises(InvalidArgumentError):
        safe_parts(name, windows=windows)


@pytest.mark.parametrize(
    "name",
    [
        *("a.", "a ", "a./b", "ab:c", "what?", "a*", "<a", "a|b", 'a"b'),
        *("nul", "NUL", "con.txt", "a/PRN/b", "aux.tar.gz", "aux.js", "com1", "LPT9.log", "COM¹"),
        *("conin$", "nul .txt", "CONOUT$"),
    ],
)
def test_names_that_only_windows_refuses(name: str) -> None:
    assert safe_parts(name, windows=False)
    with pytest.raises(InvalidArgumentError):
        safe_parts(name, windows=True)


@given(st.text(alphabet=st.sampled_from(list("ab./\\:~ CONnul\0é")), max_size=20), st.booleans())
def test_a_name_that_is_let_through_stays_in_its_folder(name: str, windows: bool) -> None:
    from pathlib import PurePosixPath, PureWindowsPath

    try:
        parts = safe_parts(name, windows=windows)
    except InvalidArgumentError:
        return
    for kind, root in ((PurePosixPath, "/root"), *([(PureWindowsPath, "C:/root")] if windows else [])):
        path = kind(root).joinpath(*parts)
        assert path.is_relative_to(root)
        assert ".." not in path.parts
        assert len(path.parts) == len(kind(root).parts) + len(parts)


@pytest.mark.parametrize(
    ("pattern", "path", "fitting"),
    [
        ("*.xml", "a.xml", True),
        ("*.xml", "deep/a.xml", True),
        ("*.xml", "a.xml.txt", False),
        ("deep/*.xml", "deep/a.xml", True),
        ("deep/*.xml", "deep/er/a.xml", False),
        ("deep/**/*.xml", "deep/a.xml", True),
        ("deep/**/*.xml", "deep/er/and/er/a.xml", True),
        ("**/a.xml", "a.xml", True),
        ("**", "any/thing", True),
        ("deep/**", "other/a", False),
        ("[ab].txt", "b.txt", True),
        ("A.txt", "a.txt", False),
        ("deep", "deep/a", False),
    ],
)
def test_patterns(pattern: str, path: str, fitting: bool) -> None:
    assert matches_pattern(pattern, path) is fitting


def artifact(path: str, url: str = "https://x/1", node: int = 0) -> Artifact:
    return Artifact(path=path, node_index=node, url=url)


def planned(*artifacts: Artifact) -> list[str]:
    listed = [Listed(one, lambda: "", "job") for one in artifacts]
    found = plan("artifacts.download", Path("/dest"), listed)
    return [str(one.error) if isinstance(one, Skipped) else one.path.as_posix() for one in found]


def test_two_artifacts_never_share_a_file() -> None:
    first, second = planned(artifact("a/b"), artifact("a//b", "https://x/2"))
    assert (first, "same path on disk" in second) == ("/dest/0/a/b", True)
    assert planned(artifact("a"), artifact("a")) == ["/dest/0/a"]  # listed twice
    assert planned(artifact("a"), artifact("a", node=1)) == ["/dest/0/a", "/dest/1/a"]


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("", {}),
        ('{"path": "a", "artifact": "x", "size": 1}\n', {"a": ("x", 1)}),
        ('{"path": "a", "artifact": "x", "size": 1}\n\n{"path": "a", "artifact": "y", "size": 2}', {"a": ("y", 2)}),
        ('{"path": "a", "artifact": "x", "size": 1}\n{"path": "a"}\n', {}),
        ('{"path": "a", "artifact": "x", "size": 1}\n{"path": "b", "arti', {"a": ("x", 1)}),
        ("[" * 99999, {}),
        ("7\nnull\n[]\n", {}),
    ],
)
def test_the_record_of_a_folder(text: str, known: dict[str, tuple[str, int]]) -> None:
    assert parse(text) == known


def test_the_newest_workflow_comes_first() -> None:
    listed = [
        Workflow.model_validate(workflow(*given))
        for given in [(1, "a", "failed", 1), (2, "a", "success", 3), (3, "b", "success", 2)]
    ]
    assert [one.id[-1] for one in pick_workflows(listed, UNSET)] == ["2", "3", "1"]
    assert [one.id[-1] for one in pick_workflows(listed, "a")] == ["2", "1"]


async def test_an_unavailable_status_is_no_success(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", page(pipeline(2), pipeline(1)))
    odd = {**workflow(2, "build", "success"), "status": None}
    server.on("GET", f"/api/v2/pipeline/{pipeline(2)['id']}/workflow", page(odd))
    fine = workflow(1, "build", "success")
    server.on("GET", f"/api/v2/pipeline/{pipeline(1)['id']}/workflow", page(fine))
    server.on("GET", f"/api/v2/workflow/{fine['id']}/job", page())
    found = await client.artifacts.latest(SLUG)
    assert found is not None
    assert found.workflow.id == fine["id"]


@pytest.mark.parametrize("of_job", [{}, {"job": "test"}], ids=["any", "job"])
async def test_a_workflow_that_may_be_the_setup_is_not_the_latest(
    server: ScriptedServer, client: AsyncCircleCI, of_job: dict[str, Any]
) -> None:
    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", page(pipeline(1)))
    odd = {**workflow(2, "setup", "success"), "tag": 7}
    server.on("GET", f"/api/v2/pipeline/{pipeline(1)['id']}/workflow", page(odd))
    server.on("GET", f"/api/v2/workflow/{odd['id']}/job", page(job(None, "test")))
    with pytest.raises(CircleCIError, match=r"artifacts\.latest: no run matches, but some could .*\n.*items\.0\.tag"):
        await client.artifacts.latest(SLUG, **of_job)
    found = await client.artifacts.latest(SLUG, workflow="setup", **of_job)
    assert found is not None
    assert found.workflow.id == odd["id"]


async def test_only_fields_that_are_used_end_the_latest(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    """A job without artifacts has no folder, and an approval has no artifacts."""
    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", page(pipeline(1)))
    server.on("GET", f"/api/v2/pipeline/{pipeline(1)['id']}/workflow", page(workflow(2, "build", "success")))
    approval = {**job(None, "go?"), "job_number": "seven"}
    server.on("GET", f"/api/v2/workflow/{ID.format(2)}/job", page({**job(7, "test"), "name": None}, approval))
    server.on("GET", LIST, page())
    assert await client.artifacts.download_latest(SLUG, tmp_path) == DownloadReport(())
    server.on("GET", LIST, page({"path": "a.txt", "node_index": 0, "url": f"{server.url}/a.txt"}))
    report = await client.artifacts.download_latest(SLUG, tmp_path)
    assert names(report) == ["a.txt"]
    assert report is not None
    assert "items.0.name" in str(report.skipped[0])
    assert await client.artifacts.download_latest(SLUG, tmp_path, match="b.txt") == DownloadReport(())


# What cannot be read is passed over.

WORKFLOWS = [f"/api/v2/pipeline/{ID.format(number)}/workflow" for number in (3, 2, 1)]
JOBS = [f"/api/v2/workflow/{ID.format(number)}/job" for number in (30, 20, 10)]
ARTIFACTS = [f"/api/v2/project/{SLUG}/{number}/artifacts" for number in (7, 8, 9)]


@pytest.fixture
def alike(server: ScriptedServer) -> None:
    """Three pipelines that match; each has one workflow with the jobs 7, 8 and 9, and an approval."""
    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", page(pipeline(3), pipeline(2), pipeline(1)))
    for number, path in zip((30, 20, 10), WORKFLOWS, strict=True):
        server.on("GET", path, page(workflow(number, "build", "success")))
    approval = {**job(10, "go?"), "type": "approval"}
    for path in JOBS:
        server.on("GET", path, page(job(7, "a"), job(8, "b"), approval, job(9, "c")))
    for path in ARTIFACTS:
        server.on("GET", path, page({"path": "x", "node_index": 0, "url": f"{server.url}/files/x"}))
    server.on("GET", "/files/x", reply(body=b"x"))


@pytest.mark.usefixtures("alike")
@pytest.mark.parametrize("place", [0, 1, 2], ids=["first", "middle", "last"])
@ON_ASYNCIO
@EACH_FAILURE
async def test_one_job_without_artifacts_is_passed_over(
    server: ScriptedServer, tmp_path: Path, failure: Failure, place: int
) -> None:
    server.on("GET", ARTIFACTS[place], failure.response)
    async with client_on(server, FakeClock(), strict=failure.strict) as client:
        latest = await client.artifacts.latest(SLUG)
        report = await client.artifacts.download_latest(SLUG, tmp_path)
    assert latest is not None
    assert [one.number for one in latest.jobs] == [number for number in (7, 8, 9) if number != place + 7]
    assert_named(latest.skipped, "v2.jobs.list_artifacts", str(place + 7), failure)
    assert not [request for request in server.requests if request.path.endswith("/10/artifacts")]
    assert report is not None
    assert (len(report), names(report)) == (2, [str(place + 7)])


@pytest.mark.usefixtures("alike")
@pytest.mark.parametrize(
    ("paths", "operation"), [(WORKFLOWS, "pipelines.list_workflows"), (JOBS, "workflows.list_jobs")]
)
@ON_ASYNCIO
@EACH_FAILURE
async def test_pipelines_that_cannot_be_read_are_passed_over(
    server: ScriptedServer, failure: Failure, paths: list[str], operation: str
) -> None:
    async with client_on(server, FakeClock(), strict=failure.strict) as client:
        for count, path in enumerate(paths[:2], start=1):
            server.on("GET", path, failure.response)
            latest = await client.artifacts.latest(SLUG)
            assert latest is not None
            assert latest.pipeline.number == 3 - count
            assert [one.operation for one in latest.skipped] == [f"v2.{operation}"] * count
            assert all(isinstance(one.error, failure.error) for one in latest.skipped)
        server.on("GET", paths[2], failure.response)
        if failure.error is AuthenticationError and paths is WORKFLOWS:  # otherwise the lists between them were read
            with pytest.raises(AuthenticationError):
                await client.artifacts.latest(SLUG)
            return
        with pytest.raises(
            CircleCIError, match=r"artifacts\.latest: no run matches, but some could not be read:"
        ) as caught:
            await client.artifacts.latest(SLUG)
        assert len(causes(caught.value)) == 3


@pytest.mark.usefixtures("alike")
@EACH_REFUSAL
async def test_a_page_of_pipelines_that_cannot_be_read_ends_the_search(
    server: ScriptedServer, failure: Failure
) -> None:
    """What is on it may be the newest run that matches. A match on an earlier page needs no further one."""

    def listed(request: Request) -> Response:
        if request.query:
            return failure.response
        return reply(json={"items": [pipeline(3), pipeline(2)], "next_page_token": "2"})

    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", listed)
    async with client_on(server, FakeClock()) as client:
        assert await client.artifacts.latest(SLUG) is not None
        assert await client.artifacts.latest(SLUG, workflow="other", max_pipelines=2) is None
        with pytest.raises(failure.error):
            await client.artifacts.latest(SLUG, workflow="other")


async def test_a_page_of_pipelines_between_refusals(server: ScriptedServer, client: AsyncCircleCI) -> None:
    """The token is good: it is no third refusal in a row."""

    def listed(request: Request) -> Response:
        at = int(dict(request.query).get("page-token", "9"))
        return reply(json={"items": [pipeline(at)], "next_page_token": str(at - 1) if at > 5 else None})

    server.on("GET", f"/api/v2/project/{SLUG}/pipeline", listed)
    for number in range(5, 10):
        server.on("GET", f"/api/v2/pipeline/{ID.format(number)}/workflow", reply(401))
    with pytest.raises(CircleCIError, match="no run matches, but some could not be read") as caught:
        await client.artifacts.latest(SLUG)
    assert [type(error) for error in causes(caught.value)] == [AuthenticationError] * 5


@pytest.mark.usefixtures("alike")
async def test_the_artifacts_of_a_job_of_which_the_list_breaks_off(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    item = {"path": "x", "node_index": 0, "url": f"{server.url}/files/x"}
    server.on("GET", ARTIFACTS[1], reply(json={"items": [item], "next_page_token": 7}))
    latest = await client.artifacts.latest(SLUG)
    assert latest is not None
    assert [(one.number, len(one.artifacts)) for one in latest.jobs] == [(7, 1), (8, 1), (9, 1)]
    assert names(await client.artifacts.download_latest(SLUG, tmp_path)) == ["8"]
    assert len(tree(tmp_path)) == 3


@pytest.mark.usefixtures("alike")
@pytest.mark.parametrize("path", [WORKFLOWS[0], JOBS[0], ARTIFACTS[0]], ids=["workflows", "jobs", "artifacts"])
async def test_the_time_for_the_search_counts_too(server: ScriptedServer, tmp_path: Path, path: str) -> None:
    """It is no item that is passed over."""
    server.on("GET", path, hang())
    async with client_on(server) as client:
        with pytest.raises(RequestTimeoutError), anyio.fail_after(10):
            await client.artifacts.download_latest(SLUG, tmp_path / "new", timeout=0.3)
    assert everything(tmp_path) == []


@pytest.mark.usefixtures("alike")
async def test_a_job_that_may_be_an_approval_has_no_artifacts(server: ScriptedServer, client: AsyncCircleCI) -> None:
    for path in JOBS:
        server.on("GET", path, page(job(7, "a"), {**job(8, "go?"), "type": None}))
    server.on("GET", ARTIFACTS[1], reply(404, json={"message": "Not found"}))
    latest = await client.artifacts.latest(SLUG)
    assert latest is not None
    assert [one.number for one in latest.jobs] == [7]
    assert latest.skipped == ()
