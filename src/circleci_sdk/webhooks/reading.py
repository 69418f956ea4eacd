"""Decodes the body of a delivery into an event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from pydantic import ValidationError
from pydantic_core import to_json

from circleci_sdk._core.drift_log import DriftLog
from circleci_sdk._core.errors import DecodeError
from circleci_sdk._core.mismatches import with_kinds
from circleci_sdk._core.serialization.model import Model
from circleci_sdk._core.serialization.parsing import parsed
from circleci_sdk._core.serialization.tolerant import names_read, read_fields
from circleci_sdk._core.serialization.unknown import unknown_in
from circleci_sdk.v2.models import JobCompleted, Ping, WorkflowCompleted

from .unknown_event import UnknownEvent

if TYPE_CHECKING:
    from circleci_sdk.v1.models import Build

    from .event_types import Event

M = TypeVar("M", bound=Model)
_MODELS: Final[Mapping[str, type[WorkflowCompleted | JobCompleted | Ping]]] = {
    "workflow-completed": WorkflowCompleted,
    "job-completed": JobCompleted,
    "ping": Ping,
}
_REPOSITORY: Final = re.compile(r"(?:\w+:)?//[^/]+/([^/?#]+)/([^/?#]+)/?")
"""The URL of a repository: its owner and its name."""
_DRIFT: Final = DriftLog()
"""The drift of all deliveries of this process, so that each kind of it is logged once."""


def read_event(content: bytes, header_type: str | None) -> Event:
    """The event of a body. `header_type` is the type in the header, for a body without a readable type.

    A field that does not fit is unavailable. An object of which nothing fits is an unknown event.
    """
    data = _object(content)
    type_in_body = data.get("type")
    stated = type_in_body if isinstance(type_in_body, str) else ""
    kind = stated or header_type or ""
    event: WorkflowCompleted | JobCompleted | Ping | Build | None = None
    build: object = data.get("payload")
    if model := _MODELS.get(kind):
        event = _read(model, {"type": kind, **data}, kind)
    elif not stated and isinstance(build, dict) and "build_num" in build:
        event = _read_build(cast("dict[str, Any]", build))
    if event is not None:
        return event
    identity = data.get("id")
    return UnknownEvent(kind, identity if isinstance(identity, str) else None, data)


def _object(content: bytes) -> dict[str, Any]:
    try:
        data: object = parsed(content)
    except ValueError:
        data = None
        fault = "is not JSON"
    else:
        fault = "is JSON, but not an object"
    if not isinstance(data, dict):
        raise DecodeError(f"The body of the delivery {fault}.", body=content)
    return cast("dict[str, Any]", data)


def read_object(model: type[M], data: dict[str, Any], operation: str) -> M:
    """Data as a model; a field that does not fit is unavailable."""
    try:
        return model.model_validate_json(to_json(data))
    except ValidationError as error:
        read, _ = read_fields(model, data, error, operation, secret=False, hide=False, key=None)
    return cast("M", read)


def _read(model: type[M], data: dict[str, Any], operation: str) -> M | None:
    """A delivery as an event; None if nothing of it fits but its type."""
    event = read_object(model, data, operation)
    _DRIFT.note(operation, with_kinds(event.mismatches))
    if event.mismatches and names_read(event) <= {"type"}:
        return None
    if _DRIFT.looks_for_unknown:
        _DRIFT.note(operation, unknown_in(event))
    return event


def _read_build(build: dict[str, Any]) -> Build | None:
    from circleci_sdk.v1.models import Build, BuildDetails

    model = BuildDetails if isinstance(build.get("steps"), list) else Build
    return _read(model, _modern(build), "v1 notification")


def _modern(build: dict[str, Any]) -> dict[str, Any]:
    """The build in the format of v1.1. Notifications are older and leave out fields that their URL contains."""
    url = build.get("vcs_url")
    if isinstance(url, str) and (repository := _REPOSITORY.fullmatch(url)):
        build = {"username": repository[1], "reponame": repository[2], **build}
    details = build.get("all_commit_details")
    if isinstance(details, list):
        build = {**build, "all_commit_details": [_dated(item) for item in cast("list[object]", details)]}
    return cast("dict[str, Any]", _dated(build))


def _dated(value: object) -> object:
    """Dates of commits in the current format. In old notifications they may be seconds since 1970."""
    if not isinstance(value, dict):
        return value
    known = cast("dict[str, Any]", value)
    return {key: _date(item) if key in ("author_date", "committer_date") else item for key, item in known.items()}


def _date(value: object) -> object:
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 10:
        return datetime.fromtimestamp(int(value), UTC).isoformat()
    return value
