"""Which failures of its reads a wait passes over: sequences of failures. No I/O, no sleeping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import (
    AuthenticationError,
    BadRequestError,
    CircleCIError,
    DecodeError,
    FieldUnavailableError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    ServerError,
    TransportError,
)
from circleci_sdk._core.errors import CallFacts
from circleci_sdk.helpers.runs.read_failures import MAX_CONSECUTIVE_FAILURES, MAX_FAILURE_TIME, ReadFailures

FACTS: Final = CallFacts("v2.pipelines.get", "GET", "", retry_stop_reason="not_retryable", request_outcome="processed")
ERRORS: Final[dict[str, Callable[[], CircleCIError]]] = {
    "401": lambda: AuthenticationError("401", facts=FACTS, status=401),
    "403": lambda: PermissionDeniedError("403", facts=FACTS, status=403),
    "404": lambda: NotFoundError("404", facts=FACTS, status=404),
    "500": lambda: ServerError("500", facts=FACTS, status=500),
    "html": lambda: DecodeError("HTML", facts=FACTS),
    "token": lambda: PaginationError("a page token that cannot be read", facts=FACTS),
    "lost": lambda: TransportError("lost", facts=FACTS),
    "gap": lambda: FieldUnavailableError("a gap"),
    "400": lambda: BadRequestError("400", facts=FACTS, status=400),
}
PASSED: Final = ("401", "403", "404", "500", "html", "token", "lost", "gap")


def raised_at(steps: Sequence[str], seconds: float = 1.0, not_found_delay: float = 10.0) -> int | None:
    """The number of the step whose error is raised, from 1. Each is a failure of `pipeline`, or `read: failure`.

    `ok` is a success of the read; `polled` one of all reads. The first look was a success.
    """
    failures = ReadFailures(not_found_delay)
    for number, step in enumerate(steps, 1):
        read, _, what = step.rpartition(": ")
        if what == "ok":
            failures.read(read or "pipeline")
        elif what == "polled":
            failures.polled()
        elif failures.pause(read or "pipeline", ERRORS[what](), number * seconds, first=False, chance=0.5) is None:
            return number
    return None


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        (["401"] * 5, 3),
        (["403"] * 5, 3),
        (["html"] * 5, 3),
        (["token"] * 5, 3),
        (["401", "403", "html"], 3),
        (["401", "401", "ok", "401", "401", "ok", "401"], None),
        (["401", "401", "500", "401", "401", "lost", "401"], None),
        (["401", "401", "gap", "401", "401"], None),
        (["401", "404", "401", "404", "401"], 5),
        # Each read has a row of its own: what ends one is a success of the same read.
        (["jobs: 401", "workflows: 401", "jobs: 401", "workflows: 401", "jobs: 401"], 5),
        (["pipeline: 401", "workflows: ok", "pipeline: 401", "workflows: ok", "pipeline: 401"], 5),
        (["workflows: ok", "jobs: 403", "workflows: ok", "jobs: 403", "workflows: ok", "jobs: 403"], 6),
        (["400"], 1),
        (["404"] * 20, 12),
        (["404"] * 8 + ["polled"] + ["404"] * 8, None),
        (["500"] * 50, None),
    ],
)
def test_rows(steps: list[str], expected: int | None) -> None:
    assert raised_at(steps) == expected


@pytest.mark.parametrize("name", ["401", "403", "html", "token"])
def test_the_first_look_passes_over_no_refusal(name: str) -> None:
    assert ReadFailures(10.0).pause("pipeline", ERRORS[name](), 0.0, first=True, chance=0.5) is None


@pytest.mark.parametrize("name", ["404", "500", "lost", "gap"])
def test_the_first_look_passes_over_other_failures(name: str) -> None:
    assert ReadFailures(10.0).pause("pipeline", ERRORS[name](), 0.0, first=True, chance=0.5) is not None


@given(st.lists(st.sampled_from(PASSED), min_size=1, max_size=6))
def test_every_mixture_of_failures_of_one_read_ends(cycle: list[str]) -> None:
    """However it is mixed: after a minute of 404, 3 refusals in a row, or 8 failures that span 5 minutes."""
    steps = cycle * 60
    found = raised_at(steps, seconds=10.0, not_found_delay=60.0)
    assert found is not None
    assert found <= len(cycle) * (max(MAX_CONSECUTIVE_FAILURES, MAX_FAILURE_TIME / 10.0) + 2)
