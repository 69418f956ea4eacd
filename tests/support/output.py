"""Collects all that the SDK says: errors with their attributes, causes, frames and pickles."""

from __future__ import annotations

import pickle
import traceback
from collections.abc import Collection
from dataclasses import dataclass, field

import httpx

from circleci_sdk._core.causes import with_causes


@dataclass
class Said:
    """All output, each part with its origin. `test` is the file of the test, whose frames are not searched."""

    hidden: Collection[str]
    test: str
    raw: bool = False
    """Whether the body of a response is searched too, which is available by name."""
    pieces: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])

    def add(self, where: str, *values: object) -> None:
        for value in values:
            self.pieces += ((where, str(value)), (where, repr(value)))

    def error(self, error: BaseException) -> None:
        for one in with_causes(error):
            where = type(one).__name__
            self.add(f"{where} itself", one, one.args)
            for name, value in vars(one).items():
                if name != "body" or self.raw:
                    self.add(f"{where}.{name}", value, getattr(value, "__dict__", None))
            request = getattr(one, "_request", None)
            if isinstance(request, httpx.Request):
                self.add(f"{where}.request", request.headers.raw, request.content, request.extensions)
            self.add(f"{where} pickled", picklable(one))
            self.frames(one)

    def frames(self, error: BaseException) -> None:
        """The frames below this file; those above belong to the caller."""
        for frame in traceback.StackSummary.extract(traceback.walk_tb(error.__traceback__), capture_locals=True):
            if frame.filename != self.test:
                for name, text in (frame.locals or {}).items():
                    self.pieces.append((f"{frame.filename}:{frame.lineno} {frame.name}: {name}", text))

    def leaks(self) -> list[tuple[str, str]]:
        return [(where, secret) for where, text in self.pieces for secret in self.hidden if secret in text]


def picklable(value: object) -> bytes:
    try:
        return pickle.dumps(value)
    except (TypeError, AttributeError, pickle.PicklingError):
        return b""
