"""The programs that users copy do what they say: release, explain, keep the history; on the fake over a port."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from circleci_sdk import PermissionDeniedError
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, JobTest, Step, Workflow
from tests.helpers.test_fetching_examples import example

SLUG = "gh/acme/web"


@pytest.fixture
def fake() -> FakeCircleCI:
    """Its clock runs, a thousand times as fast as ours."""
    return FakeCircleCI(speed=1000, start=datetime.now(UTC))


@pytest.fixture
def web(fake: FakeCircleCI) -> FakeProject:
    return fake.add_project(SLUG)


@pytest.fixture(autouse=True)
async def address(fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[str]:
    async with fake.serve() as served:
        monkeypatch.setenv("CIRCLECI_TOKEN", fake.token)
        monkeypatch.setenv("CIRCLECI_BASE_URL", served.base_url)
        yield served.base_url


@pytest.mark.parametrize(("outcome", "code"), [("success", 0), ("failed", 1)])
async def test_release_and_wait(web: FakeProject, capsys: pytest.CaptureFixture[str], outcome: str, code: int) -> None:
    web.will_run(Workflow("build", Job("test", 100, outcome=outcome)))  # type: ignore[arg-type]  # any str
    words = [SLUG, "--parameter", "deploy=true", "--parameter", "count=3", "--parameter", "who=ada"]
    assert await example("release_and_wait").main(words) == code
    assert web.pipelines[0].parameters == {"deploy": True, "count": 3, "who": "ada"}
    said = capsys.readouterr().out
    assert f"build / test: {outcome}" in said
    assert f"Run 1 of {SLUG}: {outcome}" in said


async def test_release_that_is_skipped_or_late(web: FakeProject, capsys: pytest.CaptureFixture[str]) -> None:
    program = example("release_and_wait")
    web.will_skip("[skip ci]", once=True)
    assert await program.main([SLUG]) == 2
    assert "Nothing was started: [skip ci]" in capsys.readouterr().out
    web.will_run(Workflow("release", Approval("go?")))
    assert await program.main([SLUG, "--timeout", "1.5"]) == 3
    said = capsys.readouterr().out
    assert "release / go?: approve it at http" in said
    assert "the run continues" in said


async def test_explain_failure(
    fake: FakeCircleCI,
    web: FakeProject,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    program = example("explain_failure")
    steps = [Step("Run tests", "one\ntwo\nboom\n", exit_code=1)]
    web.will_run(Workflow("build", Job("test", 10, outcome="failed", steps=steps, tests=[JobTest("a", failure="no")])))
    async with fake.client() as circleci:
        await circleci.runs.start(SLUG, branch="main")
    fake.clock.advance(60)
    assert await program.main([SLUG, "--tail", "1"]) == 1
    said = capsys.readouterr().out
    assert "Step **Run tests**: failed, exit code 1" in said
    assert "boom" in said
    assert "two" not in said
    assert await program.main(["--pipeline", web.pipelines[0].id]) == 1
    monkeypatch.setenv("CIRCLE_WORKFLOW_ID", web.pipelines[0].workflows[0].id)
    assert await program.main([]) == 1
    web.will_run(Workflow("build", Job("test", 10)))
    async with fake.client() as circleci:
        await circleci.runs.start(SLUG, branch="main")
    fake.clock.advance(60)
    assert await program.main([SLUG]) == 0


@pytest.mark.parametrize(
    ("name", "words", "code"),
    [
        ("explain_failure", [SLUG], 2),
        ("explain_failure", ["acme/web"], 2),
        ("explain_failure", [], 2),
        ("release_and_wait", [SLUG], 4),
        ("release_and_wait", [SLUG, "--timeout", "-1"], 4),
        ("history_to_sqlite", [SLUG, ":memory:"], 1),
        ("history_to_sqlite", [SLUG, "/no/such/folder/ci.sqlite"], 1),
    ],
)
async def test_an_error_is_one_sentence(
    name: str, words: list[str], code: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CIRCLECI_TOKEN", "wrong")
    try:
        found = await example(name).main(words)
        said = capsys.readouterr().err
    except SystemExit as end:
        found, said = 1, str(end)
    assert found == code
    assert len(said.strip().splitlines()) == 1
    assert "wrong" not in said


async def test_history_to_sqlite(
    fake: FakeCircleCI, web: FakeProject, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    program = example("history_to_sqlite")
    fake.page_size = 2
    web.will_run(Workflow("build", Job("test", 1, tests=[JobTest("a"), JobTest("b")]), Approval("go?")))
    file = str(tmp_path / "ci.sqlite")
    async with fake.client() as circleci:
        for _ in range(7):
            await circleci.runs.start(SLUG, branch="main")
            fake.clock.advance(60)
        await program.main([SLUG, file])
        assert "42 records" in capsys.readouterr().out

        with closing(sqlite3.connect(file)) as db:
            # One list that cannot be read does not stop the rest, and is asked for once more.
            fake.fail_next("v2.workflows.list_jobs", status=403)
            assert await program.copy(circleci, db, SLUG, 30) == "38 records; 0 lists are missing"
            fake.fail_next("v2.jobs.list_tests", status=403, times=100)
            printed = await program.copy(circleci, db, SLUG, 30)
            assert "28 records; 7 lists are missing\n  v2.jobs.list_tests " in printed
            fake.reset_faults()

            # Without the list of pipelines there is no history: the next run resumes.
            fake.fail_next("v2.pipelines.list_for_project", status=403)
            with pytest.raises(PermissionDeniedError):
                await program.copy(circleci, db, SLUG, 30)
            assert db.execute("SELECT count(*) FROM progress").fetchone() == (1,)
            await program.copy(circleci, db, SLUG, 30)
            counts = [
                db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
                for table in ("pipeline", "workflow", "job", "test", "progress")
            ]
            newest = db.execute("SELECT max(created_at) FROM pipeline").fetchone()[0]
    assert counts == [7, 7, 14, 14, 0]
    assert datetime.fromisoformat(newest) > datetime.now(UTC) - timedelta(days=1)
