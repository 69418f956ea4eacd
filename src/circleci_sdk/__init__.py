"""CircleCI's API for async Python: `AsyncCircleCI`, its errors and its small value types.

Models are in `circleci_sdk.v2.models` and `circleci_sdk.v1.models`. Importing this package loads neither httpx nor
pydantic; each part is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from ._core.caller import Reply as Reply
    from ._core.errors import AuthenticationError as AuthenticationError
    from ._core.errors import BadRequestError as BadRequestError
    from ._core.errors import CallError as CallError
    from ._core.errors import CircleCIError as CircleCIError
    from ._core.errors import ClientClosedError as ClientClosedError
    from ._core.errors import ConfigError as ConfigError
    from ._core.errors import ConflictError as ConflictError
    from ._core.errors import ConnectionFailedError as ConnectionFailedError
    from ._core.errors import DecodeError as DecodeError
    from ._core.errors import GoneError as GoneError
    from ._core.errors import InvalidArgumentError as InvalidArgumentError
    from ._core.errors import NotFoundError as NotFoundError
    from ._core.errors import PaginationError as PaginationError
    from ._core.errors import PermissionDeniedError as PermissionDeniedError
    from ._core.errors import PoolExhaustedError as PoolExhaustedError
    from ._core.errors import RateLimitError as RateLimitError
    from ._core.errors import RequestTimeoutError as RequestTimeoutError
    from ._core.errors import RunFailedError as RunFailedError
    from ._core.errors import RunSkippedError as RunSkippedError
    from ._core.errors import RunTimeoutError as RunTimeoutError
    from ._core.errors import ServerError as ServerError
    from ._core.errors import SignatureError as SignatureError
    from ._core.errors import StatusError as StatusError
    from ._core.errors import TransportError as TransportError
    from ._core.errors import UnprocessableEntityError as UnprocessableEntityError
    from ._core.operation import Operation as Operation
    from ._core.options import Timeout as Timeout
    from ._core.pagination import AsyncPager as AsyncPager
    from ._core.pagination import Page as Page
    from ._core.policy.rate_limit import RateKey as RateKey
    from ._core.policy.rate_limit import RateLimit as RateLimit
    from ._core.policy.rate_limit import RateLimiter as RateLimiter
    from ._core.serialization.model import UnknownStr as UnknownStr
    from ._core.serialization.slugs import ProjectSlug as ProjectSlug
    from ._core.unset import UNSET as UNSET
    from ._core.unset import Unset as Unset
    from ._preload import preload as preload
    from .client import AsyncCircleCI as AsyncCircleCI

_HOMES: Final = {
    "client": ("AsyncCircleCI",),
    "_core.caller": ("Reply",),
    "_core.errors": (
        "AuthenticationError",
        "BadRequestError",
        "CallError",
        "CircleCIError",
        "ClientClosedError",
        "ConfigError",
        "ConflictError",
        "ConnectionFailedError",
        "DecodeError",
        "GoneError",
        "InvalidArgumentError",
        "NotFoundError",
        "PaginationError",
        "PermissionDeniedError",
        "PoolExhaustedError",
        "RateLimitError",
        "RequestTimeoutError",
        "RunFailedError",
        "RunSkippedError",
        "RunTimeoutError",
        "ServerError",
        "SignatureError",
        "StatusError",
        "TransportError",
        "UnprocessableEntityError",
    ),
    "_core.serialization.model": ("UnknownStr",),
    "_core.operation": ("Operation",),
    "_core.options": ("Timeout",),
    "_core.pagination": ("AsyncPager", "Page"),
    "_core.policy.rate_limit": ("RateKey", "RateLimit", "RateLimiter"),
    "_core.serialization.slugs": ("ProjectSlug",),
    "_core.unset": ("UNSET", "Unset"),
    "_preload": ("preload",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "UNSET",
    "AsyncCircleCI",
    "AsyncPager",
    "AuthenticationError",
    "BadRequestError",
    "CallError",
    "CircleCIError",
    "ClientClosedError",
    "ConfigError",
    "ConflictError",
    "ConnectionFailedError",
    "DecodeError",
    "GoneError",
    "InvalidArgumentError",
    "NotFoundError",
    "Operation",
    "Page",
    "PaginationError",
    "PermissionDeniedError",
    "PoolExhaustedError",
    "ProjectSlug",
    "RateKey",
    "RateLimit",
    "RateLimitError",
    "RateLimiter",
    "Reply",
    "RequestTimeoutError",
    "RunFailedError",
    "RunSkippedError",
    "RunTimeoutError",
    "ServerError",
    "SignatureError",
    "StatusError",
    "Timeout",
    "TransportError",
    "UnknownStr",
    "UnprocessableEntityError",
    "Unset",
    "__version__",
    "preload",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
