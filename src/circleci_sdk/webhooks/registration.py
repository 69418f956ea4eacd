"""Registers webhooks of projects. All functions are idempotent."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from types import MethodType
from typing import TYPE_CHECKING, Final, cast

from circleci_sdk._core.checks import BOOL, TEXT, Accepted, check, got, one_of, several
from circleci_sdk._core.errors import CallError, InvalidArgumentError, NotFoundError
from circleci_sdk.helpers._shared.arguments import PROJECT
from circleci_sdk.helpers._shared.available import if_available

if TYPE_CHECKING:
    from uuid import UUID

    from pydantic import SecretStr

    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.v2.models import Webhook, WebhookEvent

BOTH_EVENTS: Final[Sequence[WebhookEvent]] = ("workflow-completed", "job-completed")
EVENTS: Final = several("a list of workflow-completed and job-completed", one_of(*BOTH_EVENTS))
_REMEDY: Final = " With a CircleCI use the function of circleci_sdk.sync; follow has no sync form."
_UUID: Final = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")


def new_secret() -> str:
    """A random signing secret: 43 characters, 256 bits."""
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
    """Create or update the webhook of a project for a URL.

    A webhook is identified by its `url`. An existing one is updated with the name, events, secret and `verify_tls`,
    since the API never returns the secret. Of several webhooks for the URL, which two programs that start at once can
    create, the oldest is existing.

    The documentation of the API is inconsistent in the spelling of `verify-tls` and `signing-secret`. An ignored
    spelling would leave the webhook unsigned, so both spellings are sent.

    Args:
        circleci: the client.
        project: slug or id of the project.
        url: URL of the receiver; CircleCI accepts only https.
        secret: signing secret of the deliveries.
        name: name of the webhook in the web app.
        events: types of events.
        verify_tls: whether CircleCI verifies the certificate of the receiver.

    Returns:
        The webhook.

    Raises:
        InvalidArgumentError: the secret is empty. No request was sent.
    """
    _check_target("register", circleci, project, url)
    check("register", name=(name, TEXT), events=(events, EVENTS), verify_tls=(verify_tls, BOOL))
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
        # The response was lost; the webhook may exist.
        if error.request_outcome != "unknown":
            raise
        existing = await _only_one(circleci, scope_id, url)
        if existing is None:
            raise
        return existing
    return await _only_one(circleci, scope_id, url) or made


async def rotate_secret(
    circleci: AsyncCircleCI, project: str | ProjectSlug | UUID, *, url: str, secret: str | SecretStr
) -> Webhook:
    """Change the signing secret of the webhook for a URL.

    First give the receiver both secrets (`WebhookApp(router, secret=[new, old])`), then call this. Remove the old
    secret later: pending and repeated deliveries are signed with it. Both spellings of `signing-secret` are sent, as in
    `register`.

    Raises:
        InvalidArgumentError: the secret is empty, or no webhook of the project has this `url`.
    """
    _check_target("rotate_secret", circleci, project, url)
    _check_secret(secret)
    scope_id = await _project_id(circleci, project)
    webhook = await _only_one(circleci, scope_id, url)
    if webhook is None:
        raise InvalidArgumentError(
            f"rotate_secret: url: the project has no webhook for {url}; create it with register."
        )
    return await circleci.v2.webhooks.update(webhook.id, signing_secret=secret)


async def unregister(circleci: AsyncCircleCI, project: str | ProjectSlug | UUID, *, url: str) -> bool:
    """Delete the webhooks of a project for a URL. True if there was one."""
    _check_target("unregister", circleci, project, url)
    scope_id = await _project_id(circleci, project)
    webhooks = await _at(circleci, scope_id, url)
    for webhook in webhooks:
        await _delete(circleci, webhook)
    return bool(webhooks)


async def _only_one(circleci: AsyncCircleCI, scope_id: str, url: str) -> Webhook | None:
    """The oldest webhook for the URL; the others are deleted. Concurrent callers keep the same one."""
    webhooks = await _at(circleci, scope_id, url)
    for webhook in webhooks[1:]:
        await _delete(circleci, webhook)
    return webhooks[0] if webhooks else None


async def _at(circleci: AsyncCircleCI, scope_id: str, url: str) -> list[Webhook]:
    """The webhooks for the URL, oldest first; those of an unavailable age come last."""
    listed = circleci.v2.webhooks.list(scope_id=scope_id)
    found = [webhook async for webhook in listed if if_available(lambda one: one.url, webhook) == url]
    return sorted(found, key=_age)


def _age(webhook: Webhook) -> tuple[bool, float, str]:
    created_at = if_available(lambda: webhook.created_at)
    return created_at is None, created_at.timestamp() if created_at else 0.0, webhook.id


async def _delete(circleci: AsyncCircleCI, webhook: Webhook) -> None:
    with suppress(NotFoundError):  # deleted by a concurrent call
        await circleci.v2.webhooks.delete(webhook.id)


async def _project_id(circleci: AsyncCircleCI, project: str | ProjectSlug | UUID) -> str:
    name = str(project)
    return name if _UUID.fullmatch(name) else (await circleci.v2.projects.get(name)).id


def _check_target(method: str, circleci: object, project: object, url: object) -> None:
    check_client(method, circleci)
    check(method, project=(project, PROJECT), url=(url, TEXT))


def check_client(method: str, circleci: object) -> None:
    """Refuse what is no client."""
    from circleci_sdk.client import AsyncCircleCI

    is_client = Accepted("an AsyncCircleCI", lambda value: isinstance(value, AsyncCircleCI), _REMEDY)
    check(method, circleci=(circleci, is_client))


def _check_secret(secret: object) -> None:
    fits = isinstance(secret, str) or isinstance(getattr(secret, "get_secret_value", None), MethodType)
    kind = "" if fits else got(secret)
    is_empty = fits and not (secret if isinstance(secret, str) else cast("SecretStr", secret).get_secret_value())
    del secret  # tracebacks show locals
    if kind:
        raise InvalidArgumentError(f"secret: expected str or SecretStr, got {kind}.")
    if is_empty:
        raise InvalidArgumentError(
            "secret: expected a secret, got an empty one; deliveries without a signature are unauthenticated."
        )
