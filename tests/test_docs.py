"""The code of the pages in `docs/` runs: the Python blocks of a page one after the other."""

from __future__ import annotations

import re
import threading
from pathlib import Path
from typing import Any

import pytest

import circleci_sdk
from circleci_sdk import AsyncCircleCI
from circleci_sdk.testing import FakeCircleCI
from tests.support.scripted_server import ScriptedServer, reply
from tests.test_readme import README, run

PAGES = {
    path.name: re.findall(r"^```python\n(.*?)^```$", path.read_text(), re.MULTILINE | re.DOTALL)
    for path in sorted((Path(__file__).parent.parent / "docs").glob("*.md"))
}
JOB = {
    "web_url": "https://app.circleci.com/pipelines/github/acme/web/7/workflows/w/jobs/42",
    "project": {"id": "p", "slug": "gh/acme/web", "name": "web", "external_url": "https://github.com/acme/web"},
    "parallel_runs": [{"index": 0, "status": "success"}],
    "started_at": "soon",
    "latest_workflow": {"id": "w", "name": "build"},
    "name": None,
    "executor": {"resource_class": "medium", "type": "docker"},
    "parallelism": 1,
    "status": "success",
    "number": 42,
    "pipeline": {"id": "p"},
    "duration": 1000,
    "created_at": "2026-01-02T03:04:05Z",
    "messages": [],
    "contexts": [],
    "organization": {"name": "acme"},
    "queued_at": "2026-01-02T03:04:05Z",
    "stopped_at": "2026-01-02T03:05:05Z",
}


def test_the_readme_links_every_page() -> None:
    assert [page for page in PAGES if page != "index.md" and f"(docs/{page})" not in README] == []


def public_names() -> dict[str, Any]:
    return {name: getattr(circleci_sdk, name) for name in circleci_sdk.__all__}


def test_each_page_with_blocks_is_known_here() -> None:
    assert [page for page, blocks in PAGES.items() if blocks] == ["sync.md", "when-the-api-surprises-you.md"]


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_odd_responses(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> None:
    """On a server whose responses do not fit."""
    server.otherwise(reply(json=JOB))
    monkeypatch.setenv("CIRCLECI_BASE_URL", server.url)
    page = "when-the-api-surprises-you.md"
    async with AsyncCircleCI("a-token") as circleci:
        names = {**public_names(), "circleci": circleci}
        for block in PAGES[page]:
            await run(block, names, page)
    assert len(server.requests) == 3


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_sync_client(monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> None:
    """On the demo, whose clock runs. No block leaves the thread of the client behind."""
    names: dict[str, Any] = {}
    with FakeCircleCI.scenario("demo", speed=1000).serve() as served:
        monkeypatch.setenv("CIRCLECI_TOKEN", "fake-token")
        monkeypatch.setenv("CIRCLECI_BASE_URL", served.base_url)
        for block in PAGES["sync.md"]:
            await run(block, names, "sync.md")
            if block.startswith("import asyncio"):
                names["circleci"].close()  # the one at module level
    fake = FakeCircleCI()
    with fake.sync_client() as circleci_sync:
        names["test_release"](fake, circleci_sync)
    assert not [thread for thread in threading.enumerate() if thread.name == "circleci_sdk"]
