"""Webhooks for bots: verify, decode and route deliveries, register webhooks, follow events.

    router = Router()

    @router.on(WorkflowCompleted, branch="main", status="failed")
    async def notify(event: WorkflowCompleted) -> None:
        print(event.workflow.name, "failed:", event.workflow.url)

    app = WebhookApp(router, secret=os.environ["CIRCLECI_WEBHOOK_SECRET"])      # uvicorn my_bot:app

`verify` and `parse` do the same for any other framework: they take bytes and headers and return an event. The API of
webhooks is `circleci.v2.webhooks`; `register`, `rotate_secret` and `unregister` are built on it, and those in
`circleci_sdk.sync` take a `CircleCI`. `follow` takes an `AsyncCircleCI` only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circleci_sdk._core.errors import DecodeError
    from circleci_sdk.v2.models import JobCompleted, Ping, WorkflowCompleted

    from .asgi import WebhookApp
    from .errors import DeliveriesLostError, SignatureError
    from .event_fields import branch_of, delivery_id, project_slug_of, status_of, tag_of
    from .event_types import Event
    from .following import Follow, follow
    from .handling import HandleResult, HandlerFailure
    from .registration import new_secret, register, rotate_secret, unregister
    from .router import Router
    from .store import DeliveryStore, MemoryStore
    from .subscription import Subscription
    from .types import Body, FollowedEvent, Handler, Projects, RequestHeaders, Secret, Strings
    from .unknown_event import UnknownEvent
    from .verification import parse, verify
else:
    from circleci_sdk._public import lazy

    __getattr__, __dir__ = lazy(
        __name__,
        {
            ".asgi": "WebhookApp",
            ".errors": "DeliveriesLostError SignatureError",
            ".event_fields": "branch_of delivery_id project_slug_of status_of tag_of",
            ".event_types": "Event",
            ".following": "Follow follow",
            ".handling": "HandleResult HandlerFailure",
            ".registration": "new_secret register rotate_secret unregister",
            ".router": "Router",
            ".store": "DeliveryStore MemoryStore",
            ".subscription": "Subscription",
            ".types": "Body FollowedEvent Handler RequestHeaders Projects Secret Strings",
            ".unknown_event": "UnknownEvent",
            ".verification": "parse verify",
            "circleci_sdk._core.errors": "DecodeError",
            "circleci_sdk.v2.models": "JobCompleted Ping WorkflowCompleted",
        },
    )

__all__ = [
    "Body",
    "DecodeError",
    "DeliveriesLostError",
    "DeliveryStore",
    "Event",
    "Follow",
    "FollowedEvent",
    "HandleResult",
    "Handler",
    "HandlerFailure",
    "JobCompleted",
    "MemoryStore",
    "Ping",
    "Projects",
    "RequestHeaders",
    "Router",
    "Secret",
    "SignatureError",
    "Strings",
    "Subscription",
    "UnknownEvent",
    "WebhookApp",
    "WorkflowCompleted",
    "branch_of",
    "delivery_id",
    "follow",
    "new_secret",
    "parse",
    "project_slug_of",
    "register",
    "rotate_secret",
    "status_of",
    "tag_of",
    "unregister",
    "verify",
]
