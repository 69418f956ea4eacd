"""A project with its runs, and the methods with which a test controls it."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, get_args

from circleci_sdk._core.checks import BOOL, PLAIN_FUNCTION, STR, Accepted, check, instance, one_of, or_none
from circleci_sdk._public import public

from .arguments import INT
from .entities import ProjectState
from .plans import ErrorKind, Job, Workflow
from .records import FakeEnvVar, FakeUser
from .runs import FakeJob, FakePipeline, FakeWorkflow

if TYPE_CHECKING:
    from .clock import FakeClock

WORKFLOW: Final = instance("a Workflow", Workflow)
_WORKFLOW_OR_FUNCTION: Final = Accepted(
    "a Workflow or a plain function", lambda value: WORKFLOW.admits(value) or PLAIN_FUNCTION.admits(value)
)


@dataclass(frozen=True)
class Plan:
    """The workflows of further pipelines of a project: of one `branch`, or only of the next pipeline (`once`)."""

    workflows: tuple[Workflow, ...] = ()
    errors: tuple[tuple[ErrorKind, str], ...] = ()
    skipped: str | None = None
    branch: str | None = None
    once: bool = False
    make: Callable[[FakePipeline], Sequence[Workflow]] | None = field(default=None, compare=False)

    def workflows_of(self, pipeline: FakePipeline) -> Sequence[Workflow]:
        """The workflows of one pipeline."""
        return self.make(pipeline) if self.make is not None else self.workflows


class ProjectActions(Protocol):
    """The methods of the store that a project calls. The store is a layer above it."""

    @property
    def clock(self) -> FakeClock: ...

    def add_plan(self, project: FakeProject, plan: Plan, /) -> None: ...

    def push(
        self,
        project: FakeProject,
        workflows: tuple[Workflow, ...],
        /,
        *,
        branch: str | None,
        tag: str | None,
        subject: str,
        revision: str | None,
        actor: FakeUser | None,
    ) -> FakePipeline: ...

    def add_deployment(
        self, project: FakeProject, component: str, version: str, environment: str, namespace: str, /
    ) -> None: ...


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class FakeProject(ProjectState):
    """A project of the fake. Made by `FakeCircleCI.add_project`.

    `will_run`, `will_error` and `will_skip` set what its pipelines do; `push` starts one as a commit would.
    The other attributes are the state that the API shows. Tests may read them: `jobs` are those that run, `numbered`
    includes the approvals, in the order of their numbers.
    """

    pipelines: list[FakePipeline] = field(default_factory=list[FakePipeline])
    pipelines_by_branch: dict[str, list[FakePipeline]] = field(default_factory=dict[str, list[FakePipeline]])
    jobs: list[FakeJob] = field(default_factory=list[FakeJob])
    numbered: list[FakeJob] = field(default_factory=list[FakeJob])
    jobs_by_branch: dict[str, list[FakeJob]] = field(default_factory=dict[str, list[FakeJob]])
    workflows_by_name: dict[str, list[FakeWorkflow]] = field(default_factory=dict[str, list[FakeWorkflow]])
    _actions: ProjectActions = field(kw_only=True)

    def __repr__(self) -> str:
        return f"<FakeProject {self.slug} with {len(self.pipelines)} pipelines>"

    def will_run(
        self,
        *workflows: Workflow | Callable[[FakePipeline], Sequence[Workflow]],
        branch: str | None = None,
        once: bool = False,
    ) -> None:
        """Set the workflows of further pipelines.

        Args:
            workflows: the workflows, or one function that returns them for a `FakePipeline`: for runs that depend on
                the parameters or the branch. Without any a pipeline is created and runs nothing, as if all its
                workflows were filtered out.
            branch: only for pipelines of this branch.
            once: only for the next pipeline.

        A later call takes precedence. Raises `TypeError` when functions and workflows are mixed.
        """
        _check_plan("FakeProject.will_run", branch, once=once)
        for each in workflows:
            check("FakeProject.will_run", workflows=(each, _WORKFLOW_OR_FUNCTION))
        functions = [each for each in workflows if callable(each)]
        fixed = [each for each in workflows if isinstance(each, Workflow)]
        if functions and (fixed or len(functions) > 1):
            raise TypeError("FakeProject.will_run: expected workflows or one function that returns them, got both.")
        make = functions[0] if functions else None
        self._actions.add_plan(self, Plan(tuple(fixed), branch=branch, once=once, make=make))

    def will_error(
        self,
        message: str,
        *workflows: Workflow,
        kind: ErrorKind = "config",
        branch: str | None = None,
        once: bool = False,
    ) -> None:
        """Let further pipelines end with an error.

        Args:
            message: the message of the error.
            workflows: without any the pipeline ends as `errored`. After a `setup` workflow it does so when that has
                succeeded. Other workflows run, in a pipeline `created` that has the error nevertheless.
            kind: the type of the error.
            branch: only for pipelines of this branch.
            once: only for the next pipeline.
        """
        _check_plan("FakeProject.will_error", branch, once=once)
        check("FakeProject.will_error", message=(message, STR), kind=(kind, one_of(*get_args(ErrorKind))))
        for each in workflows:
            check("FakeProject.will_error", workflows=(each, WORKFLOW))
        self._actions.add_plan(self, Plan(workflows, errors=((kind, message),), branch=branch, once=once))

    def will_skip(
        self,
        message: str = "Pipeline was not created: the commit asks to skip CI.",
        *,
        branch: str | None = None,
        once: bool = False,
    ) -> None:
        """Let further triggers start nothing: the API returns 200 with this message."""
        _check_plan("FakeProject.will_skip", branch, once=once)
        check("FakeProject.will_skip", message=(message, STR))
        self._actions.add_plan(self, Plan(skipped=message, branch=branch, once=once))

    def push(
        self,
        *workflows: Workflow,
        branch: str | None = None,
        tag: str | None = None,
        subject: str = "Improve things",
        revision: str | None = None,
        actor: FakeUser | None = None,
    ) -> FakePipeline:
        """Push a commit: a pipeline and its first jobs start.

        Args:
            workflows: what it runs. Default: what `will_run` has set.
            branch: default: the default branch, or no branch for a tag.
            tag: the tag that is pushed.
            subject: first line of the commit message.
            revision: commit id. Default: a generated one.
            actor: who pushes. Default: the user of the token.
        """
        for each in workflows:
            check("FakeProject.push", workflows=(each, WORKFLOW))
        check(
            "FakeProject.push",
            branch=(branch, or_none(STR)),
            tag=(tag, or_none(STR)),
            subject=(subject, STR),
            revision=(revision, or_none(STR)),
            actor=(actor, or_none(instance("a FakeUser", FakeUser))),
        )
        return self._actions.push(
            self, workflows, branch=branch, tag=tag, subject=subject, revision=revision, actor=actor
        )

    def set_env_var(self, name: str, value: str) -> None:
        """Create or replace one of its environment variables."""
        check("FakeProject.set_env_var", name=(name, STR), value=(value, STR))
        clock = self._actions.clock
        with clock.lock:
            self.env_vars[name] = FakeEnvVar(name, value, clock.now, clock.now)

    def deploy(
        self, component: str, version: str, *, environment: str = "production", namespace: str = "default"
    ) -> None:
        """Deploy a version of a component to an environment. Missing components and environments are created."""
        check("FakeProject.deploy", component=(component, STR), version=(version, STR))
        check("FakeProject.deploy", environment=(environment, STR), namespace=(namespace, STR))
        self._actions.add_deployment(self, component, version, environment, namespace)

    def job(self, number: int) -> FakeJob | None:
        """The job of that number, which may be an approval."""
        check("FakeProject.job", number=(number, INT))
        return self.numbered[number - 1] if 1 <= number <= len(self.numbered) else None

    def pipeline(self, number: int) -> FakePipeline | None:
        """The pipeline of that number."""
        check("FakeProject.pipeline", number=(number, INT))
        return self.pipelines[number - 1] if 1 <= number <= len(self.pipelines) else None

    def job_before(self, job: FakeJob) -> FakeJob | None:
        """The previous job on the same branch."""
        check("FakeProject.job_before", job=(job, instance("a FakeJob", FakeJob)))
        branch = job.workflow.pipeline.branch
        same = self.jobs_by_branch.get(branch, []) if branch is not None else []
        at = bisect_left(same, job.number or 0, key=lambda each: each.number or 0)
        return same[at - 1] if at else None


def _check_plan(method: str, branch: object, *, once: object) -> None:
    check(method, branch=(branch, or_none(STR)), once=(once, BOOL))


DEFAULT_PLAN: Final = Plan((Workflow("build", Job("build", 30.0)),))
"""The default: one workflow with one job."""
