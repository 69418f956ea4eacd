"""Errors of deliveries: unauthenticated ones, and lost ones."""

from __future__ import annotations

from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._public import public


@public("circleci_sdk")
class SignatureError(CircleCIError):
    """The signature of a delivery is missing, malformed or wrong, or the body is too large."""


@public("circleci_sdk.webhooks")
class DeliveriesLostError(CircleCIError):
    """Deliveries were dropped, since they came faster than `follow` was read, and no poll replaces them.

    `count` is their number since the last such error, those of other projects included.
    """

    def __init__(self, message: str = "", *, count: int = 0) -> None:
        super().__init__(message)
        self.count = count
