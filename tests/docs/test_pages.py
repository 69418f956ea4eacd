"""The code of the README and of the pages in `docs/` runs, on the demo of the fake over a real socket."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest

import circleci_sdk
from circleci_sdk import AsyncCircleCI, CircleCI
from circleci_sdk.testing import FakeCircleCI, ServedFake
from tests.docs.blocks import Block, pages
from tests.docs.running import run
from tests.support.places import ROOT
from tests.support.redis_server import RedisServer, redis_servers
from tests.support.scripted_server import ScriptedServer, reply

PAGES: Final = pages()
ODD: Final = "docs/guides/when-the-api-surprises-you.md"
LANGUAGES: Final = {"", "python", "sh", "text"}
JOB: Final = {
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


@pytest.fixture(scope="module")
def demo() -> Iterator[ServedFake]:
    with FakeCircleCI.scenario("demo", speed=10_000).serve() as server:
        yield server


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    with redis_servers(tmp_path_factory) as start:
        yield start()


@pytest.fixture
def environment(demo: ServedFake, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Pages may set the levels and handlers of loggers. Tests after them would keep all records."""
    monkeypatch.setenv("CIRCLECI_TOKEN", "fake-token")
    monkeypatch.setenv("CIRCLECI_BASE_URL", demo.base_url)
    monkeypatch.setenv("CIRCLECI_WEBHOOK_SECRET", "a-secret")
    loggers = [logging.getLogger(name) for name in ("", "circleci_sdk", "circleci_sdk.drift")]
    before = [(logger.level, logger.handlers[:]) for logger in loggers]
    yield
    for logger, (level, handlers) in zip(loggers, before, strict=True):
        logger.setLevel(level)
        logger.handlers[:] = handlers


def python(page: str) -> list[Block]:
    return [block for block in PAGES[page] if block.language == "python"]


def public_names() -> dict[str, Any]:
    return {name: getattr(circleci_sdk, name) for name in circleci_sdk.__all__}


@pytest.mark.parametrize("page", [page for page in PAGES if page != ODD and python(page)])
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_blocks_run(
    page: str, environment: None, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    """No page leaves the thread of a sync client behind."""
    blocks = [block for block in python(page) if not block.title]
    if any("REDIS_URL" in block.source for block in blocks):
        monkeypatch.setenv("REDIS_URL", request.getfixturevalue("redis_server").url)
    async with AsyncCircleCI() as circleci:
        with CircleCI() as circleci_sync:
            names: dict[str, Any] = {"circleci": circleci}
            sync_names: dict[str, Any] = {"circleci": circleci_sync}
            for block in blocks:
                await run(block, sync_names if block.tab == "sync" else names)
            for value in [*names.values(), *sync_names.values()]:
                if isinstance(value, CircleCI):
                    value.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "circleci_sdk"]


def test_files_pass_their_tests(tmp_path: Path) -> None:
    """Those of each page in a directory of its own."""
    files = [block for blocks in PAGES.values() for block in blocks if block.title]
    for block in files:
        directory = tmp_path / Path(block.page).stem
        directory.mkdir(exist_ok=True)
        (directory / block.title).write_text(block.source, encoding="utf-8")
    tested = {block.page for block in files if block.title.startswith("test_")}
    assert tested == {block.page for block in files}
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--rootdir",
        tmp_path,
        "-W",
        "error::DeprecationWarning",
    ]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_odd_responses(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch, anyio_backend: str) -> None:
    """On a server whose responses do not fit."""
    server.otherwise(reply(json=JOB))
    monkeypatch.setenv("CIRCLECI_BASE_URL", server.url)
    async with AsyncCircleCI("a-token") as circleci:
        names = {**public_names(), "circleci": circleci}
        for block in python(ODD):
            await run(block, names)
    assert len(server.requests) == 3


def test_every_block_has_a_language_that_is_checked() -> None:
    """No block is written as `py` or `pycon`, which would not run."""
    assert {block.language for blocks in PAGES.values() for block in blocks} <= LANGUAGES


def test_the_readme_has_two_commands() -> None:
    """`.ci/run` takes the second one."""
    assert [block.language for block in PAGES["README.md"]].count("sh") == 2


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def test_links_within_the_repository() -> None:
    """mkdocs checks those of the site; the README and the pages for contributors are outside of it."""
    for page in ("README.md", "CONTRIBUTING.md", "SECURITY.md"):
        links = re.findall(r"\]\((?!https?:)([^)#]+)[^)]*\)", (ROOT / page).read_text(encoding="utf-8"))
        assert [link for link in links if not (ROOT / link).exists()] == []
