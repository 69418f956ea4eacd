"""Webhooks for bots: deliveries verified, read, routed and responded; webhooks registered; events followed.

    router = Router()

    @router.on(WorkflowCompleted, branch="main", status="failed")
    async def shout(event: WorkflowCompleted) -> None:
        print(event.workflow.name, "failed:", event.workflow.url)

    app = WebhookApp(router, secret=os.environ["CIRCLECI_WEBHOOK_SECRET"])      # uvicorn my_bot:app

`verify` and `parse` do the same for any other framework: bytes and headers in, an event out. The API of webhooks
themselves is `circleci.v2.webhooks`; `register` and its neighbours keep it in order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

# At once, and not when they are first used: a module and what it offers have the same name here.
from .follow import follow as follow
from .verify import verify as verify

if TYPE_CHECKING:
    from circleci_sdk._core.errors import DecodeError, SignatureError
    from circleci_sdk.v2.models import JobCompleted, Ping, WorkflowCompleted

    from .asgi import WebhookApp
    from .events import UnknownEvent, branch_of, delivery_id, project_slug_of, status_of, tag_of
    from .follow import Follow
    from .kinds import Event
    from .registration import new_secret, register, rotate_secret, unregister
    from .router import HandlerFailure, Router
    from .store import DeliveryStore, MemoryStore
    from .verify import parse
else:
    from circleci_sdk._public import lazy

    __getattr__, __dir__ = lazy(
        __name__,
        {
            ".asgi": "WebhookApp",
            ".events": "UnknownEvent branch_of delivery_id project_slug_of status_of tag_of",
            ".follow": "Follow",
            ".kinds": "Event",
            ".registration": "new_secret register rotate_secret unregister",
            ".router": "HandlerFailure Router",
            ".store": "DeliveryStore MemoryStore",
            ".verify": "parse",
            "circleci_sdk._core.errors": "DecodeError SignatureError",
            "circleci_sdk.v2.models": "JobCompleted Ping WorkflowCompleted",
        },
    )

__all__ = [
    "DecodeError",
    "DeliveryStore",
    "Event",
    "Follow",
    "HandlerFailure",
    "JobCompleted",
    "MemoryStore",
    "Ping",
    "Router",
    "SignatureError",
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
