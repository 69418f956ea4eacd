"""Decodes responses: bytes in, models out, `DecodeError` for a body that does not fit."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from importlib import import_module
from types import GenericAlias
from typing import TYPE_CHECKING, Any, TypeVar, cast

from circleci_sdk._core.errors import DecodeError
from circleci_sdk._core.pagination import Cursor, Page, next_start

if TYPE_CHECKING:
    from pydantic import TypeAdapter

    from circleci_sdk._core.errors import CallFacts
    from circleci_sdk._core.messages import Received
    from circleci_sdk._core.operation import Operation

T = TypeVar("T")


def decode_response(operation: Operation[T], response: Received, facts: CallFacts) -> T:
    """The response of an operation that is no list."""
    if not operation.response_body.models:
        return cast("T", None)  # such an operation is an Operation[None]
    if not response.content.strip() and operation.response_body.may_be_empty:
        return cast("T", None)  # such an operation is an Operation[... | None]
    data: T = _validated(decoder(operation), operation, response, facts)
    return data


def decode_page(
    operation: Operation[T], response: Received, facts: CallFacts, *, start: Cursor | None, size: int | None
) -> Page[T]:
    """One page of a list, and where the next one starts."""
    paging = operation.paging
    assert paging is not None
    read = _validated(decoder(operation), operation, response, facts)
    if paging.items is None:
        return Page(read, next_start(paging, start, size, len(read), None))
    return Page(read.items, next_start(paging, start, size, len(read.items), read.next), read.model_extra or {})


def decode_anything(operation: Operation[Any], response: Received, facts: CallFacts) -> Any:
    """The response of a call that no operation describes: JSON as data, other text as `str`, nothing as None."""
    if not response.content.strip():
        return None
    if "json" in response.headers.get("content-type", "json").lower():
        try:
            return json.loads(response.content)
        except (ValueError, RecursionError):
            pass  # this error holds the whole body: ours is not raised on top of it
        raise _not_json(operation, response, facts)
    try:
        return response.content.decode()
    except UnicodeDecodeError:
        return response.content


@cache
def decoder(operation: Operation[Any]) -> TypeAdapter[Any]:
    """The decoder of the responses of an operation; built once."""
    from pydantic import TypeAdapter

    module = import_module(operation.api.models)
    body, *others = (getattr(module, name) for name in operation.response_body.models)
    for other in others:
        body = body | other
    paging = operation.paging
    if paging is None:
        return TypeAdapter(body)
    items: Any = GenericAlias(list, body)  # `list[body]`, for a type that is only known at run time
    return TypeAdapter(items if paging.items is None else _envelope(items, paging.items, paging.next))


def _envelope(items: Any, key: str, token: str) -> Any:
    from pydantic import AliasChoices, ConfigDict, Field, create_model

    return create_model(
        "Envelope",
        __config__=ConfigDict(extra="allow"),
        items=(items, Field(validation_alias=key)),
        next=(str | None, Field(default=None, validation_alias=AliasChoices(token, token.replace("_", "-")))),
    )


def _validated(adapter: TypeAdapter[Any], operation: Operation[Any], response: Received, facts: CallFacts) -> Any:
    from pydantic import ValidationError

    try:
        return adapter.validate_json(response.content)
    except ValidationError as error:
        # The validation error itself quotes the input, which may be secret: it goes no further than here.
        details = error.errors(include_input=False, include_url=False)
    if details[0]["type"] == "json_invalid":
        raise _not_json(operation, response, facts)
    from .model import readable_place

    models = operation.response_body.models
    place = readable_place(tuple(part for part in details[0]["loc"] if part not in models))
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    where = f"field {place}: " if place else ""
    problem = f"the response does not fit {' | '.join(models)}: {where}{details[0]['msg']}{more}"
    raise _decode_error(operation, response, facts, problem, place)


def _not_json(operation: Operation[Any], response: Received, facts: CallFacts) -> DecodeError:
    kind = response.headers.get("content-type", "no content type")
    got = f"{kind}, {len(response.content)} bytes" if response.content else "an empty body"
    return _decode_error(operation, response, facts, f"the response ({response.status}): expected JSON, got {got}")


def _decode_error(
    operation: Operation[Any], response: Received, facts: CallFacts, problem: str, place: str = ""
) -> DecodeError:
    processed = replace(facts, request_outcome="processed").describe()
    return DecodeError(
        f"{facts.operation}: {problem}. The server processed the call; its response was not decoded ({processed}).",
        facts=facts,
        field=place,
        status=response.status,
        body=response.content,
        secret=operation.is_private,
    )
