"""Why a run failed: its failed jobs with their steps, output and tests, as data and as Markdown."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import CircleCIError, InvalidArgumentError
from circleci_sdk._public import public
from circleci_sdk.helpers._shared.concurrency import together
from circleci_sdk.helpers._shared.retrying import patiently
from circleci_sdk.helpers.logs.step_output import readable

if TYPE_CHECKING:
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.helpers.logs.logs import StepLog
    from circleci_sdk.v2.models import FlakyTest, JobTest

    from .facts import RunJob
    from .result import RunResult

_PASSED: Final = frozenset({"success", "skipped", "passed", "ok", "pass"})
_COMMENT_LIMIT: Final = 60_000


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class FailedTest:
    """A test that failed.

    `times_flaked` is how often it was seen to fail and pass on the same commit, 0 if never, None if CircleCI did not
    tell; `is_flaky` says whether it is known to be flaky.
    """

    name: str
    classname: str
    file: str | None
    message: str
    seconds: float
    times_flaked: int | None = None

    @property
    def is_flaky(self) -> bool:
        """Whether it is known to be flaky."""
        return bool(self.times_flaked)


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class JobExplanation:
    """Why one job failed. `problems` name what could not be had."""

    job: RunJob
    logs: tuple[StepLog, ...] = ()
    tests: tuple[FailedTest, ...] = ()
    problems: tuple[str, ...] = ()


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a run failed, as data; `markdown` writes it down.

    `jobs` are the failed ones; `problems` name what could not be had for the run as a whole.
    """

    result: RunResult
    jobs: tuple[JobExplanation, ...]
    problems: tuple[str, ...] = ()

    @property
    def flaky_only(self) -> bool:
        """Whether all that failed is known to be flaky: each failed job has failing tests, and all of them are."""
        return bool(self.jobs) and all(job.tests and all(test.is_flaky for test in job.tests) for job in self.jobs)

    def markdown(self, *, limit: int | None = _COMMENT_LIMIT) -> str:
        """The explanation as Markdown, for a comment or a message.

        It is at most `limit` characters long: output is shortened, and at last left out, until it fits.
        """
        lines = max((log.text.count("\n") + 1 for job in self.jobs for log in job.logs), default=0)
        text = _markdown(self, lines)
        while limit is not None and len(text) > limit and lines:
            lines //= 2
            text = _markdown(self, lines)
        if limit is not None and len(text) > limit:
            return text[: max(0, limit - 4)] + "\n..."
        return text


async def explain(
    circleci: AsyncCircleCI, result: RunResult, *, tail: int, concurrency: int, timeout: float | None
) -> Explanation:
    """Gather everything at once. See `RunResult.explain`."""
    import anyio

    if timeout is not None and not timeout > 0:
        raise InvalidArgumentError(f"explain: timeout is a number of seconds above 0, or None, not {timeout!r}.")
    gathering = _Gathering(circleci, tail, timeout)
    ran = [job for job in result.failed_jobs if job.number is not None]
    reads: list[Callable[[], Awaitable[None]]] = [
        *(partial(gathering.read_logs, job) for job in ran),
        *(partial(gathering.read_tests, job) for job in ran),
    ]
    if ran and result.project_slug:
        reads.append(partial(gathering.read_flaky, result.project_slug))
    with anyio.move_on_after(timeout):
        await together(lambda read: read(), reads, limit=concurrency)
    late = f"not read within {timeout:g} s" if timeout is not None else ""
    jobs = [gathering.job(job, late if job.number is not None else "") for job in result.failed_jobs]
    return Explanation(result, tuple(jobs), tuple(gathering.problems))


