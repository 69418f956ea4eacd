"""The code of the pages in `docs/` runs: the Python blocks of a page one after the other, on a scripted server."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

import circleci_sdk
from circleci_sdk import AsyncCircleCI
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
    assert [page for page in PAGES if f"(docs/{page})" not in README] == []


@pytest.mark.parametrize("page", [page for page, blocks in PAGES.items() if blocks])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_blocks_of_a_page_run(
    page: str, server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    server.otherwise(reply(json=JOB))
    monkeypatch.setenv("CIRCLECI_BASE_URL", server.url)
    async with AsyncCircleCI("a-token") as circleci:
        names: dict[str, Any] = {name: getattr(circleci_sdk, name) for name in circleci_sdk.__all__}
        names["circleci"] = circleci
        for block in PAGES[page]:
            await run(block, names, page)
    assert len(server.requests) == 3
