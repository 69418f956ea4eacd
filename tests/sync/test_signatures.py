"""The sync client has every member of the async one, with equal parameters, sync types and docstrings of sync code."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager
from functools import cached_property
from typing import Any, Final, cast, get_args, get_origin

import pytest

import circleci_sdk.v1
import circleci_sdk.v2
import circleci_sdk.v3
from circleci_sdk import AsyncCircleCI, AsyncPager, CircleCI, Pager, RateLimiter, sync
from circleci_sdk._engine.wrapper import BlockWrapper, IteratorWrapper, PagerWrapper, Prefetch
from circleci_sdk.helpers import DownloadReport, RunJob, RunResult, StepLog
from circleci_sdk.sync import SyncHook, SyncRateLimiter, SyncTokenSource
from tests.support.every_argument import hints_of
from tests.support.sync_classes import (
    FUNCTIONS,
    RENAMED,
    SYNC_OF,
    overloads_of,
    public_members,
    sync_form,
    value_type,
)

CLASSES: Final = sorted(SYNC_OF, key=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
OF_BASE: Final = {"page"}
"""Members that async classes have as an operator: `await pager`."""
ASYNC_WORDS: Final = re.compile(r"\bawait\b(?!`)|\basync\b(?! ones)|\baclose\b|(?<!httpx\.)\bAsync")
"""A docstring may say that a function may be async, and what the client is without: `await`."""


def members(cls: Any) -> list[tuple[str, Any, Any]]:
    """The members of an async class by their names in the sync class, with those of the latter."""
    others = public_members(SYNC_OF[cls])
    return [(name, member, others.get(RENAMED.get(name, name))) for name, member in public_members(cls).items()]


def parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any, Any]]:
    """Name, kind, type and default of the parameters after the first."""
    hints = hints_of(function)
    _, *found = inspect.signature(function).parameters.values()
    return [(one.name, one.kind, hints.get(one.name), one.default) for one in found]


def expected_parameters(function: Callable[..., Any]) -> list[tuple[str, Any, Any, Any]]:
    return [
        (name, kind, hint | SyncRateLimiter if hint == RateLimiter | None else sync_form(hint), default)
        for name, kind, hint, default in parameters(function)
    ]


def assert_same(function: Callable[..., Any], form: Callable[..., Any]) -> None:
    """The signatures are equal, overloads included, but for the types that have a sync form."""
    for one, other in zip(overloads_of(function), overloads_of(form), strict=True):
        assert parameters(other) == expected_parameters(one)
        assert hints_of(other)["return"] == sync_form(hints_of(one)["return"])
        assert not inspect.iscoroutinefunction(other)
        assert getattr(other, "__deprecated__", None) == getattr(one, "__deprecated__", None)


def test_every_operation_and_helper_has_a_sync_form() -> None:
    apis: dict[str, tuple[Any, Any]] = {
        "v1": (circleci_sdk.v1, sync.V1),
        "v2": (circleci_sdk.v2, sync.V2),
        "v3": (circleci_sdk.v3, sync.V3),
    }
    for name, (module, client) in apis.items():
        found = {
            f"{resource}.{method}"
            for resource, member in public_members(client).items()
            for method in public_members(value_type(member))
        }
        assert found == {entry.python_name for entry in module.OPERATIONS.values()}, name
    helpers = {value_type(one) for one in public_members(CircleCI).values() if isinstance(one, cached_property)}
    assert helpers <= set(SYNC_OF.values())


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
def test_members_are_equal(cls: Any) -> None:
    listed = members(cls)
    extra = public_members(SYNC_OF[cls]).keys() - {RENAMED.get(name, name) for name, _, _ in listed}
    assert extra == (OF_BASE if cls is AsyncPager else set())
    for name, member, other in listed:
        assert other is not None, name
        hint = value_type(member)
        if hint is not None:
            assert value_type(other) == sync_form(hint), name
        elif name != "raw_response":
            assert_same(member, other)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.__name__)
def test_functions_are_equal(function: Callable[..., Any]) -> None:
    assert_same(function, FUNCTIONS[function])
    assert not ASYNC_WORDS.search(inspect.getdoc(FUNCTIONS[function]) or "await")


def test_constructors_are_equal() -> None:
    assert parameters(CircleCI.__init__) == expected_parameters(AsyncCircleCI.__init__)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: f"{cls.__module__}.{cls.__qualname__}")
def test_docstrings_are_those_of_sync_code(cls: Any) -> None:
    texts = {cls.__name__: (inspect.getdoc(cls), inspect.getdoc(SYNC_OF[cls]))}
    texts |= {
        name: (inspect.getdoc(one), inspect.getdoc(other))
        for name, one, other in members(cls)
        if inspect.isfunction(one) or isinstance(one, property)
    }
    for name, (text, form) in texts.items():
        if text:
            assert form, name
            assert not (found := ASYNC_WORDS.search(form)), f"{name}: {found}"


# ---- nothing async in the types ----

DUNDERS: Final = ("__enter__", "__iter__", "__next__")
OF_HTTPX: Final = {"http_client", "transport"}
"""Arguments of the client that are httpx's async ones: the connections belong to the event loop."""


