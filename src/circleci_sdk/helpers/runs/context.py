"""What all runs of one client share."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from weakref import WeakSet

from circleci_sdk._core.serialization.slugs import app_origin
from circleci_sdk.v2._client import V2

from .turns import Turns

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller


@dataclass(frozen=True, slots=True)
class RunContext:
    """What all runs of one client share. `watchers` are those in progress, which divide the rate limit and take turns.

    `app` is the address of the web app.
    """

    caller: Caller
    v2: V2
    app: str
    turns: Turns = field(default_factory=Turns)
    watchers: WeakSet[object] = field(default_factory=lambda: WeakSet[object]())


def context_of(caller: Caller) -> RunContext:
    """A new context for the runs of this client."""
    return RunContext(caller, V2(caller), app_origin(caller.session.origin))
