"""The error of unauthenticated deliveries."""

from __future__ import annotations

from circleci_sdk._core.errors import CircleCIError


class SignatureError(CircleCIError):
    """The signature of a delivery is missing, malformed or wrong, or the body is too large."""

    __module__ = "circleci_sdk"
