"""What must come of a mutated response: an error, or a result that differs from the original in one place."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel

from circleci_sdk import DecodeError, FieldUnavailableError, Page
from circleci_sdk._core.serialization.model import Model
from tests.reading.cases import Case
from tests.reading.checks import compared_dumps, compared_mismatches, touched
from tests.support.declared_types import declared_type, models_in, nouns_in, spellings
from tests.support.disturbed import UNAVAILABLE, Comparison
from tests.support.expected_reading import (
    Expected,
    Items,
    Reading,
    Unfit,
    differences,
    expected,
    item_reading,
    mismatches,
)
from tests.support.mutations import DELETED, Json, Mutation, Place, dotted

TOKENS: Final = ("next_page_token", "next-page-token")


Read: TypeAlias = Callable[[Json], Awaitable[Any]]
"""Calls the operation of a case, with this body as the response."""


async def wrong(case: Case, before: Any, mutation: Mutation, read: Read, read_strictly: Read) -> list[str]:
    """What is wrong with the reading of a mutated response, by a client as it is by default and by a strict one.

    `before` is the result of the original response.
    """
    body = mutation.apply(case.body)
    due = must_raise(case, case.declared, body)
    if due:
        clients = (("the client", read), ("a strict client", read_strictly))
        return [f"{name} raised no DecodeError" for name, call in clients if not await raises(call, body)]
    try:
        after = await read(body)
    except DecodeError as error:
        return [f"raised {error}"]
    return [
        *compared(case, case.declared, before, after, mutation),
        *[line async for line in _strict_differences(case, body, after, read_strictly)],
    ]


async def raises(read: Read, body: Json) -> bool:
    """Whether a client raises `DecodeError` for a body."""
    try:
        await read(body)
    except DecodeError:
        return True
    return False


async def _strict_differences(case: Case, body: Json, after: Any, read: Read) -> AsyncIterator[str]:
    if isinstance(after, Page | Model):
        places = [one.place for one in after.mismatches]
    else:
        places = [dotted(one.place) for one in mismatches(expected(case.declared, body))]
    try:
        result = await read(body)
    except DecodeError as error:
        if not places:
            yield f"a strict client raised {error}"
        elif error.field not in places:
            yield f"a strict client named {error.field!r}, expected {places}"
        elif error.request_outcome != "processed":
            yield f"a strict client said {error.request_outcome}"
    else:
        if places:
            yield "a strict client raised nothing"
        elif result != after:
            yield "a strict client read another value"


def whole_differences(case: Case, body: Json, result: Any) -> Iterator[str]:
    """Differences between a result and the expected reading of the whole body, its mismatches included."""
    if isinstance(result, Page):
        way: Place = () if isinstance(body, list) else ("items",)
        items = body if isinstance(body, list) else body["items"]
        reading: Reading = Items([item_reading(case.declared, item) for item in items])
        yield from differences(reading, result.items, way)
        wanted = {*mismatches(reading, way), *_token_mismatches(body)}
    elif isinstance(result, Model):
        reading = expected(case.declared, body)
        yield from differences(reading, result)
        wanted = set(mismatches(reading))
    else:
        yield from () if result is None else differences(expected(case.declared, body), result)
        return
    found = {(one.place, nouns_in(one.expected), one.received) for one in result.mismatches}
    if found != {(dotted(one.place), one.expected, one.received) for one in wanted}:
        yield f"the mismatches are {found}, expected {wanted}"


def _token_mismatches(body: Json) -> Sequence[Expected]:
    """The mismatch of the token of the next page."""
    key = next((key for key in TOKENS if isinstance(body, dict) and key in body), "")
    return mismatches(expected(str | None, body[key] if key else None), ("next_page_token",))


def must_raise(case: Case, declared: Any, body: Json) -> bool:
    """Whether a response cannot be used at all."""
    assert case.operation is not None
    if case.operation.returns == ("None",):
        return False
    if case.operation.lists:
        items = body.get("items") if isinstance(body, dict) else body
        return not isinstance(items, list)
    if not isinstance(body, dict):
        return True
    models = models_in(declared)
    return case.is_read and bool(models) and not any(usable(model, cast(dict[str, Json], body)) for model in models)


def usable(model: type[BaseModel], body: dict[str, Json]) -> bool:
    """Whether a required field can be read; without required fields, whether a declared one came."""
    fields = model.model_fields
    required = [name for name, field in fields.items() if field.is_required()]
    for name in required:
        key = next((key for key in spellings(name, fields[name]) if key in body), None)
        if key is not None and not isinstance(expected(declared_type(fields[name]), body[key]), Unfit):
            return True
    if required:
        return False
    return not body or any(key in body for name, field in fields.items() for key in spellings(name, field))


def compared(case: Case, declared: Any, before: Any, after: Any, mutation: Mutation) -> Iterator[str]:
    """What differs from the undisturbed reading beside the mutation, and from the expected reading of the field."""
    comparison = Comparison(mutation)
    if before is None:
        yield from [] if after is None else [f"expected None, got {after!r}"]
        return
    if isinstance(before, Page):
        yield from _compared_pages(case, declared, before, after, comparison)
    else:
        comparison.value(before, after, declared, case.body)
        if isinstance(before, Model):
            yield from compared_dumps(comparison, before, after, comparison.raw_owner)
    yield from comparison.found
    if isinstance(before, Page | Model):
        yield from compared_mismatches(comparison, before, after)
    assert case.operation is not None
    yield from touched(case.operation.label, comparison)


def _compared_pages(
    case: Case, declared: Any, before: Page[Any], after: Page[Any], comparison: Comparison
) -> Iterator[str]:
    place = comparison.mutation.place
    body = case.body if isinstance(case.body, dict) else {"items": case.body}
    if isinstance(case.body, list) or place[0] == "items":
        way: tuple[str | int, ...] = () if isinstance(case.body, list) else ("items",)
        if len(place) == len(way):
            comparison.items(declared, cast(list[Json], comparison.mutation.value), after.items)
            return
        number = cast(int, place[len(way)])
        comparison.value(before.items, after.items, list[declared], body["items"], way, way)
        others = (before.next, before.extras) == (after.next, after.extras)
        yield from [] if others else ["next or extras changed"]
        owner = comparison.raw_owner[len(way) + 1 :]
        yield from compared_dumps(comparison, before.items[number], after.items[number], owner)
        return
    if before.items != after.items:
        yield "the items changed"
    key = str(place[0])
    if key in TOKENS:
        if comparison.mutation.kind != DELETED:
            token = None if comparison.mutation.value == "" else comparison.mutation.value
            found = _next(after)
            if not case.has_next:
                yield from (
                    [] if (found, after.is_truncated) == (None, token is not None) else ["the page is not truncated"]
                )
                token, found = (
                    (None, None) if isinstance(token, str) else (token, None if token is None else UNAVAILABLE)
                )
            comparison.field_of_page(expected(str | None, token), found, str | None, key, key)
        elif after.next is not None:
            yield f"next is {after.next!r} without a token"
    else:
        changed = {
            name: value for name, value in comparison.mutation.apply(body).items() if name not in {"items", *TOKENS}
        }
        if dict(after.extras) != changed:
            yield f"the extras are {after.extras!r:.200}"


def _next(page: Page[Any]) -> Any:
    try:
        return page.next
    except FieldUnavailableError:
        return UNAVAILABLE
