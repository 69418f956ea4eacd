"""Items that long work passes over, and errors that concern all of them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from circleci_sdk import (
    AuthenticationError,
    CircleCIError,
    ClientClosedError,
    DecodeError,
    NotFoundError,
    RateLimitError,
    RequestTimeoutError,
    ServerError,
)
from circleci_sdk.helpers import Skipped
from circleci_sdk.helpers._shared.retrying import MAX_REFUSALS
from circleci_sdk.helpers._shared.skipped import MAX_FAILING, MAX_RETRYING, SkipLog
from tests.support.clock import FakeClock

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Caller


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


@pytest.mark.parametrize("seconds", [0.5, 60.0], ids=["at once", "hangs"])
async def test_one_dead_item_takes_a_limited_time(seconds: float) -> None:
    clock, log = FakeClock(chance=1.0), SkipLog()
    caller = cast("Caller", SimpleNamespace(clock=clock, session=SimpleNamespace(sleep=clock.sleep)))

    async def read() -> None:
        clock.now += seconds
        raise RequestTimeoutError

    times: list[float] = []
    for _ in range(100):
        before = clock.now
        with pytest.raises(RequestTimeoutError):
            await log.retry_reads(caller, read)
        times.append(clock.now - before)
    assert max(times) <= MAX_RETRYING
    assert times[-1] == seconds
    assert sum(times) <= MAX_FAILING + MAX_RETRYING + 100 * seconds


async def test_the_rate_limit_is_waited_for() -> None:
    """It concerns all items, so none is given up for it."""
    clock, log = FakeClock(), SkipLog()
    caller = cast("Caller", SimpleNamespace(clock=clock, session=SimpleNamespace(sleep=clock.sleep)))
    left = [RateLimitError(), RateLimitError()]
    for one in left:
        one.retry_after = 900.0

    async def read() -> str:
        if left:
            raise left.pop()
        return "read"

    assert await log.retry_reads(caller, read) == "read"
    assert clock.slept == [900.0, 900.0]
