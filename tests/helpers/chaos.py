"""Many runs at once without waiting: time that jumps for all together, and a network that fails by chance.

The network records what it let through, so that a test can compare what was told with what was to be seen.
"""

from __future__ import annotations

import heapq
import json
import random
from collections import Counter, defaultdict
from collections.abc import Callable, Container
from math import ceil
from typing import Any

import anyio
import anyio.lowlevel
import httpx

from circleci_sdk.testing import FakeCircleCI

REFUSED = {"retry-after": "1", "ratelimit-limit": "2000", "ratelimit-remaining": "0", "ratelimit-reset": "1"}
"""A limit that 500 watchers may meet and need not starve on."""


class JumpingClock:
    """Time stands still while anybody works, and jumps to the next sleeper when all wait. Moves the fake along."""

    def __init__(self, fake: FakeCircleCI, seed: int) -> None:
        self._fake = fake
        self._random = random.Random(seed)
        self._sleepers: list[tuple[float, int, anyio.Event]] = []
        self._count = 0
        self.busy = 0
        """Counts whatever is done, so that a standstill shows."""

    def monotonic(self) -> float:
        return self._fake.clock.now.timestamp()

    time = monotonic

    def random(self) -> float:
        return self._random.random()

    async def sleep(self, seconds: float) -> None:
        self._count += 1
        self.busy += 1
        event = anyio.Event()
        heapq.heappush(self._sleepers, (self.monotonic() + seconds, self._count, event))
        await event.wait()
        self.busy += 1

    async def run(self) -> None:
        """Move time on, for ever."""
        while True:
            seen, still = self.busy, 0
            while still < 12:
                await anyio.lowlevel.checkpoint()
                still = still + 1 if self.busy == seen else 0
                seen = self.busy
            if not self._sleepers:
                continue
            # Those who are due within a moment wake together: fewer jumps.
            until = max(due for due, _, _ in self._sleepers if due <= self._sleepers[0][0] + 0.1)
            # Rounded up: a wait shorter than the fake's clock can tell would never be over.
            self._fake.clock.advance(ceil(max(0.0, until - self.monotonic()) * 1_000_000) / 1_000_000)
            while self._sleepers and self._sleepers[0][0] <= until:
                heapq.heappop(self._sleepers)[2].set()


class Oddities:
    """Changes some responses that the fake sent: fields, lists without an item, and what cannot be read at all.

    By chance and a seed. Each change is of one response: the next one to the same request may be as it is. Never are
    three in a row unreadable, which ends a wait.
    """

    def __init__(self, seed: int, share: float) -> None:
        self._random = random.Random(seed)
        self._share = share
        self.made: Counter[str] = Counter()
        self._unreadable: Counter[str] = Counter()

    def change(self, path: str, body: Any, known: Container[str] | None = None) -> httpx.Response | None:
        """The response in place of this one; None to leave it.

        A workflow that is not `known` does not vanish, nor does its tag, which only a setup workflow has.
        """
        before = self._unreadable.pop(path, 0)
        if self._random.random() >= self._share:
            return None
        kind = self._random.choice(["null", "dropped", "renamed", "vanished", "unreadable"])
        if kind == "unreadable":
            if before == 2:
                return None
            self._unreadable[path] = before + 1
            self.made[kind] += 1
            return self._random.choice(UNREADABLE)()
        items: list[dict[str, Any]] = body.get("items", [body])
        if not items or (kind == "vanished" and not path.endswith("/workflow")):
            return None
        item = self._random.choice(items)
        is_known = known is None or item["id"] in known
        if kind == "vanished":
            if not is_known:
                return None
            items.remove(item)
        else:
            name = self._random.choice(list(item))
            if name == "tag" and not is_known:
                return None
            value = item.pop(name)
            if kind == "null":
                item[name] = None
            elif kind == "renamed":
                item[f"{name}_v3"] = value
        self.made[kind] += 1
        return httpx.Response(200, json=body)


UNREADABLE: tuple[Callable[[], httpx.Response], ...] = (
    lambda: httpx.Response(404, json={"message": "Not found."}),
    lambda: httpx.Response(403, json={"message": "Forbidden."}),
    lambda: httpx.Response(500, content=b""),
    lambda: httpx.Response(200, json={"message": "Maintenance."}),
    lambda: httpx.Response(200, content=b"<html>Maintenance</html>", headers={"content-type": "text/html"}),
    lambda: httpx.Response(200, json={"items": [], "next_page_token": 5}),
)


