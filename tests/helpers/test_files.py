"""A download is one generation of the files that were asked for, or its report names what is missing."""

from __future__ import annotations

import errno
import gzip
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from circleci_sdk import AsyncCircleCI, CallError
from circleci_sdk.helpers._downloads.locks import FolderLock
from circleci_sdk.helpers._downloads.names import Limits, limits_of
from circleci_sdk.helpers._downloads.staging import Stage, place, remove_stale
from circleci_sdk.helpers.artifacts.manifest import NAME, Manifest
from circleci_sdk.helpers.artifacts.places import Places
from circleci_sdk.helpers.artifacts.selection import Planned
from tests.support.clients import SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Request, Response, ScriptedServer, reply

LIST: Final = f"/api/v2/project/{SLUG}/7/artifacts"
ORG: Final = "b9291e0d-a11e-41fb-8517-c545388b5953"
ORDER: Final = f"/api/v2/organizations/{ORG}/usage_export_job"
JANUARY: Final = (date(2026, 1, 1), date(2026, 2, 1))
STEM: Final = "usage-20260101-20260131"


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, FakeClock()) as client:
        yield client


def artifacts(server: ScriptedServer, *files: tuple[str, bytes | Response], job: int = 7) -> None:
    items = [
        {"path": path, "node_index": 0, "url": f"{server.url}/files/{job}/{number}"}
        for number, (path, _) in enumerate(files)
    ]
    for number, (_, content) in enumerate(files):
        response = reply(body=content) if isinstance(content, bytes) else content
        server.on("GET", f"/files/{job}/{number}", response)
    server.on("GET", f"/api/v2/project/{SLUG}/{job}/artifacts", reply(json={"items": items, "next_page_token": None}))


def export(server: ScriptedServer, *files: bytes | Response) -> None:
    """Each export from now on has these files."""
    links = [f"{server.url}/usage/{number}" for number in range(len(files))]
    done = {"usage_export_job_id": "x", "state": "completed", "download_urls": links}
    server.on("POST", ORDER, reply(201, json=done))
    server.on("GET", f"{ORDER}/x", reply(json=done))
    for number, file in enumerate(files):
        server.on("GET", f"/usage/{number}", reply(body=file) if isinstance(file, bytes) else file)


