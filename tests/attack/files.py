"""Attacks on files: what a server, a disk and the end of a program do to a download."""

from __future__ import annotations

import errno
import gzip
import os
import random
import signal
import subprocess
import sys
from collections.abc import Callable, Coroutine
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, BinaryIO, Final
from unittest import mock

import anyio
from anyio.to_thread import run_sync

from circleci_sdk.helpers import DownloadReport
from circleci_sdk.helpers._downloads.staging import Stage
from circleci_sdk.helpers.artifacts.manifest import NAME
from tests.attack.kinds import Broken, Kind, what_happened
from tests.support.clients import SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, redirect, reply

LIST: Final = f"/api/v2/project/{SLUG}/7/artifacts"
ORG: Final = "b9291e0d-a11e-41fb-8517-c545388b5953"
ORDER: Final = f"/api/v2/organizations/{ORG}/usage_export_job"


def _tree(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name != NAME
    }


def _no_half_files(folder: Path, report: DownloadReport | None, contents: dict[str, list[bytes]]) -> None:
    """Each file of the report has one of the contents of its path, and there is no other file."""
    found = _tree(folder)
    if report is not None:
        for file in report:
            path = file.path.relative_to(folder).as_posix()
            if found.pop(path, None) not in contents[path]:
                raise Broken("half file", f"{path} of the report")
    for path, content in found.items():
        if path not in contents or content not in contents[path] or report is not None:
            raise Broken("half file", f"{path}, {len(content)} bytes, report: {report is not None}")


def _body(rng: random.Random) -> bytes:
    return rng.randbytes(rng.choice([0, 1, 100, 5000, 40_000]))


def _hostile(rng: random.Random, content: bytes) -> Callable[[Request], Response]:
    """A server that sends the file in a random way, each time another."""

    def respond(request: Request) -> Response:
        framing = rng.choice(["length", "chunked", "close", "close"])
        headers = {"ETag": rng.choice(['"1"', '"2"', "W/1"])} if rng.random() < 0.5 else {}
        given = request.headers.get("range")
        start = int(given.removeprefix("bytes=").removesuffix("-")) if given else 0
        body, status = content, 200
        way = rng.randrange(8)
        if given and way < 3:
            body, status = content[start:], 206
            headers["Content-Range"] = f"bytes {start + (way == 2)}-{len(content) - 1}/{len(content)}"
        elif given and start >= len(content) and way < 6:
            return reply(416, headers={"Content-Range": f"bytes */{len(content)}"} if way < 5 else {})
        elif way == 3 and content:
            body = gzip.compress(content)
            headers["Content-Encoding"] = "gzip"
        elif way == 4:
            return rng.choice([reply(404), reply(503), drop(), drop(reset=True), redirect(request.target), reply(403)])
        response = reply(status, body=body, headers=headers, framing=framing)  # type: ignore[arg-type]  # `choice` gives any str
        if rng.random() < 0.5:
            response = response.cut(keep=rng.random(), reset=rng.random() < 0.3)
        return response

    return respond


async def cut_bodies(rng: random.Random) -> str:
    with TemporaryDirectory() as name, ScriptedServer() as server:
        folder = Path(name)
        contents: dict[str, list[bytes]] = {}
        items: list[dict[str, Any]] = []
        for number in range(rng.randrange(1, 6)):
            content = _body(rng)
            contents[f"0/f{number}"] = [content]
            items.append({"path": f"f{number}", "node_index": 0, "url": f"{server.url}/f/{number}"})
            server.on("GET", f"/f/{number}", _hostile(rng, content))
        server.on("GET", LIST, reply(json={"items": items, "next_page_token": None}))
        report: DownloadReport | None = None
        outcome = "result"
        async with client_on(server, FakeClock()) as client:
            try:
                report = await client.artifacts.download(SLUG, 7, folder, overwrite=rng.choice([True, False, "skip"]))
            except Exception as error:  # Each that is not documented is a broken promise.
                outcome = what_happened(error)
        _no_half_files(folder, report, contents)
        return outcome if report is None or report.ok else "report"


