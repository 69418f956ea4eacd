"""A project: its settings, its variables, its runs, and how a test tells it what to do."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from circleci_sdk.testing._plans import DEFAULT_PLAN, ErrorKind, Plan, Workflow

from .entities import Claims, EnvVar, FakeOrganization, FakeUser, Stored
from .runs import FakeJob, FakePipeline, FakeWorkflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from .store import Store


@dataclass(slots=True, eq=False)
class CheckoutKey:
    """A key with which jobs read the repository."""

    public_key: str
    kind: str
    md5: str
    sha256: str
    created_at: datetime
    preferred: bool


@dataclass(slots=True, eq=False)
class ProjectToken:
    """A token that opens only one project, and only API v1.1."""

    id: str
    label: str
    scope: str
    token: str


def _default_settings() -> dict[str, Any]:
    return {
        "autocancel_builds": False,
        "build_fork_prs": False,
        "build_prs_only": False,
        "disable_ssh": False,
        "forks_receive_secret_env_vars": False,
        "oss": False,
        "set_github_status": True,
        "setup_workflows": False,
        "write_settings_requires_admin": False,
        "pr_only_branch_overrides": [],
    }


@dataclass(slots=True, eq=False, repr=False)
class FakeProject:
    """A project of the fake. Made by `FakeCircleCI.add_project`.

    What its pipelines do is said with `will_run`, `will_error` and `will_skip`; `push` starts one as a commit would.
    The other attributes are the state that the API shows, for tests to look at.
    """

    store: Store
    id: str
    name: str
    slug: str
    organization: FakeOrganization
    number: int
    default_branch: str
    created_at: datetime
    hidden: bool = False
    followed: bool = True
    enabled: bool = True
    settings: dict[str, Any] = field(default_factory=_default_settings)
    feature_flags: dict[str, Any] = field(default_factory=dict[str, Any])
    env_vars: dict[str, EnvVar] = field(default_factory=dict[str, EnvVar])
    checkout_keys: dict[str, CheckoutKey] = field(default_factory=dict[str, CheckoutKey])
    ssh_keys: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    tokens: dict[str, ProjectToken] = field(default_factory=dict[str, ProjectToken])
    schedules: dict[str, Stored] = field(default_factory=dict[str, Stored])
    webhooks: dict[str, Stored] = field(default_factory=dict[str, Stored])
    pipeline_definitions: dict[str, Stored] = field(default_factory=dict[str, Stored])
    triggers: dict[str, Stored] = field(default_factory=dict[str, Stored])
    trigger_definitions: dict[str, str] = field(default_factory=dict[str, str])
    claims: Claims = field(default_factory=Claims)
    pipelines: list[FakePipeline] = field(default_factory=list[FakePipeline])
    pipelines_by_branch: dict[str, list[FakePipeline]] = field(default_factory=dict[str, list[FakePipeline]])
    jobs: list[FakeJob] = field(default_factory=list[FakeJob])
    jobs_by_branch: dict[str, list[FakeJob]] = field(default_factory=dict[str, list[FakeJob]])
    workflows_by_name: dict[str, list[FakeWorkflow]] = field(default_factory=dict[str, list[FakeWorkflow]])
    _plans: list[Plan] = field(default_factory=list[Plan])

    def __repr__(self) -> str:
        return f"<FakeProject {self.slug} with {len(self.pipelines)} pipelines>"

    # ---- what a test says ----

    def will_run(
        self,
        *workflows: Workflow | Callable[[FakePipeline], Sequence[Workflow]],
        branch: str | None = None,
        once: bool = False,
    ) -> None:
        """From now on its pipelines run these workflows.

        One function instead of workflows is called with the `FakePipeline` and gives them, for runs that depend on
        the parameters or the branch. With `branch` it counts for that branch only; with `once` for the next
        pipeline only. What was said last comes first. Raises `TypeError` when functions and workflows are mixed.
        """
        made = [each for each in workflows if callable(each)]
        fixed = [each for each in workflows if isinstance(each, Workflow)]
        if made and (fixed or len(made) > 1):
            raise TypeError("will_run takes workflows, or one function that gives them.")
        self._plans.append(Plan(tuple(fixed), branch=branch, once=once, make=made[0] if made else None))

    def will_error(
        self, message: str, *, kind: ErrorKind = "config", branch: str | None = None, once: bool = False
    ) -> None:
        """From now on its pipelines end as `errored` with this message, before any workflow."""
        self._plans.append(Plan(errors=((kind, message),), branch=branch, once=once))

    def will_skip(
        self,
        message: str = "Pipeline was not created: the commit asks to skip CI.",
        *,
        branch: str | None = None,
        once: bool = False,
    ) -> None:
        """From now on triggering starts nothing: the API returns 200 with this message."""
        self._plans.append(Plan(skipped=message, branch=branch, once=once))

    def push(
        self,
        *workflows: Workflow,
        branch: str | None = None,
        tag: str | None = None,
        subject: str = "Improve things",
        revision: str | None = None,
        actor: FakeUser | None = None,
    ) -> FakePipeline:
        """A commit arrives: a pipeline starts, and its first jobs with it.

        It runs the given workflows, or what `will_run` has said. `branch` defaults to the default branch, unless
        there is a tag; `revision` is made up; `actor` defaults to the user of the token.
        """
        with self.store.clock.lock:
            where = branch if branch is not None or tag is not None else self.default_branch
            return self.store.engine.start(
                self,
                Plan(workflows) if workflows else self.next_plan(where),
                actor=actor or self.store.user,
                trigger_type="webhook",
                branch=where,
                tag=tag,
                revision=revision,
                subject=subject,
                at_once=True,
            )

    def set_env_var(self, name: str, value: str) -> None:
        """Create or replace one of its environment variables."""
        with self.store.clock.lock:
            now = self.store.clock.now
            self.env_vars[name] = EnvVar(name, value, now, now)

    def deploy(
        self, component: str, version: str, *, environment: str = "production", namespace: str = "default"
    ) -> None:
        """A version of a component goes live in an environment; both are made if they are not there yet."""
        with self.store.clock.lock:
            self.store.keep_deployment(self, component, version, environment, namespace)

    # ---- what the rooms of the fake ask ----

    def next_plan(self, branch: str | None) -> Plan:
        """What the next pipeline on this branch will do."""
        for plan in reversed(self._plans):
            if plan.branch is None or plan.branch == branch:
                if plan.once:
                    self._plans.remove(plan)
                return plan
        return DEFAULT_PLAN

    def keep_pipeline(self, pipeline: FakePipeline) -> None:
        """Enter a pipeline into the books."""
        self.pipelines.append(pipeline)
        if pipeline.branch is not None:
            self.pipelines_by_branch.setdefault(pipeline.branch, []).append(pipeline)
        self.store.pipelines[pipeline.id] = pipeline
        self.store.pipelines_of(self.organization).append(pipeline)

    def keep_workflow(self, workflow: FakeWorkflow) -> None:
        """Enter a workflow into the books."""
        self.store.workflows[workflow.id] = workflow
        self.workflows_by_name.setdefault(workflow.name, []).append(workflow)

    def keep_job(self, job: FakeJob) -> None:
        """Enter a job into the books; it has no number yet."""
        self.store.jobs[job.id] = job

    def number_job(self, job: FakeJob) -> None:
        """Give a job its number, which makes it a build of v1.1 too."""
        job.number = len(self.jobs) + 1
        self.jobs.append(job)
        branch = job.workflow.pipeline.branch
        if branch is not None:
            self.jobs_by_branch.setdefault(branch, []).append(job)
        self.store.builds.append(job)

    def job(self, number: int) -> FakeJob | None:
        """The job of that number."""
        return self.jobs[number - 1] if 1 <= number <= len(self.jobs) else None

    def pipeline(self, number: int) -> FakePipeline | None:
        """The pipeline of that number."""
        return self.pipelines[number - 1] if 1 <= number <= len(self.pipelines) else None

    def job_before(self, job: FakeJob) -> FakeJob | None:
        """The job before this one on the same branch."""
        branch = job.workflow.pipeline.branch
        same = self.jobs_by_branch.get(branch, []) if branch is not None else []
        at = bisect_left(same, job.number or 0, key=lambda each: each.number or 0)
        return same[at - 1] if at else None
