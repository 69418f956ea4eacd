"""Typed rows of the CSV files of usage exports."""

import csv
import gzip
import io
import re
import zlib
from collections.abc import Iterator
from datetime import date
from itertools import islice
from typing import IO, TYPE_CHECKING, Annotated, Any, ClassVar, Final, cast

from pydantic import BeforeValidator, ConfigDict, ValidationError

from circleci_sdk._core.errors import CallFacts, DecodeError
from circleci_sdk._core.serialization.model import Model, Timestamp
from circleci_sdk._core.serialization.tolerant import read_fields
from circleci_sdk._public import public

if TYPE_CHECKING:
    from circleci_sdk._core.mismatches import Mismatch

_NOTHING: Final = ("", "\\N")
_BATCH: Final = 500
_SURROGATE: Final = re.compile("[\ud800-\udfff]")
"""Stands for a byte that is not UTF-8."""
MAX_BAD_ROWS: Final = 100
"""Rows of a file that are passed over; with more of them the file is given up."""


def _day(value: Any) -> Any:
    return value[:10] if isinstance(value, str) else value


def _moment(value: Any) -> Any:
    return value.removesuffix(" UTC") if isinstance(value, str) else value


Day = Annotated[date, BeforeValidator(_day)]
Moment = Annotated[Timestamp, BeforeValidator(_moment)]


@public("circleci_sdk.helpers")
class UsageRow(Model):
    """The usage of one run of one job.

    Columns that this version does not know are strings in `model_extra`. Empty cells are None. Times are in UTC,
    `..._pct` is per cent, `..._credits` credits. A cell that does not fit its column is unavailable: see `mismatches`.
    """

    model_config: ClassVar[ConfigDict] = ConfigDict(strict=False)  # the cells of a file are strings

    organization_id: str | None = None
    organization_name: str | None = None
    organization_created_date: Day | None = None
    project_id: str | None = None
    project_name: str | None = None
    project_created_date: Day | None = None
    last_build_finished_at: Moment | None = None
    """The end of the last pipeline of the project."""
    vcs_name: str | None = None
    vcs_url: str | None = None
    vcs_branch: str | None = None
    pipeline_id: str | None = None
    """Reruns have the same."""
    pipeline_created_at: Moment | None = None
    pipeline_number: int | None = None
    is_unregistered_user: bool | None = None
    """Whether a user without a CircleCI account triggered it, for example with a commit."""
    pipeline_trigger_source: str | None = None
    pipeline_trigger_user_id: str | None = None
    workflow_id: str | None = None
    workflow_name: str | None = None
    workflow_first_job_queued_at: Moment | None = None
    workflow_first_job_started_at: Moment | None = None
    workflow_stopped_at: Moment | None = None
    is_workflow_successful: bool | None = None
    job_name: str | None = None
    job_id: str | None = None
    job_run_number: int | None = None
    job_run_date: Day | None = None
    job_run_queued_at: Moment | None = None
    job_run_started_at: Moment | None = None
    job_run_stopped_at: Moment | None = None
    job_build_status: str | None = None
    resource_class: str | None = None
    operating_system: str | None = None
    executor: str | None = None
    parallelism: int | None = None
    job_run_seconds: float | None = None
    median_cpu_utilization_pct: float | None = None
    """Sampled every 15 seconds, so None for shorter jobs, like the three that follow."""
    max_cpu_utilization_pct: float | None = None
    median_ram_utilization_pct: float | None = None
    max_ram_utilization_pct: float | None = None
    compute_credits: float | None = None
    dlc_credits: float | None = None
    """For Docker layer caching."""
    user_credits: float | None = None
    storage_credits: float | None = None
    network_credits: float | None = None
    lease_credits: float | None = None
    lease_overage_credits: float | None = None
    ipranges_credits: float | None = None
    total_credits: float | None = None


class RowReader:
    """Reads the rows of one file, compressed or not. Blocking: for worker threads.

    A cell that does not fit its column is unavailable in its row, and listed in `mismatches`. A row that cannot be read
    is passed over, and its error is in `bad`; with `strict` so is one with a cell that does not fit.
    """

    def __init__(self, file: IO[bytes], *, strict: bool = False, number: int = 0) -> None:
        self.name: Final = f"file {number}"
        self.mismatches: list[Mismatch] = []
        self.bad: list[DecodeError] = []
        self._passed_over = 0
        self._broken: DecodeError | None = None
        self._strict = strict
        file.seek(0)
        packed = file.read(2) == b"\x1f\x8b"
        file.seek(0)
        self._file = file
        plain = gzip.GzipFile(fileobj=file, mode="rb") if packed else file
        self._text = io.TextIOWrapper(plain, encoding="utf-8-sig", errors="surrogateescape", newline="")
        self._rows = self._read()
        self._number = 1

    def more(self) -> list[UsageRow]:
        """The next rows; none at the end. Raises `DecodeError` for a corrupt file, after the rows before that place."""
        if self._broken is not None:
            raise self._broken
        found: list[UsageRow] = []
        try:
            for row in islice(self._rows, _BATCH):
                found.append(row)  # noqa: PERF402  # what came before an error counts
        except (EOFError, OSError, zlib.error, csv.Error) as error:
            self._broken = self._corrupt(str(error))
        except DecodeError as error:
            self._broken = error
        if self._broken is not None and not found:
            raise self._broken
        return found

    def _read(self) -> Iterator[UsageRow]:
        lines = csv.reader(self._text)
        columns = [column_name(cell) for cell in next(lines, ())]
        while True:
            self._number += 1
            try:
                cells = next(lines, None)
                row = self._row(columns, cells) if cells else None
            except csv.Error as error:
                self._pass_over(self._corrupt(str(error)))
                continue
            except DecodeError as error:
                self._pass_over(error)
                continue
            if cells is None:
                return
            if row is not None:
                yield row

    def _pass_over(self, error: DecodeError) -> None:
        """Note a row that cannot be read. Raises the error if there are too many."""
        self._passed_over += 1
        if self._passed_over > MAX_BAD_ROWS:
            raise error
        self.bad.append(error)

    def _row(self, columns: list[str], cells: list[str]) -> UsageRow:
        if _SURROGATE.search("\0".join(cells)):
            raise self._corrupt("it is not UTF-8")
        if len(cells) != len(columns):
            raise self._corrupt(f"{len(cells)} cells for {len(columns)} columns")
        filled = {name: cell for name, cell in zip(columns, cells, strict=True) if cell not in _NOTHING}
        try:
            return UsageRow.model_validate(filled)
        except ValidationError as error:
            row, mismatches = read_fields(UsageRow, filled, error, "usage.rows", secret=False, hide=False, key=None)
        if self._strict:
            first = mismatches[0]
            raise self._corrupt(f"{first.place}: expected {first.expected}, received {first.received}", first.place)
        self.mismatches += mismatches
        return cast("UsageRow", row)

    def _corrupt(self, why: str, field: str = "") -> DecodeError:
        facts = CallFacts("usage.rows", "GET", "", request_outcome="processed")
        return DecodeError(
            f"usage.rows: row {self._number} of a file cannot be decoded: {why}.", facts=facts, field=field
        )

    def close(self) -> None:
        """Close the file."""
        self._text.close()
        self._file.close()


def column_name(cell: str) -> str:
    """The snake_case name of a column."""
    return "_".join(cell.strip().lower().replace("-", " ").split())
