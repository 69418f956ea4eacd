"""A sync client in the form of the async one, so that tests of the async client run through the sync one.

    async with as_async(CircleCI(token)) as circleci:
        run = await circleci.runs.start("gh/acme/web")
        async for event in run.watch(): ...

Each method is called in a worker thread, where it blocks as it does for users. What it returns is wrapped the same way.
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import AbstractAsyncContextManager
from functools import partial, wraps
from typing import Any, Final, cast

from anyio.to_thread import run_sync

from circleci_sdk import AsyncCircleCI, CircleCI
from circleci_sdk._engine.wrapper import IteratorWrapper, Wrapper

RENAMED: Final = {"aclose": "close"}
"""Methods that have another name in sync code."""
_END: Final = object()


def as_async(client: CircleCI) -> AsyncCircleCI:
    """This client with the methods of an `AsyncCircleCI`."""
    return cast("AsyncCircleCI", _AsAsync(client))


def function_as_async(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A function whose arguments may be what `as_async` returned."""

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return _result(await run_sync(partial(function, *map(_argument, args), **kwargs)))

    return call


class _AsAsync:
    """A sync object with the members of the async object that it wraps."""

    def __init__(self, sync: Wrapper[Any]) -> None:
        twin = sync._async  # pyright: ignore[reportPrivateUsage]  # which members are async
        is_plain_iterator = type(sync) is IteratorWrapper
        if not is_plain_iterator and type(sync).__name__ != type(twin).__name__.removeprefix("Async"):
            raise AssertionError(f"{type(sync)} is not the sync form of {type(twin)}")
        self._sync: Any = sync
        self._twin: Any = twin
        self._known: dict[str, Any] = {}

    @property
    def __class__(self) -> type[Any]:  # pyright: ignore[reportIncompatibleMethodOverride]  # for `isinstance`
        return type(self._twin)

    @__class__.setter
    def __class__(self, value: type[Any]) -> None:
        raise AttributeError(value)

    def __repr__(self) -> str:
        return repr(self._sync)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            return getattr(self._twin, name)
        value = getattr(self._sync, RENAMED.get(name, name))
        if not inspect.ismethod(value):
            if isinstance(value, Wrapper):  # `circleci.v2` is the same object each time
                return self._known.setdefault(name, _result(value))
            return _result(value)
        if inspect.iscoroutinefunction(getattr(self._twin, name)):
            return function_as_async(value)

        @wraps(value)
        def call(*args: Any, **kwargs: Any) -> Any:
            result = value(*map(_argument, args), **kwargs)
            return self if result is self._sync else _result(result)

        return call

    def __await__(self) -> Generator[Any, Any, Any]:
        if not inspect.isawaitable(self._twin):
            raise TypeError(f"{self!r} cannot be awaited")
        return run_sync(self._sync.page).__await__()

    def __aiter__(self) -> Any:
        return self if hasattr(self._twin, "__anext__") else _Iteration(iter(self._sync))

    async def __anext__(self) -> Any:
        return await _next(self._sync)

    async def __aenter__(self) -> Any:
        entered = await run_sync(self._sync.__enter__)
        return self if entered is self._sync else _Iteration(entered)

    async def __aexit__(self, *error: object) -> Any:
        return await run_sync(self._sync.__exit__, *error)


class _Iteration:
    """A plain iterator as an async one."""

    def __init__(self, iterator: Iterator[Any]) -> None:
        self._iterator = iterator

    def __aiter__(self) -> _Iteration:
        return self

    async def __anext__(self) -> Any:
        return await _next(self._iterator)


async def _next(iterator: Iterator[Any]) -> Any:
    item = await run_sync(next, iterator, _END)
    if item is _END:
        raise StopAsyncIteration
    return item


def _argument(value: Any) -> Any:
    """What a sync method gets in place of an object of this module."""
    if type(value) is _AsAsync:
        return value._sync  # pyright: ignore[reportPrivateUsage]  # it is ours
    if isinstance(value, partial):
        return partial(_argument(value.func), *value.args, **value.keywords)
    wrapped = inspect.unwrap(value) if inspect.isfunction(value) else value
    return wrapped if isinstance(getattr(wrapped, "__self__", None), Wrapper) else value


def _result(value: Any) -> Any:
    """What a sync method returned. Nothing async may be left in it."""
    if isinstance(value, Wrapper):
        return _AsAsync(cast("Wrapper[Any]", value))
    if (
        inspect.isawaitable(value)
        or isinstance(value, AbstractAsyncContextManager)
        or hasattr(type(value), "__aiter__")
    ):
        raise AssertionError(f"{value!r} is async")
    return value
