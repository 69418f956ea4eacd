"""The envelope of API v3: entities with attributes and references, lists with links."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TypeVar
from uuid import UUID, uuid5

if TYPE_CHECKING:
    from circleci_sdk.testing._handlers.context import RequestContext
    from circleci_sdk.testing._store.records import JsonObject

T = TypeVar("T")


def entity(id: str | None, attributes: JsonObject | None = None, **references: object) -> JsonObject:
    """An entity. A reference is an id or what stands for it; those that are None are left out."""
    shown: JsonObject = {} if id is None else {"id": id}
    if attributes is not None:
        shown["attributes"] = attributes
    known = {name: _reference(value) for name, value in references.items() if value is not None}
    return {**shown, "references": known} if known else shown


def _reference(value: object) -> object:
    return {"id": value} if isinstance(value, str) else value


def one(shown: JsonObject) -> JsonObject:
    """The body with one entity."""
    return {"data": shown}


def all_of(items: Iterable[JsonObject]) -> JsonObject:
    """The body with a list that is not paged."""
    return {"data": list(items)}


def counted(items: Iterable[JsonObject]) -> JsonObject:
    """The body with a list that is not paged, and its length."""
    shown = list(items)
    return {"data": shown, "meta": {"total_count": len(shown)}}


def page(ctx: RequestContext, items: Sequence[T], show: Callable[[T], object]) -> JsonObject:
    """The body with one page of a list, in the order of the list."""
    return _linked(ctx.page(items, show))


def newest(
    ctx: RequestContext, items: Sequence[T], show: Callable[[T], object], condition: Callable[[T], bool] | None = None
) -> JsonObject:
    """The body with one page of a growing list, newest first."""
    return _linked(ctx.newest(items, show, condition))


def _linked(found: JsonObject) -> JsonObject:
    return {"data": found["items"], "page": {"next": found["next_page_token"], "prev": None}}


def id_of(owner: str, *names: object) -> str:
    """The id of a part of an entity that has none in v2, always the same."""
    return str(uuid5(UUID(owner), "/".join(map(str, names))))