class BadNetwork(httpx.AsyncBaseTransport):
    """The way to a fake, on which calls are refused, fail and break, before or after they were processed.

    With `refusing` a share of what fails is 429. `odd` is the share of responses to reads that are changed; with `fair`
    only workflows that are in `seen` vanish. `seen` are, for each pipeline, the statuses that got through of the
    pipeline, its workflows and its jobs, each change once. `calls` counts attempts by pipeline, `processed` what the
    fake did.
    """

    def __init__(
        self,
        fake: FakeCircleCI,
        clock: JumpingClock,
        seed: int,
        *,
        failing: float,
        refusing: bool,
        odd: float = 0.0,
        fair: bool = False,
    ) -> None:
        self._inner = fake.transport()
        self._clock = clock
        self._random = random.Random(seed)
        self._failing = failing
        self._fair = fair
        self._weights = (int(refusing), 4, 4, 2, 4, 4)
        self._pipeline_of: dict[str, str] = {}
        self.oddities = Oddities(seed, odd)
        self.faults: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self.processed: Counter[tuple[str, str, bytes]] = Counter()
        self.seen: defaultdict[str, dict[str, list[str]]] = defaultdict(dict)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self._clock.busy += 1
        parts = request.url.path.removeprefix("/api/v2/").split("/")
        run = (
            parts[1]
            if parts[0] == "pipeline"
            else self._pipeline_of.get(parts[1], "")
            if parts[0] == "workflow"
            else ""
        )
        self.calls[run] += 1
        fault = self._roll()
        if fault is not None:
            self.faults[fault] += 1
        if fault == "429":
            return httpx.Response(429, headers=REFUSED, content=b"Rate limited.")
        if fault == "502 before":
            return httpx.Response(502, content=b"<html>Bad Gateway</html>", headers={"content-type": "text/html"})
        if fault == "never left":
            raise httpx.ConnectError("refused")
        if fault == "lost before":
            raise httpx.ReadError("reset")
        response = await self._inner.handle_async_request(request)
        content = await response.aread()
        self._clock.busy += 1
        if request.method == "POST" and response.is_success:
            self.processed[request.method, request.url.path, request.content] += 1
        if fault == "502 after":
            return httpx.Response(502, content=b"")
        if fault == "lost after":
            raise httpx.RemoteProtocolError("the connection ended")
        if response.status_code == 200 and request.method == "GET":
            changed = self.oddities.change(
                request.url.path, json.loads(content), self.seen[run] if self._fair else None
            )
            if changed is not None:
                if changed.status_code == 200 and "json" in changed.headers["content-type"]:
                    self._book(parts, run, changed.json(), json.loads(content))
                return changed
            self._book(parts, run, json.loads(content), json.loads(content))
        return httpx.Response(response.status_code, headers=response.headers, content=content)

    def _roll(self) -> str | None:
        if self._random.random() >= self._failing:
            return None
        kinds = ("429", "502 before", "502 after", "never left", "lost before", "lost after")
        return self._random.choices(kinds, weights=self._weights)[0]

    def _book(self, parts: list[str], run: str, body: Any, sent: Any) -> None:
        match parts:
            case ["pipeline", identifier]:
                self._note(run, {"id": identifier, "status": body.get("state")})
            case ["pipeline", _, "workflow"]:
                for workflow in body.get("items", ()):
                    if workflow.get("id"):
                        self._pipeline_of[workflow["id"]] = run
                    self._note(run, workflow)
            case ["workflow", identifier]:
                self._note(run, {"id": identifier, "status": body.get("status")})
            case ["workflow", _, "job"]:
                # A job without its id can be told apart by its name, a workflow cannot.
                for job, whole in zip(body.get("items", ()), sent["items"], strict=False):
                    self._note(run, {"id": whole["id"], "status": job.get("status")})
            case _:
                pass

    def _note(self, run: str, thing: dict[str, Any]) -> None:
        identifier, status = thing.get("id"), thing.get("status")
        if not identifier or not status:
            return
        statuses = self.seen[run].setdefault(identifier, [])
        if not statuses or statuses[-1] != status:
            statuses.append(status)


async def all_at_once(clock: JumpingClock, work: list[Callable[[], Any]]) -> None:
    """Do everything at once, on a clock that jumps."""
    async with anyio.create_task_group() as driver:
        driver.start_soon(clock.run)
        async with anyio.create_task_group() as tasks:
            for each in work:
                tasks.start_soon(each)
        driver.cancel_scope.cancel()
