"""Fields that events of all types have: id, project, branch, tag and status. None for an unavailable field."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final, Literal

from pydantic_core import to_json

from circleci_sdk._core.checks import Accepted, check
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.v2.models import JobCompleted, Ping, WorkflowCompleted

from .unknown_event import UnknownEvent

if TYPE_CHECKING:
    from .event_types import Event

_MAX_ID: Final = 200
_SHORT: Final = {"github": "gh", "bitbucket": "bb"}


def _is_event(value: object) -> bool:
    if isinstance(value, WorkflowCompleted | JobCompleted | Ping | UnknownEvent):
        return True
    from circleci_sdk.v1.models import Build

    return isinstance(value, Build)


EVENT: Final = Accepted("an event, as `parse` returns it", _is_event)


def delivery_id(event: Event) -> str:
    """The id of a delivery, of at most 200 characters in ASCII.

    A hash of the id if it is no such string, which stores may not be able to keep; a hash of the event if it has no id,
    or none that is readable. CircleCI may send the same delivery more than once, always with the same id and body.
    """
    check("delivery_id", event=(event, EVENT))
    given = getattr(event, "id", None)
    if isinstance(given, str) and given:
        if len(given) <= _MAX_ID and given.isascii() and given.isprintable():
            return given
        return f"sha256:{hashlib.sha256(given.encode('utf-8', 'surrogatepass')).hexdigest()}"
    return f"sha256:{hashlib.sha256(_encoded(event)).hexdigest()}"


def _encoded(event: Event) -> bytes:
    if not isinstance(event, UnknownEvent):
        return event.model_dump_json(by_alias=True).encode()
    try:
        return json.dumps(event.data, sort_keys=True, default=str).encode()
    except ValueError:  # an integer with more digits than this interpreter converts
        return to_json(event.data, fallback=str)


def branch_of(event: Event) -> str | None:
    """The branch of an event; None for tags, pings and unknown events.

    It is found for every code host: GitHub OAuth and Bitbucket have it in `vcs`, GitLab and the GitHub App in the
    parameters of the trigger.
    """
    return _from_code(event, "branch")


def tag_of(event: Event) -> str | None:
    """The tag of an event; None for branches, pings and unknown events."""
    return _from_code(event, "tag")


def status_of(event: Event) -> str | None:
    """The final status of the workflow, the job or the build; None for pings and unknown events."""
    check("status_of", event=(event, EVENT))
    match event:
        case UnknownEvent() | Ping():
            return None
        case JobCompleted():
            return if_available(lambda: event.job.status)
        case WorkflowCompleted():
            return if_available(lambda: event.workflow.status)
        case _:
            return if_available(lambda: event.status)


def project_slug_of(event: Event) -> str | None:
    """The slug of the project in the format of API v2 (`gh/acme/web`); None for pings and unknown events."""
    check("project_slug_of", event=(event, EVENT))
    match event:
        case UnknownEvent() | Ping():
            return None
        case JobCompleted() | WorkflowCompleted():
            return if_available(lambda: short_slug(event.project.slug))
        case _:
            host = if_available(lambda: event.vcs_type or "") or if_available(lambda: _host(event.vcs_url))
            path = if_available(lambda: f"{event.username}/{event.reponame}")
            return short_slug(f"{host}/{path}") if host and path else None


def project_id_of(event: Event) -> str | None:
    """The id of the project; None for builds, pings and unknown events."""
    if isinstance(event, JobCompleted | WorkflowCompleted):
        return if_available(lambda: event.project.id)
    return None


def short_slug(slug: str) -> str:
    """The slug with `gh` for `github` and `bb` for `bitbucket`."""
    first, slash, rest = slug.partition("/")
    return f"{_SHORT.get(first, first)}{slash}{rest}"


def _host(url: str) -> str:
    return "bb" if "://bitbucket.org/" in url else "gh"


def _from_code(event: Event, what: Literal["branch", "tag"]) -> str | None:
    check(f"{what}_of", event=(event, EVENT))
    match event:
        case UnknownEvent() | Ping():
            return None
        case JobCompleted() | WorkflowCompleted():
            vcs = if_available(lambda: event.pipeline.vcs)
            parameters = if_available(lambda: event.pipeline.trigger_parameters)
            git = if_available(lambda: parameters and parameters.git)
            return _filled(getattr(vcs, what, None)) or _filled(getattr(git, what, None))
        case _:
            # A build of v1.1 has its tag in vcs_tag.
            return _filled(getattr(event, "vcs_tag" if what == "tag" else what, None))


def _filled(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