def parts_of(hint: Any) -> Iterator[Any]:
    """All types in a type."""
    yield hint
    for part in (*get_args(hint), get_origin(hint)):
        if isinstance(part, list):
            for one in cast("list[Any]", part):
                yield from parts_of(one)
        elif part is not None:
            yield from parts_of(part)


def is_async(hint: Any) -> bool:
    """Whether a type stands for what only async code can use, or for a class that has a sync form."""
    return hint in CLASSES or any(hasattr(hint, name) for name in ("__await__", "__aiter__", "__anext__", "__aenter__"))


def async_hints(cls: Any) -> Iterator[str]:
    """The places of the async types of a sync class. A callback may be async, and return anything then."""
    named = {name: getattr(cls, name) for name in DUNDERS if hasattr(cls, name)}
    for name, member in (public_members(cls) | named | {"__init__": cls.__init__}).items():
        function = getattr(member, "fget", None) or getattr(member, "func", None) or member
        if not inspect.isfunction(function) or (name == "__init__" and cls is not CircleCI):
            continue
        for function_of in overloads_of(function):
            for argument, hint in hints_of(function_of).items():
                own = () if argument == "return" else (SyncHook, SyncTokenSource, RateLimiter)
                found = [one for one in parts_of(hint) if is_async(one)]
                if found and argument not in OF_HTTPX and not any(one in own for one in parts_of(hint)):
                    yield f"{cls.__name__}.{name}: {argument}: {found}"


def test_nothing_async_is_in_the_types() -> None:
    classes = (*SYNC_OF.values(), PagerWrapper, BlockWrapper, IteratorWrapper, Prefetch)
    assert [line for cls in classes for line in async_hints(cls)] == []


def held_types(hint: Any, seen: set[Any]) -> Iterator[Any]:
    """All types in a type, and in the fields of the dataclasses of this package in it."""
    for part in parts_of(hint):
        yield part
        if dataclasses.is_dataclass(part) and part not in seen:
            seen.add(part)
            for member in public_members(part).values():
                if (held := value_type(member)) is not None:
                    yield from held_types(held, seen)


def test_no_result_holds_what_is_async() -> None:
    """A helper that returns an object with a `Run` in it would return the async one."""
    seen: set[Any] = set()
    found: list[str] = []
    for cls in SYNC_OF.values():
        for name, member in public_members(cls).items():
            result = value_type(member) or hints_of(member)["return"]
            found += [f"{cls.__name__}.{name}: {held}" for held in held_types(result, seen) if is_async(held)]
    assert found == []
    assert {RunResult, RunJob, StepLog, DownloadReport} <= seen


def test_async_types_are_found() -> None:
    class Leaking:
        __module__ = "circleci_sdk.leaking"

        def coroutine(self) -> Coroutine[Any, Any, int]: ...
        def nested(self) -> dict[str, list[AsyncIterator[int]]]: ...
        def callback(self, function: Callable[[int], Awaitable[int]]) -> None: ...
        def pager(self) -> AsyncPager[int]: ...
        @property
        def block(self) -> AbstractAsyncContextManager[int]: ...
        def fine(self, function: Callable[[int], int]) -> Pager[int]: ...

    assert [line.split(":")[0].removeprefix("Leaking.") for line in async_hints(Leaking)] == [
        *("coroutine", "nested", "callback", "pager", "block")
    ]
    holding: Any = dataclasses.make_dataclass("Holding", [("pager", AsyncPager[int])])
    holding.__module__ = "circleci_sdk.holding"
    assert [one for one in held_types(list[holding], set()) if is_async(one)]
