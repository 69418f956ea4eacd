"""Fields that events of all types have: id, project, branch, tag and status."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Final

from .unknown_event import UnknownEvent

if TYPE_CHECKING:
    from circleci_sdk.v2.models import EventPipeline

    from .event_types import Event


_SHORT: Final = {"github": "gh", "bitbucket": "bb"}


def delivery_id(event: Event) -> str:
    """The id of a delivery; for deliveries without one a hash of the event.

    CircleCI may send the same delivery more than once, always with the same id.
    """
    given = getattr(event, "id", None)
    if isinstance(given, str) and given:
        return given
    if isinstance(event, UnknownEvent):
        content = json.dumps(event.data, sort_keys=True, default=str).encode()
    else:
        content = event.model_dump_json(by_alias=True).encode()
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


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
    if isinstance(event, UnknownEvent):
        return None
    ended = getattr(event, "job", None) or getattr(event, "workflow", None) or event
    status = getattr(ended, "status", None)
    return status if isinstance(status, str) else None


def project_slug_of(event: Event) -> str | None:
    """The slug of the project in the format of API v2 (`gh/acme/web`); None for pings and unknown events."""
    if isinstance(event, UnknownEvent):
        return None
    project = getattr(event, "project", None)
    if project is not None:
        return short_slug(str(project.slug))
    if hasattr(event, "build_num"):
        host = getattr(event, "vcs_type", None) or _host(str(getattr(event, "vcs_url", "")))
        return short_slug(f"{host}/{getattr(event, 'username', '')}/{getattr(event, 'reponame', '')}")
    return None


def short_slug(slug: str) -> str:
    """The slug with `gh` for `github` and `bb` for `bitbucket`."""
    first, slash, rest = slug.partition("/")
    return f"{_SHORT.get(first, first)}{slash}{rest}"


def _host(url: str) -> str:
    return "bb" if "://bitbucket.org/" in url else "gh"


def _from_code(event: Event, what: str) -> str | None:
    if isinstance(event, UnknownEvent):
        return None
    pipeline: EventPipeline | None = getattr(event, "pipeline", None)
    if pipeline is None:
        # A build of v1.1 has its tag in vcs_tag.
        return _filled(getattr(event, "vcs_tag" if what == "tag" else what, None))
    parameters = pipeline.trigger_parameters
    return _filled(getattr(pipeline.vcs, what, None)) or _filled(getattr(parameters and parameters.git, what, None))


def _filled(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
