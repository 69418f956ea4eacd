"""Keep the history of a project in SQLite: pipelines, workflows, jobs and tests, one table each.

    python history_to_sqlite.py gh/acme/web ci.sqlite --days 30

Run it again at any time: it goes back the same number of days and replaces what has changed, reruns included. When it
is interrupted, the next start resumes. Needs CIRCLECI_TOKEN.
"""

import argparse
import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from dataclasses import fields
from datetime import UTC, datetime, timedelta

import anyio

from circleci_sdk import AsyncCircleCI, CircleCIError
from circleci_sdk.helpers import HistoryRecord, Include, JobRecord, JobTestRecord, PipelineRecord, WorkflowRecord

ParameterType = type[PipelineRecord | WorkflowRecord | JobRecord | JobTestRecord]
KEYS: dict[ParameterType, str] = {
    PipelineRecord: "pipeline_id",
    WorkflowRecord: "workflow_id",
    JobRecord: "workflow_id, job_id",
    JobTestRecord: "workflow_id, job_id, position",
}


def prepare(db: sqlite3.Connection) -> None:
    """A table for each kind of record, and one for the cursor of an interrupted run."""
    db.execute("CREATE TABLE IF NOT EXISTS progress (project TEXT PRIMARY KEY, cursor TEXT, since TEXT)")
    for kind, key in KEYS.items():
        columns = ", ".join(field.name for field in fields(kind))
        db.execute(f"CREATE TABLE IF NOT EXISTS {kind.kind} ({columns}, PRIMARY KEY ({key}))")


def store(db: sqlite3.Connection, record: HistoryRecord) -> None:
    """Insert or replace a record."""
    values = [value.isoformat() if isinstance(value, datetime) else value for value in record.as_dict().values()]
    db.execute(f"INSERT OR REPLACE INTO {record.kind} VALUES ({', '.join('?' * len(values))})", values)


async def copy(circleci: AsyncCircleCI, db: sqlite3.Connection, project: str, days: float) -> str:
    """Copy all records, from the position of an interrupted run if there was one.

    Lists that cannot be read do not stop the rest; at the end they are asked for once more.
    """
    prepare(db)
    row = db.execute("SELECT cursor, since FROM progress WHERE project = ?", (project,)).fetchone()
    cursor, since = row or (None, (datetime.now(UTC) - timedelta(days=days)).isoformat())
    include: set[Include] = {"workflows", "jobs", "tests"}
    records = circleci.history.records(project, since=datetime.fromisoformat(since), include=include, cursor=cursor)
    count = 0
    try:
        async for record in records:
            store(db, record)
            count += 1
    except BaseException:
        db.execute("INSERT OR REPLACE INTO progress VALUES (?, ?, ?)", (project, records.cursor, since))
        db.commit()
        raise
    db.execute("DELETE FROM progress WHERE project = ?", (project,))
    db.commit()
    again = circleci.history.retry(project, records.skipped, include=include)
    async for record in again:
        store(db, record)
    db.commit()
    missing = "".join(f"\n  {one}" for one in again.skipped)
    return f"{count} records; {len(again.skipped)} lists are missing{missing}"


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


if __name__ == "__main__":
    anyio.run(main)
