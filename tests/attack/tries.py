"""Make tries of kinds of faults, each with its own seed, and watch what every logger says meanwhile."""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import anyio

from tests.attack.kinds import Broken, Kind, chosen, no_token

PARTS: Final = 50
"""The tries of a kind are made in this many parts, so that each kind got its share when time is over.

The parts follow one another: the tries that the tests make are among the first.
"""
LONGEST: Final = 120
"""Seconds after which a try counts as hanging."""


@dataclass(slots=True)
class Seen:
    """What happened in the tries of one kind."""

    outcomes: Counter[str] = field(default_factory=Counter[str])
    broken: list[str] = field(default_factory=list[str])

    @property
    def tries(self) -> int:
        return self.outcomes.total() + len(self.broken)

    def add(self, other: Seen) -> None:
        self.outcomes += other.outcomes
        self.broken += other.broken


def one_try(kind: Kind, backend: str, seed: int, index: int) -> str:
    """What happened in this try, which is the same each time but for the order of events on the network."""
    rng = random.Random(f"{seed} {kind.fault} {index}")

    async def bounded() -> str:
        with anyio.move_on_after(LONGEST):
            return await kind.attempt(rng)
        raise Broken("hang", f"a try is not over after {LONGEST} s")

    with _watched_logs() as logs:
        try:
            outcome = anyio.run(bounded, backend=backend)
        except Broken:
            raise
        except Exception as error:
            raise Broken("raw exception", repr(error)) from error
    for record in logs:
        _check(record)
    return outcome


def make_tries(kinds: Sequence[Kind], backend: str, seed: int, until: float) -> dict[str, Seen]:
    """All tries of these kinds, or those that were over at this time of the monotonic clock."""
    seen = {kind.fault: Seen() for kind in kinds}
    for part in range(PARTS):
        for kind in kinds:
            for index in range(part * kind.tries // PARTS, (part + 1) * kind.tries // PARTS):
                if time.monotonic() > until:
                    return seen
                try:
                    outcome = one_try(kind, backend, seed, index)
                except Broken as broken:
                    seen[kind.fault].broken.append(f"{kind.fault}, {backend}, seed {seed}, try {index}: {broken}")
                else:
                    seen[kind.fault].outcomes[outcome] += 1
    return seen


def tries_of(words: Sequence[str], backend: str, seed: int, until: float) -> dict[str, Seen]:
    """The same for the kinds of these words, in a process of its own: kinds hold functions, which no pickle holds."""
    return make_tries(chosen(words), backend, seed, until)


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.records: list[logging.LogRecord] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)


@contextmanager
def _watched_logs() -> Generator[list[logging.LogRecord]]:
    root, handler = logging.getLogger(), _Records()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    try:
        yield handler.records
    finally:
        root.removeHandler(handler)
        root.setLevel(before)


_FORMAT: Final = logging.Formatter()


def _check(record: logging.LogRecord) -> None:
    text = _FORMAT.format(record)
    no_token(text, f"a record of the logger {record.name}")
    # asyncio reports here the exceptions of tasks that are not awaited.
    if record.name == "asyncio" and record.levelno >= logging.ERROR:
        raise Broken("raw exception", text)