def tree(folder: Path) -> dict[str, bytes]:
    """All files, hidden ones too, but the record of artifacts."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != NAME
    }


def fetched(server: ScriptedServer) -> list[str]:
    return [request.path for request in server.requests if request.path.startswith("/files/")]


# Artifacts: places on disk.


@pytest.mark.parametrize("overwrite", [True, False, "skip"])
@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("log", "log/b.txt"),
        ("log/b.txt", "log"),
        ("a/b", "a/b/c/d"),
        ("a/b/c/d", "a/b"),
        ("a/b/c/d", "a"),
        ("x", "./x"),
    ],
)
async def test_a_file_in_the_place_of_a_folder_is_found_before_fetching(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, first: str, second: str, overwrite: Any
) -> None:
    artifacts(server, (first, b"1"), (second, b"2"), ("other", b"3"))
    report = await client.artifacts.download(SLUG, 7, tmp_path, overwrite=overwrite)
    assert tree(tmp_path) == {f"0/{first}": b"1", "0/other": b"3"}
    assert [one.id for one in report.skipped] == [second]
    assert "another artifact" in str(report.skipped[0])
    assert sorted(fetched(server)) == ["/files/7/0", "/files/7/2"]


@pytest.mark.parametrize(
    ("there", "wanted"), [("0/log/x", "log"), ("0/log", "log/b.txt"), ("0/log", "log/deep/b.txt"), ("0", "log")]
)
@pytest.mark.parametrize("overwrite", [True, "skip"])
async def test_what_is_in_the_way_on_disk_is_found_before_fetching(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, there: str, wanted: str, overwrite: Any
) -> None:
    (tmp_path / there).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / there).write_bytes(b"old")
    artifacts(server, (wanted, b"1"))
    report = await client.artifacts.download(SLUG, 7, tmp_path, overwrite=overwrite)
    assert tree(tmp_path) == {there: b"old"}
    assert [one.id for one in report.skipped] == [wanted]
    assert fetched(server) == []


@pytest.mark.parametrize("name", ["n" * 256, "é" * 128, "a/" + "ü" * 200 + "/b", "d/" * 2100 + "f"])
async def test_a_name_that_is_too_long_is_found_before_fetching(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, name: str
) -> None:
    artifacts(server, (name, b"1"), ("n" * 255, b"2"), ("é" * 127, b"3"))
    report = await client.artifacts.download(SLUG, 7, tmp_path)
    assert [one.id for one in report.skipped] == [name]
    assert "too long" in str(report.skipped[0])
    assert len(str(report.skipped[0].error)) < 300
    assert sorted(fetched(server)) == ["/files/7/1", "/files/7/2"]
    assert sorted(tree(tmp_path).values()) == [b"2", b"3"]


@pytest.mark.parametrize(
    ("unit", "name", "fits"),
    [("bytes", "éé", False), ("characters", "éé", True), ("characters", "\U0001f600" * 2, False)],
)
def test_the_units_of_a_length(unit: str, name: str, fits: bool) -> None:
    limits = Limits(3, 100, unit)
    if fits:
        limits.check(Path(name), (name,))
        return
    with pytest.raises(ValueError, match=rf"too long for the disk: 4 {unit}, at most 3"):
        limits.check(Path(name), (name,))


@pytest.mark.parametrize(("longest", "fits"), [(8, True), (7, False)])
def test_the_length_of_a_path(longest: int, fits: bool) -> None:
    limits = Limits(3, longest)
    if fits:
        limits.check(Path("/dir/abc"), ("abc",))
        return
    with pytest.raises(ValueError, match="path of 'abc' is too long for the system: 8 bytes, at most 7"):
        limits.check(Path("/dir/abc"), ("abc",))


def test_a_name_that_the_system_cannot_encode() -> None:
    with pytest.raises(ValueError, match="cannot encode"):
        Limits().check(Path("\ud800"), ("\ud800",))


def test_the_limits_of_a_folder_that_will_be_made(tmp_path: Path) -> None:
    assert limits_of(tmp_path / "new" / "deep") == limits_of(tmp_path)
    assert limits_of(tmp_path).name >= 143


@pytest.mark.parametrize("overwrite", [True, "skip"])
async def test_links_that_make_two_paths_one(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, overwrite: Any
) -> None:
    """As file systems do for which case makes no difference."""
    (tmp_path / "0" / "a").mkdir(parents=True)
    (tmp_path / "0" / "b").symlink_to("a")
    artifacts(server, ("a/x", b"first"), ("b/x", b"second"), ("a/y", b"third"))
    report = await client.artifacts.download(SLUG, 7, tmp_path, overwrite=overwrite, concurrency=1)
    assert [one.id for one in report.skipped] == ["b/x"]
    assert ("another artifact has the same path on disk" in str(report.skipped[0])) is (overwrite is True)
    assert (tmp_path / "0/a/x").read_bytes() == b"first"
    assert all(file.path.stat().st_size == file.size for file in report)


async def test_a_link_is_replaced_and_not_followed(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    (tmp_path / "precious").write_bytes(b"mine")
    (tmp_path / "dest" / "0").mkdir(parents=True)
    (tmp_path / "dest" / "0" / "a").symlink_to(tmp_path / "precious")
    artifacts(server, ("a", b"1"))
    report = await client.artifacts.download(SLUG, 7, tmp_path / "dest", overwrite="skip")
    assert [one.id for one in report.skipped] == ["a"]
    assert (await client.artifacts.download(SLUG, 7, tmp_path / "dest", overwrite=True)).ok
    assert tree(tmp_path) == {"precious": b"mine", "dest/0/a": b"1"}


async def test_a_folder_that_is_removed_meanwhile(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    import shutil

    dest = tmp_path / "dest"
    artifacts(server, ("a", b"1"), ("b", b"2"), ("c", b"3"))
    report = await client.artifacts.download(
        SLUG, 7, dest, concurrency=1, on_file=lambda file: shutil.rmtree(dest) if file.path.name == "a" else None
    )
    assert report.ok
    assert tree(dest) == {"0/b": b"2", "0/c": b"3"}


async def test_another_download_of_other_content_replaces_no_file_of_a_report(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    """Both replace, and both have begun; whichever is first has the place, and both reports are true."""
    latch = server.latch()
    paths = ["a", "b", "c", "d"]
    for job in (7, 8):
        artifacts(server, *((path, reply(body=b"%d" % job * 50).held_by(latch)) for path in paths), job=job)
    (tmp_path / "0").mkdir()
    for path in paths:
        (tmp_path / "0" / path).write_bytes(b"old")
    found: dict[int, Any] = {}

    async def fetch(job: int) -> None:
        found[job] = await client.artifacts.download(SLUG, job, tmp_path, overwrite=True)

    async with anyio.create_task_group() as group:
        for job in (7, 8):
            group.start_soon(fetch, job)
        await server.seen(2 + 2 * len(paths))
        latch.open()
    for job, report in found.items():
        assert all(file.path.read_bytes() == b"%d" % job * 50 for file in report)
        assert len(report) + len(report.skipped) == len(paths)
        assert all("another download" in str(one) for one in report.skipped)
    assert sum(map(len, found.values())) == len(paths)


@pytest.mark.parametrize("overwrite", [True, False, "skip"])
async def test_two_downloads_of_the_same_files_agree(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, overwrite: Any
) -> None:
    latch = server.latch()
    artifacts(server, *((path, reply(body=b"x" * 50).held_by(latch)) for path in "abc"))
    reports: list[Any] = []

    async def fetch() -> None:
        reports.append(await client.artifacts.download(SLUG, 7, tmp_path, overwrite=overwrite))

    async with anyio.create_task_group() as group:
        for _ in range(2):
            group.start_soon(fetch)
        await server.seen(2 + 2 * 3)
        latch.open()
    assert all(report.ok for report in reports)
    assert len(tree(tmp_path)) == 3


# Killed programs.

KILLED: Final = """
import sys, anyio
from datetime import date
from circleci_sdk import AsyncCircleCI

