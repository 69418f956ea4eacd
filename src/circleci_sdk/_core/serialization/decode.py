"""Decodes responses: bytes in, models out, `DecodeError` for a body that cannot be used."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from importlib import import_module
from types import GenericAlias
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar, cast

from circleci_sdk._core.errors import DecodeError
from circleci_sdk._core.pagination import Cursor, Page, next_start, without_next

from .error_body import described, is_html, read_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from pydantic import ValidationError

    from circleci_sdk._core.errors import CallFacts, RequestOutcome
    from circleci_sdk._core.messages import Received
    from circleci_sdk._core.mismatches import Mismatch
    from circleci_sdk._core.operation import Operation

T = TypeVar("T")
_TOKEN: Final = "next_page_token"


class Decoder(NamedTuple):
    """Reads the responses of an operation.

    `models` are the names of its models, `declared` is the type that `validate_json` reads. `lenient` says that a fit
    proves little: no field is required, or it may be one of several objects. `acknowledgement` says that it holds a
    confirmation only.
    """

    models: tuple[str, ...]
    declared: Any
    validate_json: Callable[[bytes | str], Any]
    lenient: bool
    acknowledgement: bool


def decode_response(
    operation: Operation[T], response: Received, facts: CallFacts, *, strict: bool
) -> tuple[T, tuple[Mismatch, ...]]:
    """The response of an operation that is no list, and what of it does not fit."""
    body = operation.response_body
    if not body.models and is_html(response.content):
        raise _decode_error(operation, response, facts, _not_json(operation, response))
    if body.form == "text":
        return cast("T", response.content.decode("utf-8", "replace")), ()
    if not body.models or (body.may_be_empty and not response.content.strip()):
        return cast("T", None), ()  # such an operation is an Operation[None], or an Operation[... | None]
    if not response.content.strip() and operation.method != "GET" and decoder(operation).acknowledgement:
        response = replace(response, content=b"{}")
    return _read(operation, response, facts, strict=strict)


def decode_page(
    operation: Operation[T],
    response: Received,
    facts: CallFacts,
    *,
    strict: bool,
    start: Cursor | None,
    size: int | None,
) -> Page[T]:
    """One page of a list, and where the next one starts."""
    page = _page(operation, response, facts, strict=strict, start=start, size=size)
    if isinstance(page, _Unusable):
        raise _decode_error(operation, response, facts, page)
    return page


def _page(
    operation: Operation[T],
    response: Received,
    facts: CallFacts,
    *,
    strict: bool,
    start: Cursor | None,
    size: int | None,
) -> Page[T] | _Unusable:
    paging = operation.paging
    assert paging is not None
    read, mismatches = _read(operation, response, facts, strict=strict)
    if paging.items is None:
        return Page(read, next_start(paging, start, size, len(read), None), mismatches=mismatches)
    extras: dict[str, Any] = read.model_extra or {}
    items: list[T] = getattr(read, paging.items) or []
    if mismatches:
        extras = {key: value for key, value in extras.items() if key != paging.items}
        unread = next((one for one in mismatches if f"{paging.next}.".startswith(f"{one.place}.")), None)
        if unread is not None and paging.style == "token" and paging.start:
            return without_next(Page(items, None, extras, mismatches), operation.label, unread)
    token = getattr(read, _TOKEN, extras.get(_TOKEN))
    if isinstance(token, str) and response.secrets.are_in(token):  # it would be in the URL of the next page
        return _Unusable("its page token repeats a secret", paging.next)
    following = next_start(paging, start, size, len(items), token)
    is_truncated = token not in (None, "") and following is None and paging.style in ("token", "all")
    return Page(items, following, extras, mismatches, is_truncated)


def decode_anything(operation: Operation[Any], response: Received, facts: CallFacts) -> Any:
    """The response of a call that no operation describes: JSON as data, other text as `str`, nothing as None."""
    if not response.content.strip():
        return None
    if "json" in response.headers.get("content-type", "json").lower():
        from .parsing import parsed_deep

        try:
            return parsed_deep(response.content)
        except (ValueError, RecursionError):
            pass  # this error holds the whole body: ours is not raised on top of it
        raise _decode_error(operation, response, facts, _not_json(operation, response))
    try:
        return response.content.decode()
    except UnicodeDecodeError:
        return response.content


_DECODERS: Final[dict[Operation[Any], Decoder]] = {}


def decoder(operation: Operation[Any]) -> Decoder:
    """The decoder of the responses of an operation; built once."""
    if operation not in _DECODERS:
        _DECODERS[operation] = new_decoder(operation)
    return _DECODERS[operation]


def preparation_of(operation: Operation[Any]) -> Callable[[], object] | None:
    """What builds the decoder of an operation; None if there is one, or none is needed.

    The first one of a process loads pydantic, which takes as long as a response over some distance: with a response
    after 150 ms, a first call takes x 0.96 of one by httpx when it is built meanwhile, else x 1.22.
    """
    return None if operation in _DECODERS or not operation.response_body.models else partial(decoder, operation)


def new_decoder(operation: Operation[Any]) -> Decoder:
    """A decoder that is not kept."""
    from pydantic import TypeAdapter

    from .shapes import fields_of, models_in

    module = import_module(operation.api.models)
    body: Any
    body, *others = (getattr(module, name) for name in operation.response_body.models)
    for other in others:
        body = body | other
    paging = operation.paging
    assert not (paging and others), "no list has items of several models"
    if paging is not None:
        body = GenericAlias(list, body)  # `list[body]`, for a type that is only known at run time
        if paging.items is not None:
            # API v3 has been seen to send null for an empty list.
            body = _envelope(paging.items, body | None if paging.items == "data" else body, paging.next)
    models = models_in(body)
    fields = [field for model in models for field in fields_of(model)]
    optional = models == (body,) and not any(field.required for field in fields)
    confirms = {field.name for field in fields} <= {"message", "status"}
    read = body
    if operation.api.name == "v3":
        from .entities import on_the_wire  # no other version has entities

        read = on_the_wire(body, operation.response_body.key)
    validate_json = TypeAdapter(read).validator.validate_json
    return Decoder(operation.response_body.models, body, validate_json, optional or bool(others), confirms)


def _envelope(key: str, held: Any, token: str) -> Any:
    """The object that holds the items of a page with their next `token`."""
    from pydantic import Field, create_model

    from .model import Model

    following = (str | None, Field(None, validation_alias=token) if "." in token else None)
    fields: dict[str, Any] = {key: (held, ...), _TOKEN: following}
    return create_model("Envelope", __base__=Model, **fields)


class _Unusable(NamedTuple):
    """Why a response cannot be used. The frame that raises the error has this in place of the data."""

    problem: str
    place: str = ""
    outcome: RequestOutcome = "processed"


def _read(
    operation: Operation[Any], response: Received, facts: CallFacts, *, strict: bool
) -> tuple[Any, tuple[Mismatch, ...]]:
    read = _tried(operation, response, strict=strict)
    if isinstance(read, _Unusable):
        raise _decode_error(operation, response, facts, read)
    return read


def _tried(
    operation: Operation[Any], response: Received, *, strict: bool
) -> tuple[Any, tuple[Mismatch, ...]] | _Unusable:
    reader = decoder(operation)
    read: tuple[Any, tuple[Mismatch, ...]] | _Unusable
    try:
        read = reader.validate_json(response.content), ()
    except ValueError as error:  # a ValidationError, which is not imported for each response that fits
        read = _by_fields(reader, operation, response, cast("ValidationError", error))
    else:
        if not reader.lenient:
            return read
        if len(reader.models) > 1 and read[0].model_extra:  # a part of it may be of another object
            read = _by_fields(reader, operation, response, None)
    return read if isinstance(read, _Unusable) else _accepted(operation, response, *read, strict=strict)


def _accepted(
    operation: Operation[Any], response: Received, value: Any, mismatches: tuple[Mismatch, ...], *, strict: bool
) -> tuple[Any, tuple[Mismatch, ...]] | _Unusable:
    """The value, unless it is another object, or has a mismatch for a strict client."""
    models = " or ".join(operation.response_body.models)
    if operation.method == "GET" and _is_another_object(value):
        return _Unusable(f"no field of {models} is in it{_said(operation, response)}")
    if strict and mismatches:
        first, *others = mismatches
        more = f" (and {len(others)} more)" if others else ""
        return _Unusable(f"it does not fit {models}: field {first}{more}", first.place)
    return value, mismatches


def _by_fields(
    reader: Decoder, operation: Operation[Any], response: Received, error: ValidationError | None
) -> tuple[Any, tuple[Mismatch, ...]] | _Unusable:
    """What fits. Without an error the members of a union are compared."""
    from .parsing import parsed
    from .shapes import expected, json_type
    from .tolerant import UnfitError, read_fields

    paging, key = operation.paging, operation.response_body.key
    try:
        raw = parsed(response.content)
    except ValueError as failure:
        return _not_json(operation, response, str(failure))
    try:
        how = {"hide": (quoted := response.repeats_secret), "secret": operation.secret or quoted}
        value, mismatches = read_fields(reader.declared, raw, error, operation.label, key=key, **how)
    except UnfitError:
        wanted = f"object with {held}" if (held := paging.items if paging else key) else expected(reader.declared)
        return _Unusable(
            f"expected {wanted} ({' or '.join(reader.models)}), received {json_type(raw)}{_said(operation, response)}"
        )
    if paging and (lost := [one for one in mismatches if one.place == paging.items]):
        return _Unusable(f"{lost[0]}{_said(operation, response)}")
    return value, mismatches


def _said(operation: Operation[Any], response: Received) -> str:
    """What an error page says; its words may be secret."""
    said = "" if operation.is_private or response.repeats_secret else read_error(response.content, "")[0]
    return f"; it says {said!r}" if said else ""


def _is_another_object(value: object) -> bool:
    """Whether an object has nothing of its type: an error page in its place, for instance."""
    from .model import Model
    from .shapes import fields_of
    from .tolerant import names_read

    if not isinstance(value, Model):
        return False
    read = names_read(value)
    if required := {field.name for field in fields_of(type(value)) if field.required}:
        return read.isdisjoint(required)
    # Without required fields each mismatch is a declared field that came, though it cannot be read.
    return not read and not value.mismatches and bool(value.model_extra)


def _not_json(operation: Operation[Any], response: Received, reason: str = "") -> _Unusable:
    quote = not (operation.is_private or response.repeats_secret)
    came = described(response.content, response.headers.get("content-type", ""), quote=quote)
    reason = f" ({reason})" if reason and "JSON" in came else ""
    return _Unusable(f"expected JSON, got {came}{reason}. Check base_url, and proxies on the way", outcome="unknown")


def _decode_error(operation: Operation[Any], response: Received, facts: CallFacts, unusable: _Unusable) -> DecodeError:
    problem, place, outcome = unusable
    facts = replace(facts, request_outcome=outcome, retry_stop_reason="not_retryable")
    known = "processed" if outcome == "processed" else "may have processed"
    return DecodeError(
        f"{facts.operation}: the response ({response.status}): {problem}. The server {known} the call; the response "
        f"was not decoded ({facts.describe()}).",
        facts=facts,
        field=place,
        status=response.status,
        body=b"" if response.repeats_secret else response.content,
        secret=operation.is_private,
    )