async def odd_paths(rng: random.Random) -> str:
    words = ["a", "b", "A", "log", "é", "e\u0301", "n" * 255, "n" * 256, "ü" * 128, ".", "..", "x.part", "con", "a."]
    with TemporaryDirectory() as name, ScriptedServer() as server:
        folder = Path(name)
        contents: dict[str, list[bytes]] = {}
        items: list[dict[str, Any]] = []
        for number in range(rng.randrange(2, 9)):
            path = "/".join(rng.choice(words) for _ in range(rng.choice([1, 1, 2, 2, 3, 30])))
            content = b"%d" % number
            contents.setdefault(f"0/{'/'.join(part for part in path.split('/') if part != '.')}", []).append(content)
            items.append({"path": path, "node_index": 0, "url": f"{server.url}/f/{number}"})
            server.on("GET", f"/f/{number}", reply(body=content))
        server.on("GET", LIST, reply(json={"items": items, "next_page_token": None}))
        async with client_on(server, FakeClock()) as client:
            try:
                report = await client.artifacts.download(SLUG, 7, folder, overwrite=rng.choice([True, False, "skip"]))
            except Exception as error:  # Each that is not documented is a broken promise.
                raise Broken("raw exception", repr(error)) from error
        if len(report) + len(report.skipped) != len(items):
            raise Broken("wrong result", f"{len(report)} files and {len(report.skipped)} passed over of {len(items)}")
        if len(report) != sum(request.path.startswith("/f/") for request in server.requests):
            raise Broken("wrong result", "something was fetched that has no place")
        _no_half_files(folder, report, contents)
        return "result" if report.ok else "report"


def _period(rng: random.Random) -> tuple[date, date]:
    start = rng.choice([1, 1, 1, 5, 20])
    return date(2026, 1, start), rng.choice([date(2026, 1, 25), date(2026, 2, 1), date(2026, 2, 10), date(2026, 3, 1)])


def _export(server: ScriptedServer, rng: random.Random, generation: int) -> None:
    count = 0

    def order(_: Request) -> Response:
        nonlocal count
        count += 1
        files = rng.randrange(4)
        links = [f"{server.url}/u/{generation}/{count}/{number}" for number in range(files)]
        for number in range(files):
            body = reply(body=b"%d %d %d %d" % (generation, count, files, number))
            server.on("GET", f"/u/{generation}/{count}/{number}", reply(404) if rng.random() < 0.1 else body)
        done = {"usage_export_job_id": "x", "state": "completed", "download_urls": links}
        return reply(201, json=done) if rng.random() < 0.9 else reply(400, json={"message": "no"})

    server.on("POST", ORDER, order)


def _one_generation(folder: Path) -> None:
    """The files of a window are those of one export, and all of them unless it is marked; no day is there twice."""
    found = _tree(folder)
    windows: dict[str, list[tuple[int, list[bytes]]]] = {}
    for name, content in found.items():
        if name.endswith(".csv.gz"):
            stem, _, number = name.removesuffix(".csv.gz").rpartition("-")
            windows.setdefault(stem, []).append((int(number), content.split()))
        elif not name.endswith(".incomplete"):
            raise Broken("half file", name)
    days: set[str] = set()
    for stem, files in windows.items():
        is_marked = f".{stem}.incomplete" in found
        exports = {tuple(parts[:3]) for _, parts in files}
        numbers = sorted(number for number, _ in files)
        if not is_marked and (len(exports) != 1 or numbers != list(range(int(files[0][1][2])))):
            raise Broken("half file", f"{stem}: {files}")
        _, first, last = stem.split("-")
        covered = {f"{month}{day:02}" for month in ("202601", "202602") for day in range(1, 32)}
        covered = {day for day in covered if first <= day <= last}
        if days & covered:
            raise Broken("wrong result", f"days that are there twice: {sorted(windows)}")
        days |= covered


async def exports_in_turn(rng: random.Random) -> str:
    outcome = "result"
    with TemporaryDirectory() as name, ScriptedServer() as server:
        folder = Path(name)
        async with client_on(server, FakeClock()) as client:
            for generation in range(rng.randrange(2, 6)):
                _export(server, rng, generation)
                start, end = _period(rng)
                overwrite, at = rng.random() < 0.7, len(server.requests) + rng.choice([1, 2, 3, 4, 5, 99, 99, 99])
                download = client.usage.download(ORG, start, end, folder, overwrite=overwrite)
                outcome = await _until_asked(server, at, download)
                _one_generation(folder)
    return outcome


async def _until_asked(server: ScriptedServer, count: int, work: Coroutine[Any, Any, object]) -> str:
    """What happened, if the server was not asked so many times before; else the work is cancelled."""
    outcome = "cancelled"
    async with anyio.create_task_group() as group:

        async def watch() -> None:
            while len(server.requests) < count:  # noqa: ASYNC110  # the server has its own thread
                await anyio.sleep(0.0005)
            group.cancel_scope.cancel()

        group.start_soon(watch)
        try:
            await work
            outcome = "result"
        except FileExistsError:
            outcome = "FileExistsError"
        except Exception as error:  # Each that is not documented is a broken promise.
            outcome = what_happened(error)
        group.cancel_scope.cancel()
    return outcome


class _Disk:
    """A disk that is full after so many bytes."""

    def __init__(self, space: int) -> None:
        self.space = space
        self._create = Stage.create

    def create(self, stage: Stage) -> tuple[BinaryIO, Path]:
        file, part = self._create(stage)
        write = file.write

        def limited(data: bytes) -> int:
            self.space -= len(data)
            if self.space < 0:
                write(data[: self.space])
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return write(data)

        limit: Any = mock.Mock(wraps=file)
        limit.write = limited
        limit.__enter__ = lambda _: limit  # type: ignore[misc]  # of a mock
        limit.__exit__ = lambda *_: file.close()  # type: ignore[misc]  # of a mock
        return limit, part


async def full_disk(rng: random.Random) -> str:
    outcome = "result"
    with TemporaryDirectory() as name, ScriptedServer() as server:
        folder = Path(name)
        contents = {f"0/f{number}": [_body(rng)] for number in range(rng.randrange(1, 6))}
        old = {path: b"old" for path in contents if rng.random() < 0.5}
        for path, content in old.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_bytes(content)
            contents[path].append(content)
        items: list[dict[str, Any]] = []
        for number, path in enumerate(contents):
            items.append({"path": path[2:], "node_index": 0, "url": f"{server.url}/f/{number}"})
            server.on("GET", f"/f/{number}", reply(body=contents[path][0]))
        server.on("GET", LIST, reply(json={"items": items, "next_page_token": None}))
        disk = _Disk(rng.randrange(60_000))
        async with client_on(server, FakeClock()) as client:

            def create(stage: Stage) -> tuple[BinaryIO, Path]:
                return disk.create(stage)

            with mock.patch.object(Stage, "create", create):
                try:
                    await client.artifacts.download(SLUG, 7, folder, overwrite=True)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise Broken("raw exception", repr(error)) from error
                    outcome = "OSError, the disk is full"
            _no_half_files(folder, None, contents)
            if not set(old) <= set(_tree(folder)):
                raise Broken("wrong result", "a file is missing that was there")
            report = await client.artifacts.download(SLUG, 7, folder, overwrite=True)  # when it is not full any more
        _no_half_files(folder, report.raise_for_failure(), {path: both[:1] for path, both in contents.items()})
    return outcome


_PROGRAM: Final = """
import sys, anyio
from datetime import date
from circleci_sdk import AsyncCircleCI

async def main(url, dest, slug, org, usage):
    async with AsyncCircleCI("token", base_url=url) as client:
        if usage:
            await client.usage.download(org, date(2026, 1, 1), date(2026, 2, 1), dest, overwrite=True)
        else:
            await client.artifacts.download(slug, 7, dest, overwrite="skip")

anyio.run(main, *sys.argv[1:])
"""


def _run(processes: list[subprocess.Popen[bytes]], arguments: list[str]) -> int:
    processes.append(subprocess.Popen([sys.executable, "-c", _PROGRAM, *arguments], stderr=subprocess.DEVNULL))
    return processes[0].wait()


async def killed(rng: random.Random) -> str:
    """A program that ends at a random request; the next one has all, and nothing of the first one is left."""
    usage, number = rng.random() < 0.5, rng.choice([signal.SIGKILL, signal.SIGTERM])
    processes: list[subprocess.Popen[bytes]] = []
    at, count = rng.randrange(1, 9), rng.randrange(1, 7)
    with TemporaryDirectory() as name, ScriptedServer() as server:
        folder = Path(name)

        def send(body: Response) -> Callable[[Request], Response]:
            def respond(_: Request) -> Response:
                if processes and len(server.requests) + 1 == at:
                    processes[0].send_signal(number)
                return body

            return respond

        kind = "u" if usage else "f"
        contents = [rng.randbytes(rng.choice([0, 10, 300_000])) for _ in range(count)]
        links = [f"{server.url}/{kind}/{place}" for place in range(count)]
        items = [{"path": f"f{place}", "node_index": 0, "url": link} for place, link in enumerate(links)]
        done = {"usage_export_job_id": "x", "state": "completed", "download_urls": links}
        server.on("GET", LIST, send(reply(json={"items": items, "next_page_token": None})))
        server.on("POST", ORDER, send(reply(201, json=done)))
        for place, content in enumerate(contents):
            server.on("GET", f"/{kind}/{place}", send(reply(body=content)))
        if usage:
            names = [f"usage-20260101-20260131-{place}.csv.gz" for place in range(count)]
            old = {f"usage-20260101-20260131-{place}.csv.gz": b"old" for place in range(rng.randrange(8))}
        else:
            names, old = [f"0/f{place}" for place in range(count)], {}
        for path, content in old.items():
            (folder / path).write_bytes(content)
        wanted = dict(zip(names, contents, strict=True))
        arguments = [server.url, name, SLUG, ORG, "usage" if usage else ""]
        code = await run_sync(_run, processes, arguments)
        processes.clear()
        found = {path: content for path, content in _tree(folder).items() if ".part/" not in path}
        is_marked = any(path.endswith(".incomplete") for path in found)
        if usage and not is_marked and found not in (old, wanted):
            raise Broken("half file", f"{sorted(found)} of {sorted(old)} and {sorted(wanted)}")
        if not usage and not found.items() <= wanted.items():
            raise Broken("half file", str(sorted(found)))
        async with client_on(server, FakeClock()) as client:
            if usage:
                await client.usage.download(ORG, date(2026, 1, 1), date(2026, 2, 1), folder, overwrite=True)
            else:
                (await client.artifacts.download(SLUG, 7, folder, overwrite="skip")).raise_for_failure()
        if _tree(folder) != wanted:
            raise Broken("wrong result", f"{sorted(_tree(folder))}, not {sorted(wanted)}")
    return "ended before" if code == 0 else "killed"


KINDS: Final = (
    Kind("Bodies that are cut off, with and without a length", cut_bodies, tries=1000, samples=8),
    Kind("Paths that exclude each other or are too long", odd_paths, tries=600, samples=8),
    Kind("Usage exports one after another, cancelled at any request", exports_in_turn, tries=600, samples=6),
    Kind("A disk that is full at any byte", full_disk, tries=300, samples=6),
    Kind("A program that is killed at any request", killed, tries=40, samples=1),
)
