"""Ports of public programs, each on the fake over a port with a fault that a model of its original gets wrong."""

from __future__ import annotations

import csv
import re
import runpy
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import anyio
import httpx
import pytest

import circleci_sdk
from circleci_sdk import AsyncCircleCI, CircleCI
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, Step, Workflow
from circleci_sdk.testing._servers.clients import wait_on
from tests.examples import originals
from tests.helpers.test_fetching_examples import example, tree
from tests.lines_of_code import lines_of_code
from tests.support.places import ROOT

SLUG = "gh/acme/web"
RECIPES = ROOT / "docs" / "recipes"
Port = Callable[..., object]


@pytest.fixture
def fake() -> Iterator[FakeCircleCI]:
    """Its clock moves when a client waits. Each injected fault is met."""
    fake = FakeCircleCI(start=datetime.now(UTC) - timedelta(hours=14))
    yield fake
    assert not fake._app.faults  # pyright: ignore[reportPrivateUsage]  # no program counts them


@pytest.fixture
def web(fake: FakeCircleCI) -> FakeProject:
    return fake.add_project(SLUG)


@pytest.fixture
def address(fake: FakeCircleCI) -> Iterator[str]:
    with fake.serve() as served:
        yield served.base_url


@pytest.fixture
def api(fake: FakeCircleCI, address: str) -> Iterator[httpx.Client]:
    """The HTTP client of an original."""
    headers = {"Circle-Token": fake.token}
    with httpx.Client(base_url=address, headers=headers, follow_redirects=True, trust_env=False) as client:
        yield client


@pytest.fixture
def port(fake: FakeCircleCI, address: str, monkeypatch: pytest.MonkeyPatch) -> Port:
    """Run a port on asyncio, as a user does, but for its waits, which move the clock of the fake."""

    def client() -> AsyncCircleCI:
        made = AsyncCircleCI(fake.token, base_url=address, deployment=fake.deployment)
        wait_on(fake.clock, made, limited=False)
        return made

    def start(name: str, *words: str) -> object:
        program = example(name)
        monkeypatch.setattr(program, "AsyncCircleCI", client)
        return anyio.run(program.main, words)

    return start


