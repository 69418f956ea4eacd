"""Why jobs of a run failed: their failed steps, the output of these, and their failed tests."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

import anyio

from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._core.unset import UNSET
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.arguments import check_count, check_timeout, is_id
from circleci_sdk.helpers._shared.available import if_available, or_unknown
from circleci_sdk.helpers._shared.concurrency import ReadFunction, read_concurrently
from circleci_sdk.helpers._shared.partial import Partial, try_field
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.helpers._shared.values import Value
from circleci_sdk.helpers.logs.finding import StepReader, check_job
from circleci_sdk.helpers.logs.logs import try_to_read
from circleci_sdk.helpers.logs.steps import StepLog
from circleci_sdk.v2._client import V2

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk.v2.models import FlakyTest, JobTest

    from .facts import RunJob

_PASSED: Final = frozenset({"success", "skipped", "passed", "ok", "pass"})


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class FailedTest(Partial):
    """A test that failed, or whose result is unavailable.

    `times_flaked` counts how often it failed and passed on the same commit: 0 for never, None if CircleCI reported
    nothing. `seconds` is its run time.
    """

    name: str
    classname: str
    file: str | None
    message: str
    seconds: float
    times_flaked: int | None

    @property
    def is_flaky(self) -> bool:
        """Whether it is known to be flaky."""
        return bool(self.times_flaked)


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobExplanation(Value):
    """Why one job failed. `problems` lists what could not be read."""

    job: RunJob
    logs: tuple[StepLog, ...] = ()
    tests: tuple[FailedTest, ...] = ()
    problems: tuple[str, ...] = ()


async def explain_jobs(
    caller: Caller,
    failed_jobs: Sequence[RunJob],
    project_slug: str | None,
    method: str,
    *,
    tail: int,
    concurrency: int,
    timeout: float | None,
) -> tuple[tuple[JobExplanation, ...], tuple[str, ...]]:
    """An explanation of each job, and the problems of the run as a whole."""
    check_count(method, "tail", tail, least=0)
    check_count(method, "concurrency", concurrency)
    check_timeout(method, timeout)
    late = f"not read within {timeout:g} s" if timeout is not None else ""
    reader = _Reader(caller, tail, timeout, late)
    known: list[tuple[RunJob, str, int]] = []
    for job in failed_jobs:
        number = if_available(lambda one: one.number, job)
        slug = if_available(lambda one: one.project_slug, job) or project_slug
        if number is not None and slug is not None:
            known.append((job, slug, number))
    # Outputs can be read when the steps are known, so these come first.
    reads: list[ReadFunction] = [partial(reader.read_steps, *one) for one in known]
    if known and project_slug:
        reads.append(partial(reader.read_flaky, project_slug))
    reads += [partial(reader.read_tests, *one) for one in known]
    with anyio.move_on_after(timeout):
        await read_concurrently(reads, limit=concurrency)
    jobs = tuple(
        reader.job(job, late if if_available(lambda one: one.number, job) is not None else "") for job in failed_jobs
    )
    return jobs, tuple(reader.problems)


class _Reader:
    """Reads each part on its own: one that fails or is late does not affect the others."""

    def __init__(self, caller: Caller, tail: int, timeout: float | None, late: str) -> None:
        self._caller = caller
        self._v2 = V2(caller)
        self._steps = StepReader(caller)
        self._tail = tail
        self._timeout = timeout
        self._late = late
        self._logs: dict[RunJob, list[StepLog] | str] = {}
        self._tests: dict[RunJob, tuple[JobTest, ...] | str] = {}
        self._flaky: Mapping[tuple[str, str], int] = {}
        self._not_listed: int | None = None
        self.problems: list[str] = []

    async def read_steps(self, job: RunJob, project_slug: str, number: int) -> Iterable[ReadFunction]:
        identity = if_available(lambda: job.id)
        job_id = identity if identity is not None and is_id(identity) else UNSET
        method = "logs.failed"
        try:
            steps = await self._steps.steps(method, check_job(method, project_slug, number, job_id))
        except CircleCIError as error:
            self._logs[job] = f"no logs: {error}"
            return ()
        failed = [step for step in steps if step.is_failed]
        self._logs[job] = logs = [StepLog(step, "", problem=self._late) for step in failed]
        return [partial(self._read_output, logs, place) for place in range(len(logs))]

    async def _read_output(self, logs: list[StepLog], place: int) -> Iterable[ReadFunction]:
        logs[place] = await try_to_read(self._caller, self._tail, self._timeout, logs[place].step)
        return ()

    async def read_tests(self, job: RunJob, project_slug: str, number: int) -> Iterable[ReadFunction]:
        try:
            self._tests[job] = tuple(await retry_reads(self._caller, partial(self._failing, project_slug, number)))
        except CircleCIError as error:
            self._tests[job] = f"no test results: {error}"
        return ()

    async def _failing(self, project_slug: str, number: int) -> list[JobTest]:
        """The tests that are not known to have passed."""
        tests = self._v2.jobs.list_tests(project_slug, number)
        return [test async for test in tests if if_available(lambda one: one.result.lower(), test) not in _PASSED]

    async def read_flaky(self, project_slug: str) -> Iterable[ReadFunction]:
        insights = self._v2.insights
        try:
            found = await retry_reads(self._caller, lambda: insights.get_flaky_tests(project_slug))
            self._flaky, self._not_listed = _times_flaked(found.flaky_tests)
        except CircleCIError as error:
            self.problems.append(f"flaky tests unknown: {error}")
        return ()

    def job(self, job: RunJob, late: str) -> JobExplanation:
        """Everything that was read of one job."""
        logs = self._logs.get(job, f"no logs: {late}" if late else ())
        tests = self._tests.get(job, f"no test results: {late}" if late else ())
        problems = [part for part in (logs, tests) if isinstance(part, str)]
        read = () if isinstance(logs, str) else tuple(logs)
        problems += [f"no output of step {_name_of(log)}: {log.problem}" for log in read if log.problem]
        if not job.is_approval and not hasattr(job, "number"):
            problems.append("no logs and no test results: the number of the job is unavailable")
        failed = () if isinstance(tests, str) else tuple(self._failed_test(test) for test in tests)
        return JobExplanation(job, read, failed, tuple(problems))

    def _failed_test(self, test: JobTest) -> FailedTest:
        return FailedTest(
            try_field(lambda: test.name),
            try_field(lambda: test.classname),
            try_field(lambda: test.file),
            try_field(lambda: test.message or ""),
            try_field(lambda: test.run_time),
            if_available(lambda: self._flaky.get((test.classname, test.name), self._not_listed)),
        )


def _name_of(log: StepLog) -> str:
    return or_unknown(lambda: log.step.name)


def _times_flaked(tests: Iterable[FlakyTest]) -> tuple[dict[tuple[str, str], int], int | None]:
    """How often each test was flaky, over all jobs, by class and name; and how often one was that is not listed.

    That is never, or unknown if the name of a listed test is unavailable.
    """
    times: dict[tuple[str, str], int] = {}
    not_listed: int | None = 0
    for test in tests:
        key = if_available(lambda one: (one.classname or "", one.test_name), test)
        if key is None:
            not_listed = None
        else:
            times[key] = times.get(key, 0) + max(1, if_available(lambda one: one.times_flaked, test) or 0)
    return times, not_listed
