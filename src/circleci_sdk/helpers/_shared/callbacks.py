"""Calls of the functions that users pass to helpers."""

from __future__ import annotations

from collections.abc import Callable
from inspect import isawaitable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def call_back(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """The result of a plain function of the user. What is awaitable is awaited, and its result returned.

    So a function can be called in another thread while the event loop continues. Nothing is awaited otherwise.
    """
    returned: Any = function(*args, **kwargs)
    result: R = await returned if isawaitable(returned) else returned
    return result