class _Gathering:
    """What was read so far; each part on its own, so that one that fails or is late takes nothing with it."""

    def __init__(self, circleci: AsyncCircleCI, tail: int, timeout: float | None) -> None:
        self._circleci = circleci
        self._tail = tail
        self._timeout = timeout
        self._logs: dict[str, tuple[StepLog, ...] | str] = {}
        self._tests: dict[str, tuple[JobTest, ...] | str] = {}
        self._flaky: Mapping[tuple[str, str], int] | None = None
        self.problems: list[str] = []

    async def read_logs(self, job: RunJob) -> None:
        assert job.number is not None
        try:
            logs = await self._circleci.logs.failed(
                job.project_slug, job.number, tail=self._tail, timeout=self._timeout, concurrency=1
            )
        except CircleCIError as error:
            self._logs[job.id] = f"no logs: {error}"
        else:
            self._logs[job.id] = tuple(logs)

    async def read_tests(self, job: RunJob) -> None:
        assert job.number is not None
        try:
            self._tests[job.id] = tuple(await patiently(self._circleci, partial(self._failing, job, job.number)))
        except CircleCIError as error:
            self._tests[job.id] = f"no test results: {error}"

    async def _failing(self, job: RunJob, number: int) -> list[JobTest]:
        tests = self._circleci.v2.jobs.list_tests(job.project_slug, number)
        return [test async for test in tests if test.result.lower() not in _PASSED]

    async def read_flaky(self, project_slug: str) -> None:
        insights = self._circleci.v2.insights
        try:
            found = await patiently(self._circleci, lambda: insights.get_flaky_tests(project_slug))
        except CircleCIError as error:
            self.problems.append(f"which tests are flaky is not known: {error}")
        else:
            self._flaky = _times_flaked(found.flaky_tests)

    def job(self, job: RunJob, late: str) -> JobExplanation:
        """What is known of one job."""
        logs = self._logs.get(job.id, f"no logs: {late}" if late else ())
        tests = self._tests.get(job.id, f"no test results: {late}" if late else ())
        problems = [part for part in (logs, tests) if isinstance(part, str)]
        read = () if isinstance(logs, str) else logs
        problems += [f"no output of step {log.step.name}: {log.problem}" for log in read if log.problem]
        failed = () if isinstance(tests, str) else tuple(self._failed_test(test) for test in tests)
        return JobExplanation(job, read, failed, tuple(problems))

    def _failed_test(self, test: JobTest) -> FailedTest:
        times = None if self._flaky is None else self._flaky.get((test.classname, test.name), 0)
        return FailedTest(test.name, test.classname, test.file, test.message or "", test.run_time, times)


def _times_flaked(tests: Iterable[FlakyTest]) -> dict[tuple[str, str], int]:
    """How often each test was flaky, over all jobs, by class and name."""
    times: dict[tuple[str, str], int] = {}
    for test in tests:
        key = (test.classname or "", test.test_name)
        times[key] = times.get(key, 0) + max(1, test.times_flaked)
    return times


def _markdown(explanation: Explanation, lines: int) -> str:
    result = explanation.result
    name = f"Run {result.number} of {result.project_slug}" if result.number is not None else f"Run {result.pipeline_id}"
    parts = [f"## {_link(name, result.url)}: {result.status}"]
    parts += [f"* {_inline(error)}" for error in result.errors]
    for job in explanation.jobs:
        parts += _job_markdown(job, lines)
    if explanation.problems:
        parts += ["", *(f"_{_inline(problem)}_" for problem in explanation.problems)]
    return "\n".join(parts) + "\n"


def _job_markdown(explanation: JobExplanation, lines: int) -> list[str]:
    job = explanation.job
    parts = ["", f"### {_link(f'{job.workflow_name} / {job.name}', job.url)}: {job.status}"]
    if explanation.tests:
        parts += ["", f"Failing tests: {len(explanation.tests)}", ""]
        parts += [_test_markdown(test) for test in explanation.tests]
    for log in explanation.logs:
        parts += ["", _step_title(log)]
        text = readable(log.text).rstrip()
        shown = text.split("\n")[-lines:] if lines and text else []
        if shown:
            cut = log.is_cut or len(shown) <= text.count("\n")
            fence = _fence("\n".join(shown))
            parts += ["", f"{fence}text", *(["..."] if cut else []), *shown, fence]
    parts += [f"\n_{_inline(problem)}_" for problem in explanation.problems]
    return parts


def _step_title(log: StepLog) -> str:
    step = log.step
    facts = [step.status if step.status != "success" else "failed"]
    if step.exit_code is not None:
        facts.append(f"exit code {step.exit_code}")
    if step.infrastructure_failed:
        facts.append("the machine broke")
    if step.index:
        facts.append(f"parallel run {step.index}")
    return f"Step **{_inline(step.name)}**: {', '.join(facts)}"


def _test_markdown(test: FailedTest) -> str:
    name = f"{test.classname}.{test.name}" if test.classname else test.name
    flaky = f" (known to be flaky, {test.times_flaked} times)" if test.is_flaky else ""
    first = readable(test.message).strip().partition("\n")[0][:300]
    return f"* {_code(name)}{flaky}{f': {_inline(first)}' if first else ''}"


def _link(text: str, url: str | None) -> str:
    return f"[{_inline(text)}]({url})" if url else _inline(text)


def _inline(text: str) -> str:
    """Text that means nothing to Markdown, on one line."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|" else char for char in " ".join(text.split()))


def _code(text: str) -> str:
    ticks = _longest_run(text) + 1
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{'`' * ticks}{space}{' '.join(text.split())}{space}{'`' * ticks}"


def _fence(text: str) -> str:
    return "`" * max(3, _longest_run(text) + 1)


def _longest_run(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest
