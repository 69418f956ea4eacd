"""`v2.webhooks`. Their deliveries are in `_servers/webhooks.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._store.records import FakeItem
from circleci_sdk.testing._wire.messages import ErrorResponse

from .context import RequestContext, handles, seconds, unordered

if TYPE_CHECKING:
    from circleci_sdk.testing._store.records import JsonObject

MOST_WEBHOOKS = 5


@handles("v2.webhooks.list")
def list_(ctx: RequestContext) -> object:
    project = ctx.store.projects.get(ctx.call["scope_id"])
    if project is None or not ctx.can_see(project):
        raise ErrorResponse(404, "Project not found")
    return ctx.page(list(project.webhooks.values()), lambda webhook: webhook.shown)


@handles("v2.webhooks.create")
def create(ctx: RequestContext) -> object:
    call = ctx.call
    project = ctx.store.projects.get(call["scope"]["id"])
    if project is None or not ctx.can_see(project):
        raise ErrorResponse(404, "Project not found")
    if len(project.webhooks) >= MOST_WEBHOOKS:
        raise ErrorResponse(400, f"A project has at most {MOST_WEBHOOKS} webhooks.")
    _check_url(call["url"])
    shown: JsonObject = {
        "id": ctx.store.ids.uuid(),
        "name": call["name"],
        "url": call["url"],
        "events": unordered(call["events"]),
        "verify_tls": call.get("verify_tls", True),
        "scope": call["scope"],
        "created_at": seconds(ctx.now),
        "updated_at": seconds(ctx.now),
    }
    webhook = FakeItem(shown["id"], shown, ctx.now, ctx.now)
    _set_secret(webhook, call.get("signing_secret", ""))
    project.webhooks[webhook.id] = webhook
    return shown


@handles("v2.webhooks.get")
def get(ctx: RequestContext) -> object:
    return ctx.stored("webhooks", "webhook_id", "Webhook not found")[1].shown


@handles("v2.webhooks.update")
def update(ctx: RequestContext) -> object:
    webhook = ctx.stored("webhooks", "webhook_id", "Webhook not found")[1]
    if "url" in ctx.call.args:
        _check_url(ctx.call["url"])
    for name in ("name", "url", "verify_tls"):
        if name in ctx.call.args:
            webhook.shown[name] = ctx.call[name]
    if "events" in ctx.call.args:
        webhook.shown["events"] = unordered(ctx.call["events"])
    if "signing_secret" in ctx.call.args or ctx.store.webhook_update_drops_secret:
        _set_secret(webhook, ctx.call.get("signing_secret", ""))
    webhook.shown["updated_at"] = seconds(ctx.now)
    return webhook.shown


@handles("v2.webhooks.delete")
def delete(ctx: RequestContext) -> object:
    project, webhook = ctx.stored("webhooks", "webhook_id", "Webhook not found")
    del project.webhooks[webhook.id]
    return {"message": "Webhook deleted."}


def _check_url(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise ErrorResponse(400, "Invalid webhook URL.")


def _set_secret(webhook: FakeItem, secret: str) -> None:
    """Set the signing secret. A webhook without one is shown without the key."""
    webhook.secret = secret
    webhook.shown.pop("signing_secret", None)
    if secret:
        webhook.shown["signing_secret"] = "****"
