"""Checks of arguments: what a parameter accepts as a value, and one sentence for all that it refuses.

    check("logs.failed", tail=(tail, or_none(at_least(0))), timeout=(timeout, TIMEOUT))

raises `InvalidArgumentError` with `logs.failed: tail: expected an int of at least 0 or None, got True.` The text quotes
no string unless its parameter is a choice: it may be a secret. `check_configuration` raises `ConfigError` and is for
what a client is configured with.

Nothing is read by its truth, and nothing is converted: `"false"` from a file of settings is no bool.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from datetime import datetime
from functools import partial
from inspect import isawaitable, iscoroutinefunction, isfunction, unwrap
from math import inf, isfinite
from typing import Any, Final, TypeGuard, TypeVar, cast

from .errors import CircleCIError, ConfigError, InvalidArgumentError
from .unset import UNSET

T = TypeVar("T")
MOST: Final = 2**63 - 1
"""The largest count: collections of the interpreter take no larger one as their size."""
_PRINTABLE: Final = 10**640
"""The least int that a Python may refuse to convert to a string, by `sys.set_int_max_str_digits`."""


class Accepted:
    """The values that a parameter accepts. `quotes` admits a refused string to the text of the error."""

    __slots__ = ("admits", "noun", "quotes", "remedy")

    def __init__(self, noun: str, admits: Callable[[object], bool], remedy: str = "", *, quotes: bool = False) -> None:
        self.noun: str = noun
        self.admits: Callable[[object], bool] = admits
        self.remedy: str = remedy
        self.quotes: bool = quotes


def check(method: str, /, **arguments: tuple[object, Accepted]) -> None:
    """Raise `InvalidArgumentError` for the first argument that is not accepted."""
    _check(InvalidArgumentError, f"{method}: ", arguments)


def check_configuration(place: str = "", /, **arguments: tuple[object, Accepted]) -> None:
    """Raise `ConfigError` for the first argument that is not accepted."""
    _check(ConfigError, f"{place}: " if place else "", arguments)


def _check(error: type[CircleCIError], place: str, arguments: Mapping[str, tuple[object, Accepted]]) -> None:
    for name, (value, accepted) in arguments.items():
        if not accepted.admits(value):
            shown = got(value, quotes=accepted.quotes)
            raise error(f"{place}{name}: expected {accepted.noun}, got {shown}.{accepted.remedy}")


def got(value: object, *, quotes: bool = False) -> str:
    """A refused value in an error text: its type, and what is certainly no secret."""
    if value is None or isinstance(value, bool | float):
        return repr(value)
    if isinstance(value, int):
        if abs(value) <= MOST:
            return repr(int(value))
        return "an int above 2^63 - 1" if value > 0 else "an int below -2^63 + 1"  # a long one has no `repr`
    if isinstance(value, str):
        return ascii(value[:80]) if quotes else "str" if value else "an empty str"
    if isinstance(value, datetime) and value.utcoffset() is None:
        return "one without"
    if isinstance(value, type):
        return f"the class {value.__name__}"
    if callable(value):
        return "an async function" if is_async(value) else "a plain function"
    return type(value).__name__


def is_text(value: object) -> TypeGuard[str]:
    """Whether it is a string, at run time too."""
    return isinstance(value, str)


def is_number(value: object) -> TypeGuard[float]:
    """Whether it is a finite int or float, and no bool."""
    try:
        return isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    except OverflowError:  # an int above all floats
        return False


def is_count(value: object, *, least: int) -> TypeGuard[int]:
    """Whether it is an integer (not a bool) from `least` up to `MOST`, at run time too."""
    return isinstance(value, int) and not isinstance(value, bool) and least <= value <= MOST


def is_printable(value: int) -> bool:
    """Whether each Python converts this int to a string."""
    return abs(value) < _PRINTABLE


def is_async(value: object) -> bool:
    """Whether it is an async function, or an object with an async `__call__`; also in a `partial` or a decorator."""
    while isinstance(value, partial):
        value = value.func  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]  # a partial of anything
    if not callable(value) or isinstance(value, type):
        return False
    return any(map(iscoroutinefunction, (value, unwrap(value), type(value).__call__)))


def may_be_async(value: object) -> bool:
    """Whether it is an async function, or may return an awaitable: a lambda, or by its annotation."""
    if is_async(value):
        return True
    function = getattr(value, "__func__", value)
    if not callable(value) or not isfunction(function):
        return False
    returns = str(function.__annotations__.get("return", ""))
    return function.__name__ == "<lambda>" or any(
        name in returns for name in ("Awaitable", "Coroutine", "Future", "Any")
    )


def awaitable(name: str, value: Awaitable[T]) -> Awaitable[T]:
    """What a function of the user has returned, to be awaited; `ConfigError` for a lambda that returns a value."""
    if not isawaitable(value):
        raise ConfigError(f"{name}: expected an async function, got one that returned {type(value).__name__}.")
    return value


BOOL: Final = Accepted("True or False", lambda value: isinstance(value, bool))
STR: Final = Accepted("str", is_text)
TEXT: Final = Accepted("a non-empty str", lambda value: is_text(value) and value != "")
FILTER: Final = Accepted(
    "a non-empty str",
    lambda value: value is UNSET or TEXT.admits(value),
    " Leave it out, or pass UNSET, for no filter.",
)
SECONDS: Final = Accepted("seconds above 0", lambda value: is_number(value) and value > 0)
TIMEOUT: Final = Accepted("seconds above 0 or None", lambda value: value is None or SECONDS.admits(value))
MAPPING: Final = Accepted("a mapping", lambda value: isinstance(value, Mapping))
ASYNC_FUNCTION: Final = Accepted("an async function", may_be_async)
PLAIN_FUNCTION: Final = Accepted("a plain function", lambda value: callable(value) and not is_async(value))
AWARE: Final = Accepted(
    "a datetime with a time zone", lambda value: isinstance(value, datetime) and value.utcoffset() is not None
)


def or_none(accepted: Accepted) -> Accepted:
    """The same, or None."""
    return Accepted(
        f"{accepted.noun} or None",
        lambda value: value is None or accepted.admits(value),
        accepted.remedy,
        quotes=accepted.quotes,
    )


def at_least(least: int, most: int | None = None) -> Accepted:
    """An integer from `least` up to `MOST`, or up to `most`."""
    noun = f"an int of at least {least}" if most is None else f"an int from {least} to {most}"
    return Accepted(noun, lambda value: is_count(value, least=least) and (most is None or value <= most))


def number(*, least: float = -inf, most: float = inf, noun: str = "") -> Accepted:
    """A finite number."""
    return Accepted(
        noun or f"a number of at least {least:g}", lambda value: is_number(value) and least <= value <= most
    )


def one_of(*values: str) -> Accepted:
    """One of these strings."""
    return Accepted(f"one of {', '.join(values)}", lambda value: is_text(value) and value in values, quotes=True)


def instance(noun: str, *types: type[Any]) -> Accepted:
    """An object of one of these classes."""
    return Accepted(noun, lambda value: isinstance(value, types) and not isinstance(value, type))


def methods(noun: str, *names: str) -> Accepted:
    """An object with these async methods."""
    return Accepted(
        noun,
        lambda value: not isinstance(value, type) and all(may_be_async(getattr(value, name, None)) for name in names),
    )


def several(noun: str, item: Accepted, *, in_order: bool = True) -> Accepted:
    """A sequence, or else any collection, of such items. A string is none, nor is what can be read only once."""
    kind = Sequence if in_order else Collection

    def admits(value: object) -> bool:
        items = cast("Any", value)
        fits = isinstance(value, kind) and not isinstance(value, str | bytes | bytearray | memoryview)
        return fits and all(map(item.admits, items))

    return Accepted(noun, admits)
