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
from functools import cache, partial, wraps
from typing import Any, Final, cast

from anyio.to_thread import run_sync

from circleci_sdk import AsyncCircleCI, CircleCI
from circleci_sdk._engine.wrapper import IteratorWrapper, Prefetch, Wrapper

RENAMED: Final = {"aclose": "close"}
"""Methods that have another name in sync code."""
_END: Final = object()


def as_async(client: CircleCI) -> AsyncCircleCI:
    """This client with the methods of an `AsyncCircleCI`."""
    return cast("AsyncCircleCI", _wrapped(client))


def function_as_async(function: Callable[..., Any]) -> Callable[..., Awaitable[Any]]:
    """A function whose arguments may be what `as_async` returned."""

    @wraps(function)
    async def call(*args: Any, **kwargs: Any) -> Any:
        return _result(await run_sync(partial(function, *map(_argument, args), **kwargs)))

    return call


class _AsAsync:
    """A sync object with the members of the async object that it wraps."""

    def __init__(self, sync: Wrapper[Any]) -> None:
        twin = sync._async  # pyright: ignore[reportPrivateUsage]  # it says which members are async
        has_no_twin = type(sync) in (IteratorWrapper, Prefetch)
        names = {cls.__name__.removeprefix("Async") for cls in type(twin).__mro__}
        if not has_no_twin and type(sync).__name__ not in names:
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
        text, name = repr(self._sync), type(self._sync).__name__
        return text.replace(f"<{name}", f"<{type(self._twin).__name__}", 1)

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


class _Awaitable(_AsAsync):
    def __await__(self) -> Generator[Any, Any, Any]:
        return run_sync(self._sync.page).__await__()


class _Iterable(_AsAsync):
    def __aiter__(self) -> Any:
        return _Iteration(iter(self._sync))


class _Iterator(_AsAsync):
    def __aiter__(self) -> Any:
        return self

    async def __anext__(self) -> Any:
        return await _next(self._sync)


class _Block(_AsAsync):
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


def _wrapped(sync: Wrapper[Any]) -> _AsAsync:
    """The object, with the operators of its async form alone."""
    twin = type(sync._async)  # pyright: ignore[reportPrivateUsage]  # as above
    return _class_for(*(name for name in ("__await__", "__aiter__", "__anext__", "__aenter__") if hasattr(twin, name)))(
        sync
    )


@cache
def _class_for(*operators: str) -> type[_AsAsync]:
    parts: list[type[_AsAsync]] = [_Iterator] if "__anext__" in operators else []
    parts += [] if parts or "__aiter__" not in operators else [_Iterable]
    parts += [_Awaitable] if "__await__" in operators else []
    parts += [_Block] if "__aenter__" in operators else []
    return type("_AsAsync", (*parts, _AsAsync), {})


async def _next(iterator: Iterator[Any]) -> Any:
    item = await run_sync(next, iterator, _END)
    if item is _END:
        raise StopAsyncIteration
    return item


def _argument(value: Any) -> Any:
    """What a sync method gets in place of an object of this module."""
    if isinstance(value, _AsAsync):
        return value._sync  # pyright: ignore[reportPrivateUsage]  # it is ours
    if isinstance(value, partial):
        return partial(_argument(value.func), *value.args, **value.keywords)
    wrapped = inspect.unwrap(value) if inspect.isfunction(value) else value
    return wrapped if isinstance(getattr(wrapped, "__self__", None), Wrapper) else value


def _result(value: Any) -> Any:
    """What a sync method returned. Nothing async may be left in it."""
    if isinstance(value, Wrapper):
        return _wrapped(cast("Wrapper[Any]", value))
    if (
        inspect.isawaitable(value)
        or isinstance(value, AbstractAsyncContextManager)
        or hasattr(type(value), "__aiter__")
    ):
        raise AssertionError(f"{value!r} is async")
    return value
