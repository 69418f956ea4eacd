"""Items that long work passes over, and errors that concern all of them."""

from __future__ import annotations

import pytest

from circleci_sdk import (
    AuthenticationError,
    CircleCIError,
    ClientClosedError,
    DecodeError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from circleci_sdk.helpers import Skipped
from circleci_sdk.helpers._shared.skipped import MAX_REFUSALS, SkipLog


@pytest.mark.parametrize("kind", [NotFoundError, ServerError, DecodeError, AuthenticationError, OSError])
def test_one_item_is_passed_over_and_named(kind: type[Exception]) -> None:
    log, error = SkipLog(), kind()
    log.add("v2.jobs.get", "12", error)
    assert log.skipped == (Skipped("v2.jobs.get", "12", error),)
    assert log.skipped[0].error is error


@pytest.mark.parametrize("kind", [ClientClosedError, RateLimitError])
def test_an_error_that_concerns_all_items_is_raised(kind: type[CircleCIError]) -> None:
    log, error = SkipLog(), kind()
    with pytest.raises(kind) as raised:
        log.add("v2.jobs.get", "12", error)
    assert raised.value is error
    assert log.skipped == ()


def test_consecutive_refusals_concern_the_token() -> None:
    log = SkipLog()
    for number in range(1, MAX_REFUSALS):
        log.add("v2.jobs.get", str(number), AuthenticationError())
    log.succeeded()
    for number in range(MAX_REFUSALS, 2 * MAX_REFUSALS - 1):
        log.add("v2.jobs.get", str(number), AuthenticationError())
    with pytest.raises(AuthenticationError):
        log.add("v2.jobs.get", "last", AuthenticationError())
    assert len(log.skipped) == 2 * MAX_REFUSALS - 2


def test_its_text_says_what_and_why() -> None:
    assert str(Skipped("v2.jobs.get", "12", OSError("broken"))) == "v2.jobs.get 12: broken"