async def main(url, what, dest, overwrite):
    async with AsyncCircleCI("token", base_url=url) as client:
        if what == "artifacts":
            overwrite = True if overwrite == "True" else "skip"
            await client.artifacts.download("gh/acme/web", 7, dest, overwrite=overwrite, concurrency=2)
        else:
            await client.usage.download(
                "b9291e0d-a11e-41fb-8517-c545388b5953", date(2026, 1, 1), date(2026, 2, 1), dest,
                overwrite=overwrite == "True",
            )

anyio.run(main, *sys.argv[1:])
"""


def killed_at(server: ScriptedServer, path: str, what: str, dest: Path, overwrite: bool) -> None:
    """Run a download in a process of its own, and kill it when it asks for this path."""
    process: list[subprocess.Popen[bytes]] = []

    def kill(_: Request) -> Response:
        os.kill(process[0].pid, signal.SIGKILL)
        return reply(body=b"x" * 1000).cut()

    server.on("GET", path, kill)
    process.append(subprocess.Popen([sys.executable, "-c", KILLED, server.url, what, str(dest), str(overwrite)]))
    assert process[0].wait(60) == -signal.SIGKILL


@pytest.mark.parametrize("overwrite", [True, "skip"])
async def test_the_next_download_removes_what_a_killed_one_has_left(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, overwrite: Any
) -> None:
    dest = tmp_path / "dest"
    files = [(f"d{number}/f", b"%d" % number * 3000) for number in range(6)]
    artifacts(server, *files)
    server.on("GET", "/files/7/0", reply(body=files[0][1]).dripping(1000, pause=1))
    await anyio.to_thread.run_sync(killed_at, server, "/files/7/4", "artifacts", dest, overwrite is True)
    assert [path for path in dest.iterdir() if path.name.endswith(".part")]
    artifacts(server, *files)
    foreign = dest / ".mine.part"
    foreign.write_bytes(b"mine")
    (dest / f".{'0' * 32}.part").write_bytes(b"a file")
    report = await client.artifacts.download(SLUG, 7, dest, overwrite=overwrite)
    assert report.ok
    assert tree(dest) == {
        **{f"0/{path}": content for path, content in files},
        ".mine.part": b"mine",
        f".{'0' * 32}.part": b"a file",
    }


async def test_a_killed_usage_download_leaves_the_older_files(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    export(server, b"old 0", b"old 1", b"old 2")
    await client.usage.download(ORG, *JANUARY, tmp_path)
    before = tree(tmp_path)
    export(server, b"new 0", b"new 1")
    await anyio.to_thread.run_sync(killed_at, server, "/usage/1", "usage", tmp_path, True)
    assert {name: content for name, content in tree(tmp_path).items() if ".part" not in name} == before
    export(server, b"new 0", b"new 1")
    await client.usage.download(ORG, *JANUARY, tmp_path, overwrite=True)
    assert tree(tmp_path) == {f"{STEM}-{number}.csv.gz": b"new %d" % number for number in range(2)}


def test_a_stage_in_use_is_not_stale(tmp_path: Path) -> None:
    stage = Stage(tmp_path)
    file, part = stage.create()
    remove_stale(tmp_path)
    file.write(b"1")
    file.close()
    place(part, tmp_path / "deep" / "a", replace=False)
    stage.close()
    assert tree(tmp_path) == {"deep/a": b"1"}
    with pytest.raises(FileNotFoundError):
        stage.create()


def free_descriptor() -> int:
    """The lowest free one: the same as before if all that was opened meanwhile is closed."""
    found = os.dup(0)
    os.close(found)
    return found


@pytest.mark.parametrize("is_removed", [False, True])
def test_a_stage_that_is_closed_holds_no_lock(tmp_path: Path, is_removed: bool) -> None:
    free = free_descriptor()
    stage = Stage(tmp_path / "dest")
    file, part = stage.create()
    file.close()
    if is_removed:
        part.unlink()
        part.parent.rmdir()
    stage.close()
    assert free_descriptor() == free
    assert not (tmp_path / "dest").exists()


def test_a_folder_that_is_removed_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A download takes the new stage of another one for one that is stale."""

    def is_of(self: FolderLock, folder: Path) -> bool:
        folder.rmdir()
        return False

    monkeypatch.setattr(FolderLock, "is_of", is_of)
    free = free_descriptor()
    with pytest.raises(FileNotFoundError, match="again and again"):
        Stage(tmp_path).create()
    assert not any(tmp_path.iterdir())
    assert free_descriptor() == free


