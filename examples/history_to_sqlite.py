"""Keep the history of a project in SQLite: pipelines, workflows, jobs and tests, one table each.

    python history_to_sqlite.py gh/acme/web ci.sqlite --days 30

Run it again at any time: it goes back the same number of days and replaces what has changed, reruns included. Each
pipeline is kept as soon as it is complete. When the program is interrupted (Ctrl+C, SIGTERM), stops with an error or is
killed, the next start resumes. Needs CIRCLECI_TOKEN.
"""

import argparse
import signal
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import anyio

from circleci_sdk import AsyncCircleCI, CircleCIError
from circleci_sdk.helpers import (
    HistoryRecord,
    Include,
    JobRecord,
    JobTestRecord,
    PipelineRecord,
    Records,
    Skipped,
    WorkflowRecord,
)

ParameterType = type[PipelineRecord | WorkflowRecord | JobRecord | JobTestRecord]
KEYS: dict[ParameterType, str] = {
    PipelineRecord: "pipeline_id",
    WorkflowRecord: "workflow_id",
    JobRecord: "workflow_id, job_id",
    JobTestRecord: "workflow_id, job_id, position",
}


def prepare(db: sqlite3.Connection) -> None:
    """A table for each kind of record, and two for an interrupted run: its position, and what it could not read."""
    db.execute("CREATE TABLE IF NOT EXISTS progress (project TEXT PRIMARY KEY, cursor TEXT, since TEXT)")
    db.execute("CREATE TABLE IF NOT EXISTS missing (project TEXT, operation TEXT, id TEXT, error TEXT, parent TEXT)")
    for kind, key in KEYS.items():
        columns = ", ".join(field.name for field in fields(kind))
        db.execute(f"CREATE TABLE IF NOT EXISTS {kind.kind} ({columns}, PRIMARY KEY ({key}))")


def store(db: sqlite3.Connection, record: HistoryRecord) -> None:
    """Insert or replace a record."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in record.as_dict().values()]
    db.execute(f"INSERT OR REPLACE INTO {record.kind} VALUES ({', '.join('?' * len(values))})", values)


def keep(db: sqlite3.Connection, project: str, cursor: str | None, since: str, skipped: Sequence[Skipped]) -> None:
    """Commit what was stored together with the position after it."""
    db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?)", (project, cursor, since))
    rows = [(project, one.operation, one.id, str(one.error), one.parent) for one in skipped]
    db.executemany("INSERT INTO missing VALUES (?, ?, ?, ?, ?)", rows)
    db.commit()


async def copy(circleci: AsyncCircleCI, db: sqlite3.Connection, project: str, days: float) -> str:
    """Copy all records, from the position of an interrupted run if there was one.

    Lists that cannot be read do not stop the rest; at the end they are asked for once more.
    """
    prepare(db)
    row = db.execute("SELECT cursor, since FROM progress WHERE project = ?", (project,)).fetchone()
    cursor, since = row or (None, (datetime.now(UTC) - timedelta(days=days)).isoformat())
    keep(db, project, cursor, since, ())
    include: set[Include] = {"workflows", "jobs", "tests"}
    records = circleci.history.records(project, since=datetime.fromisoformat(since), include=include, cursor=cursor)
    count = known = 0
    async for record in records:
        store(db, record)
        count += 1
        if records.cursor != cursor:  # the pipeline is complete
            cursor, skipped = records.cursor, records.skipped
            keep(db, project, cursor, since, skipped[known:])
            known = len(skipped)
    keep(db, project, cursor, since, records.skipped[known:])
    rows = db.execute("SELECT operation, id, error, parent FROM missing WHERE project = ?", (project,)).fetchall()
    again = [Skipped(operation, name, CircleCIError(error), parent) for operation, name, error, parent in rows]
    missing = await copy_again(db, circleci.history.retry(project, again, include=include))
    for table in ("progress", "missing"):
        db.execute(f"DELETE FROM {table} WHERE project = ?", (project,))
    db.commit()
    lines = "".join(f"\n  {one}" for one in missing)
    return f"{count} records; {len(missing)} lists are missing{lines}"


async def copy_again(db: sqlite3.Connection, again: Records) -> Sequence[Skipped]:
    """Copy the pipelines of which a list was missing; returns what still is."""
    async for record in again:
        store(db, record)
    return again.skipped


async def main(words: Sequence[str] | None = None) -> None:
    """Run with the token of the environment."""
    parser = argparse.ArgumentParser(description="Keep the history of a project in SQLite.")
    parser.add_argument("project", help="such as gh/acme/web")
    parser.add_argument("file", help="the database")
    parser.add_argument("--days", type=float, default=30)
    asked = parser.parse_args(words)
    try:
        async with AsyncCircleCI() as circleci:
            with closing(sqlite3.connect(asked.file)) as db:
                print(await copy(circleci, db, asked.project, asked.days))
    except (CircleCIError, sqlite3.Error) as error:
        sys.exit(str(error))


def interrupt(_number: int, _frame: object) -> None:
    """End as after Ctrl+C."""
    signal.raise_signal(signal.SIGINT)


if __name__ == "__main__":
    # A shell lets the programs that it starts in the background ignore Ctrl+C, which `interrupt` uses.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, interrupt)
    try:
        anyio.run(main)
    except KeyboardInterrupt:
        sys.exit("Interrupted. What was read is kept; the next start resumes.")
