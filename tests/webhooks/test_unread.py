"""When an item that cannot be read is asked again, given up and named; when a failure of the whole is raised."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as some

from circleci_sdk import CircleCIError, ClientClosedError, FieldUnavailableError, InvalidArgumentError, TransportError
from circleci_sdk._core.errors import AuthenticationError, DecodeError, RateLimitError
from circleci_sdk.webhooks.unread import GIVE_UP_POLLS, GIVE_UP_SECONDS, MAX_PAUSE, MAX_SKIPPED, Unread
from circleci_sdk.webhooks.whole_failure import MAX_FAILING, RETRY_DELAY, WholeFailure

ERROR = TransportError("no")


def refused(kind: type[CircleCIError]) -> CircleCIError:
    error = kind.__new__(kind)
    Exception.__init__(error, "no")
    return error


@given(some.floats(1, 4000), some.integers(1, 30))
def test_an_item_is_given_up_after_a_number_of_polls_and_a_time(every: float, polls: int) -> None:
    unread = Unread()
    for poll in range(polls):
        enough = poll + 1 >= GIVE_UP_POLLS and poll * every >= GIVE_UP_SECONDS
        assert unread.failed("o", "1", ERROR, poll * every) is enough
        assert unread.is_given_up("o", "1") is enough
        assert unread.is_failing("o", "1")
        assert unread.count == len(unread.skipped) == enough
    unread.succeeded("o", "1")
    assert not unread.is_failing("o", "1")
    assert (unread.skipped, unread.count) == ((), 0)


def test_what_was_given_up_is_asked_for_at_growing_intervals() -> None:
    unread = Unread()
    asked: list[int] = []
    for now in range(0, 100_000, 60):
        if unread.is_due("o", "1", now, finished=True):
            asked.append(now)
            unread.failed("o", "1", ERROR, now)
    pauses = [later - before for before, later in pairwise(asked)]
    assert pauses[:5] == [60] * 5
    assert sorted(pauses) == pauses
    assert max(pauses) == MAX_PAUSE


def test_a_list_with_an_unreadable_item_is_asked_for_unless_it_is_finished() -> None:
    unread = Unread()
    for now in range(0, 1000, 60):
        unread.failed("o", "1", FieldUnavailableError("no"), now)
    assert unread.is_due("o", "1", 1000, finished=False)
    assert not unread.is_due("o", "1", 1000, finished=True)


def test_an_id_that_no_request_can_hold_is_given_up_at_once() -> None:
    assert Unread().failed("o", "..", InvalidArgumentError("no"), 0)


def test_memory_is_bounded_and_all_are_counted() -> None:
    unread = Unread()
    for number in range(MAX_SKIPPED + 7):
        unread.give_up("o", str(number), ERROR, 0)
        unread.give_up("o", str(number), ERROR, 1)
    assert len(unread.skipped) == MAX_SKIPPED
    assert unread.count == MAX_SKIPPED + 7
    assert unread.skipped[-1].id == str(MAX_SKIPPED + 6)


def test_a_temporary_failure_of_the_whole_is_raised_after_a_time_and_counted_anew() -> None:
    whole = WholeFailure()
    now = 50.0
    for _ in range(2):
        began = now
        with pytest.raises(TransportError):
            while True:
                now += whole.pause(ERROR, now, first=True)
        assert now - began == MAX_FAILING
    whole.pause(ERROR, now, first=False)
    whole.end()
    assert whole.pause(ERROR, now + MAX_FAILING, first=False) == RETRY_DELAY


@pytest.mark.parametrize("kind", [AuthenticationError, DecodeError])
def test_the_third_refusal_in_a_row_is_raised_and_at_first_each(kind: type[CircleCIError]) -> None:
    error = refused(kind)
    if isinstance(error, DecodeError):
        error.field = "items.0.name"
    whole = WholeFailure()
    for _ in range(2):
        whole.pause(error, 0, first=False)
        whole.pause(error, 0, first=False)
        whole.pause(ERROR, 0, first=False)
    whole.pause(error, 0, first=False)
    whole.pause(error, 0, first=False)
    with pytest.raises(kind):
        whole.pause(error, 0, first=False)
    with pytest.raises(kind):
        whole.pause(error, 0, first=True)


def test_what_no_later_attempt_changes_is_raised_at_once() -> None:
    for error in (ClientClosedError("no"), InvalidArgumentError("no")):
        with pytest.raises(type(error)):
            WholeFailure().pause(error, 0, first=False)


@pytest.mark.parametrize(("asked", "pause"), [(None, RETRY_DELAY), (1.0, RETRY_DELAY), (300.0, 300.0), (301.0, None)])
def test_the_limit_is_waited_for_within_the_time(asked: float | None, pause: float | None) -> None:
    error = refused(RateLimitError)
    assert isinstance(error, RateLimitError)
    error.retry_after = asked
    if pause is None:
        with pytest.raises(RateLimitError):
            WholeFailure().pause(error, 0, first=False)
    else:
        assert WholeFailure().pause(error, 0, first=False) == pause
