"""The class of events of unknown types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from circleci_sdk._public import public


@public("circleci_sdk.webhooks")
@dataclass(frozen=True, slots=True)
class UnknownEvent:
    """A delivery of a type that this version of the package does not know, or of which no field is readable.

    Attributes:
        type: the type in the body; without a readable one the header `circleci-event-type`; else empty.
        id: the id of the delivery, if it has one.
        data: the whole body.
    """

    type: str
    id: str | None = None
    data: Mapping[str, Any] = field(default_factory=dict[str, Any])
