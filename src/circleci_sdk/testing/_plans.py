"""What a run will do, written down before it runs.

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
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from ._store.runs import FakePipeline

Outcome: TypeAlias = Literal["success", "failed", "timedout", "infrastructure_fail", "canceled", "unauthorized"]
Requires: TypeAlias = Sequence[str] | Mapping[str, Sequence[str]]
ErrorKind: TypeAlias = Literal["config", "config-fetch", "timeout", "permission", "other", "plan"]

FAILURES: Final = frozenset({"failed", "timedout", "infrastructure_fail", "unauthorized"})


@dataclass(frozen=True)
class JobTest:
    """One test in the results of a job.

    `failure` is what it said when it failed; with it the result is `failure`, without it `success`. `result` says
    it outright, such as `skipped`. `seconds` is how long it took.
    """

    name: str
    failure: str | None = None
    classname: str = "tests"
    file: str | None = None
    seconds: float = 0.1
    result: str | None = None

    @property
    def verdict(self) -> str:
        """The word that the results hold."""
        return self.result or ("success" if self.failure is None else "failure")


@dataclass(frozen=True)
class Step:
    """One step of a job and what it prints. `exit_code` other than 0 marks the step that failed."""

    name: str
    output: str = ""
    exit_code: int = 0


@dataclass(frozen=True)
class Job:
    """A job that runs.

    Args:
        name: its name in the config.
        seconds: how long it runs, in seconds of the fake clock.
        requires: names of the jobs it waits for; a mapping says which outcomes let it start, such as
            `{"test": ["failed"]}`. A plain name means success.
        outcome: how it ends. A sequence is one outcome per attempt, the last one for all further attempts:
            `["failed", "success"]` fails first and passes when it is run again.
        output: what its last step prints; of a job that fails, the step that fails.
        steps: its steps. Default: a checkout and one command.
        tests: its test results. A function of the number of the attempt, from 0, gives other ones for each.
        artifacts: contents of its artifacts by path.
        parallelism: number of parallel runs; each has all steps, artifacts and tests are dealt out among them.
        contexts: names of the contexts that it uses.
        resource_class: size of the machine.
        executor: kind of executor.
        queue_seconds: how long it waits for a machine.
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

    def __post_init__(self) -> None:
        if self.seconds < 0 or self.queue_seconds < 0:
            raise ValueError("A job cannot last less than no time.")
        if self.parallelism < 1:
            raise ValueError("A job has at least one parallel run.")
        if not self.outcome:
            raise ValueError("outcome= needs at least one word.")
        _check_requires(self.requires)

    @property
    def needs(self) -> Mapping[str, Sequence[str]]:
        """By name of a job that it waits for, the outcomes that let it start."""
        return _needs(self.requires)

    def outcome_of(self, attempt: int) -> Outcome:
        """How attempt number `attempt` ends, counted from 0."""
        outcomes: Sequence[Outcome] = (self.outcome,) if isinstance(self.outcome, str) else self.outcome
        return outcomes[min(attempt, len(outcomes) - 1)]

    def tests_of(self, attempt: int) -> Sequence[JobTest]:
        """The test results of attempt number `attempt`, counted from 0."""
        return self.tests(attempt) if callable(self.tests) else self.tests

    def steps_of(self, outcome: str) -> tuple[Step, ...]:
        """Its steps when it ends like that: the last one prints `output`, and fails if the job fails."""
        steps = tuple(self.steps) or (Step("Checkout code", "Cloning into '.'...\n"), Step("Run command"))
        last = steps[-1]
        fails = outcome == "failed" and not any(step.exit_code for step in steps)
        return (*steps[:-1], Step(last.name, last.output or self.output, 1 if fails else last.exit_code))


@dataclass(frozen=True)
class Approval:
    """A job that waits on hold until somebody approves it. `requires` as of a `Job`."""

    name: str
    _: KW_ONLY
    requires: Requires = ()

    def __post_init__(self) -> None:
        _check_requires(self.requires)

    @property
    def needs(self) -> Mapping[str, Sequence[str]]:
        """By name of a job that it waits for, the outcomes that let it start."""
        return _needs(self.requires)


@dataclass(frozen=True, init=False)
class Workflow:
    """A workflow and its jobs.

    With `setup` it runs first and alone, and the others appear when it has succeeded. `delay` is how many seconds
    later than it could the workflow appears. Raises `ValueError` when a job requires one that is not there.
    """

    name: str
    jobs: tuple[Job | Approval, ...]
    setup: bool
    delay: float

    def __init__(self, name: str, *jobs: Job | Approval, setup: bool = False, delay: float = 0.0) -> None:
        names = [job.name for job in jobs]
        if len(set(names)) != len(names):
            raise ValueError(f"Two jobs of workflow {name!r} have one name.")
        for index, job in enumerate(jobs):
            if unknown := [required for required in job.needs if required not in names[:index]]:
                raise ValueError(f"Job {job.name!r} requires {unknown[0]!r}, which does not stand before it.")
        object.__setattr__(self, "name", name)
        object.__setattr__(self, "jobs", tuple(jobs) or (Job("build"),))
        object.__setattr__(self, "setup", setup)
        object.__setattr__(self, "delay", float(delay))


@dataclass(frozen=True)
class Plan:
    """What the pipelines of a project will do; made by `FakeProject.will_run` and its like."""

    workflows: tuple[Workflow, ...] = ()
    errors: tuple[tuple[ErrorKind, str], ...] = ()
    skipped: str | None = None
    branch: str | None = None
    once: bool = False
    make: Callable[[FakePipeline], Sequence[Workflow]] | None = field(default=None, compare=False)

    def workflows_of(self, pipeline: FakePipeline) -> Sequence[Workflow]:
        """The workflows of one pipeline."""
        return self.make(pipeline) if self.make is not None else self.workflows


def _check_requires(requires: Requires) -> None:
    if isinstance(requires, str):
        raise TypeError("requires= is a list of names, not one text.")


def _needs(requires: Requires) -> Mapping[str, Sequence[str]]:
    if isinstance(requires, Mapping):
        return requires
    return dict.fromkeys(requires, ("success",))


DEFAULT_PLAN: Final = Plan((Workflow("build", Job("build", 30.0)),))
