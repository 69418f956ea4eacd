"""Every exception can be pickled, is readable, and has the documented base classes."""

from __future__ import annotations

import copy
import pickle
import traceback
from collections.abc import Callable
from typing import Any

import pytest

import circleci_sdk
from circleci_sdk import (
    CallError,
    CircleCIError,
    DecodeError,
    FieldUnavailableError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
    RateLimit,
    RateLimitError,
    RequestTimeoutError,
    RunSkippedError,
    RunTimeoutError,
    StatusError,
    TransportError,
)
from circleci_sdk._core.errors import CallFacts, status_error_class

FACTS = CallFacts(
    operation="v2.jobs.get",
    method="GET",
    path="/api/v2/project/gh/acme/web/job/1",
    attempts=3,
    elapsed=1.25,
    retry_stop_reason="attempts_exhausted",
    request_outcome="unknown",
)
CLASSES = sorted(
    (
        value
        for name in circleci_sdk.__all__
        if isinstance(value := getattr(circleci_sdk, name), type) and issubclass(value, CircleCIError)
    ),
    key=lambda cls: cls.__name__,
)
KEEP: dict[str, Callable[[Any], Any]] = {
    **{f"pickle {p}": lambda error, p=p: pickle.loads(pickle.dumps(error, p)) for p in range(6)},
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
}


def make(cls: type[CircleCIError]) -> CircleCIError:
    """An error of this class with all attributes."""
    error: CircleCIError
    if issubclass(cls, StatusError):
        headers = {"X-Request-Id": "r-1", "Content-Type": "text/plain"}
        error = cls("It is gone", facts=FACTS, status=418, headers=headers, body=b"It is gone")
    elif issubclass(cls, DecodeError):
        error = cls("It does not fit", facts=FACTS, field="items.3", status=200, body=b"[1]")
    elif issubclass(cls, CallError):
        error = cls("It went wrong", facts=FACTS)
    elif issubclass(cls, FieldUnavailableError):
        error = cls("It went wrong", operation="v2.jobs.get", place="name", expected="string", received="null")
    else:
        error = cls("It went wrong")
    if isinstance(error, RateLimitError):
        error.retry_after = 2.5
        error.rate_limit = RateLimit(limit=10, remaining=0, reset=1.0)
    if isinstance(error, CallError):
        error.next = "token"
    error.add_note("a note")
    return error


def test_all_classes_are_covered() -> None:
    assert len(CLASSES) >= 24


@pytest.mark.parametrize("keep", KEEP.values(), ids=list(KEEP))
@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_survives_pickling_and_copying(cls: type[CircleCIError], keep: Callable[[Any], Any]) -> None:
    error = make(cls)
    kept = keep(error)
    assert type(kept) is cls
    assert kept.args == error.args
    assert vars(kept) == vars(error)
    assert (str(kept), repr(kept)) == (str(error), repr(error))
    assert kept.__notes__ == ["a note"]


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error_can_be_constructed(cls: type[CircleCIError]) -> None:
    for error in (cls(), cls("only words")):
        kept = pickle.loads(pickle.dumps(error))
        assert (type(kept), str(kept)) == (cls, str(error))
        if isinstance(error, CallError):
            assert (error.operation, error.attempts, error.request_outcome, error.next) == (None, 0, "not_sent", None)


@pytest.mark.parametrize("cls", CLASSES)
def test_only_errors_of_calls_have_the_attributes_of_a_call(cls: type[CircleCIError]) -> None:
    of_a_call = (TransportError, StatusError, DecodeError, PaginationError)
    assert issubclass(cls, CallError) == (cls is CallError or issubclass(cls, of_a_call))
    others = {FieldUnavailableError: "operation", RunSkippedError: "request_outcome"}
    for name in (*CallFacts.__slots__, "next"):
        expected = issubclass(cls, CallError) or others.get(cls) == name
        assert hasattr(make(cls), name) == expected, name


