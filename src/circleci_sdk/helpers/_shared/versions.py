"""Which version of the API a helper uses: the best one that serves this client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from circleci_sdk._core.errors import AuthenticationError, NotFoundError, PermissionDeniedError
from circleci_sdk._core.logs import logger

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.errors import CircleCIError

ApiVersion: TypeAlias = Literal["v1.1", "v2", "v3"]

NOT_SERVED: Final = (AuthenticationError, PermissionDeniedError, NotFoundError)
"""Errors of a version that may not serve this client, such as a project token. An older version may."""


def has_v3(caller: Caller) -> bool:
    """Whether the host has API v3. A CircleCI Server has not."""
    return not caller.session.is_server


def note_fallback(method: str, version: ApiVersion, reason: CircleCIError | str) -> None:
    """Log that a helper takes an older version."""
    logger.debug("%s: takes %s: %s", method, version, reason)
