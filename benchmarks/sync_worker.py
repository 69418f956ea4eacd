"""A client without `await` in a separate process; `worker.Worker` is its parent side."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING

from .serving import pin
from .worker import PROJECTS

if TYPE_CHECKING:
    from .sync_clients.base import BaseClient

THREADS = 16
"""The largest number of threads that call at once."""


def _serve(module: str, url: str) -> None:
    client: BaseClient = import_module(f"benchmarks.sync_clients.{module}").Client(url)
    number = count()
    pool = ThreadPoolExecutor(THREADS)

    def at_once(times: int, threads: int) -> None:
        left = iter(range(times))

        def work() -> None:
            for _ in left:
                client.page(f"web-{next(number) % PROJECTS}")

        if threads == 1:
            work()
        else:
            for done in [pool.submit(work) for _ in range(threads)]:
                done.result()

    jobs: dict[str, Callable[..., object]] = {"calls": at_once, "listing": client.listing}
    at_once(1, 1)
    print(json.dumps("ready"), flush=True)
    for line in sys.stdin:
        command = json.loads(line)
        if command["do"] == "calls":  # a warm-up, as in `worker`
            at_once(50 + 2 * command["with"][1], command["with"][1])
        started, worked = time.perf_counter(), time.process_time()
        jobs[command["do"]](*command["with"])
        response = {"seconds": time.perf_counter() - started, "cpu": time.process_time() - worked}
        print(json.dumps(response), flush=True)
    client.close()


if __name__ == "__main__":
    pin(1)
    _serve(sys.argv[1], sys.argv[2])
