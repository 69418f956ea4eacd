"""Responses into models: bytes in, typed data out, `DecodeError` for what does not fit."""

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
    """What reads the responses of an operation; built once."""
    from pydantic import TypeAdapter

    module = import_module(operation.api.models)
    models = tuple(getattr(module, name) for name in operation.response_body.models)
    union: Any = models[0]
    for other in models[1:]:
        union = union | other
    paging = operation.paging
    if paging is None:
        return TypeAdapter(union)
    if paging.items is None:
        return TypeAdapter(_list_of(union))
    return TypeAdapter(_envelope(union, paging.items, paging.next))


def _list_of(item: Any) -> Any:
    """`list[item]` for an item that is only known at run time."""
    return GenericAlias(list, item)


def _envelope(item: Any, items: str, token: str) -> Any:
    from pydantic import AliasChoices, ConfigDict, Field, create_model

    return create_model(
        "Envelope",
        __config__=ConfigDict(extra="allow"),
        items=(_list_of(item), Field(validation_alias=items)),
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

    place = readable_place(tuple(part for part in details[0]["loc"] if part not in operation.response_body.models))
    more = f" (and {len(details) - 1} more)" if len(details) > 1 else ""
    where = f"field {place}: " if place else ""
    raise DecodeError(
        f"{facts.operation}: the response does not fit {' | '.join(operation.response_body.models)}: "
        f"{where}{details[0]['msg']}{more}. {_carried_out(facts)}",
        facts=facts,
        field=place,
        status=response.status,
        body=response.content,
        secret=operation.is_private,
    )


def _not_json(operation: Operation[Any], response: Received, facts: CallFacts) -> DecodeError:
    kind = response.headers.get("content-type", "no content type")
    what = f"{kind}, {len(response.content)} bytes" if response.content else "an empty body"
    return DecodeError(
        f"{facts.operation}: the response ({response.status}) is not the JSON it should be, but {what}. "
        f"{_carried_out(facts)}",
        facts=facts,
        status=response.status,
        body=response.content,
        secret=operation.is_private,
    )


def _carried_out(facts: CallFacts) -> str:
    done = replace(facts, request_outcome="processed")
    return f"The call was carried out; only its response was not understood ({done.describe()})."
