"""One contestant in a process of its own. It is told on standard input what to do next, and returns with seconds.

All contestants are alive at the same time and work in turns, so that what slows down the machine hits all of them.
Standard input is read without giving way to the event loop: between two measurements nothing may run.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from itertools import count
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

import anyio

from .server import pin

if TYPE_CHECKING:
    from .contestants.base import Contestant

PROJECTS: Final = 500
"""Calls go to so many projects in turn: real ones seldom ask for the same address twice in a row."""


async def at_once(do: Callable[[], Awaitable[object]], times: int, tasks: int) -> None:
    """Do it so often, so many at a time."""
    left = times

    async def work() -> None:
        nonlocal left
        while left > 0:
            left -= 1
            await do()

    if tasks == 1:
        await work()
        return
    async with anyio.create_task_group() as group:
        for _ in range(tasks):
            group.start_soon(work)


async def _serve(module: str, url: str) -> None:
    client: Contestant = import_module(f"benchmarks.contestants.{module}").Client(url)
    await client.start()
    turn = count()

    async def call() -> None:
        await client.page(f"web-{next(turn) % PROJECTS}")

    jobs: dict[str, Callable[..., Awaitable[object]]] = {
        "calls": partial(at_once, call),
        "listing": client.listing,
    }
    await call()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        if order["do"] == "calls":
            # Before the clock runs, connections that idled too long are opened anew, and what the others have pushed
            # out of the processor's caches comes back: this is about the steady state.
            await at_once(call, 50 + 2 * order["with"][1], order["with"][1])
        started, worked = time.perf_counter(), time.process_time()
        await jobs[order["do"]](*order["with"])
        response = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - worked}
        print(json.dumps(response), flush=True)
    await client.aclose()


class Worker:
    """The other end: a contestant that runs elsewhere."""

    def __init__(self, module: str, backend: str, url: str) -> None:
        command = [sys.executable, "-m", "benchmarks.worker", module, backend, url]
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parent.parent,
        )
        try:
            self._read()
        except RuntimeError:
            self.close()
            raise

    def _read(self) -> Any:
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        line = self._process.stdout.readline()
        if not line:
            told = self._process.stderr.read().strip().splitlines()
            raise RuntimeError(told[-1] if told else "it ended without a word")
        return json.loads(line)

    def measure(self, do: str, *arguments: object) -> dict[str, float]:
        """Let it work; gives wall and processor seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "with": arguments}) + "\n")
        self._process.stdin.flush()
        response: dict[str, float] = self._read()
        return response

    def close(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


if __name__ == "__main__":
    pin(1)
    anyio.run(_serve, sys.argv[1], sys.argv[3], backend=sys.argv[2])
