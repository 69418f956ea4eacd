"""Planned workflows and jobs: what a run does, set before it starts.

Workflow(
    "build",
    Job("lint", 20),
    Job("test", 90, outcome="failed", output="1 failed", tests=[JobTest("test_login", failure="assert 401 == 200")]),
    Approval("release?", requires=["lint", "test"]),
    Job("deploy", 30, requires=["release?"]),
)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field, replace
from typing import Final, Literal, TypeAlias, get_args

from circleci_sdk._core.checks import BOOL, PLAIN_FUNCTION, STR, Accepted, check, instance, one_of, or_none, several
from circleci_sdk._public import public

from .arguments import INT, NAMES, NUMBER, REQUIRES, mapping_of, pair_of

Outcome: TypeAlias = Literal[
    "success",
    "failed",
    "timedout",
    "infrastructure_fail",
    "canceled",
    "unauthorized",
    "terminated-unknown",
    "retried",
    "skipped",
    "not_run",
]
"""The final status of a job. A job `skipped` or `not_run` never starts."""

WorkflowOutcome: TypeAlias = Literal["success", "failed", "error", "canceled", "unauthorized", "not_run"]
"""The final status of a workflow."""

Requires: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]
"""Names of required jobs, or a mapping from names to outcomes."""

ErrorKind: TypeAlias = Literal["config", "config-fetch", "timeout", "permission", "other", "plan", "trigger-rule"]
"""The type of an error of a pipeline."""

FAILURES: Final = frozenset({"failed", "timedout", "infrastructure_fail", "unauthorized", "terminated-unknown"})
NEVER_STARTED: Final = frozenset({"skipped", "not_run"})
MOST_AUTO_RERUNS: Final = 5
CHECKOUT: Final = "Checkout code"
"""The name of the steps that check out the code."""

_OUTCOME: Final = one_of(*get_args(Outcome))
_OUTCOMES: Final = Accepted(
    f"{_OUTCOME.noun}, or a list of those",
    lambda value: _OUTCOME.admits(value) or several("", _OUTCOME).admits(value),
    quotes=True,
)
_TESTS: Final = Accepted(
    "a list of JobTest or a plain function",
    lambda value: PLAIN_FUNCTION.admits(value) or several("", instance("", JobTest)).admits(value),
)
_CONTENT: Final = Accepted("str or bytes", lambda value: isinstance(value, str | bytes))
_WRITE: Final = pair_of(NUMBER, _CONTENT)


@public("circleci_sdk.testing")
@dataclass(frozen=True)
class JobTest:
    """One test in the results of a job.

    `failure` is the message of a failed test; with it the result is `failure`, without it `success`. `result` sets
    another one, such as `skipped`. `seconds` is its duration.
    """

    name: str
    failure: str | None = None
    classname: str = "tests"
    file: str | None = None
    seconds: float = 0.1
    result: str | None = None

    def __post_init__(self) -> None:
        check("JobTest", name=(self.name, STR), failure=(self.failure, or_none(STR)), classname=(self.classname, STR))
        check("JobTest", file=(self.file, or_none(STR)), seconds=(self.seconds, NUMBER))
        check("JobTest", result=(self.result, or_none(STR)))

    @property
    def status(self) -> str:
        """Its result as the API returns it: `success`, `failure` or the given `result`."""
        return self.result or ("success" if self.failure is None else "failure")


@public("circleci_sdk.testing")
@dataclass(frozen=True)
class Step:
    r"""One step of a job and its output.

        Step("pytest", "collected 2 items\n", writes=[(1.5, "test_a ok\n"), (60, "test_b ok\n")])

    Args:
        name: its name.
        output: what it writes to standard output at its start.
        exit_code: a number other than 0 marks a failed step.
        writes: what it writes to standard output later: pairs of seconds since its start and content, in order. Bytes
            may end within a character. It lasts until the last of them; the last step lasts until the end of the job.
        stderr: what it writes to standard error at its end.

    Raises `ValueError` for writes below 0 seconds or out of order.
    """

    name: str
    output: str = ""
    exit_code: int = 0
    _: KW_ONLY
    writes: Sequence[tuple[float, str | bytes]] = ()
    stderr: str = ""

    def __post_init__(self) -> None:
        check("Step", name=(self.name, STR), output=(self.output, STR), exit_code=(self.exit_code, INT))
        check("Step", writes=(self.writes, several(f"a list of {_WRITE.noun}", _WRITE)), stderr=(self.stderr, STR))
        moments = [seconds for seconds, _ in self.writes]
        if moments != sorted(moments) or (moments and moments[0] < 0):
            raise ValueError(f"Step: writes: expected seconds from 0 in order, got {moments!r}.")

    @property
    def seconds(self) -> float:
        """The time of its last write, in seconds after its start. It lasts that long, unless it is the last step."""
        return self.writes[-1][0] if self.writes else 0.0


@public("circleci_sdk.testing")
@dataclass(frozen=True)
class Job:
    """A job that runs.

    Args:
        name: its name in the config.
        seconds: duration in seconds of the fake clock.
        requires: names of the jobs that must succeed before it; a mapping from names to the outcomes that let it
            start, such as `{"test": ["failed"]}`.
        outcome: its final status. A sequence holds one outcome per attempt, the last one for all further attempts:
            `["failed", "success"]` fails first and succeeds in a rerun.
        output: output of its last step, if that has none: the failed step of a failed job.
        steps: its steps, one after another. Default: a checkout and one command.
        tests: its test results, or a function that returns them for the number of the attempt, from 0.
        artifacts: contents of its artifacts by path.
        parallelism: number of parallel runs. Each has all steps; artifacts and tests are distributed over them.
        contexts: names of the contexts that it uses.
        resource_class: size of the machine.
        executor: type of executor.
        queue_seconds: time in the queue before it starts.
        serial_group: name of a group in its organization of which only one job at a time runs; the others are queued.
    """

    name: str
    seconds: float = 10.0
    _: KW_ONLY
    requires: Requires = ()
    outcome: Outcome | Sequence[Outcome] = "success"
    output: str = ""
    steps: Sequence[Step] = ()
    tests: Sequence[JobTest] | Callable[[int], Sequence[JobTest]] = ()
    artifacts: Mapping[str, str | bytes] = field(default_factory=dict[str, "str | bytes"])
    parallelism: int = 1
    contexts: Sequence[str] = ()
    resource_class: str = "medium"
    executor: str = "docker"
    queue_seconds: float = 0.0
    serial_group: str | None = None

    def __post_init__(self) -> None:
        check(
            "Job",
            name=(self.name, STR),
            seconds=(self.seconds, NUMBER),
            outcome=(self.outcome, _OUTCOMES),
            output=(self.output, STR),
            steps=(self.steps, several("a list of Step", instance("a Step", Step))),
            tests=(self.tests, _TESTS),
            artifacts=(self.artifacts, mapping_of(_CONTENT)),
            parallelism=(self.parallelism, INT),
            contexts=(self.contexts, NAMES),
            resource_class=(self.resource_class, STR),
            executor=(self.executor, STR),
            queue_seconds=(self.queue_seconds, NUMBER),
            serial_group=(self.serial_group, or_none(STR)),
        )
        if self.seconds < 0 or self.queue_seconds < 0:
            raise ValueError("Job: seconds and queue_seconds: expected at least 0.")
        if self.parallelism < 1:
            raise ValueError("Job: parallelism: expected at least 1.")
        if not self.outcome:
            raise ValueError("Job: outcome: expected at least one outcome, got none.")
        check("Job", requires=(self.requires, REQUIRES))
        if (writing := sum(step.seconds for step in self.steps)) > self.seconds:
            raise ValueError(
                f"Job: steps: they write for {writing:g} seconds, and the job ends after {self.seconds:g}."
            )

    @property
    def needs(self) -> Mapping[str, Sequence[str]]:
        """The outcomes that let it start, by name of the required job."""
        return _needs(self.requires)

    def outcome_of(self, attempt: int) -> Outcome:
        """The outcome of an attempt, counted from 0."""
        check("Job.outcome_of", attempt=(attempt, INT))
        outcomes: Sequence[Outcome] = (self.outcome,) if isinstance(self.outcome, str) else self.outcome
        return outcomes[min(attempt, len(outcomes) - 1)]

    def tests_of(self, attempt: int) -> Sequence[JobTest]:
        """The test results of an attempt, counted from 0."""
        check("Job.tests_of", attempt=(attempt, INT))
        return self.tests(attempt) if callable(self.tests) else self.tests

    def steps_of(self, outcome: str) -> tuple[Step, ...]:
        """Its steps with that outcome. The last one has `output`, and fails if the job fails."""
        check("Job.steps_of", outcome=(outcome, STR))
        steps = tuple(self.steps) or (Step(CHECKOUT, "Cloning into '.'...\n"), Step("Run command"))
        last = steps[-1]
        fails = outcome == "failed" and not any(step.exit_code for step in steps)
        output = last.output if last.output or last.writes else self.output
        return (*steps[:-1], replace(last, output=output, exit_code=1 if fails else last.exit_code))


@public("circleci_sdk.testing")
@dataclass(frozen=True)
class Approval:
    """A job that is on hold until it is approved. `requires` as in `Job`."""

    name: str
    _: KW_ONLY
    requires: Requires = ()

    def __post_init__(self) -> None:
        check("Approval", name=(self.name, STR), requires=(self.requires, REQUIRES))

    @property
    def needs(self) -> Mapping[str, Sequence[str]]:
        """The outcomes that let it start, by name of the required job."""
        return _needs(self.requires)


@public("circleci_sdk.testing")
@dataclass(frozen=True, init=False)
class Workflow:
    """A workflow and its jobs.

    Args:
        name: its name in the config.
        jobs: its jobs, each after those that it requires. Default: one job `build`; none with an `outcome`.
        setup: whether it runs alone first. The others are created when it has succeeded; without others the
            continued pipeline runs nothing, as if all its jobs were filtered out.
        continues: whether a setup workflow that has succeeded continues the pipeline. False: the pipeline stays in
            `setup` until the API continues it.
        delay: number of seconds by which its creation is late.
        outcome: its final status, whatever its jobs say: `Workflow("build", outcome="error")` ends at once with
            `error` and without a job. Default: what follows from its jobs.
        max_auto_reruns: number of automatic reruns from failed after a failure, from 0 to 5.

    Raises `ValueError` when a job requires one that is not before it, for another number of reruns, and for
    `continues=False` without `setup`.
    """

    name: str
    jobs: tuple[Job | Approval, ...]
    setup: bool
    continues: bool
    delay: float
    outcome: WorkflowOutcome | None
    max_auto_reruns: int

    def __init__(
        self,
        name: str,
        *jobs: Job | Approval,
        setup: bool = False,
        continues: bool = True,
        delay: float = 0.0,
        outcome: WorkflowOutcome | None = None,
        max_auto_reruns: int = 0,
    ) -> None:
        for job in jobs:
            check("Workflow", jobs=(job, instance("a Job or an Approval", Job, Approval)))
        check(
            "Workflow",
            name=(name, STR),
            setup=(setup, BOOL),
            continues=(continues, BOOL),
            delay=(delay, NUMBER),
            outcome=(outcome, or_none(one_of(*get_args(WorkflowOutcome)))),
            max_auto_reruns=(max_auto_reruns, INT),
        )
        if not 0 <= max_auto_reruns <= MOST_AUTO_RERUNS:
            raise ValueError(f"Workflow: max_auto_reruns: expected 0 to {MOST_AUTO_RERUNS}, got {max_auto_reruns!r}.")
        if not continues and not setup:
            raise ValueError(f"Workflow: continues: {name!r} is no setup workflow; expected setup=True with it.")
        names = [job.name for job in jobs]
        if len(set(names)) != len(names):
            raise ValueError(f"Workflow: {name!r} has two jobs of the same name.")
        for index, job in enumerate(jobs):
            if unknown := [required for required in job.needs if required not in names[:index]]:
                raise ValueError(f"Workflow: job {job.name!r} requires {unknown[0]!r}; expected a job before it.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "jobs", tuple(jobs) or (() if outcome else (Job("build"),)))
        object.__setattr__(self, "setup", setup)
        object.__setattr__(self, "continues", continues)
        object.__setattr__(self, "delay", float(delay))
        object.__setattr__(self, "outcome", outcome)
        object.__setattr__(self, "max_auto_reruns", max_auto_reruns)


def _needs(requires: Requires) -> Mapping[str, Sequence[str]]:
    if isinstance(requires, Mapping):
        return requires
    return dict.fromkeys(requires, ("success",))
