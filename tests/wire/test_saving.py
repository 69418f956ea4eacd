# pyright: basic
"""Files on their way to the disk: few calls in threads, bounded memory, an event loop that runs on; on both loops."""

from __future__ import annotations

import threading
from collections.abc import AsyncIterator, Callable
from io import FileIO
from pathlib import Path
from typing import Any

import anyio
import pytest

from circleci_sdk import AsyncCircleCI, ConnectionFailedError
from circleci_sdk.helpers._downloads import executor, position, saving
from circleci_sdk.helpers._downloads.executor import SerialExecutor
from circleci_sdk.helpers._downloads.saving import BATCH, save
from circleci_sdk.helpers._downloads.staging import Stage
from tests.support.clients import SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.downloads import fetch
from tests.support.scripted_server import Response, ScriptedServer, reply

LIST = f"/api/v2/project/{SLUG}/7/artifacts"
LARGE = bytes(range(256)) * 4096 * 4 + b"the end"
"""Four batches and a little more."""


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, FakeClock()) as client:
        yield client


def content(part: Path, size: int) -> bytes:
    """What is put in its place."""
    data = part.read_bytes()
    assert len(data) == size
    return data


def files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


@pytest.fixture
def hops(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What ran in threads: `write` for a batch, and `run` for work together."""
    seen: list[str] = []
    run_sync = saving.run_sync

    async def write(work: Callable[..., Any], *arguments: Any) -> Any:
        seen.append(work.__name__)
        return await run_sync(work, *arguments)

    async def run(work: Callable[[], Any]) -> Any:
        seen.append("run")
        return await run_sync(work)

    monkeypatch.setattr(saving, "run_sync", write)
    monkeypatch.setattr(executor, "run_sync", run)
    return seen


@pytest.mark.parametrize(("size", "batches"), [(0, 0), (20_000, 0), (BATCH - 1, 0), (BATCH, 1), (len(LARGE), 4)])
async def test_a_file_takes_one_call_for_each_batch(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, hops: list[str], size: int, batches: int
) -> None:
    server.on("GET", "/f", reply(body=LARGE[:size]))
    assert await save(fetch(client, server.url + "/f"), Stage(tmp_path), SerialExecutor(), content) == LARGE[:size]
    assert len(server.requests) == 1
    assert hops[-1] == "run"
    assert hops[:-1] in (["write"] * batches, ["write"] * (batches - 1))  # pieces end behind the end of a batch


async def test_no_byte_is_copied_and_a_batch_is_all_that_is_held(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is a digest made while the file is read: that of the file is made if it is needed."""
    server.on("GET", "/f", reply(body=LARGE))
    held: list[int] = []
    write = saving._Part.write

    def measured(part: Any, pieces: list[bytes]) -> None:
        held.append(sum(map(len, pieces)))
        assert {type(piece) for piece in pieces} == {bytes}
        write(part, pieces)

    monkeypatch.setattr(saving._Part, "write", measured)
    made: list[int] = []
    sha256 = position.sha256

    class Digest:
        def __init__(self) -> None:
            self._digest = sha256()

        def update(self, data: bytes) -> None:
            made.append(len(data))
            self._digest.update(data)

        def digest(self) -> bytes:
            return self._digest.digest()

    monkeypatch.setattr(position, "sha256", Digest)
    assert await save(fetch(client, server.url + "/f"), Stage(tmp_path), SerialExecutor(), content) == LARGE
    assert max(held) <= BATCH + (1 << 18)
    assert made == []


async def test_a_disk_that_blocks_does_not_block_the_loop(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each call for the disk waits for what the loop does meanwhile."""
    server.on("GET", "/f", reply(body=LARGE))
    wanted, done = threading.Semaphore(0), threading.Semaphore(0)
    stage = Stage(tmp_path)
    create, close = stage.create, stage.close

    def wait() -> None:
        wanted.release()
        assert done.acquire(timeout=30)

    class Slow:
        def __init__(self, file: FileIO) -> None:
            self._file = file

        def __getattr__(self, name: str) -> Any:
            wait()
            return getattr(self._file, name)

        def __enter__(self) -> Any:
            return self

        def __exit__(self, *_: object) -> None:
            wait()
            self._file.close()

    def slow() -> tuple[Any, Path]:
        wait()
        file, part = create()
        return Slow(file), part

    monkeypatch.setattr(stage, "create", slow)
    count = 0

    async def loop_runs() -> None:
        nonlocal count
        while True:
            if wanted.acquire(blocking=False):
                count += 1
                done.release()
            await anyio.lowlevel.checkpoint()

    async with anyio.create_task_group() as group:
        group.start_soon(loop_runs)
        assert await save(fetch(client, server.url + "/f"), stage, SerialExecutor(), content) == LARGE
        group.cancel_scope.cancel()
    assert count >= 6  # the file is created, written to four times or more, and closed
    close()


def broken(*cuts: int, tag: str | None = None, last: bytes = LARGE) -> list[Response]:
    headers = {"ETag": tag} if tag else {}
    first = [reply(body=LARGE, headers=headers).cut(keep=(cut + 0.5) / len(LARGE)) for cut in cuts]
    return [*first, reply(body=last)]


@pytest.mark.parametrize(
    ("cuts", "tag"),
    [((10,), None), ((BATCH,), '"a"'), ((3 * BATCH + 100_000,), '"a"'), ((BATCH + 1, len(LARGE) - 1), None)],
)
async def test_what_was_written_is_compared_after_a_break(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, cuts: tuple[int, ...], tag: str | None
) -> None:
    """Whether the bytes are on disk already or not. A server with a tag may not keep to ranges either."""
    server.on("GET", "/f", broken(*cuts, tag=tag))
    assert await save(fetch(client, server.url + "/f"), Stage(tmp_path), SerialExecutor(), content) == LARGE


@pytest.mark.parametrize(("cut", "place"), [(10, 0), (3 * BATCH + 100_000, 0), (3 * BATCH + 100_000, -1)])
async def test_another_file_after_a_break_is_an_error(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, cut: int, place: int
) -> None:
    """And leaves nothing on disk."""
    at = place % cut
    other = LARGE[:at] + bytes([LARGE[at] ^ 1]) + LARGE[at + 1 :]
    server.on("GET", "/f", broken(cut, last=other))
    stage = Stage(tmp_path)
    with pytest.raises(ConnectionFailedError, match="another one now"):
        await save(fetch(client, server.url + "/f"), stage, SerialExecutor(), content)
    assert files(tmp_path) == []
    await anyio.to_thread.run_sync(stage.close)


async def test_a_put_that_fails_leaves_no_part(server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path) -> None:
    def fail(part: Path, size: int) -> None:
        assert part.stat().st_size == size == 1
        raise FileExistsError("it exists")

    server.on("GET", "/f", reply(body=b"1"))
    stage = Stage(tmp_path)
    with pytest.raises(FileExistsError, match="it exists"):
        await save(fetch(client, server.url + "/f"), stage, SerialExecutor(), fail)
    assert files(tmp_path) == []
    stage.close()


async def test_a_cancellation_waits_for_the_step_that_runs(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path
) -> None:
    """What has begun in a thread ends first."""
    server.on("GET", "/f", reply(body=b"1"))
    begun, released = threading.Event(), threading.Event()
    ended: list[str] = []

    def put(part: Path, size: int) -> None:
        begun.set()
        assert released.wait(30)
        ended.append("put")

    async def release() -> None:
        while not begun.is_set():
            await anyio.lowlevel.checkpoint()
        scope.cancel()
        for _ in range(5):
            await anyio.lowlevel.checkpoint()
        released.set()

    async with anyio.create_task_group() as group:
        group.start_soon(release)
        with anyio.CancelScope() as scope:
            await save(fetch(client, server.url + "/f"), Stage(tmp_path), SerialExecutor(), put)
    assert ended == ["put"]


async def test_small_files_take_less_than_a_call_each(
    server: ScriptedServer, client: AsyncCircleCI, tmp_path: Path, hops: list[str]
) -> None:
    """One request each, too: nothing is asked for twice."""
    count = 40
    items = [{"path": f"{number}", "node_index": 0, "url": f"{server.url}/f"} for number in range(count)]
    server.on("GET", LIST, reply(json={"items": items, "next_page_token": None}))
    server.on("GET", "/f", reply(body=b"1" * 20_000))
    report = await client.artifacts.download(SLUG, 7, tmp_path, concurrency=8)
    assert len(report.raise_for_failure().files) == count
    assert len(server.requests) == count + 1
    assert set(hops) == {"run"}
    assert len(hops) <= count + 1  # the last one removes the stage


# Steps.


class Ran:
    """What ran in each call of a thread. The first work of all waits until others do."""

    def __init__(self) -> None:
        self.calls = [""]
        self.released = threading.Event()
        self.executor = SerialExecutor(lambda: self.calls.append(""))

    def work(self, number: int) -> int:
        self.calls[-1] += str(number)
        assert self.released.wait(30)
        if number == 3:
            raise KeyError(number)
        return number

    async def ask(self, number: int) -> int:
        return await self.executor.run(lambda: self.work(number))

    async def begun(self) -> None:
        while self.calls == [""]:
            await anyio.lowlevel.checkpoint()

    async def waiting(self, count: int) -> None:
        while len(self.executor._waiting) != count:
            await anyio.lowlevel.checkpoint()


async def test_what_waits_runs_in_one_call() -> None:
    """Each task has its own result, or its own error."""
    ran, results, errors = Ran(), [], []

    async def ask(number: int) -> None:
        try:
            results.append(await ran.ask(number))
        except KeyError as error:
            errors.append(error.args)

    async with anyio.create_task_group() as group:
        group.start_soon(ask, 0)
        await ran.begun()
        for number in range(1, 6):
            group.start_soon(ask, number)
            await ran.waiting(number)
        ran.released.set()
    assert ran.calls == ["0", "12345", ""]
    assert (sorted(results), errors) == ([0, 1, 2, 4, 5], [(3,)])


async def test_work_that_is_cancelled_before_its_call_never_runs() -> None:
    ran = Ran()

    async def ask(number: int, scope: anyio.CancelScope) -> None:
        with scope:
            await ran.ask(number)

    scopes = [anyio.CancelScope() for _ in range(3)]
    async with anyio.create_task_group() as group:
        group.start_soon(ask, 0, scopes[0])
        await ran.begun()
        for number in (1, 2):
            group.start_soon(ask, number, scopes[number])
            await ran.waiting(number)
        scopes[1].cancel()
        await ran.waiting(1)
        scopes[0].cancel()  # whose call has begun
        ran.released.set()
    assert ran.calls == ["0", "2", ""]
