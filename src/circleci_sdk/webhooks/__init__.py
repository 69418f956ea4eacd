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

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

# At once, and not when they are first used: a module and what it offers have the same name here.
from .follow import follow as follow
from .verify import verify as verify

if TYPE_CHECKING:
    from circleci_sdk._core.errors import DecodeError as DecodeError
    from circleci_sdk._core.errors import SignatureError as SignatureError
    from circleci_sdk.v2.models import JobCompleted as JobCompleted
    from circleci_sdk.v2.models import Ping as Ping
    from circleci_sdk.v2.models import WorkflowCompleted as WorkflowCompleted

    from .asgi import WebhookApp as WebhookApp
    from .events import UnknownEvent as UnknownEvent
    from .events import branch_of as branch_of
    from .events import delivery_id as delivery_id
    from .events import project_slug_of as project_slug_of
    from .events import status_of as status_of
    from .events import tag_of as tag_of
    from .follow import Follow as Follow
    from .kinds import Event as Event
    from .registration import new_secret as new_secret
    from .registration import register as register
    from .registration import rotate_secret as rotate_secret
    from .registration import unregister as unregister
    from .router import HandlerFailure as HandlerFailure
    from .router import Router as Router
    from .store import DeliveryStore as DeliveryStore
    from .store import MemoryStore as MemoryStore
    from .verify import parse as parse

_HOMES: Final = {
    ".asgi": ("WebhookApp",),
    ".events": ("UnknownEvent", "branch_of", "delivery_id", "project_slug_of", "status_of", "tag_of"),
    ".follow": ("Follow",),
    ".kinds": ("Event",),
    ".registration": ("new_secret", "register", "rotate_secret", "unregister"),
    ".router": ("HandlerFailure", "Router"),
    ".store": ("DeliveryStore", "MemoryStore"),
    ".verify": ("parse",),
    "circleci_sdk._core.errors": ("DecodeError", "SignatureError"),
    "circleci_sdk.v2.models": ("JobCompleted", "Ping", "WorkflowCompleted"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(home, __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
