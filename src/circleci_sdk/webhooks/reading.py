"""Decodes the body of a delivery into an event."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast
from urllib.parse import urlsplit

from pydantic import ValidationError
from pydantic_core import from_json, to_json

from circleci_sdk._core.errors import DecodeError
from circleci_sdk._core.serialization.model import Model, readable_place
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


def read_event(content: bytes, header_type: str | None) -> Event:
    """The event of a body. `header_type` is the type in the header, for a body without a type."""
    data = _object(content)
    type_in_body = data.get("type")
    kind = type_in_body if isinstance(type_in_body, str) else (header_type or "") if type_in_body is None else ""
    model = _MODELS.get(kind)
    if model is not None:
        return _read(model, content if type_in_body is not None else to_json({**data, "type": kind}), content, kind)
    build: object = data.get("payload")
    if type_in_body is None and isinstance(build, dict) and "build_num" in build:
        return _read_build(cast("dict[str, Any]", build), content)
    identity = data.get("id")
    return UnknownEvent(kind, identity if isinstance(identity, str) else None, data)


def _object(content: bytes) -> dict[str, Any]:
    try:
        data: object = from_json(content)
    except ValueError:
        data = None
        fault = "is not JSON"
    else:
        fault = "is JSON, but not an object"
    if not isinstance(data, dict):
        raise _decode_error(f"The body of the delivery {fault}.", content)
    return cast("dict[str, Any]", data)


def _read(model: type[M], content: bytes, body: bytes, kind: str) -> M:
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        # The error quotes the input, so it is not chained.
        details = error.errors(include_input=False, include_url=False)
    field = readable_place(details[0]["loc"])
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    where = f"field {field}: " if field else ""
    raise _decode_error(
        f"The delivery ({kind}) does not fit {model.__name__}: {where}{details[0]['msg']}{more}.", body, field
    )


def _read_build(build: dict[str, Any], body: bytes) -> Build:
    from circleci_sdk.v1.models import Build, BuildDetails

    model = BuildDetails if isinstance(build.get("steps"), list) else Build
    return _read(model, to_json(_modern(build)), body, "v1 notification")


def _modern(build: dict[str, Any]) -> dict[str, Any]:
    """The build in the format of v1.1. Notifications are older and leave out fields that their URL contains."""
    path = urlsplit(str(build.get("vcs_url"))).path.strip("/").split("/")
    if len(path) == 2:
        build = {"username": path[0], "reponame": path[1], **build}
    details = build.get("all_commit_details")
    if isinstance(details, list):
        build = {**build, "all_commit_details": [_dated(item) for item in cast("list[object]", details)]}
    return cast("dict[str, Any]", _dated(build))


def _dated(value: object) -> object:
    """Dates of commits in the current format. In old notifications they may be empty, or seconds since 1970."""
    if not isinstance(value, dict):
        return value
    known = cast("dict[str, Any]", value)
    return {key: _date(item) if key in ("author_date", "committer_date") else item for key, item in known.items()}


def _date(value: object) -> object:
    if value == "":
        return None
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) <= 10:
        return datetime.fromtimestamp(int(value), UTC).isoformat()
    return value


def _decode_error(message: str, body: bytes, field: str = "") -> DecodeError:
    return DecodeError(message, field=field, body=body)