def test_without_locks_only_old_stages_are_stale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_locks(*_: object) -> None:
        raise OSError

    monkeypatch.setattr("circleci_sdk.helpers._downloads.locks.fcntl.flock", no_locks)
    stages = [Stage(tmp_path) for _ in range(2)]
    parts: list[Path] = []
    for stage in stages:
        file, part = stage.create()
        file.close()
        parts.append(part)
    for path in (parts[0], parts[0].parent):
        os.utime(path, (0, 0))
    os.utime(parts[1].parent, (0, 0))
    remove_stale(tmp_path)
    assert [part.exists() for part in parts] == [False, True]


def test_a_lock_is_for_one_at_a_time(tmp_path: Path) -> None:
    with FolderLock(tmp_path) as lock:
        assert lock.state == "held"
        free = free_descriptor()
        assert FolderLock(tmp_path).state == "busy"
        assert free_descriptor() == free
    with FolderLock(tmp_path) as lock:
        assert lock.state == "held"
        assert lock.is_of(tmp_path)
        (tmp_path / "other").mkdir()
        assert not lock.is_of(tmp_path / "other")
        assert not lock.is_of(tmp_path / "missing")


@pytest.mark.parametrize("number", [errno.EXDEV, errno.EIO])
def test_a_folder_on_another_file_system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    part, target = tmp_path / "part", tmp_path / "deep" / "target"
    rename = Path.replace

    def replace(self: Path, to: Path) -> Path:
        if self == part:
            raise OSError(number, "another one")
        return rename(self, to)

    monkeypatch.setattr(Path, "replace", replace)
    part.write_bytes(b"1")
    if number != errno.EXDEV:
        with pytest.raises(OSError, match="another one"):
            place(part, target, replace=True)
        assert not target.parent.exists()
        return
    place(part, target, replace=True)
    assert tree(target.parent) == {"target": b"1"}


