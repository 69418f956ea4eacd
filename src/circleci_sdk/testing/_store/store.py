"""All of the state behind one `FakeCircleCI`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from .engine import Engine, Listener
from .entities import EnvVar, FakeContext, FakeOrganization, FakeUser, JsonObject, Stored
from .ids import Ids
from .projects import FakeProject

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from circleci_sdk.testing._clock import FakeClock

    from .runs import FakeJob, FakePipeline, FakeWorkflow

SHORT_VCS: Final = {"github": "gh", "bitbucket": "bb", "gh": "gh", "bb": "bb", "circleci": "circleci"}
LONG_VCS: Final = {"gh": "github", "bb": "bitbucket", "circleci": "circleci"}
NOBODY: Final = "00000000-0000-0000-0000-000000000000"
HOSTS: Final = {"gh": "https://github.com", "bb": "https://bitbucket.org", "circleci": "https://github.com"}


class Store:
    """Organizations, users, projects and runs, with the indexes that returns need."""

    def __init__(self, clock: FakeClock, *, seed: int, token: str, ended: Listener) -> None:
        self.clock: Final = clock
        self.ids: Final = Ids(seed)
        self.engine: Final = Engine(clock, self.ids, ended)
        self.organizations: Final[dict[str, FakeOrganization]] = {}
        self.projects: Final[dict[str, FakeProject]] = {}
        self.users: Final[dict[str, FakeUser]] = {}
        self.pipelines: Final[dict[str, FakePipeline]] = {}
        self.workflows: Final[dict[str, FakeWorkflow]] = {}
        self.jobs: Final[dict[str, FakeJob]] = {}
        self.builds: Final[list[FakeJob]] = []
        self.page_size = 20
        self.usage_export_files = 1
        self.usage_export_fails = False
        self._slugs: dict[str, FakeProject] = {}
        self._pipelines_by_org: dict[str, list[FakePipeline]] = {}
        self.user: Final = self.add_user("ada", "Ada Lovelace", token=token)

    def add_user(self, login: str, name: str | None = None, *, token: str | None = None) -> FakeUser:
        """A new user."""
        user = FakeUser(self.ids.uuid(), login, name or login, self.ids.number(), token)
        self.users[user.id] = user
        return user

    def user_of(self, token: str) -> FakeUser | None:
        """Whose token it is."""
        return next((user for user in self.users.values() if user.token == token), None)

    def add_organization(
        self, slug: str, *, name: str | None = None, hidden: bool = False, id: str | None = None
    ) -> FakeOrganization:
        """A new organization. Raises `ValueError` for a slug of another form."""
        parts = slug.split("/")
        if len(parts) != 2 or parts[0] not in SHORT_VCS or not parts[1]:
            raise ValueError(f"{slug!r} is not a slug such as 'gh/acme'.")
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
        """A new project; its organization too, if it is not there. Raises `ValueError` for another form of slug."""
        parts = slug.split("/")
        if len(parts) != 3 or parts[0] not in SHORT_VCS or not all(parts):
            raise ValueError(f"{slug!r} is not a slug such as 'gh/acme/web'.")
        slug = "/".join((SHORT_VCS[parts[0]], *parts[1:]))
        if slug in self._slugs:
            raise ValueError(f"The project {slug!r} is there already.")
        owner = organization or self.organization(f"{parts[0]}/{parts[1]}")
        project = FakeProject(
            self,
            self.ids.uuid(),
            name or parts[2],
            slug,
            owner or self.add_organization(f"{parts[0]}/{parts[1]}"),
            self.ids.number(),
            default_branch,
            self.clock.now,
            hidden=hidden,
        )
        project.organization.projects[project.id] = project
        self.projects[project.id] = self._slugs[slug] = project
        return project

    def add_context(self, organization: FakeOrganization, name: str, env_vars: Mapping[str, str]) -> FakeContext:
        """A new context."""
        now = self.clock.now
        context = FakeContext(self.ids.uuid(), name, organization, now)
        context.env_vars.update({each: EnvVar(each, value, now, now) for each, value in env_vars.items()})
        organization.contexts[context.id] = context
        return context

    def remove_project(self, project: FakeProject) -> None:
        """Take a project and its runs away."""
        del self.projects[project.id], self._slugs[project.slug], project.organization.projects[project.id]
        for pipeline in project.pipelines:
            del self.pipelines[pipeline.id]
            for workflow in pipeline.workflows:
                self.workflows.pop(workflow.id, None)
                for job in workflow.jobs:
                    self.jobs.pop(job.id, None)
        self.builds[:] = [job for job in self.builds if job.project is not project]
        left = [pipeline for pipeline in self.pipelines_of(project.organization) if pipeline.project is not project]
        self._pipelines_by_org[project.organization.id] = left

    def remove_organization(self, organization: FakeOrganization) -> None:
        """Take an organization and its projects away, unless that was done already."""
        if organization.id not in self.organizations:
            return
        for project in list(organization.projects.values()):
            self.remove_project(project)
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

    def pipelines_of(self, organization: FakeOrganization) -> list[FakePipeline]:
        """All pipelines of an organization, oldest first."""
        return self._pipelines_by_org.setdefault(organization.id, [])

    def keep_deployment(
        self, project: FakeProject, component: str, version: str, environment: str, namespace: str
    ) -> None:
        """Enter a deployment into the books."""
        organization, now = project.organization, self.clock.now
        stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        place = self._named(organization.environments, environment, {"description": "", "labels": []}, stamp)
        thing = self._named(
            organization.components, component, {"project_id": project.id, "release_count": 0, "labels": []}, stamp
        )
        thing.shown["release_count"] += 1
        versions = organization.versions.setdefault(thing.id, [])
        for each in versions:
            if each["environment_id"] == place.id:
                each["is_live"] = False
        last = project.jobs[-1] if project.jobs else None
        versions.append(
            {
                "name": version,
                "namespace": namespace,
                "environment_id": place.id,
                "is_live": True,
                "pipeline_id": last.workflow.pipeline.id if last else NOBODY,
                "workflow_id": last.workflow.id if last else NOBODY,
                "job_id": last.id if last else NOBODY,
                "last_deployed_at": stamp,
            }
            | ({"job_number": last.number} if last else {})
        )

    def _named(self, room: dict[str, Stored], name: str, more: JsonObject, stamp: str) -> Stored:
        for each in room.values():
            if each.shown["name"] == name and each.shown.get("project_id") == more.get("project_id"):
                return each
        id = self.ids.uuid()
        shown = {"id": id, "name": name, **more, "created_at": stamp, "updated_at": stamp}
        room[id] = Stored(id, shown, self.clock.now, self.clock.now)
        return room[id]

    def contexts(self) -> Iterator[FakeContext]:
        """All contexts that the token can see."""
        for organization in self.organizations.values():
            if not organization.hidden:
                yield from organization.contexts.values()

    def stored(self, room: str, id: str) -> tuple[Any, Stored] | None:
        """The thing of that id in a room of all organizations or projects, with its owner."""
        owners: list[Any] = [*self.organizations.values(), *self.projects.values()]
        for owner in owners:
            if not owner.hidden and id in getattr(owner, room, {}):
                return owner, getattr(owner, room)[id]
        return None
