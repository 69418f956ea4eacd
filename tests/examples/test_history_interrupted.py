"""The program that keeps the history of a project, ended by a signal: on the fake over a port, in a process."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from circleci_sdk.testing import FakeCircleCI, Job, JobTest, Workflow
from tests.support.places import ROOT
from tests.support.watched import changes_of

SLUG = "gh/acme/web"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_what_was_read_is_kept(tmp_path: Path, number: signal.Signals) -> None:
    """A real process, ended while it waits for the third page; the next one continues there."""
    fake = FakeCircleCI(start=datetime.now(UTC) - timedelta(hours=1), page_size=2)
    web = fake.add_project(SLUG)
    for _ in range(7):
        web.push(Workflow("build", Job("test", 1, tests=[JobTest("a"), JobTest("b")])))
        fake.clock.advance(60)
    changes = changes_of(fake)
    file = tmp_path / "ci.sqlite"
    # As a shell starts a program in the background.
    in_background = ["sh", "-c", 'trap "" INT; exec "$@"', "sh"]
    command = [sys.executable, str(ROOT / "examples" / "history_to_sqlite.py"), SLUG, str(file)]
    with fake.serve() as served:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("CIRCLE")}
        environment |= {"CIRCLECI_BASE_URL": served.base_url, "CIRCLECI_TOKEN": fake.token}
        fake.fail_next("v2.workflows.list_jobs", status=403)
        fake.fail_next("v2.pipelines.list_for_project", delay=0.001, times=2)  # as usual, and then:
        fake.fail_next("v2.pipelines.list_for_project", status=503, headers={"Retry-After": "50"}, times=100)
        process = subprocess.Popen(
            [*in_background, *command], env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        changes.until(
            lambda: len(fake.requests.of("v2.jobs.list_tests")) == 3 and fake.requests[-1].path.endswith("/pipeline"),
            "a third page was asked for after the records of two",
        )
        process.send_signal(number)
        printed = process.communicate(timeout=60)
        if number is signal.SIGKILL:
            assert process.returncode == -number
        else:
            assert (process.returncode, *printed) == (
                1,
                "",
                "Interrupted. What was read is kept; the next start resumes.\n",
            )
        assert rows(file) == {"pipeline": 4, "workflow": 4, "job": 3, "test": 6, "progress": 1, "missing": 1}
        fake.reset_faults()
        fake.requests.clear()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.endswith(" 0 lists are missing\n")
    assert rows(file) == {"pipeline": 7, "workflow": 7, "job": 7, "test": 14, "progress": 0, "missing": 0}
    # Those of the three pipelines that were left, and of the one of which a list was missing.
    assert len(fake.requests.of("v2.workflows.list_jobs")) == 4


def rows(file: Path) -> dict[str, int]:
    with closing(sqlite3.connect(file)) as db:
        tables = ("pipeline", "workflow", "job", "test", "progress", "missing")
        return {table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in tables}
