"""Attacks on arguments: random values of any type for any argument of the public API."""

from __future__ import annotations

import math
import random
import socket
import warnings
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final
from uuid import UUID

import anyio

from circleci_sdk import AsyncCircleCI, ConfigError, InvalidArgumentError
from circleci_sdk.webhooks import SignatureError
from tests.attack.kinds import Broken, Kind, what_happened
from tests.support.clients import client_on
from tests.support.every_argument import AREAS, Target, admits, nothing, outcome, plain, targets


def value_of_any_type(rng: random.Random, depth: int = 0) -> Any:
    """A random value: of plain types, of collections of them, of functions, and numbers at the edges."""
    makers: list[Callable[[], Any]] = [
        lambda: rng.choice([None, True, False, ...]),
        lambda: rng.choice([0, -1, 2**31, 2**63, 2**64, -(10**400), 10**5000]),
        lambda: rng.choice([math.nan, math.inf, -math.inf, -0.0, 1e308, 5e-324]),
        lambda: rng.choice(["", " ", "true", "false", "5", "None", "../..", "a/b", "\ud800", "\0", "\x1b[2J"]),
        lambda: rng.choice([b"", b"token", bytearray(b"x"), memoryview(b"x")]),
        lambda: rng.choice([datetime(2026, 1, 1), datetime.min, datetime.max]),  # noqa: DTZ001, DTZ901  # what is refused
        lambda: rng.choice([Path(), UUID(int=rng.getrandbits(128)), timedelta(1), complex(1, 2), range(3)]),
        lambda: rng.choice([plain, nothing, int, AsyncCircleCI, partial(nothing), partial(plain), object(), object]),
        lambda: iter([1]),
    ]
    if depth < 3:
        inner = partial(value_of_any_type, rng, depth + 1)
        makers += [
            lambda: [inner() for _ in range(rng.randrange(3))],
            lambda: tuple(inner() for _ in range(rng.randrange(3))),
            lambda: {rng.choice(["a", "", 5, None, b"b"]): inner() for _ in range(rng.randrange(3))},
        ]
    return rng.choice(makers)()


@cache
def _listener() -> socket.socket:
    """A socket that accepts nothing: a connection that waits there is a request that somebody wanted to send."""
    listener = socket.create_server(("127.0.0.1", 0))
    listener.setblocking(False)
    return listener


@cache
def _targets() -> tuple[Target, ...]:
    url = f"http://127.0.0.1:{_listener().getsockname()[1]}"
    with TemporaryDirectory() as folder:
        client = client_on(url, max_retries=0)
        return tuple(one for area in AREAS for one in targets(client, Path(folder) / "none", area))


async def wrong_argument(rng: random.Random) -> str:
    """One argument of one public callable gets a value that its annotation does not admit."""
    target = rng.choice(_targets())
    checked = [name for name, annotation in target.parameters.items() if not admits(annotation, object())]
    if not checked:
        return "takes anything"
    name = rng.choice(checked)
    value = value_of_any_type(rng)
    while admits(target.parameters[name], value):
        value = value_of_any_type(rng)
    place = f"{target}: {name}: {type(value).__name__}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            with anyio.fail_after(5):
                found = await outcome(partial(target.with_value, name, value))
        except TimeoutError:
            raise Broken("hang", place) from None
    with suppress(BlockingIOError):
        _listener().accept()[0].close()
        raise Broken("wrong result", f"{place}: a request was sent")
    if isinstance(found, str):
        raise Broken("wrong result", f"{place}: {found}")
    if not isinstance(found, ConfigError | InvalidArgumentError | SignatureError):  # headers without a signature
        raise Broken("raw exception", f"{place}: {found!r}") from found
    return what_happened(found)


KINDS: Final = (Kind("An argument of a wrong type", wrong_argument, tries=20_000, samples=20),)
