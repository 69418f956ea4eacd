"""Deliveries of outbound webhooks."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.checks import ASYNC_FUNCTION, BOOL, STR, at_least, check, methods, or_none
from circleci_sdk._public import public
from circleci_sdk.testing._handlers.events import event_of, show_event, show_ping
from circleci_sdk.testing._protocol.misbehaviour import WEBHOOK
from circleci_sdk.testing._store.runs import FakeJob

if TYPE_CHECKING:
    from datetime import datetime

    import httpx

    from circleci_sdk.testing._protocol.misbehaviour import Misbehaviours
    from circleci_sdk.testing._store.records import FakeItem, JsonObject
    from circleci_sdk.testing._store.runs import FakeWorkflow
    from circleci_sdk.testing._store.store import Store

_TRANSPORT: Final = methods("a transport of httpx", "handle_async_request")
RECEIVE_TIMEOUT: Final = 10.0
"""Seconds until a receiver must respond."""

MAX_DELIVERIES: Final = 10_000
"""Number of kept messages, a bound for fakes that run for weeks."""

RETRY_SECONDS: Final = 60.0
"""Seconds of the fake clock between two attempts."""


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class Delivery:
    """One webhook message to one URL.

    `attempts` holds the response status of each attempt, None without a response. `delivered` is true after a
    status 2xx.
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
        """The decoded body."""
        return json.loads(self.body)


@public("circleci_sdk.testing")
class Webhooks:
    """The outbound webhooks of a fake.

    When a job or workflow ends, a signed message is queued for each webhook of the project with that event. A fake
    that is served on a port sends the messages by itself; in process `await deliver()` sends them.

    `deliveries` are all messages, the oldest first, `pending` those that are due: the last 10,000 of each. `dropped`
    is the number of older ones that are no longer in `deliveries`.

    `retries` is the number of further attempts without a status 2xx, one minute apart on the clock of the fake.
    `duplicates` is the number of copies of each message with the same id, as CircleCI may send them.

    With `update_drops_secret` an update without a signing secret deletes the one of the webhook, and its deliveries
    are no longer signed. This is a guess: CircleCI is said to replace the whole webhook, but no measurement is known.
    """

    def __init__(self, store: Store, misbehaviours: Misbehaviours, /) -> None:
        self._store = store
        self._misbehaviours = misbehaviours
        store.engine.end_listeners.append(self._on_end)
        self._pending: list[Delivery] = []
        self.deliveries: Final[list[Delivery]] = []
        self.dropped: int = 0
        self._retries = 3
        self._duplicates = 0

    @property
    def retries(self) -> int:
        """Number of further attempts without a status 2xx. Default: 3."""
        return self._retries

    @retries.setter
    def retries(self, count: int) -> None:
        check("webhooks", retries=(count, at_least(0)))
        self._retries = count

    @property
    def duplicates(self) -> int:
        """Number of copies of each message. Default: 0."""
        return self._duplicates

    @duplicates.setter
    def duplicates(self, count: int) -> None:
        check("webhooks", duplicates=(count, at_least(0, MAX_DELIVERIES)))
        self._duplicates = count

    @property
    def update_drops_secret(self) -> bool:
        """Whether an update without a signing secret deletes the one of the webhook. Default: false."""
        return self._store.webhook_update_drops_secret

    @update_drops_secret.setter
    def update_drops_secret(self, drops: bool) -> None:
        check("webhooks", update_drops_secret=(drops, BOOL))
        self._store.webhook_update_drops_secret = drops

    @property
    def pending(self) -> Sequence[Delivery]:
        """Messages that are due."""
        return tuple(self._pending)

    async def deliver(
        self, app: Callable[..., Awaitable[object]] | None = None, *, transport: httpx.AsyncBaseTransport | None = None
    ) -> list[Delivery]:
        """Send the pending messages and return them. Failures of receivers raise nothing; see `attempts`.

        Args:
            app: an ASGI application that receives all messages in this process, whatever their URL.
            transport: an httpx transport for the messages.
        """
        check("webhooks.deliver", app=(app, or_none(ASYNC_FUNCTION)), transport=(transport, or_none(_TRANSPORT)))
        if app is not None:
            from .app_transport import AppTransport

            transport = AppTransport(app)
        with self._store.clock.lock:
            self._store.clock.sync()
            pending, self._pending = self._pending, []
        for delivery in pending:
            await self._send(delivery, transport)
        return pending

    def ping(self, name: str) -> Delivery:
        """Queue a test ping for the webhook of that name or id, as the button in the web app does.

        Raises `LookupError` for an unknown webhook.
        """
        check("webhooks.ping", name=(name, STR))
        for project in self._store.projects.values():
            for webhook in project.webhooks.values():
                if name in (webhook.id, webhook.shown["name"]):
                    id = self._store.ids.uuid()
                    return self._queue(id, webhook, "ping", show_ping(id, webhook, self._store.clock.now))
        raise LookupError(f"webhooks.ping: no webhook {name!r}.")

    def _on_end(self, run: FakeJob | FakeWorkflow) -> None:
        """Queue the messages of a job or workflow that has ended."""
        project = run.project if isinstance(run, FakeJob) else run.pipeline.project
        event = event_of(run)
        for webhook in project.webhooks.values():
            if event in webhook.shown["events"]:
                id = self._store.ids.uuid()
                self._queue(id, webhook, event, show_event(id, webhook, run, self._store.clock.now))

    def _queue(self, id: str, webhook: FakeItem, event: str, shown: JsonObject) -> Delivery:
        shown, _ = self._misbehaviours.changed(WEBHOOK, shown, id)
        body = json.dumps(shown, separators=(",", ":")).encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "CircleCI-Webhook/1.0",
            "circleci-event-type": event,
        }
        if webhook.secret:
            headers["circleci-signature"] = "v1=" + hmac.new(webhook.secret.encode(), body, hashlib.sha256).hexdigest()
        delivery = Delivery(
            id, event, webhook.shown["url"], headers, body, webhook.shown["verify_tls"], self._store.clock.now
        )
        self.deliveries.append(delivery)
        self._pending += [delivery] * (1 + self.duplicates)
        self.dropped += max(0, len(self.deliveries) - MAX_DELIVERIES)
        for messages in (self.deliveries, self._pending):
            del messages[:-MAX_DELIVERIES]
        return delivery

    async def _send(self, delivery: Delivery, transport: httpx.AsyncBaseTransport | None) -> None:
        import httpx

        status: int | None = None
        try:
            # Loading CA certificates takes time; plain HTTP does not need them.
            verify = delivery.verify_tls and delivery.url.startswith("https:")
            async with httpx.AsyncClient(
                transport=transport, verify=verify, timeout=RECEIVE_TIMEOUT, trust_env=False
            ) as client:
                status = (await client.post(delivery.url, content=delivery.body, headers=delivery.headers)).status_code
        except (httpx.TransportError, httpx.InvalidURL):
            pass
        delivery.attempts.append(status)
        if not delivery.delivered and len(delivery.attempts) <= self.retries:
            self._store.clock.call_later(RETRY_SECONDS, lambda: self._pending.append(delivery))
