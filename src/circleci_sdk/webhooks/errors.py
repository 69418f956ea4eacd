"""The error of unauthenticated deliveries."""

from __future__ import annotations

from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._public import public


@public("circleci_sdk")
class SignatureError(CircleCIError):
    """The signature of a delivery is missing, malformed or wrong, or the body is too large."""
