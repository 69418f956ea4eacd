"""The result of a call together with its response."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Generic, TypeVar

from circleci_sdk._public import public

if TYPE_CHECKING:
    from .messages import Headers
    from .policy.rate_limit import RateLimit

T_co = TypeVar("T_co", covariant=True)


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class Reply(Generic[T_co]):
    """The result of a call, with its response.

    `data` is what the method itself returns. `rate_limit` is the state of the rate limit in the headers, `attempts`
    the number of requests it took, `elapsed` the seconds over all of them, `content` the raw body.
    """

    data: T_co
    status: int
    headers: Headers
    rate_limit: RateLimit | None
    attempts: int
    elapsed: float
    content: bytes = field(repr=False)
