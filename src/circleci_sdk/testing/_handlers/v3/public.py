"""`v3.configs` and `v3.tools`, which need no token."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._handlers.context import RequestContext, handles, millis
from circleci_sdk.testing._store.clock import START

from .envelope import all_of, entity, id_of

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import JsonObject


@handles("v3.configs.compile")
def compile_(ctx: RequestContext) -> object:
    """The config as it was sent: the fake compiles nothing. An empty one fails."""
    config: str = ctx.call["config"]
    id = ctx.store.ids.uuid()
    if config.strip():
        return {"data": entity(id, {"phase": "ended", "outcome": "succeeded", "compiled_config": config})}
    failed: JsonObject = entity(id, {"phase": "ended", "outcome": "failed"})
    return {"data": failed, "meta": {"messages": [{"title": "The config is empty."}]}}


@handles("v3.tools.list_releases")
def list_releases(ctx: RequestContext) -> object:
    tool: str = ctx.call["tool"]
    attributes = {"tool": tool, "version": "1.0.0", "published_at": millis(START)}
    return all_of([entity(id_of(ctx.store.user.id, tool), attributes)])
