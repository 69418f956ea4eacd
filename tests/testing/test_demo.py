"""The demo is alive: reports on it, up to now, have numbers. The same start gives the same state."""

from __future__ import annotations

import csv
import os
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from circleci_sdk.testing import FakeCircleCI
from tests.support.places import ROOT

SLUG = "gh/acme/web"


def run(example: str, base_url: str, *arguments: str, stdin: str = "", code: int = 0) -> str:
    without = {name: value for name, value in os.environ.items() if not name.startswith("CIRCLE")}
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / example), *arguments],
        env={**without, "CIRCLECI_BASE_URL": base_url, "CIRCLECI_TOKEN": "fake-token"},
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def test_reports_of_yesterday_have_numbers(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    fake = FakeCircleCI.scenario("demo", start=now, speed=120)
    with fake.serve() as server:
        days = [str((now - timedelta(days=1)).date()), str(now.date())]
        run("credit_report.py", server.base_url, "gh/acme", *days, str(tmp_path / "credits.csv"))
        run("history_to_sqlite.py", server.base_url, SLUG, str(tmp_path / "ci.sqlite"), "--days", "2")
    with (tmp_path / "credits.csv").open() as file:
        rows = list(csv.DictReader(file))
    web = {row["job"]: row for row in rows if row["project"] == "web"}
    assert {"build", "test"} <= set(web)
    assert int(web["test"]["runs"]) >= 4
    assert all(float(row["credits"]) > 0 and float(row["minutes"]) > 0 for row in rows)
    with closing(sqlite3.connect(tmp_path / "ci.sqlite")) as db:
        for table in ("pipeline", "workflow", "job", "test"):
            [(count,)] = db.execute(f"SELECT count(*) FROM {table}").fetchall()  # of the list above
            assert count >= 9, table


def test_the_sync_programs_work_against_it(tmp_path: Path) -> None:
    """The one about usage waits long, and is tested in tests/examples."""
    fake = FakeCircleCI.scenario("demo", start=datetime.now(UTC), speed=1000)
    with fake.serve() as server:
        url = server.base_url
        assert "Run 65 of gh/acme/web: success" in run("sync/release.py", url, SLUG, "main", "image-tag=1")
        assert "== test: " in run("sync/failed_logs.py", url, SLUG, "feature-9", code=1)
        assert run("sync/latest_artifacts.py", url, SLUG, "main", str(tmp_path)).endswith(" files\n")
        secrets = run("sync/set_secrets.py", url, "gh/acme", "deploy", SLUG, stdin="KEY=value\n")
        assert secrets.splitlines() == ["KEY in context deploy: set", "KEY in project gh/acme/web: set"]
        history = run("sync/history_to_json.py", url, SLUG, "2")
    assert history.count('"kind": "pipeline"') >= 9
    assert fake.context("deploy").env_vars["KEY"].value == "value"


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("day", ["2027-01-01", "2028-02-29", "2028-03-01"])
@pytest.mark.parametrize("time", ["00:00:01", "12:00:00", "23:59:59"])
async def test_yesterday_has_usage_at_any_hour_and_in_any_time_zone(day: str, time: str) -> None:
    start = datetime.fromisoformat(f"{day}T{time}+00:00")
    fake = FakeCircleCI.scenario("demo", start=start)
    today = start.date()
    async with fake.client() as circleci:
        rows = [row async for row in circleci.usage.rows("gh/acme", today - timedelta(days=1), today)]
    assert {row.job_name for row in rows if row.project_name == "web"} >= {"build", "test"}
    for offset in (-12, -3.5, 5.75, 14):
        zone = timezone(timedelta(hours=offset))
        local = [pipeline.created_at.astimezone(zone).date() for pipeline in fake.project(SLUG).pipelines]
        assert local.count(start.astimezone(zone).date() - timedelta(days=1)) >= 4


async def test_the_demo_has_what_its_description_promises(anyio_backend: str) -> None:
    start = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)
    fake = FakeCircleCI.scenario("demo", start=start)
    assert fake.clock.now == start
    assert len(fake.requests) == 0
    web, api = fake.project(SLUG), fake.project("gh/acme/api")
    async with fake.client() as circleci:
        flaky = await circleci.v2.insights.get_flaky_tests(SLUG)
        assert [row.test_name for row in flaky.flaky_tests] == ["test_upload"]
        assert flaky.flaky_tests[0].times_flaked >= 3
        contexts = {context.name async for context in circleci.v2.contexts.list(owner_slug="gh/acme")}
        assert contexts == {"docker", "deploy"}
        assert fake.context("docker").env_vars["DOCKER_USER"].value == "acme"
        [schedule] = await circleci.v2.schedules.list(SLUG).collect()
        assert schedule.name == "nightly"
        [webhook] = await circleci.v2.webhooks.list(scope_id=web.id).collect()
        assert set(webhook.events) == {"workflow-completed", "job-completed"}
        failed = next(each for each in reversed(web.pipelines) if each.workflows[-1].state == "failed")
        explained = await circleci.runs.explain(await circleci.runs.attach(failed.id).result())
        assert "FAILED tests/test_login.py::test_login - assert 500 == 200" in explained.markdown()
        [job] = [each for each in failed.workflows[-1].jobs if each.name == "test"]
        assert len(await circleci.v2.jobs.list_artifacts(SLUG, job.number or 0).collect()) == 2
    states = [pipeline.workflows[-1].state for pipeline in api.pipelines]
    assert states[-1] == "on_hold"
    assert set(states[:-1]) == {"success"}
    before = len(web.pipelines)
    fake.clock.advance(86_400)
    assert len(web.pipelines) == before + 1
    assert fake.webhooks.pending


def test_the_state_is_always_the_same() -> None:
    one, other = FakeCircleCI.scenario("demo"), FakeCircleCI.scenario("demo")
    later = FakeCircleCI.scenario("demo", start=one.clock.now + timedelta(days=9))
    assert one.clock.now == other.clock.now == later.clock.now - timedelta(days=9)
    ids = [[pipeline.id for pipeline in fake.project(SLUG).pipelines] for fake in (one, other, later)]
    assert ids[0] == ids[1] == ids[2]


@pytest.mark.parametrize("name", ["empty", "demo", "approval", "failing"])
def test_the_clock_of_each_scenario_starts_at_the_given_time(name: str) -> None:
    start = datetime(2027, 3, 1, 8, 0, tzinfo=UTC)
    assert FakeCircleCI.scenario(name, start=start).clock.now == start


def test_a_start_needs_a_time_zone() -> None:
    with pytest.raises(ValueError, match="time zone"):
        FakeCircleCI.scenario("demo", start=datetime(2027, 3, 1))  # noqa: DTZ001  # this is the test


def test_the_banner_gives_the_clock_and_the_webhook() -> None:
    command = [sys.executable, "-m", "circleci_sdk.testing", "--port", "0", "--speed", "2"]
    before = datetime.now(UTC).replace(microsecond=0)
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            lines = [process.stdout.readline() for _ in range(3)]
        finally:
            process.terminate()
    clock = re.search(r"clock is at ([\d: -]+) UTC, with speed 2\.", lines[1])
    assert clock is not None, lines
    assert datetime.fromisoformat(clock[1]).replace(tzinfo=UTC) >= before
    assert "http://127.0.0.1:8000/circleci, signed with 'demo-secret'" in lines[2]