@pytest.fixture
def script(fake: FakeCircleCI, address: str, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """The same for a port without `await`."""

    def client() -> CircleCI:
        made = CircleCI(fake.token, base_url=address, deployment=fake.deployment)
        wait_on(fake.clock, made._async, limited=False)  # pyright: ignore[reportPrivateUsage]  # as the fake does
        return made

    monkeypatch.setattr(circleci_sdk, "CircleCI", client)

    def start(name: str, *words: str) -> None:
        monkeypatch.setattr("sys.argv", [name, *words])
        runpy.run_path(str(ROOT / "examples" / "sync" / f"{name}.py"), run_name="__main__")

    return start


def test_logs_of_failed_jobs(
    fake: FakeCircleCI, web: FakeProject, api: httpx.Client, port: Port, capsys: pytest.CaptureFixture[str]
) -> None:
    """A job that timed out, beside an approval that has a number and no details."""
    stuck = Job("test", 60, outcome="timedout", steps=[Step("pytest", "collected 2 items\n")])
    web.push(Workflow("build", stuck))
    fake.clock.run_until_idle()
    assert originals.logs_for_an_agent(api, SLUG, "main") == {"test": []}
    web.push(Workflow("build", stuck, Approval("release?")))
    fake.clock.advance(300)
    with pytest.raises(httpx.HTTPStatusError, match="404"):
        originals.logs_for_an_agent(api, SLUG, "main")
    assert [request.status for request in fake.requests.of("v1.builds.get")][-1] == 404
    assert port("explain_failure", SLUG) == 1
    said = capsys.readouterr().out
    assert "Step **pytest**: timedout" in said
    assert "collected 2 items" in said


def test_usage_of_organizations(
    fake: FakeCircleCI, web: FakeProject, api: httpx.Client, port: Port, tmp_path: Path
) -> None:
    """An export with several files, of which a download breaks off."""
    fake.add_project("gh/labs/api").push(Workflow("build", Job("bench", 60)))
    web.push(Workflow("build", Job("test", 60), Job("package", 60)))
    fake.clock.run_until_idle()
    fake.usage_export_files = 3
    day = fake.clock.now.date()
    start, end = str(day - timedelta(days=1)), str(day + timedelta(days=1))
    ids = [fake.organization(slug).id for slug in ("gh/acme", "gh/labs")]
    times = f"{start}T00:00:00Z", f"{end}T00:00:00Z"
    [file, *_] = originals.usage_of_organizations(api, ids, *times, tmp_path, lambda: fake.clock.advance(30))
    assert len(rows_of(file)) == 1
    fake.fail_next("usage", truncate=True)
    report = tmp_path / "credits.csv"
    port("credit_report", "gh/acme", start, end, str(report), "--shared", "gh/labs")
    assert {(row["organization"], row["job"]) for row in rows_of(report)} == {
        ("acme", "test"),
        ("acme", "package"),
        ("labs", "bench"),
    }
    assert len(fake.requests.of("usage")) == 3 + 3 + 1
    # A file that cannot be read is missing in the report, and printed.
    fake.fail_next("usage", status=404)
    with pytest.raises(SystemExit, match="404"):
        port("credit_report", "gh/acme", start, end, str(report), "--shared", "gh/labs")
    assert len(rows_of(report)) == 2


def rows_of(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def test_wait_and_fetch(fake: FakeCircleCI, web: FakeProject, api: httpx.Client, port: Port, tmp_path: Path) -> None:
    """A download that breaks off in the middle of a file."""
    content = bytes(range(256)) * 400
    pipeline = web.push(Workflow("release", Job("package", 600, artifacts={"dist/a.zip": content, "b.zip": b"b"})))
    (tmp_path / "before").mkdir()
    fake.fail_next("artifact", truncate=True)
    originals.artifacts_of_a_run(api, pipeline.id, tmp_path / "before", lambda: fake.clock.advance(30))
    assert sorted(tree(tmp_path / "before").values(), key=len) != [b"b", content]
    fake.fail_next("artifact", truncate=True)
    port("wait_and_fetch", pipeline.id, str(tmp_path / "after"))
    assert sorted(tree(tmp_path / "after").values(), key=len) == [b"b", content]
    assert len(fake.requests.of("artifact")) > 4


def test_wheels_of_a_commit(
    fake: FakeCircleCI, web: FakeProject, api: httpx.Client, port: Port, tmp_path: Path
) -> None:
    """A run that has no workflows yet, and a download that a gateway refuses once."""
    wheel = Job("wheel", 600, artifacts={"a.whl": b"a wheel", "log.txt": b"a log"})
    before = tmp_path / "before"
    before.mkdir()
    originally = partial(originals.wheels_of_a_commit, api, SLUG, folder=before, wait=lambda: fake.clock.advance(30))
    pipeline = web.push(Workflow("build", wheel, delay=20))
    originally(pipeline.revision)
    assert tree(before) == {}
    port("wheels_of_commit", SLUG, pipeline.revision, str(tmp_path / "after"))
    assert list(tree(tmp_path / "after").values()) == [b"a wheel"]
    for run in (originally, lambda commit: port("wheels_of_commit", SLUG, commit, str(tmp_path / "refused"))):
        fake.fail_next("artifact", status=502)
        run(web.push(Workflow("build", wheel)).revision)
        fake.clock.run_until_idle()
    assert b"<html>" in tree(before)["a.whl"]
    assert list(tree(tmp_path / "refused").values()) == [b"a wheel"]


def test_cancel_redundant(
    fake: FakeCircleCI, web: FakeProject, api: httpx.Client, script: Port, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipeline without workflows, since its config was wrong, between the newest one and those that wait."""
    waiting = [web.push(Workflow("release", Approval("go?"))) for _ in range(3)]
    web.will_error("No such orb.", once=True)
    web.push()
    fake.clock.advance(60)
    newest = web.push(Workflow("release", Approval("go?")))
    with pytest.raises(IndexError):
        originals.cancel_older(api, SLUG, before=f"{fake.clock.now:%FT%TZ}")
    assert {pipeline.workflows[0].state for pipeline in waiting} == {"on_hold"}
    fake.page_size = 2
    fake.fail_next("v2.pipelines.list_workflows", status=429, headers={"Retry-After": "30"})
    fake.fail_next("v2.workflows.cancel", status=502)
    script("cancel_redundant", SLUG, "main")
    fake.clock.advance(60)
    assert {pipeline.workflows[0].state for pipeline in waiting} == {"canceled"}
    assert newest.workflows[0].state == "on_hold"
    assert capsys.readouterr().out.count(": canceled\n") == 3


def test_nightly(fake: FakeCircleCI, web: FakeProject, api: httpx.Client, script: Port) -> None:
    """A gateway loses the response to the trigger, and the scheduler starts the program again."""
    web.will_run(Workflow("nightly", Job("test", 3600)))
    web.push(Workflow("build", Job("test", 60)))
    fake.fail_next("v2.pipelines.trigger", status=502, processed=True)
    with pytest.raises(httpx.HTTPStatusError, match="502"):
        originals.start_nightly(api, SLUG, "main")
    originals.start_nightly(api, SLUG, "main")
    assert len(web.pipelines) == 3
    fake.clock.advance(13.9 * 3600)
    fake.fail_next("v2.pipelines.trigger", status=502, processed=True)
    for _ in range(2):
        script("nightly", SLUG, "main", "nightly")
    assert len(web.pipelines) == 4
    assert web.pipelines[-1].parameters == {"nightly": True}


def test_history_to_a_warehouse(
    fake: FakeCircleCI, web: FakeProject, api: httpx.Client, port: Port, tmp_path: Path
) -> None:
    """A workflow whose jobs fill several pages, the second of which a gateway refuses once."""
    fake.page_size = 2
    names = {f"test-{number}" for number in range(5)}
    pipeline = web.push(Workflow("build", *(Job(name, 60) for name in names)))
    fake.clock.run_until_idle()
    assert len(originals.jobs_for_a_warehouse(api, pipeline.workflows[0].id)) == 1
    fake.fail_next("v2.workflows.list_jobs", delay=0.001)  # as usual, and then:
    fake.fail_next("v2.workflows.list_jobs", status=502)
    file = tmp_path / "ci.sqlite"
    port("history_to_sqlite", SLUG, str(file))
    with closing(sqlite3.connect(file)) as db:
        assert {name for (name,) in db.execute("SELECT job_name FROM job")} == names
    assert [request.status for request in fake.requests.of("v2.workflows.list_jobs")].count(502) == 1


def test_lines_of_the_ports() -> None:
    """The table of `docs/recipes/ports.md` has the present numbers."""
    rows = re.findall(r"^\| \[`(.*?)`\].*\| (\d+) \|$", (RECIPES / "ports.md").read_text(), re.MULTILINE)
    assert len(rows) == 7
    assert {path: int(lines) for path, lines in rows} == {
        path: lines_of_code((ROOT / path).read_text()) for path, _ in rows
    }


def test_each_example_is_on_a_page() -> None:
    """As a part of it, not as a copy; the tour is in the README."""
    pages = "".join(page.read_text() for page in RECIPES.glob("*.md"))
    examples = {str(path.relative_to(ROOT)) for path in (ROOT / "examples").rglob("*.py")} - {"examples/tour.py"}
    assert set(re.findall(r'--8<-- "(.*?)"', pages)) == examples