class Broken(Manifest):
    """A record that forgets nothing: the disk is full."""

    def forget(self, path: Path) -> None:
        raise OSError(28, "No space left on device")


@pytest.mark.parametrize("replaces", [True, False])
def test_a_place_whose_record_cannot_be_changed(
    tmp_path: Path, replaces: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the record says of a file stays true, or there is no file; the first error is raised."""
    artifact: Any = None
    target = tmp_path / "a"
    if replaces:
        record = Manifest(tmp_path)
        record.record(target, "old", 1)
        target.write_bytes(b"1")

    def no_place(*_: object, **__: object) -> None:
        raise OSError(28, "no place")

    stage = Stage(tmp_path)
    file, part = stage.create()
    with file:
        file.write(b"22")
    if not replaces:
        monkeypatch.setattr("circleci_sdk.helpers.artifacts.places.place", no_place)
    places = Places(stage, Broken(tmp_path), replaces=replaces)
    with pytest.raises(OSError, match="No space left" if replaces else "no place"):
        places.put(Planned(artifact, "", target, "new"), part, 2)
    places.release()
    stage.close()
    assert tree(tmp_path) == ({"a": b"1"} if replaces else {})


# Usage.


async def test_no_file_of_an_older_export_stays(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    export(server, b"1", b"2", b"3")
    await client.usage.download(ORG, *JANUARY, tmp_path)
    await client.usage.download(ORG, date(2026, 2, 1), date(2026, 2, 3), tmp_path)
    foreign = {"notes.txt": b"mine", f"{STEM}-copy.csv.gz": b"mine", f"{STEM}-01.csv.gz": b"mine", f"{STEM}.csv": b""}
    for name, content in foreign.items():
        (tmp_path / name).write_bytes(content)
    export(server, b"4")
    report = await client.usage.download(ORG, *JANUARY, tmp_path, overwrite=True)
    assert report.raise_for_failure().files == (tmp_path / f"{STEM}-0.csv.gz",)
    february = {f"usage-20260201-20260202-{number}.csv.gz": b"%d" % (number + 1) for number in range(3)}
    assert tree(tmp_path) == {f"{STEM}-0.csv.gz": b"4", **february, **foreign}


@pytest.mark.parametrize("last", [1, 2, 9])
async def test_a_longer_window_replaces_shorter_ones(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, last: int
) -> None:
    """A month until today, downloaded each day."""
    export(server, b"1", b"2")
    await client.usage.download(ORG, date(2026, 1, 1), date(2026, 1, last + 1), tmp_path)
    with pytest.raises(FileExistsError):
        await client.usage.download(ORG, date(2026, 1, 1), date(2026, 1, 11), tmp_path)
    export(server, b"3")
    await client.usage.download(ORG, date(2026, 1, 1), date(2026, 1, 11), tmp_path, overwrite=True)
    assert tree(tmp_path) == {"usage-20260101-20260110-0.csv.gz": b"3"}


async def test_windows_of_hours(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    hours = [datetime(2026, 1, 1, hour, tzinfo=UTC) for hour in (0, 6, 12, 18)]
    export(server, b"1", reply(404))
    await client.usage.download(ORG, hours[0], hours[1], tmp_path)
    export(server, b"2")
    await client.usage.download(ORG, hours[2], hours[3], tmp_path)
    with pytest.raises(FileExistsError, match="would be in the folder twice"):
        await client.usage.download(ORG, hours[2], hours[3] - timedelta(hours=1), tmp_path, overwrite=True)
    export(server, b"3")
    await client.usage.download(ORG, hours[2], hours[3], tmp_path, overwrite=True)
    # The mark of another window stays.
    assert sorted(tree(tmp_path).values()) == [b"", b"1", b"3"]


@pytest.mark.parametrize("overwrite", [True, False])
@pytest.mark.parametrize(
    "period",
    [
        (date(2026, 1, 15), date(2026, 2, 5)),
        (date(2026, 1, 3), date(2026, 1, 4)),
        (date(2025, 12, 20), date(2026, 3, 1)),
    ],
)
async def test_a_period_that_overlaps_in_part_is_refused(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, period: tuple[date, date], overwrite: bool
) -> None:
    export(server, b"1")
    await client.usage.download(ORG, *JANUARY, tmp_path)
    before, count = tree(tmp_path), len(server.requests)
    with pytest.raises(FileExistsError, match="would be in the folder twice"):
        await client.usage.download(ORG, *period, tmp_path, overwrite=overwrite)
    assert (tree(tmp_path), len(server.requests)) == (before, count)
    await client.usage.download(ORG, date(2026, 2, 1), date(2026, 2, 2), tmp_path, overwrite=overwrite)
    await client.usage.download(ORG, date(2025, 12, 31), date(2026, 1, 1), tmp_path, overwrite=overwrite)
    assert len(tree(tmp_path)) == 3


async def test_a_moving_window_names_what_to_do_instead(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    """The last days, downloaded each day. Both remedies of the message work."""
    today = [date(2026, 1, 10), date(2026, 1, 11), date(2026, 1, 12)]
    week, day = timedelta(days=7), timedelta(days=1)
    export(server, b"1")
    await client.usage.download(ORG, today[0] - week, today[0], tmp_path / "one")
    for overwrite in (False, True):
        with pytest.raises(FileExistsError, match=r"a folder for each period, or download each day on its own"):
            await client.usage.download(ORG, today[1] - week, today[1], tmp_path / "one", overwrite=overwrite)
    for end in today:
        await client.usage.download(ORG, end - week, end, tmp_path / "each" / f"{end}")
        for age in (2, 1):  # the newest two days, again
            await client.usage.download(ORG, end - age * day, end - age * day + day, tmp_path / "days", overwrite=True)
    assert len(tree(tmp_path / "each")) == len(today)
    assert sorted(tree(tmp_path / "days")) == [
        f"usage-202601{number:02}-202601{number:02}-0.csv.gz" for number in (8, 9, 10, 11)
    ]


@pytest.mark.parametrize("place", [0, 1, 2])
async def test_some_files_replace_no_complete_export(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, place: int
) -> None:
    export(server, b"old 0", b"old 1")
    await client.usage.download(ORG, *JANUARY, tmp_path)
    before = tree(tmp_path)
    files: list[bytes | Response] = [b"new 0", b"new 1", b"new 2"]
    files[place] = reply(404)
    export(server, *files)
    with pytest.raises(CallError):
        await client.usage.download(ORG, *JANUARY, tmp_path, overwrite=True)
    assert tree(tmp_path) == before


async def test_an_incomplete_window_is_marked_and_replaced(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    export(server, b"0", reply(404), b"2")
    report = await client.usage.download(ORG, *JANUARY, tmp_path)
    assert [path.name for path in report] == [f"{STEM}-0.csv.gz", f"{STEM}-2.csv.gz"]
    assert len(report.missing) == 1
    partial = {f"{STEM}-0.csv.gz": b"0", f"{STEM}-2.csv.gz": b"2", f".{STEM}.incomplete": b""}
    assert tree(tmp_path) == partial
    export(server, reply(404), b"1")
    assert len(await client.usage.download(ORG, *JANUARY, tmp_path)) == 1
    assert tree(tmp_path) == {f"{STEM}-1.csv.gz": b"1", f".{STEM}.incomplete": b""}
    export(server, b"0", b"1")
    await client.usage.download(ORG, *JANUARY, tmp_path)
    assert tree(tmp_path) == {f"{STEM}-0.csv.gz": b"0", f"{STEM}-1.csv.gz": b"1"}
    with pytest.raises(FileExistsError):
        await client.usage.download(ORG, *JANUARY, tmp_path)


@pytest.mark.parametrize("name", ["touch", "unlink", "replace"])
@pytest.mark.parametrize("number", range(4))
async def test_a_swap_that_breaks_off_says_so(
    server: ScriptedServer,
    client: AsyncCircleCI,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    number: int,
) -> None:
    """At each step: the older files, or the new ones, or a mark, and never files of both without it."""
    export(server, b"old", b"old", b"old")
    await client.usage.download(ORG, *JANUARY, tmp_path)
    before = tree(tmp_path)
    export(server, b"new", b"new")
    original: Callable[..., Any] = getattr(Path, name)
    calls = 0

    def fail(self: Path, *arguments: Any, **options: Any) -> Any:
        nonlocal calls
        if self.parent == tmp_path or self.parent.parent == tmp_path:
            calls += 1
            if calls == number + 1:
                raise OSError(5, "I/O error")
        return original(self, *arguments, **options)

    with monkeypatch.context() as patch:
        patch.setattr(Path, name, fail)
        with suppress(OSError):
            await client.usage.download(ORG, *JANUARY, tmp_path, overwrite=True)
    after = tree(tmp_path)
    if f".{STEM}.incomplete" not in after:
        assert after in (before, {f"{STEM}-0.csv.gz": b"new", f"{STEM}-1.csv.gz": b"new"})
        return
    await client.usage.download(ORG, *JANUARY, tmp_path)
    assert tree(tmp_path) == {f"{STEM}-0.csv.gz": b"new", f"{STEM}-1.csv.gz": b"new"}


@pytest.mark.parametrize("overwrite", [True, False])
async def test_of_two_usage_downloads_at_once_one_wins(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, overwrite: bool
) -> None:
    if overwrite:
        export(server, b"old", b"old", b"old")
        await client.usage.download(ORG, *JANUARY, tmp_path)
    kinds = [[b"a" * 90, b"a" * 90], [b"b" * 90]]
    orders = iter([0, 1])

    def order(_: Request) -> Response:
        kind = next(orders)
        links = [f"{server.url}/{kind}/{number}" for number in range(len(kinds[kind]))]
        done = {"usage_export_job_id": str(kind), "state": "completed", "download_urls": links}
        for number, content in enumerate(kinds[kind]):
            server.on("GET", f"/{kind}/{number}", reply(body=content).dripping(3, pause=0.01))
        return reply(201, json=done)

    server.on("POST", ORDER, order)
    errors: list[Exception] = []

    async def fetch() -> None:
        try:
            await client.usage.download(ORG, *JANUARY, tmp_path, overwrite=overwrite)
        except FileExistsError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        for _ in kinds:
            group.start_soon(fetch)
    assert tree(tmp_path) in [
        {f"{STEM}-{number}.csv.gz": content for number, content in enumerate(kind)} for kind in kinds
    ]
    assert len(errors) == (0 if overwrite else 1)


async def test_a_folder_in_the_place_of_a_usage_file(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    (tmp_path / f"{STEM}-1.csv.gz").mkdir()
    export(server, gzip.compress(b"x"))
    with pytest.raises(IsADirectoryError):
        await client.usage.download(ORG, *JANUARY, tmp_path, overwrite=True)
    assert server.requests == []
