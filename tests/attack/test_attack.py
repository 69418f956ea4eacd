"""Some tries of each kind of fault that `python -m tests.attack` makes thousands of, and that the tries can fail."""

from __future__ import annotations

import logging
import random
import time

import pytest

from circleci_sdk import CircleCIError
from tests.attack.kinds import Broken, Kind, all_kinds, outcome_of
from tests.attack.redis import NO_REDIS
from tests.attack.table import listed, parts_of
from tests.attack.tries import PARTS, make_tries, one_try
from tests.support.clients import TOKEN
from tests.support.redis_server import program

SEED = 13
REMEDY = "docs/policies/hostile-conditions.md is out of date: run `nox -s attack -- --write`."


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
@pytest.mark.parametrize("kind", all_kinds(), ids=lambda kind: kind.fault)
def test_no_promise_is_broken_and_the_page_lists_what_happens(kind: Kind, backend: str) -> None:
    seen = {part for index in range(kind.samples) for part in parts_of(one_try(kind, backend, SEED, index))}
    assert seen - {NO_REDIS} <= listed()[kind.fault], REMEDY
    assert NO_REDIS not in seen or program() is None


def test_every_kind_is_on_the_page() -> None:
    assert listed().keys() == {kind.fault for kind in all_kinds()}, REMEDY
    assert not any(NO_REDIS in outcomes for outcomes in listed().values())


def test_every_kind_has_a_name_of_its_own_and_samples() -> None:
    kinds = all_kinds()
    assert len({kind.fault for kind in kinds}) == len(kinds)
    assert all(kind.fault[0].isupper() and set(kind.fault).isdisjoint("|:") for kind in kinds)
    # Those of the tests are among the first that a run makes: it stops in time without the last ones.
    assert all(0 < kind.samples <= max(1, 2 * kind.tries // PARTS) for kind in kinds)


async def _raises_another_class() -> None:
    raise KeyError("name")


async def _says_the_token() -> None:
    raise CircleCIError(f"refused: {TOKEN}")


async def raw(rng: random.Random) -> str:
    return await outcome_of(_raises_another_class())


async def shown(rng: random.Random) -> str:
    return await outcome_of(_says_the_token())


async def logged(rng: random.Random) -> str:
    logging.getLogger("some.library").debug("sent %s", TOKEN)
    return "result"


async def unexpected(rng: random.Random) -> str:
    raise ValueError("outside a call")


async def never_awaited(rng: random.Random) -> str:
    logging.getLogger("asyncio").error("Task exception was never retrieved")
    return "result"


@pytest.mark.parametrize(
    ("attempt", "promise"),
    [
        (raw, "raw exception"),
        (shown, "token shown"),
        (logged, "token shown"),
        (unexpected, "raw exception"),
        (never_awaited, "raw exception"),
    ],
)
def test_a_broken_promise_is_found(attempt: object, promise: str) -> None:
    kind = Kind("a fault", attempt, tries=1, samples=1)  # pyright: ignore[reportArgumentType]  # parameters of a test are objects
    with pytest.raises(Broken, match=promise) as caught:
        one_try(kind, "asyncio", SEED, 0)
    assert caught.value.promise == promise
    seen = make_tries([kind], "asyncio", SEED, time.monotonic() + 3600)["a fault"]
    assert (seen.tries, len(seen.broken), seen.outcomes.total()) == (1, 1, 0)


def test_tries_end_when_time_is_over_and_are_the_same_for_one_seed() -> None:
    async def number(rng: random.Random) -> str:
        return str(rng.randrange(1000))

    kind = Kind("a number", number, tries=20, samples=1)
    assert make_tries([kind], "asyncio", SEED, time.monotonic() - 1)["a number"].tries == 0
    first, second = (make_tries([kind], "asyncio", SEED, time.monotonic() + 3600)["a number"] for _ in range(2))
    assert first.outcomes == second.outcomes
    assert first.tries == 20
