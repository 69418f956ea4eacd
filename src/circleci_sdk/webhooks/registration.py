"""Webhooks of a project, made and kept as you want them. Safe to run any number of times."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from circleci_sdk._core.errors import CallError, InvalidArgumentError, NotFoundError

if TYPE_CHECKING:
    from uuid import UUID

    from pydantic import SecretStr

    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.v2.models import Webhook, WebhookEvent

BOTH_EVENTS: Final[Sequence[WebhookEvent]] = ("workflow-completed", "job-completed")
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def new_secret() -> str:
    """A signing secret that nobody can guess: 43 characters, 256 bits."""
    from secrets import token_urlsafe

    return token_urlsafe(32)


async def register(
    circleci: AsyncCircleCI,
    project: str | ProjectSlug | UUID,
    *,
    url: str,
    secret: str | SecretStr,
    name: str = "circleci_sdk",
    events: Sequence[WebhookEvent] = BOTH_EVENTS,
    verify_tls: bool = True,
) -> Webhook:
    """Make sure that a project reports its events to your address: create the webhook, or bring it up to date.

    A webhook is known by its `url`. One that is there is given the name, events, secret and `verify_tls` that you
    pass, since the API never tells the secret that it has. Should there be several for the address, which happens
    when two programs start at once, the oldest stays.

    The papers about the API disagree on how it spells `verify-tls` and `signing-secret`: one reading says that the
    other spelling is ignored, which would leave a webhook unsigned without a word. So both spellings are sent.

    Args:
        circleci: the client.
        project: slug or id of the project.
        url: where to report to; CircleCI takes only https.
        secret: what deliveries are signed with.
        name: the name of the webhook in the web app.
        events: what to report.
        verify_tls: whether CircleCI checks the certificate of your address.

    Returns:
        The webhook.

    Raises:
        InvalidArgumentError: the secret is empty; nothing was sent.
    """
    _check_secret(secret)
    scope_id = await _project_id(circleci, project)
    webhook = await _only_one(circleci, scope_id, url)
    if webhook is not None:
        return await circleci.v2.webhooks.update(
            webhook.id, name=name, events=events, verify_tls=verify_tls, signing_secret=secret
        )
    try:
        made = await circleci.v2.webhooks.create(
            name=name,
            events=events,
            url=url,
            verify_tls=verify_tls,
            signing_secret=secret,
            scope={"id": scope_id, "type": "project"},
        )
    except CallError as error:
        # The response was lost: perhaps the webhook is there all the same.
        if error.request_outcome != "unknown":
            raise
        kept = await _only_one(circleci, scope_id, url)
        if kept is None:
            raise
        return kept
    return await _only_one(circleci, scope_id, url) or made


async def rotate_secret(
    circleci: AsyncCircleCI, project: str | ProjectSlug | UUID, *, url: str, secret: str | SecretStr
) -> Webhook:
    """Have deliveries to your address signed with a new secret.

    Give the receiver both secrets first (`WebhookApp(router, secret=[new, old])`), then call this, and take the old
    secret out when no delivery comes with it any more: what is on its way or sent again is signed with the old one.
    Both spellings of `signing-secret` are sent, for the reason that `register` gives.

    Raises:
        InvalidArgumentError: the secret is empty, or no webhook of the project has this `url`.
    """
    _check_secret(secret)
    scope_id = await _project_id(circleci, project)
    webhook = await _only_one(circleci, scope_id, url)
    if webhook is None:
        raise InvalidArgumentError(f"url: no webhook of the project reports to {url}. Make it with register().")
    return await circleci.v2.webhooks.update(webhook.id, signing_secret=secret)


async def unregister(circleci: AsyncCircleCI, project: str | ProjectSlug | UUID, *, url: str) -> bool:
    """Make sure that a project does not report to your address; True if it did so far."""
    scope_id = await _project_id(circleci, project)
    webhooks = await _at(circleci, scope_id, url)
    for webhook in webhooks:
        await _delete(circleci, webhook)
    return bool(webhooks)


async def _only_one(circleci: AsyncCircleCI, scope_id: str, url: str) -> Webhook | None:
    """The oldest webhook for the address; others are deleted. All who do this at once keep the same one."""
    webhooks = await _at(circleci, scope_id, url)
    for webhook in webhooks[1:]:
        await _delete(circleci, webhook)
    return webhooks[0] if webhooks else None


async def _at(circleci: AsyncCircleCI, scope_id: str, url: str) -> list[Webhook]:
    found = [webhook async for webhook in circleci.v2.webhooks.list(scope_id=scope_id) if webhook.url == url]
    return sorted(found, key=lambda webhook: (webhook.created_at, webhook.id))


async def _delete(circleci: AsyncCircleCI, webhook: Webhook) -> None:
    with suppress(NotFoundError):  # somebody else was faster; it is gone, which is what was wanted
        await circleci.v2.webhooks.delete(webhook.id)


async def _project_id(circleci: AsyncCircleCI, project: str | ProjectSlug | UUID) -> str:
    text = str(project)
    return text if _UUID.fullmatch(text) else (await circleci.v2.projects.get(text)).id


def _check_secret(secret: str | SecretStr) -> None:
    if not (secret if isinstance(secret, str) else secret.get_secret_value()):
        raise InvalidArgumentError("secret: it is empty, and deliveries without a signature can come from anybody.")
