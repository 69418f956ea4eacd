"""Startup times: imports, a constructed client, the first completed call. Each in a fresh process."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from .clients import ENTRIES, OURS, Entry
from .stats import Figure, ratios
from .sync_clients import ENTRIES as SYNC_ENTRIES
from .tables import Budget, Report, Row, Run, Table

IMPORT: Final = "import circleci_sdk"
CLIENT: Final = "from circleci_sdk import AsyncCircleCI; AsyncCircleCI('token')"
SYNC_CLIENT: Final = "from circleci_sdk import CircleCI; CircleCI('token')"
RESOURCE: Final = (
    "from circleci_sdk import AsyncCircleCI; AsyncCircleCI('token').v2.pipelines; "
    "from circleci_sdk.v2.models import Pipeline"
)
PRELOAD: Final = "import circleci_sdk; circleci_sdk.preload()"


@dataclass(frozen=True, slots=True)
class Start:
    """A statement, or the first call of a client."""

    label: str
    code: str
    before: str = "asyncio, time"
    """What is imported before the timer starts. Callers of an async client have an event loop, others have none."""


BASIS: Final = Start("the basis", "import httpx; from pydantic import BaseModel")
STARTS: Final = (
    Start("`import circleci_sdk`", IMPORT),
    Start("circleci_sdk: client constructed", CLIENT),
    Start("circleci_sdk: one resource and its models", RESOURCE),
    Start("circleci_sdk: `preload()`, everything", PRELOAD),
    Start("circleci_sdk, `CircleCI`: client constructed", SYNC_CLIENT, "time"),
    Start("raw aiohttp: client class imported", "from aiohttp import ClientSession"),
    Start("openai: client constructed", "from openai import AsyncOpenAI; AsyncOpenAI(api_key='token')"),
    Start("pycircleci: client constructed", "from pycircleci.api import Api; Api('token')", "time"),
    Start("githubkit: client constructed", "from githubkit import GitHub; GitHub('token')"),
    Start(
        "githubkit: one resource and a model",
        "from githubkit import GitHub; client = GitHub('token'); client.rest.issues; "
        "from githubkit_schemas.latest.models import Issue",
    ),
    Start(
        "pycircleci-async: client constructed",
        "from pycircleci_async import CircleCIClient; CircleCIClient(token='token')",
    ),
    Start(
        "datamodel-code-generator's client: constructed",
        "from benchmarks_generated_client import AsyncClient; AsyncClient(base_url='https://example.com')",
    ),
)
# httpx and httpcore import these four if they are installed; most users have none of them.
_ABSENT: Final = "import sys; sys.modules.update(dict.fromkeys(('click', 'h2', 'rich', 'trio')))"
_TIMED: Final = _ABSENT + "; import {before}; t = time.process_time(); {code}; print(time.process_time() - t)"
_FIRST_CALL: Final = (
    "from benchmarks.clients.{module} import Client; url = {url!r}; "
    "exec('async def main():\\n client = Client(url)\\n await client.start()\\n await client.page(\"web\")'); "
    "asyncio.run(main())"
)
_FIRST_SYNC_CALL: Final = "from benchmarks.sync_clients.{module} import Client; Client({url!r}).page('web')"
# The server uses plain HTTP, for which circleci_sdk loads no certificates; the other clients do.
_WITH_CERTIFICATES: Final = _FIRST_CALL.replace("Client(url)", "Client(url, verify=httpx.create_ssl_context())")


def report(run: Run) -> Report:
    """Startup, relative to importing httpx and pydantic."""
    table = measure(run.url, run.rounds(9, 1))
    bounds = {
        "`import circleci_sdk`": 0.1,
        "circleci_sdk: client constructed": 0.75,
        "circleci_sdk: one resource and its models": 1.3,
        "circleci_sdk: first call": 2.2,
    }
    budgets = [
        Budget(f"{label}, x importing httpx and pydantic", table.figure(label), most=most)
        for label, most in bounds.items()
    ]
    return Report(budgets, (table,))


def measure(url: str, rounds: int) -> Table:
    """Times in fresh processes, relative to importing httpx and pydantic."""
    starts = [
        *STARTS,
        *(Start(f"{e.label}: first call", _FIRST_CALL.format(module=e.module, url=url)) for e in ENTRIES),
        *(_first_call_of_sync(entry, url) for entry in SYNC_ENTRIES),
        Start(
            "circleci_sdk: first call, including the certificates for HTTPS",
            f"import httpx; {_WITH_CERTIFICATES.format(module=OURS, url=url)}",
        ),
    ]
    failures: list[str] = []
    taken: dict[str, list[float]] = {}
    basis: dict[str, list[float]] = {}
    for number in range(rounds + 1):  # the first round fills the disk cache
        for start in list(starts):
            base = _seconds(BASIS)  # just before: the speed of a machine changes within a round
            try:
                seconds = _seconds(start)
            except RuntimeError as error:
                failures.append(f"{start.label}: {error}")
                starts.remove(start)
                continue
            if number:
                basis.setdefault(start.label, []).append(base)
                taken.setdefault(start.label, []).append(seconds)
    rows = [Row(start.label, (ratios(taken[start.label], basis[start.label]),)) for start in starts]
    bases = Figure.of([1000 * seconds for start in starts for seconds in basis[start.label]])
    return Table(
        "Startup",
        f"Processor time in a fresh process, relative to `import httpx; from pydantic import BaseModel` ({bases} ms "
        "here), which runs just before each; lower is better. asyncio is imported before the timer starts, except in "
        "rows without `await`, of `CircleCI` and of pycircleci; trio, h2 and click, which httpx imports if installed, "
        "are hidden.",
        ("time",),
        tuple(rows),
        tuple(failures),
    )


def _first_call_of_sync(entry: Entry, url: str) -> Start:
    code = _FIRST_SYNC_CALL.format(module=entry.module, url=url)
    return Start(f"{entry.label}: first call without `await`", code, "time")


def _seconds(start: Start) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _TIMED.format(before=start.before, code=start.code)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout)
