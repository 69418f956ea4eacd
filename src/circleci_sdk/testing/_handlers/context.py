"""Where a call is dealt with: the registry of responses, and what they all need."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeVar

from circleci_sdk.testing._protocol.messages import Call, Refusal
from circleci_sdk.testing._protocol.validator import is_uuid

if TYPE_CHECKING:
    from datetime import datetime

    from circleci_sdk.testing._store.entities import FakeContext, FakeOrganization, FakeUser, JsonObject, Stored
    from circleci_sdk.testing._store.projects import FakeProject
    from circleci_sdk.testing._store.runs import FakeJob, FakePipeline, FakeWorkflow
    from circleci_sdk.testing._store.store import Store

T = TypeVar("T")
Responding = Callable[["RequestContext"], object]

RESPONSES: Final[dict[str, Responding]] = {}
"""By label of the operation (`v2.jobs.get`), the function that returns it."""

A = TypeVar("A", bound=Responding)


def handles(*labels: str) -> Callable[[A], A]:
    """Marks the function that returns these operations.

    It gives the JSON of the body, which goes out with the success code of the spec, or a `Reply` of its own.
    """

    def keep(function: A) -> A:
        for label in labels:
            assert label not in RESPONSES, label
            RESPONSES[label] = function
        return function

    return keep


@dataclass(frozen=True, slots=True)
class RequestContext:
    """One call, who makes it, and the state."""

    store: Store
    user: FakeUser
    call: Call

    @property
    def now(self) -> datetime:
        return self.store.clock.now

    @property
    def origin(self) -> str:
        return self.call.arrival.origin

    def project(self, name: str = "project_slug") -> FakeProject:
        """The project that an argument names. What is hidden responses like what is missing."""
        text = str(self.call[name])
        project = self.store.project(text)
        if project is None or project.hidden or project.organization.hidden:
            parts = text.split("/")
            if parts[0] == "circleci" and not all(len(part) in (21, 22) or is_uuid(part) for part in parts[1:]):
                raise Refusal(400, f"Invalid project slug '{text}'.")
            raise Refusal(404, "Project not found")
        return project

    def organization(self, name: str = "org_id", *, message: str = "Org not found.") -> FakeOrganization:
        """The organization that an argument names. What is hidden responses like what is missing."""
        organization = self.store.organization(str(self.call[name]))
        if organization is None or organization.hidden:
            raise Refusal(404, message)
        return organization

    def allowed_organization(self, name: str = "org_id") -> FakeOrganization:
        """The same for services that response 403 to what is missing."""
        organization = self.store.organization(str(self.call[name]))
        if organization is None or organization.hidden:
            raise Refusal(403, "Forbidden")
        return organization

    def pipeline(self) -> FakePipeline:
        found = self.store.pipelines.get(self.call["pipeline_id"])
        if found is None or not self.sees(found.project):
            raise Refusal(404, "Pipeline not found")
        return found

    def workflow(self) -> FakeWorkflow:
        found = self.store.workflows.get(self.call["workflow_id"])
        if found is None or not self.sees(found.pipeline.project):
            raise Refusal(404, "Workflow not found")
        return found

    def job(self, name: str = "job_number") -> FakeJob:
        found = self.project().job(self.call[name])
        if found is None:
            raise Refusal(404, "Job not found")
        return found

    def context(self) -> FakeContext:
        """The context that the path names. A missing one gives 403, as one of another organization does."""
        for context in self.store.contexts():
            if context.id == self.call["context_id"]:
                return context
        raise Refusal(403, "Forbidden")

    def stored(self, room: str, name: str, message: str) -> tuple[Any, Stored]:
        """The stored thing that an argument names, with its owner."""
        found = self.store.stored(room, str(self.call[name]))
        if found is None:
            raise Refusal(404, message)
        return found

    def sees(self, project: FakeProject) -> bool:
        """Whether a project is there for the caller."""
        return not (project.hidden or project.organization.hidden)

    def page(self, items: Sequence[T], show: Callable[[T], object]) -> JsonObject:
        """One page of a list in the order of the list."""
        start = self._start("up") or 0
        end = start + self.call.page_size
        token = _token("up", end) if end < len(items) else None
        return {"items": [show(item) for item in items[start:end]], "next_page_token": token}

    def newest(
        self, items: Sequence[T], show: Callable[[T], object], keep: Callable[[T], bool] | None = None
    ) -> JsonObject:
        """One page of a list that grows at its end, newest first; what comes later does not shift the pages."""
        below = self._start("down")
        at = len(items) if below is None else min(below, len(items))
        shown: list[object] = []
        while at > 0:
            item = items[at - 1]
            if keep is None or keep(item):
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
            said, _, place = base64.urlsafe_b64decode(token.encode()).decode().partition(":")
            if said == direction:
                return max(0, int(place))
        except ValueError:
            pass
        raise Refusal(400, "Invalid page token.")


def _token(direction: str, place: int) -> str:
    return base64.urlsafe_b64encode(f"{direction}:{place}".encode()).decode()


def millis(moment: datetime) -> str:
    """A moment as most of the API writes it, with milliseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def seconds(moment: datetime) -> str:
    """A moment as some of the API writes it, without fractions."""
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def present(**fields: object) -> JsonObject:
    """An object without the fields that are None: the API leaves out more than it nulls."""
    return {name: value for name, value in fields.items() if value is not None}
