"""CircleCI's API: `AsyncCircleCI`, `CircleCI` for sync code, their errors and small value types.

Models are in `circleci_sdk.v2.models` and `circleci_sdk.v1.models`. Importing this package loads neither httpx nor
pydantic; each part is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ._version import __version__ as __version__

if TYPE_CHECKING:
    from ._core.errors import (
        AuthenticationError,
        BadRequestError,
        CallError,
        CircleCIError,
        ClientClosedError,
        ConfigError,
        ConflictError,
        ConnectionFailedError,
        DecodeError,
        FieldUnavailableError,
        GoneError,
        InvalidArgumentError,
        NotFoundError,
        PaginationError,
        PermissionDeniedError,
        PoolExhaustedError,
        RateLimitError,
        RequestOutcome,
        RequestTimeoutError,
        RetryStopReason,
        ServerError,
        StatusError,
        TransportError,
        UnprocessableEntityError,
    )
    from ._core.limiter import RateLimiter
    from ._core.messages import Headers
    from ._core.mismatches import Drift, DriftKind, Mismatch
    from ._core.operation import Operation
    from ._core.options import Hook, Method, Timeout
    from ._core.pagination import AsyncPager, Cursor, Page
    from ._core.policy.rate_limit import RateKey, RateLimit
    from ._core.reply import Reply
    from ._core.serialization.model import UnknownStr
    from ._core.serialization.slugs import ProjectSlug
    from ._core.terminal import printable
    from ._core.transport.auth import AuthScheme, TokenSource
    from ._core.unset import UNSET, Unset
    from ._preload import preload
    from ._streams.streams import ByteStream, ItemStream
    from .client import AsyncCircleCI
    from .helpers.runs.result import RunFailedError, RunSkippedError, RunTimeoutError
    from .sync.client import CircleCI
    from .sync.pager import Pager
    from .webhooks.errors import SignatureError
else:
    from ._public import lazy

    __getattr__, __dir__ = lazy(
        __name__,
        {
            "._core.errors": (
                "AuthenticationError BadRequestError CallError CircleCIError ClientClosedError ConfigError "
                "ConflictError ConnectionFailedError DecodeError FieldUnavailableError GoneError "
                "InvalidArgumentError NotFoundError PaginationError PermissionDeniedError PoolExhaustedError "
                "RateLimitError RequestOutcome RequestTimeoutError RetryStopReason ServerError StatusError "
                "TransportError UnprocessableEntityError"
            ),
            "._core.messages": "Headers",
            "._core.mismatches": "Drift DriftKind Mismatch",
            "._core.operation": "Operation",
            "._core.options": "Hook Method Timeout",
            "._core.pagination": "AsyncPager Cursor Page",
            "._core.limiter": "RateLimiter",
            "._core.policy.rate_limit": "RateKey RateLimit",
            "._core.reply": "Reply",
            "._core.serialization.model": "UnknownStr",
            "._core.serialization.slugs": "ProjectSlug",
            "._core.transport.auth": "AuthScheme TokenSource",
            "._core.terminal": "printable",
            "._core.unset": "UNSET Unset",
            "._streams.streams": "ByteStream ItemStream",
            "._preload": "preload",
            ".client": "AsyncCircleCI",
            ".sync.client": "CircleCI",
            ".sync.pager": "Pager",
            ".helpers.runs.result": "RunFailedError RunSkippedError RunTimeoutError",
            ".webhooks.errors": "SignatureError",
        },
    )

__all__ = [
    "UNSET",
    "AsyncCircleCI",
    "AsyncPager",
    "AuthScheme",
    "AuthenticationError",
    "BadRequestError",
    "ByteStream",
    "CallError",
    "CircleCI",
    "CircleCIError",
    "ClientClosedError",
    "ConfigError",
    "ConflictError",
    "ConnectionFailedError",
    "Cursor",
    "DecodeError",
    "Drift",
    "DriftKind",
    "FieldUnavailableError",
    "GoneError",
    "Headers",
    "Hook",
    "InvalidArgumentError",
    "ItemStream",
    "Method",
    "Mismatch",
    "NotFoundError",
    "Operation",
    "Page",
    "Pager",
    "PaginationError",
    "PermissionDeniedError",
    "PoolExhaustedError",
    "ProjectSlug",
    "RateKey",
    "RateLimit",
    "RateLimitError",
    "RateLimiter",
    "Reply",
    "RequestOutcome",
    "RequestTimeoutError",
    "RetryStopReason",
    "RunFailedError",
    "RunSkippedError",
    "RunTimeoutError",
    "ServerError",
    "SignatureError",
    "StatusError",
    "Timeout",
    "TokenSource",
    "TransportError",
    "UnknownStr",
    "UnprocessableEntityError",
    "Unset",
    "__version__",
    "preload",
    "printable",
]
