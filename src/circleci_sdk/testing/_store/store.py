"""The state of one `FakeCircleCI`."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any, Final

from .engine import Engine
from .entities import FakeContext, FakeOrganization
from .ids import Ids
from .index import RunIndex
from .projects import FakeProject, Plan
from .records import FakeEnvVar, FakeItem, FakeUser, JsonObject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .clock import FakeClock
    from .plans import Workflow
    from .runs import FakeJob, FakePipeline, FakeWorkflow

SHORT_VCS: Final = {"github": "gh", "bitbucket": "bb", "gh": "gh", "bb": "bb", "circleci": "circleci"}
LONG_VCS: Final = {"gh": "github", "bb": "bitbucket", "circleci": "circleci"}
NIL_UUID: Final = "00000000-0000-0000-0000-000000000000"
API_DATE: Final = date(2026, 11, 28)
"""The day of the release: by default no later change of the API applies."""

HOSTS: Final = {"gh": "https://github.com", "bb": "https://bitbucket.org", "circleci": "https://github.com"}


class Store:
    """Organizations, users, projects and runs, and how they are found."""

    def __init__(self, clock: FakeClock, *, seed: int, token: str) -> None:
        self.clock: Final = clock
        self.ids: Final = Ids(seed)
        self.runs: Final = RunIndex()
        self.engine: Final = Engine(clock, self.ids, self.runs)
        self.organizations: Final[dict[str, FakeOrganization]] = {}
        self.projects: Final[dict[str, FakeProject]] = {}
        self.users: Final[dict[str, FakeUser]] = {}
        self.page_size = 20
        self.api_date = API_DATE
        self.lag: float = 0.0
        self.usage_export_files = 1
        self.usage_export_fails = False
        self.webhook_update_drops_secret = False
        self._slugs: dict[str, FakeProject] = {}
        self.user: Final = self.add_user("ada", "Ada Lovelace", token=token)

    def is_visible(self, run: FakePipeline | FakeWorkflow) -> bool:
        """Whether reads show a pipeline or workflow: not before the lag is over."""
        return not self.lag or (self.clock.now - run.created_at).total_seconds() >= self.lag

    def add_user(self, login: str, name: str | None = None, *, token: str | None = None) -> FakeUser:
        """A new user."""
        user = FakeUser(self.ids.uuid(), login, name or login, self.ids.number(), token)
        self.users[user.id] = user
        return user

    def user_of(self, token: str) -> FakeUser | None:
        """The user with that token."""
        return next((user for user in self.users.values() if user.token == token), None)

    def add_organization(
        self, slug: str, *, name: str | None = None, hidden: bool = False, id: str | None = None
    ) -> FakeOrganization:
        """A new organization. Raises `ValueError` for a slug of another form."""
        parts = slug.split("/")
        if len(parts) != 2 or parts[0] not in SHORT_VCS or not parts[1]:
            raise ValueError(f"add_organization: slug: expected a slug such as 'gh/acme', got {slug!r}.")
        short = SHORT_VCS[parts[0]]
        organization = FakeOrganization(
            id or self.ids.uuid(),
            name or parts[1],
            f"{short}/{parts[1]}",
            LONG_VCS[short],
            self.clock.now,
            hidden=hidden,
        )
        self.organizations[organization.id] = organization
        return organization

    def add_project(
        self,
        slug: str,
        *,
        default_branch: str = "main",
        hidden: bool = False,
        name: str | None = None,
        organization: FakeOrganization | None = None,
    ) -> FakeProject:
        """A new project, and a missing organization. Raises `ValueError` for a slug of another form."""
        parts = slug.split("/")
        if len(parts) != 3 or parts[0] not in SHORT_VCS or not all(parts):
            raise ValueError(f"add_project: slug: expected a slug such as 'gh/acme/web', got {slug!r}.")
        slug = "/".join((SHORT_VCS[parts[0]], *parts[1:]))
        if slug in self._slugs:
            raise ValueError(f"add_project: the project {slug!r} exists already.")
        owner = organization or self.organization(f"{parts[0]}/{parts[1]}")
        project = FakeProject(
            self.ids.uuid(),
            name or parts[2],
            slug,
            owner or self.add_organization(f"{parts[0]}/{parts[1]}"),
            self.ids.number(),
            default_branch,
            self.clock.now,
            hidden=hidden,
            _actions=self,
        )
        project.settings["pr_only_branch_overrides"] = [default_branch]
        project.organization.projects[project.id] = project
        self.projects[project.id] = self._slugs[slug] = project
        return project

    def add_context(self, organization: FakeOrganization, name: str, env_vars: Mapping[str, str]) -> FakeContext:
        """A new context."""
        now = self.clock.now
        context = FakeContext(self.ids.uuid(), name, organization, now)
        context.env_vars.update({each: FakeEnvVar(each, value, now, now) for each, value in env_vars.items()})
        organization.contexts[context.id] = context
        return context

    def remove_project(self, project: FakeProject) -> None:
        """Remove a project and its runs."""
        del self.projects[project.id], self._slugs[project.slug], project.organization.projects[project.id]
        self.runs.remove_project(project)

    def remove_organization(self, organization: FakeOrganization) -> None:
        """Remove an organization and its projects, unless it is removed already."""
        if organization.id not in self.organizations:
            return
        for project_id in list(organization.projects):
            self.remove_project(self.projects[project_id])
        del self.organizations[organization.id]

    def project(self, slug_or_id: str) -> FakeProject | None:
        """The project of that slug, in any of its spellings, or of that id."""
        if slug_or_id in self.projects:
            return self.projects[slug_or_id]
        vcs, _, rest = slug_or_id.partition("/")
        found = self._slugs.get(f"{SHORT_VCS.get(vcs, vcs)}/{rest}")
        if found is None and vcs == "circleci" and rest.count("/") == 1:
            organization, _, project = rest.partition("/")
            candidate = self.projects.get(project)
            found = candidate if candidate is not None and candidate.organization.id == organization else None
        return found

    def organization(self, slug_or_id: str) -> FakeOrganization | None:
        """The organization of that slug, in any of its spellings, or of that id."""
        if slug_or_id in self.organizations:
            return self.organizations[slug_or_id]
        vcs, _, name = slug_or_id.partition("/")
        slug = f"{SHORT_VCS.get(vcs, vcs)}/{name}"
        for organization in self.organizations.values():
            if organization.slug == slug or (vcs == "circleci" and organization.id == name):
                return organization
        return None

    def projects_of(self, organization: FakeOrganization) -> list[FakeProject]:
        """All projects of an organization, with their runs."""
        return [self.projects[project_id] for project_id in organization.projects]

    def job_before(self, job: FakeJob) -> FakeJob | None:
        """The previous job of the project on the same branch."""
        project = self.projects.get(job.project.id)
        return project.job_before(job) if project is not None else None

    def add_plan(self, project: FakeProject, plan: Plan, /) -> None:
        """Set what further pipelines of a project do."""
        self.engine.add_plan(project, plan)

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
    ) -> FakePipeline:
        """Start the pipeline of a pushed commit, and its first jobs with it."""
        with self.clock.lock:
            ref = branch if branch is not None or tag is not None else project.default_branch
            return self.engine.start(
                project,
                Plan(workflows) if workflows else self.engine.next_plan(project, ref),
                actor=actor or self.user,
                trigger_type="webhook",
                branch=ref,
                tag=tag,
                revision=revision,
                subject=subject,
                at_once=True,
            )

    def add_deployment(
        self, project: FakeProject, component: str, version: str, environment: str, namespace: str, /
    ) -> None:
        """Add a deployment. It becomes the live version of its component in its environment."""
        with self.clock.lock:
            self._add_deployment(project, component, version, environment, namespace)

    def _add_deployment(
        self, project: FakeProject, component: str, version: str, environment: str, namespace: str
    ) -> None:
        organization = project.organization
        stamp = self.clock.now.strftime("%Y-%m-%dT%H:%M:%SZ")
        target = self._named(organization.environments, environment, {"description": "", "labels": []}, stamp)
        deployed = self._named(
            organization.components, component, {"project_id": project.id, "release_count": 0, "labels": []}, stamp
        )
        deployed.shown["release_count"] += 1
        versions = organization.versions.setdefault(deployed.id, [])
        for each in versions:
            if each["environment_id"] == target.id:
                each["is_live"] = False
        last = project.jobs[-1] if project.jobs else None
        versions.append(
            {
                "name": version,
                "namespace": namespace,
                "environment_id": target.id,
                "is_live": True,
                "pipeline_id": last.workflow.pipeline.id if last else NIL_UUID,
                "workflow_id": last.workflow.id if last else NIL_UUID,
                "job_id": last.id if last else NIL_UUID,
                "last_deployed_at": stamp,
            }
            | ({"job_number": last.number} if last else {})
        )

    def _named(self, items: dict[str, FakeItem], name: str, more: JsonObject, stamp: str) -> FakeItem:
        for each in items.values():
            if each.shown["name"] == name and each.shown.get("project_id") == more.get("project_id"):
                return each
        id = self.ids.uuid()
        shown = {"id": id, "name": name, **more, "created_at": stamp, "updated_at": stamp}
        items[id] = FakeItem(id, shown, self.clock.now, self.clock.now)
        return items[id]

    def contexts(self) -> Iterator[FakeContext]:
        """All contexts that the token can access."""
        for organization in self.organizations.values():
            if not organization.hidden:
                yield from organization.contexts.values()

    def stored(self, attribute: str, id: str) -> tuple[Any, FakeItem] | None:
        """The stored item of that id in an attribute of all organizations and projects, with its owner."""
        owners: list[Any] = [*self.organizations.values(), *self.projects.values()]
        for owner in owners:
            if not owner.hidden and id in getattr(owner, attribute, {}):
                return owner, getattr(owner, attribute)[id]
        return None
