"""What an attack is made of: kinds of faults, the promises that hold under each, and what a failed call may be."""

from __future__ import annotations

import base64
import importlib
import pickle
import pkgutil
import random
import traceback
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeAlias

from circleci_sdk import CircleCIError
from tests.support.clients import TOKEN

Promise: TypeAlias = Literal[
    "raw exception", "lost slot", "doubled POST", "lost delivery", "token shown", "half file", "hang", "wrong result"
]
"""What no try may show."""

SPELLINGS: Final = (
    TOKEN,
    base64.b64encode(f"{TOKEN}:".encode()).decode().rstrip("="),
    base64.b64encode(f":{TOKEN}".encode()).decode().rstrip("="),
)
"""The token, and as HTTP Basic sends it."""


class Broken(AssertionError):  # noqa: N818 - like an assertion, not caught as an error
    """A promise did not hold in one try."""

    def __init__(self, promise: Promise, text: str) -> None:
        super().__init__(f"{promise}: {text}")
        self.promise = promise


@dataclass(frozen=True, slots=True)
class Kind:
    """A class of faults. `attempt` makes one try with random members of the class and says what happened."""

    fault: str
    attempt: Callable[[random.Random], Awaitable[str]]
    tries: int
    """How many the session `attack` makes on each of asyncio and trio, if there is time."""
    samples: int
    """How many the tests make on each."""


def what_happened(error: Exception) -> str:
    """The name of a documented exception that says no token."""
    if not isinstance(error, CircleCIError):
        raise Broken("raw exception", repr(error)) from error
    shown = [str(error), repr(error), "".join(traceback.format_exception(error))]
    with suppress(Exception):
        shown.append(pickle.dumps(error).decode("latin-1"))
    for text in shown:
        no_token(text, "an exception")
    return type(error).__name__


async def outcome_of(call: Awaitable[object]) -> str:
    """`result`, or the name of the documented exception that the call raised."""
    try:
        await call
    except Exception as error:  # Each that is not documented is a broken promise.
        return what_happened(error)
    return "result"


def no_token(text: str, place: str) -> None:
    """Raise `Broken` if the string contains the token."""
    if any(spelling in text for spelling in SPELLINGS):
        raise Broken("token shown", f"in {place}: {text[:200]}")


def all_kinds() -> list[Kind]:
    """The kinds of every module beside this one, in the order of their names."""
    return [kind for module in _modules() for kind in importlib.import_module(f"tests.attack.{module}").KINDS]


def chosen(words: Sequence[str]) -> list[Kind]:
    """The kinds whose names contain one of these words, in upper or lower case; all without words."""
    return [kind for kind in all_kinds() if any(word.lower() in kind.fault.lower() for word in words or [""])]


def _modules() -> Iterator[str]:
    for module in pkgutil.iter_modules([str(Path(__file__).parent)]):
        if module.name not in {"kinds", "tries", "table", "__main__"} and not module.name.startswith("test_"):
            yield module.name
