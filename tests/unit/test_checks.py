"""What parameters accept, kind by kind, and the sentence for all that they refuse."""

from __future__ import annotations

from collections import deque
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial, wraps
from typing import Any, Final, cast

import pytest

from circleci_sdk import UNSET, ConfigError, InvalidArgumentError
from circleci_sdk._core.checks import (
    ASYNC_FUNCTION,
    AWARE,
    BOOL,
    FILTER,
    MAPPING,
    MOST,
    PLAIN_FUNCTION,
    SECONDS,
    STR,
    TEXT,
    TIMEOUT,
    Accepted,
    at_least,
    awaitable,
    check,
    check_configuration,
    got,
    instance,
    is_async,
    may_be_async,
    methods,
    number,
    one_of,
    or_none,
    several,
)

NAN, INF, HUGE = float("nan"), float("inf"), 10**400


class WithoutOffset(tzinfo):
    """A time zone that knows no offset."""

    def utcoffset(self, dt: datetime | None, /) -> timedelta | None:
        return None


class Endless:
    """Has each attribute, made on demand."""

    def __getattr__(self, name: str) -> Endless:
        return Endless()


class Called:
    async def __call__(self) -> None: ...


class Store:
    async def load(self) -> None: ...

    async def save(self) -> None: ...


class Half:
    async def load(self) -> None: ...

    def save(self) -> None: ...


async def function() -> None: ...


def plain() -> None: ...


def future() -> Any: ...


@wraps(function)
def wrapper() -> object:
    return function()


NOW: Final = datetime(2026, 1, 1)  # noqa: DTZ001  # refused
AT_SEA: Final = datetime(2026, 1, 1, tzinfo=WithoutOffset())
LAMBDA: Final = lambda: function()  # noqa: E731  # a lambda is refused
ASYNC: Final = [function, partial(function), partial(partial(function)), Called(), wrapper]

KINDS: Final[list[tuple[str, Accepted, list[Any], list[Any]]]] = [
    ("bool", BOOL, [True, False], [1, 0, None, "true"]),
    ("str", STR, ["", "a"], [b"a", None, 1]),
    ("text", TEXT, ["a"], ["", b"a", None]),
    ("filter", FILTER, ["a", UNSET], ["", None, 1]),
    ("seconds", SECONDS, [0.1, 1], [0, -1, True, NAN, INF, HUGE, "1", None]),
    ("timeout", TIMEOUT, [0.1, 1, None], [0, True, NAN, "1"]),
    ("mapping", MAPPING, [{}], [[], None]),
    ("async", ASYNC_FUNCTION, [*ASYNC, LAMBDA, future], [plain, Called, None, Endless(), "x"]),
    ("plain", PLAIN_FUNCTION, [plain, LAMBDA, Called], [*ASYNC, None]),
    ("aware", AWARE, [datetime(2026, 1, 1, tzinfo=UTC)], [NOW, AT_SEA, NOW.date(), None]),
    ("or none", or_none(STR), ["", None], [1, False]),
    ("from 1", at_least(1), [1, MOST], [0, MOST + 1, True, 1.0, "1", None]),
    ("from 1 to 3", at_least(1, 3), [1, 3], [0, 4, True, 2.0]),
    ("a number", number(), [-1, 0.5], [True, NAN, INF, HUGE, "1", None]),
    ("from 0 to 1", number(least=0, most=1), [0, 0.5, 1], [-0.1, 1.1, True, NAN]),
    ("one of", one_of("a", "b"), ["a", "b"], ["c", "", None, ["a"]]),
    ("instance", instance("a store", Store), [Store()], [Store, Half(), None]),
    ("methods", methods("a store", "load", "save"), [Store()], [Store, Half(), None]),
    ("sequence", several("a list", STR), [[], ["a"], ("a",)], ["a", b"a", bytearray(), memoryview(b""), {"a"}, [1], 5]),
    (
        "any order",
        several("a set", STR, in_order=False),
        [{"a"}, ["a"], deque("a")],
        ["a", iter("a"), {1}, ["a", 1], 5],
    ),
]


@pytest.mark.parametrize(("accepted", "good", "bad"), [kind[1:] for kind in KINDS], ids=[kind[0] for kind in KINDS])
def test_kinds(accepted: Accepted, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        check("method", name=(value, accepted))
    for value in bad:
        with pytest.raises(InvalidArgumentError, match=r"^method: name: expected .*, got .*\."):
            check("method", name=(value, accepted))


@pytest.mark.parametrize("value", ASYNC, ids=range(len(ASYNC)))
def test_async_functions(value: object) -> None:
    assert is_async(value)
    assert may_be_async(value)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "None"),
        (True, "True"),
        (-5, "-5"),
        (MOST, str(MOST)),
        (MOST + 1, "an int above 2^63 - 1"),
        (-MOST - 1, "an int below -2^63 + 1"),
        ("secret", "str"),
        ("", "an empty str"),
        (NOW, "one without"),
        (AT_SEA, "one without"),
        (datetime(2026, 1, 1, tzinfo=UTC), "datetime"),
        (Store, "the class Store"),
        (function, "an async function"),
        (plain, "a plain function"),
        ([1], "list"),
    ],
    ids=range(15),
)
def test_what_was_refused(value: object, shown: str) -> None:
    assert got(value) == shown


def test_a_choice_is_quoted_and_nothing_else() -> None:
    assert got("é" * 90, quotes=True) == ascii("é" * 80)
    with pytest.raises(ConfigError, match=r"^place: auth: expected one of a, b, got 'c'\.$"):
        check_configuration("place", auth=("c", one_of("a", "b")))
    with pytest.raises(ConfigError, match=r"^auth: expected one of a, b or None, got 'c'\.$"):
        check_configuration(auth=("c", or_none(one_of("a", "b"))))
    with pytest.raises(ConfigError, match=r"^token: expected str, got 5\.$"):
        check_configuration(token=(5, STR))


async def test_what_a_function_returned_is_awaited() -> None:
    await awaitable("auth", function())
    with pytest.raises(ConfigError, match="auth: expected an async function, got one that returned int"):
        awaitable("auth", cast("Any", 5))
