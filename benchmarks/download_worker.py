"""A program that downloads, in a separate process; `worker.Worker` is its parent side."""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import anyio

from .download_programs import circleci_sdk, circleci_sdk_without_await, raw_httpx
from .file_server import job_of
from .serving import pin

_PROGRAMS: Final = {"raw_httpx": raw_httpx, "circleci_sdk": circleci_sdk}
_WARM_UP: Final = job_of(30, 1000)
_BEAT: Final = 0.001
"""Seconds between two signs that the event loop runs."""


async def _serve(program: str, url: str) -> None:
    async with _PROGRAMS[program](url) as download:
        with _measured({}) as folder:
            await download(_WARM_UP, folder)
        for job, is_watched, result in _commands():
            with _measured(result) as folder:
                if not is_watched:
                    await download(job, folder)
                    continue
                async with anyio.create_task_group() as group:
                    group.start_soon(_watch, result)
                    await download(job, folder)
                    group.cancel_scope.cancel()


async def _watch(result: dict[str, float]) -> None:
    """Note the longest pause of the event loop, which includes those of other tasks and of the machine."""
    last = time.perf_counter()
    result["pause"] = 0.0
    while True:
        await anyio.sleep(_BEAT)
        now = time.perf_counter()
        result["pause"], last = max(result["pause"], now - last - _BEAT), now


def _serve_without_await(url: str) -> None:
    with circleci_sdk_without_await(url) as download:
        with _measured({}) as folder:
            download(_WARM_UP, folder)
        for job, _, result in _commands():
            with _measured(result) as folder:
                download(job, folder)


def _commands() -> Generator[tuple[int, bool, dict[str, float]]]:
    before = _peak()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        job, is_watched = json.loads(line)["with"]
        result: dict[str, float] = {}
        yield job, is_watched, result
        print(json.dumps({**result, "grown": _peak() - before}), flush=True)


@contextmanager
def _measured(result: dict[str, float]) -> Generator[Path]:
    with tempfile.TemporaryDirectory() as folder:
        started, worked = time.perf_counter(), time.process_time()
        yield Path(folder)
        result["seconds"], result["cpu"] = time.perf_counter() - started, time.process_time() - worked


def _peak() -> float:
    """The largest size of this process so far, in MB; kB on Linux."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


if __name__ == "__main__":
    pin(1)
    if sys.argv[1] == "circleci_sdk_without_await":
        _serve_without_await(sys.argv[2])
    else:
        anyio.run(_serve, sys.argv[1], sys.argv[2])
