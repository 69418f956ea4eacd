"""A client in a separate process. It reads commands from standard input and writes the measured seconds.

All clients exist at the same time and work alternately, so that variations of the machine affect all of them.
Reading standard input blocks the event loop on purpose: nothing may run between two measurements.
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

from .serving import pin

if TYPE_CHECKING:
    from .clients.base import BaseClient

PROJECTS: Final = 500
"""Number of projects that calls alternate between: real programs rarely request the same URL twice in a row."""


async def at_once(do: Callable[[], Awaitable[object]], times: int, tasks: int) -> None:
    """Call `do` `times` times, from `tasks` concurrent tasks."""
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
    client: BaseClient = import_module(f"benchmarks.clients.{module}").Client(url)
    await client.start()
    number = count()

    async def call() -> None:
        await client.page(f"web-{next(number) % PROJECTS}")

    jobs: dict[str, Callable[..., Awaitable[object]]] = {
        "calls": partial(at_once, call),
        "listing": client.listing,
    }
    await call()
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "calls":
            # Warm-up: reopens connections that idled too long, and fills the processor caches again. The measurement is
            # about the steady state.
            await at_once(call, 50 + 2 * command["with"][1], command["with"][1])
        started, worked = time.perf_counter(), time.process_time()
        await jobs[command["do"]](*command["with"])
        response = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - worked}
        print(json.dumps(response), flush=True)
    await client.aclose()


class Worker:
    """The parent side: controls a client in another process, which a program such as this module runs."""

    def __init__(self, program: str, *arguments: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", f"benchmarks.{program}", *arguments],
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
            error = self._process.stderr.read().strip().splitlines()
            raise RuntimeError(error[-1] if error else "the process ended without output")
        return json.loads(line)

    def measure(self, do: str, *arguments: object) -> dict[str, float]:
        """Run one measurement; returns wall and processor seconds."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"do": do, "with": arguments}) + "\n")
        self._process.stdin.flush()
        response: dict[str, float] = self._read()
        return response

    def close(self) -> None:
        """Kill the process."""
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
