"""What runs and waits in an organization, by project, and with how many calls."""

from __future__ import annotations

import subprocess
import sys

import pytest

from circleci_sdk.testing import Approval, FakeCircleCI, Job, Workflow
from tests.helpers.test_fetching_examples import EXAMPLES, example


async def overview(fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> None:
    program = example("org_overview")
    monkeypatch.setattr(program, "AsyncCircleCI", fake.client)

    class Now:
        now = staticmethod(lambda zone: fake.clock.now)

    monkeypatch.setattr(program, "datetime", Now)
    await program.main("gh/acme")


async def test_org_overview(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    fake = FakeCircleCI()
    web, api, _ = (fake.add_project(f"gh/acme/{name}") for name in ("web", "api", "idle"))
    fake.add_project("gh/other/web").push(Workflow("build", Job("test", 900)))
    web.push(Workflow("build", Job("test", 5)))
    fake.clock.advance(60)
    web.push(Workflow("build", Job("test", 900)), branch="feature")
    api.push(Workflow("build", Job("test", 5, outcome="failed"), Job("other", 900)))
    api.push(Workflow("release", Approval("go")))
    fake.clock.advance(10)
    before = len(fake.requests)
    await overview(fake, monkeypatch)
    calls = len(fake.requests) - before
    said = capsys.readouterr().out.splitlines()
    assert [line.partition(" since ")[0] for line in said[:-1]] == [
        "api",
        "  main: failing",
        "  main: on_hold",
        "web",
        "  feature: running",
    ]
    assert said[-1] == f"3 runs in 3 projects, {calls} calls"
    assert calls == 1 + 1 + 4
    assert all(request.path.startswith("/api/v3/") for request in list(fake.requests)[before:])


async def test_an_organization_that_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match="gh/acme is no organization"):
        await overview(FakeCircleCI(), monkeypatch)


async def test_an_error_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = FakeCircleCI()
    fake.add_project("gh/acme/web")
    fake.fail_next("v3.projects.list", status=403)
    with pytest.raises(SystemExit, match="403 Forbidden"):
        await overview(fake, monkeypatch)


def test_it_is_short() -> None:
    assert len((EXAMPLES / "org_overview.py").read_text().splitlines()) <= 40


def test_without_an_organization_it_says_what_it_needs() -> None:
    done = subprocess.run(
        [sys.executable, str(EXAMPLES / "org_overview.py")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr.startswith(
        "What runs and waits in an organization, by project: `python org_overview.py gh/acme`."
    )
