"""The way out: deliveries of outbound webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk.testing._handlers.events import event_of, show_event, show_ping
from circleci_sdk.testing._store.runs import FakeJob

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from circleci_sdk.testing._store.entities import JsonObject, Stored
    from circleci_sdk.testing._store.runs import FakeWorkflow
    from circleci_sdk.testing._store.store import Store

PATIENCE: Final = 10.0
"""Seconds that a receiver has to respond."""

RETRY_SECONDS: Final = 60.0
"""Seconds on the clock of the fake between two attempts."""


@dataclass(slots=True, eq=False)
class Delivery:
    """One message to one address.

    `attempts` holds for each attempt the status that the receiver responded, or None when it did not response.
    `delivered` says whether one of them was a 2xx.
    """

    id: str
    event: str
    url: str
    headers: dict[str, str]
    body: bytes
    verify_tls: bool
    created_at: datetime
    attempts: list[int | None] = field(default_factory=list["int | None"])

    @property
    def delivered(self) -> bool:
        return any(status is not None and 200 <= status < 300 for status in self.attempts)

    @property
    def json(self) -> Any:
        """The body, read."""
        return json.loads(self.body)


class Webhooks:
    """The outbound webhooks of a fake.

    When a job or workflow ends, a signed message is made ready for each webhook of the project that asked for it.
    While the fake is served on a port the messages go out by themselves; in process `await deliver()` sends them.

    `retries` is how often a message is sent again that got no 2xx, each time a minute later on the clock of the
    fake; `duplicates` how many copies of each message follow it, with the same id, as happens at CircleCI.
    """

    def __init__(self, store: Store) -> None:
        self._world = store
        self._pending: list[Delivery] = []
        self.deliveries: Final[list[Delivery]] = []
        self.retries = 3
        self.duplicates = 0

    @property
    def pending(self) -> Sequence[Delivery]:
        """Messages that are to be sent now."""
        return tuple(self._pending)

    async def deliver(self, app: Any = None, *, transport: httpx.AsyncBaseTransport | None = None) -> list[Delivery]:
        """Send what is pending, and give it. Receivers that fail or stay silent raise nothing; see `attempts`.

        With an ASGI application the messages go to it, in this process and whatever their address; with a
        `transport` they take that way.
        """
        if app is not None:
            from .into_app import IntoApp

            transport = IntoApp(app)
        with self._world.clock.lock:
            self._world.clock.sync()
            pending, self._pending = self._pending, []
        for delivery in pending:
            await self._send(delivery, transport)
        return pending

    def ping(self, name: str) -> Delivery:
        """Make a test ping ready, as the button in the web app does, for the webhook of that name or id.

        Raises `LookupError` when there is none.
        """
        for project in self._world.projects.values():
            for webhook in project.webhooks.values():
                if name in (webhook.id, webhook.shown["name"]):
                    id = self._world.ids.uuid()
                    return self._make_ready(id, webhook, "ping", show_ping(id, webhook, self._world.clock.now))
        raise LookupError(f"There is no webhook {name!r}.")

    def ended(self, what: FakeJob | FakeWorkflow) -> None:
        """A job or workflow has ended; for the fake itself."""
        project = what.project if isinstance(what, FakeJob) else what.pipeline.project
        event = event_of(what)
        for webhook in project.webhooks.values():
            if event in webhook.shown["events"]:
                id = self._world.ids.uuid()
                self._make_ready(id, webhook, event, show_event(id, webhook, what, self._world.clock.now))

    def _make_ready(self, id: str, webhook: Stored, event: str, shown: JsonObject) -> Delivery:
        body = json.dumps(shown, separators=(",", ":")).encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "CircleCI-Webhook/1.0",
            "circleci-event-type": event,
        }
        if webhook.secret:
            headers["circleci-signature"] = "v1=" + hmac.new(webhook.secret.encode(), body, hashlib.sha256).hexdigest()
        delivery = Delivery(
            id, event, webhook.shown["url"], headers, body, webhook.shown["verify_tls"], self._world.clock.now
        )
        self.deliveries.append(delivery)
        self._pending += [delivery] * (1 + self.duplicates)
        return delivery

    async def _send(self, delivery: Delivery, transport: httpx.AsyncBaseTransport | None) -> None:
        import httpx

        status: int | None = None
        try:
            # Certificates take time to load, so they are left where nobody asks for them.
            verify = delivery.verify_tls and delivery.url.startswith("https:")
            async with httpx.AsyncClient(
                transport=transport, verify=verify, timeout=PATIENCE, trust_env=False
            ) as client:
                status = (await client.post(delivery.url, content=delivery.body, headers=delivery.headers)).status_code
        except (httpx.TransportError, httpx.InvalidURL):
            pass
        delivery.attempts.append(status)
        if not delivery.delivered and len(delivery.attempts) <= self.retries:
            self._world.clock.call_later(RETRY_SECONDS, lambda: self._pending.append(delivery))
