"""Reads of fields that may be unavailable, for code that can do without them.

Functions in place of names, so that type checkers see the field: `if_available(lambda: job.name)`, and in a loop
`if_available(lambda one: one.name, job)`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar, overload

from circleci_sdk._core.errors import FieldUnavailableError

T = TypeVar("T")
A = TypeVar("A")


@overload
def if_available(read: Callable[[], T]) -> T | None: ...
@overload
def if_available(read: Callable[[A], T], of: A, /) -> T | None: ...
def if_available(read: Callable[..., T], *of: object) -> T | None:
    """The result of `read`, which reads fields; None if one of them is unavailable."""
    try:
        return read(*of)
    except FieldUnavailableError:
        return None


def or_unknown(read: Callable[[], object]) -> str:
    """The result of `read` for a message; `unknown` for an unavailable field."""
    value = if_available(read)
    return "unknown" if value is None else str(value)
