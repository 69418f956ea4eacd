"""The registry of handlers, the context of a request, and common formats."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from circleci_sdk.testing._wire.formats import is_uuid
from circleci_sdk.testing._wire.messages import Call, ErrorResponse

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.testing._store.entities import FakeContext, FakeOrganization, ProjectState
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.records import FakeItem, FakeUser, JsonObject
    from circleci_sdk.testing._store.runs import FakeJob, FakePipeline, FakeWorkflow
    from circleci_sdk.testing._store.store import Store

T = TypeVar("T")
Handler = Callable[["RequestContext"], object]

HANDLERS: Final[dict[str, Handler]] = {}
"""Handlers by label of the operation (`v2.jobs.get`)."""

A = TypeVar("A", bound=Handler)


def handles(*labels: str) -> Callable[[A], A]:
    """Register the handler of these operations.

    It returns the JSON of the body, which is sent with the success status of the spec, or a `Response`.
    """

    def register(function: A) -> A:
        for label in labels:
            assert label not in HANDLERS, label
            HANDLERS[label] = function
        return function

    return register


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One call, its user and the state."""

    store: Store
    user: FakeUser
    call: Call

    @property
    def now(self) -> datetime:
        return self.store.clock.now

    @property
    def origin(self) -> str:
        return self.call.request.origin

    def project(self, name: str = "project_slug") -> FakeProject:
        """The project of an argument. Hidden and missing projects both give 404."""
        text = str(self.call[name])
        project = self.store.project(text)
        if project is None or project.hidden or project.organization.hidden:
            parts = text.split("/")
            if parts[0] == "circleci" and not all(len(part) in (21, 22) or is_uuid(part) for part in parts[1:]):
                raise ErrorResponse(400, f"Invalid project slug '{text}'.")
            raise ErrorResponse(404, "Project not found")
        return project

    def organization(self, name: str = "org_id", *, message: str = "Org not found.") -> FakeOrganization:
        """The organization of an argument. Hidden and missing organizations both give 404."""
        organization = self.store.organization(str(self.call[name]))
        if organization is None or organization.hidden:
            raise ErrorResponse(404, message)
        return organization

    def allowed_organization(self, name: str = "org_id") -> FakeOrganization:
        """The organization of an argument, for operations that return 403 without one."""
        organization = self.store.organization(str(self.call[name]))
        if organization is None or organization.hidden:
            raise ErrorResponse(403, "Forbidden")
        return organization

    def project_by_id(self, name: str = "project_id") -> FakeProject:
        """The project of the id in an argument. A slug is no id."""
        project = self.store.projects.get(str(self.call[name]))
        if project is None or not self.can_see(project):
            raise ErrorResponse(404, "Project not found")
        return project

    def own_user(self) -> FakeUser:
        """The user of `user_id`, who is the caller: others are not shown."""
        if self.call["user_id"] not in ("me", self.user.id):
            raise ErrorResponse(400, "The only user is 'me'.")
        return self.user

    def pipeline(self, name: str = "pipeline_id") -> FakePipeline:
        found = self.store.runs.pipelines.get(self.call[name])
        if found is None or not self.can_see(found.project) or not self.store.is_visible(found):
            raise ErrorResponse(404, "Pipeline not found")
        return found

    def workflow(self) -> FakeWorkflow:
        found = self.store.runs.workflows.get(self.call["workflow_id"])
        if found is None or not self.can_see(found.pipeline.project) or not self.store.is_visible(found):
            raise ErrorResponse(404, "Workflow not found")
        return found

    def must_have_ended(self, workflow: FakeWorkflow) -> None:
        """Raise the response 400 for a workflow that cannot be rerun yet."""
        if not workflow.ended:
            raise ErrorResponse(400, "Workflow must be in a terminal state to be rerun")

    def job(self, name: str = "job_number") -> FakeJob:
        found = self.project().job(self.call[name])
        if found is None or found.is_approval:  # an approval has a number, but nothing to show
            raise ErrorResponse(404, "Job not found")
        return found

    def job_by_id(self) -> FakeJob:
        """The job of an id, which may be an approval."""
        found = self.store.runs.jobs.get(self.call["job_id"])
        if found is None or not self.can_see(found.project) or not self.store.is_visible(found.workflow):
            raise ErrorResponse(404, "Job not found")
        return found

    def context(self) -> FakeContext:
        """The context of the path. A missing one gives 403, like one of another organization."""
        for context in self.store.contexts():
            if context.id == self.call["context_id"]:
                return context
        raise ErrorResponse(403, "Forbidden")

    def stored(self, attribute: str, name: str, message: str) -> tuple[Any, FakeItem]:
        """The stored item of an argument, with its owner."""
        found = self.store.stored(attribute, str(self.call[name]))
        if found is None:
            raise ErrorResponse(404, message)
        return found

    def can_see(self, project: ProjectState) -> bool:
        """Whether the caller has access to a project."""
        return not (project.hidden or project.organization.hidden)

    def page(self, items: Sequence[T], show: Callable[[T], object]) -> JsonObject:
        """One page of a list in the order of the list."""
        start = self._start("up") or 0
        end = start + self.call.page_size
        token = _token("up", end) if end < len(items) else None
        return {"items": [show(item) for item in items[start:end]], "next_page_token": token}

    def newest(
        self, items: Sequence[T], show: Callable[[T], object], condition: Callable[[T], bool] | None = None
    ) -> JsonObject:
        """One page of a growing list, newest first. Items that are added later do not shift the pages."""
        below = self._start("down")
        at = len(items) if below is None else min(below, len(items))
        shown: list[object] = []
        while at > 0:
            item = items[at - 1]
            if condition is None or condition(item):
                if len(shown) == self.call.page_size:
                    return {"items": shown, "next_page_token": _token("down", at)}
                shown.append(show(item))
            at -= 1
        return {"items": shown, "next_page_token": None}

    def _start(self, direction: str) -> int | None:
        token = self.call.get("page_token")
        if not token:
            return None
        try:
            found, _, position = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
            if found == direction:
                return max(0, int(position))
        except ValueError:
            pass
        raise ErrorResponse(400, "Invalid page token.")


def _token(direction: str, position: int) -> str:
    return base64.urlsafe_b64encode(f"{direction}:{position}".encode()).decode()


def millis(moment: datetime) -> str:
    """A timestamp with milliseconds, the format of most operations."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def seconds(moment: datetime) -> str:
    """A timestamp without fractions of a second, the format of some operations."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def unordered(items: Sequence[T]) -> list[T]:
    """A list that the API keeps as a set: it comes back in another order than sent."""
    return list(reversed(items))


def present(**fields: object) -> JsonObject:
    """An object without the fields that are None, which the API leaves out."""
    return {name: value for name, value in fields.items() if value is not None}
