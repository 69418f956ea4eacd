"""`v2.webhooks`: where results are told. The telling is in `_doors/deliveries.py`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from circleci_sdk.testing._state.things import Stored
from circleci_sdk.testing._wire.messages import Refusal

from .desk import Desk, answers, seconds

if TYPE_CHECKING:
    from circleci_sdk.testing._state.things import JsonObject

MOST_WEBHOOKS = 5


@answers("v2.webhooks.list")
def list_(desk: Desk) -> object:
    project = desk.world.projects.get(desk.call["scope_id"])
    if project is None or not desk.sees(project):
        raise Refusal(404, "Project not found")
    return desk.page(list(project.webhooks.values()), lambda webhook: webhook.shown)


@answers("v2.webhooks.create")
def create(desk: Desk) -> object:
    call = desk.call
    project = desk.world.projects.get(call["scope"]["id"])
    if project is None or not desk.sees(project):
        raise Refusal(404, "Project not found")
    if len(project.webhooks) >= MOST_WEBHOOKS:
        raise Refusal(400, f"A project has at most {MOST_WEBHOOKS} webhooks.")
    _check_url(call["url"])
    shown: JsonObject = {
        "id": desk.world.ids.uuid(),
        "name": call["name"],
        "url": call["url"],
        "events": call["events"],
        "verify_tls": call["verify_tls"],
        "signing_secret": _masked(call["signing_secret"]),
        "scope": call["scope"],
        "created_at": seconds(desk.now),
        "updated_at": seconds(desk.now),
    }
    project.webhooks[shown["id"]] = Stored(shown["id"], shown, desk.now, desk.now, call["signing_secret"])
    return shown


@answers("v2.webhooks.get")
def get(desk: Desk) -> object:
    return desk.stored("webhooks", "webhook_id", "Webhook not found")[1].shown


@answers("v2.webhooks.update")
def update(desk: Desk) -> object:
    webhook = desk.stored("webhooks", "webhook_id", "Webhook not found")[1]
    if "url" in desk.call.args:
        _check_url(desk.call["url"])
    for name in ("name", "events", "url", "verify_tls"):
        if name in desk.call.args:
            webhook.shown[name] = desk.call[name]
    if "signing_secret" in desk.call.args:
        webhook.secret = desk.call["signing_secret"]
        webhook.shown["signing_secret"] = _masked(webhook.secret)
    webhook.shown["updated_at"] = seconds(desk.now)
    return webhook.shown


@answers("v2.webhooks.delete")
def delete(desk: Desk) -> object:
    project, webhook = desk.stored("webhooks", "webhook_id", "Webhook not found")
    del project.webhooks[webhook.id]
    return {"message": "Webhook deleted."}


def _check_url(url: str) -> None:
    if not url.startswith(("http://", "https://")):
        raise Refusal(400, "Invalid webhook URL.")


def _masked(secret: str) -> str:
    return "****" if secret else ""
