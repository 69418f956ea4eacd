"""Memory of a client after its first call, and of ten thousand models. Each client in fresh processes."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import anyio

from . import plain, responses
from .clients import BASIS, ENTRIES
from .stats import Figure
from .tables import Budget, Report, Row, Run, Table

if TYPE_CHECKING:
    from .clients.base import BaseClient

CLIENTS: Final = 40
MODELS: Final = 10_000
PLAIN: Final = "plain pydantic models"
"""The row that the models are compared with: those of `plain.py`."""
_OBSTACLE: Final = (
    "the fields that a model does not know are kept; pydantic allocates a dict of 64 bytes for them in each object, "
    "also if there are none"
)


def report(run: Run) -> Report:
    """Memory of clients and models."""
    table = measure(run.url, run.rounds(3, 1))
    ours, basis = table.figure("circleci_sdk", 1), table.figure(PLAIN, 1)
    ratio = ours and basis and Figure.of([ours.middle / basis.middle])
    return Report([Budget(f"{MODELS:,} pipelines in memory, x plain pydantic", ratio, None, 1.05, _OBSTACLE)], (table,))


def measure(url: str, rounds: int) -> Table:
    """Absolute sizes, which hardly depend on the machine."""
    failures: list[str] = []
    rows = [Row(PLAIN, (None, Figure.of([_run("models", "plain", url) for _ in range(rounds)])))]
    for entry in ENTRIES:
        try:
            client = Figure.of([_run("client", entry.module, url) for _ in range(rounds)])
            models = Figure.of([_run("models", entry.module, url) for _ in range(rounds)])
        except RuntimeError as error:
            failures.append(f"{entry.label}: {error}")
            continue
        rows.append(Row(entry.label, (client, None if entry.module in _SAME_MODELS else models)))
    return Table(
        "Memory",
        f"kB per client, for {CLIENTS} clients with one open connection each, and MB for {MODELS:,} pipelines decoded "
        "from pages; lower is better.",
        ("kB per client", "MB of data"),
        tuple(rows),
        tuple(failures),
    )


_SAME_MODELS: Final = {"sdk_httpx2", "sdk_aiohttp"}


def _run(what: str, module: str, url: str) -> float:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.memory", what, module, url],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parent.parent,
    )
    if done.returncode:
        raise RuntimeError(done.stderr.strip().splitlines()[-1])
    return float(done.stdout)


def _resident() -> int:
    """Resident memory in bytes. Linux only; elsewhere the table reports a failure."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def _client(module: str, url: str) -> float:
    make: Callable[[str], BaseClient] = import_module(f"benchmarks.clients.{module}").Client

    async def open_clients(count: int) -> list[BaseClient]:
        made = [make(url) for _ in range(count)]
        for client in made:
            await client.start()
            await client.page("web")
        return made

    warm = await open_clients(3)
    before = _resident()
    clients = await open_clients(CLIENTS)
    size = (_resident() - before) / CLIENTS / 1000
    for client in (*clients, *warm):
        await client.aclose()
    return size


def _models(module: str) -> float:
    decode = _DECODERS.get(module, json.loads)
    read = decode if module not in _MAKERS else _MAKERS[module]()
    pages = [responses.page(first=number * responses.PAGE_SIZE) for number in range(MODELS // responses.PAGE_SIZE)]
    read(pages[0])
    before = _resident()
    data = [read(page) for page in pages]
    size = (_resident() - before) / 1_000_000
    assert len(data) == len(pages)
    return size


def _ours() -> Callable[[bytes], object]:
    from circleci_sdk._core.errors import CallFacts
    from circleci_sdk._core.messages import Headers, Received
    from circleci_sdk._core.serialization.decode import decode_page
    from circleci_sdk.v2 import OPERATIONS

    operation, facts = OPERATIONS["listPipelinesForProject"], CallFacts("", "GET", "/")
    return lambda page: decode_page(
        operation, Received(200, Headers([]), page), facts, strict=False, start=None, size=None
    )


def _openai() -> Callable[[bytes], object]:
    construct: Any = import_module("openai._models").construct_type
    model: Any = import_module("benchmarks.clients.openai_client").PAGE
    return lambda page: construct(value=json.loads(page), type_=model)


def _githubkit() -> Callable[[bytes], object]:
    model: Any = import_module("benchmarks.clients.githubkit_client").PAGE
    return model.model_validate_json  # type: ignore[no-any-return]  # a generated model


def _generated() -> Callable[[bytes], object]:
    model: Any = import_module("benchmarks_generated_models").PipelinePage
    return model.model_validate_json  # type: ignore[no-any-return]  # a generated model


_DECODERS: Final[dict[str, Callable[[bytes], object]]] = {BASIS: json.loads}
_MAKERS: Final[dict[str, Callable[[], Callable[[bytes], object]]]] = {
    "plain": lambda: plain.Page.model_validate_json,
    "sdk": _ours,
    "openai_client": _openai,
    "githubkit_client": _githubkit,
    "generated_client": _generated,
}


if __name__ == "__main__":
    print(anyio.run(_client, sys.argv[2], sys.argv[3]) if sys.argv[1] == "client" else _models(sys.argv[2]))