@pytest.mark.parametrize("cls", CLASSES)
def test_text_of_every_error(cls: type[CircleCIError]) -> None:
    error = make(cls)
    assert repr(error) == f"{cls.__name__}({str(error)!r})"
    assert cls.__doc__
    if isinstance(error, StatusError):
        assert str(error) == (
            "v2.jobs.get: 418 I'm a Teapot: It is gone "
            "(GET /api/v2/project/gh/acme/web/job/1, 3 attempts, 1.25 s, request id r-1)"
        )


def test_facts_are_attributes() -> None:
    error = make(TransportError)
    facts = {name: getattr(error, name) for name in CallFacts.__slots__}
    assert CallFacts(**facts) == FACTS


@pytest.mark.parametrize(
    ("cls", "base"),
    [(InvalidArgumentError, ValueError), (RequestTimeoutError, TimeoutError), (RunTimeoutError, TimeoutError)],
)
def test_errors_with_built_in_base_classes(cls: type[CircleCIError], base: type[Exception]) -> None:
    assert issubclass(cls, base)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        (301, "StatusError"),
        (304, "StatusError"),
        (400, "BadRequestError"),
        (401, "AuthenticationError"),
        (402, "StatusError"),
        (403, "PermissionDeniedError"),
        (404, "NotFoundError"),
        (405, "StatusError"),
        (408, "StatusError"),
        (409, "ConflictError"),
        (410, "GoneError"),
        (413, "StatusError"),
        (422, "UnprocessableEntityError"),
        (429, "RateLimitError"),
        (500, "ServerError"),
        (503, "ServerError"),
        (599, "ServerError"),
        (999, "ServerError"),
    ],
)
def test_statuses(status: int, name: str) -> None:
    assert status_error_class(status).__name__ == name


@pytest.mark.parametrize(
    ("attempts", "words"),
    [(0, "GET /x, not sent"), (1, "GET /x, 1 attempt, 0.50 s"), (2, "GET /x, 2 attempts, 0.50 s")],
)
def test_text_has_request_and_attempts(attempts: int, words: str) -> None:
    assert CallFacts("v2.x.y", "GET", "/x", attempts, 0.5).describe() == words


def test_bodies_with_secrets_are_not_pickled() -> None:
    for error in (
        NotFoundError("it is taken", facts=FACTS, status=404, body=b"hunter2", secret=True),
        DecodeError("does not fit", facts=FACTS, status=200, body=b"hunter2", secret=True),
    ):
        assert error.body == b"hunter2"
        for kept in (error, pickle.loads(pickle.dumps(error)), copy.deepcopy(error)):
            assert "hunter2" not in str(kept) + repr(kept) + str(kept.args)
        assert b"hunter2" not in pickle.dumps(error)
        again = pickle.loads(pickle.dumps(pickle.loads(pickle.dumps(error))))
        assert (again.body, again.operation) == (b"", "v2.jobs.get")


def test_hierarchy_in_the_docstring() -> None:
    import circleci_sdk
    from circleci_sdk._core import errors

    assert errors.__doc__ is not None
    drawn: dict[str, int] = {}
    for line in errors.__doc__.splitlines():
        name = line.strip(" │├└─").partition(" ")[0]
        if name.endswith("Error") and line.startswith("    "):
            drawn[name] = next(i for i, char in enumerate(line) if char.isalpha())
    parents: list[tuple[int, str]] = []
    for name, depth in drawn.items():
        while parents and parents[-1][0] >= depth:
            parents.pop()
        if parents:
            ancestors = [cls.__name__ for cls in getattr(circleci_sdk, name).__mro__]
            assert parents[-1][1] in ancestors
        parents.append((depth, name))
    assert set(drawn) == {cls.__name__ for cls in CLASSES}


def test_traceback_has_the_public_name() -> None:
    for cls in CLASSES:
        assert traceback.format_exception_only(cls("why"))[0].startswith(f"circleci_sdk.{cls.__name__}: ")

    class TheirError(CircleCIError): ...

    assert TheirError.__module__ == __name__
