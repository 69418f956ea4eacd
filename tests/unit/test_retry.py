"""Retry decisions, delays and request outcomes: tables, without a network."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from circleci_sdk._core.errors import OUTCOMES, RequestOutcome, outcome_of
from circleci_sdk._core.options import Options, Timeout
from circleci_sdk._core.policy.retry import Attempt, decide, parse_retry_after, pause

NO, REFUSED, MAYBE, YES = OUTCOMES
OPTIONS = Options(Timeout(), max_retries=2, max_retry_after=60.0)
DEADLINE = 100.0


@pytest.mark.parametrize(
    ("number", "replayable", "retryable", "outcome", "status", "retry_after", "due", "reason"),
    [
        # number, replayable, retryable, outcome, status, Retry-After, due, why not again
        (1, True, True, MAYBE, 503, None, 0, None),
        (2, True, True, MAYBE, 503, None, 0, None),
        (3, True, True, MAYBE, 503, None, 0, "attempts_exhausted"),
        (1, True, False, REFUSED, 404, None, 0, "not_retryable"),
        (1, False, False, REFUSED, 404, None, 0, "not_retryable"),
        (1, False, True, MAYBE, 503, None, 0, "unknown_outcome"),
        (1, False, True, MAYBE, 408, None, 0, "unknown_outcome"),
        (1, False, True, MAYBE, None, None, 0, "unknown_outcome"),
        (9, False, True, MAYBE, 503, 9999.0, 999, "unknown_outcome"),
        (1, False, True, YES, None, None, 0, "not_retryable"),
        (1, True, True, YES, None, None, 0, None),
        (1, False, True, NO, None, None, 0, None),
        (3, False, True, NO, None, None, 0, "attempts_exhausted"),
        (1, False, True, REFUSED, 429, None, 0, None),
        (3, False, True, REFUSED, 429, None, 0, "attempts_exhausted"),
        (1, True, True, REFUSED, 429, 60.0, 60, None),
        (1, True, True, REFUSED, 429, 60.1, 60.1, "retry_after_too_long"),
        (1, True, True, MAYBE, 503, 60.1, 999, "retry_after_too_long"),
        (1, True, True, MAYBE, 503, None, 99.9, None),
        (1, True, True, MAYBE, 503, None, 100, "deadline"),
    ],
)
def test_decisions(
    number: int,
    replayable: bool,
    retryable: bool,
    outcome: RequestOutcome,
    status: int | None,
    retry_after: float | None,
    due: float,
    reason: str | None,
) -> None:
    attempt = Attempt(number, replayable, retryable, outcome, status, retry_after)
    assert decide(attempt, OPTIONS, DEADLINE, due) == reason


def test_no_deadline() -> None:
    assert decide(Attempt(1, True, True, MAYBE), Options(Timeout(), 1, 0.0), None, 1e12) is None


@given(st.booleans(), st.sampled_from(OUTCOMES), st.integers(400, 599) | st.none(), st.integers(1, 5))
def test_unknown_outcome_is_not_retried(
    retryable: bool, outcome: RequestOutcome, status: int | None, number: int
) -> None:
    reason = decide(Attempt(number, False, retryable, outcome, status), OPTIONS, DEADLINE, 0)
    if reason is None:
        assert outcome == NO or status == 429


@pytest.mark.parametrize(
    ("status", "outcome"),
    [
        *((status, YES) for status in (200, 201, 202, 204, 299)),
        *((status, REFUSED) for status in (301, 307, 400, 401, 403, 404, 409, 422, 429, 499)),
        *((status, MAYBE) for status in (408, 500, 501, 502, 503, 504, 599)),
    ],
)
def test_outcome_by_status(status: int, outcome: RequestOutcome) -> None:
    assert outcome_of(status) == outcome


def test_worst_outcome_counts() -> None:
    assert OUTCOMES == ("not_sent", "rejected", "unknown", "processed")


@pytest.mark.parametrize(("number", "longest"), [(1, 0.5), (2, 1), (3, 2), (4, 4), (5, 8), (6, 8), (10**6, 8)])
def test_delays_grow_up_to_a_maximum(number: int, longest: float) -> None:
    assert pause(number, None, 0.0) == 0
    assert pause(number, None, 0.5) == longest / 2
    assert pause(number, 0.0, 0.5) == longest / 2


@given(st.integers(1, 100), st.floats(0, 1e9) | st.none(), st.floats(0, 1, exclude_max=True))
def test_delay_is_at_least_retry_after(number: int, told: float | None, chance: float) -> None:
    waited = pause(number, told, chance)
    assert waited == told if told else 0 <= waited < 8


NOW = 1_750_000_000.0  # Sun, 15 Jun 2025 15:06:40 GMT


@pytest.mark.parametrize(
    ("value", "date", "seconds"),
    [
        (None, None, None),
        ("2", None, 2.0),
        (" 2 ", None, 2.0),
        ("2.5", None, 2.5),
        ("0", None, 0.0),
        ("3600", None, 3600.0),
        ("9" * 400, None, float("inf")),
        *(
            (nonsense, None, None)
            for nonsense in ("", "soon", "-5", "1e3", "nan", "inf", "1_0", "2, 3", "٣", "0x10", "+2")
        ),
        ("Sun, 15 Jun 2025 15:06:43 GMT", None, 3.0),
        ("Sunday, 15-Jun-25 15:06:43 GMT", None, 3.0),
        ("Sun, 15 Jun 2025 17:06:43 +0200", None, 3.0),
        ("Sun, 15 Jun 2025 15:06:43", None, 3.0),
        ("Sun, 15 Jun 2025 15:06:43 -0000", None, 3.0),
        ("Sun, 15 Jun 2025 15:00:00 GMT", None, 0.0),
        ("Sun, 15 Jun 2025 25:00:00 GMT", None, None),
        ("Sun, 15 Jun 99999 15:00:00 GMT", None, None),
        # Relative to the clock of the server, if the response has a Date header.
        ("Sat, 01 Jan 2000 00:00:07 GMT", "Sat, 01 Jan 2000 00:00:00 GMT", 7.0),
        ("Sun, 15 Jun 2025 15:06:43 GMT", "yesterday", 3.0),
        ("5", "Sat, 01 Jan 2000 00:00:00 GMT", 5.0),
    ],
)
def test_retry_after(value: str | None, date: str | None, seconds: float | None) -> None:
    assert parse_retry_after(value, date=date, now=NOW) == seconds


@given(st.text() | st.none(), st.text() | st.none())
@example("Mon, 32 Foo 2025 00:00:00 +9999", "0 0 0 0 0")
@example("1 Jan 0001 00:00:00 +2359", None)
def test_retry_after_never_fails(value: str | None, date: str | None) -> None:
    seconds = parse_retry_after(value, date=date, now=NOW)
    assert seconds is None or seconds >= 0
