"""Whatever an envelope of API v3 holds, the call returns, and one odd value makes one field unavailable and no more.

In every sample, and in a body of every operation with all its members, single values are deleted or replaced at each
level, the parts of the envelope included. See `tests/reading/entities.py`; `EXPLORE_MUTATIONS=seed` tries many more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from typing import Any, Final, cast

import pytest

from circleci_sdk import AsyncCircleCI
from tests.reading.cases import SEED, Responses
from tests.reading.entities import CASES, WHOLE, EntityCase, must_raise, wrong
from tests.support.mutations import DELETED, Json, Mutation, Place, encoded

SHOWN: Final = 8
"""The number of failures that are shown of a case."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The mutations by the thousand run on one event loop."""
    return "asyncio"


@pytest.fixture(scope="module")
def api() -> Responses:
    return Responses()


@pytest.fixture(scope="module")
async def client(api: Responses) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", transport=api, max_retries=0) as client:
        yield client


@pytest.fixture(scope="module")
async def strict(api: Responses) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", transport=api, max_retries=0, strict=True) as client:
        yield client


@pytest.mark.parametrize("case", CASES, ids=str)
async def test_mutated(client: AsyncCircleCI, strict: AsyncCircleCI, api: Responses, case: EntityCase) -> None:
    async def read(body: Json, by: AsyncCircleCI = client) -> Any:
        api.status, api.content = case.status, encoded(body)
        return await case.call(by)

    failures = [f"unchanged: {line}" for line in await wrong(case, case.body, read, lambda body: read(body, strict))]
    for mutation in case.sample:
        found = await wrong(case, mutation.apply(case.body), read, lambda body: read(body, strict))
        failures += [f"{mutation}: {line}" for line in found]
    for number in range(0, len(case.sample) - 3, 3 if SEED else 12):
        body, mutations = case.body, case.sample[number : number + 3]
        for mutation in mutations:
            with suppress(KeyError, IndexError, TypeError, AttributeError):  # the place is gone
                body = mutation.apply(body)
        found = await wrong(case, body, read, lambda body: read(body, strict))
        failures += [f"{', '.join(map(str, mutations))}: {line}" for line in found]
    assert not failures, "\n".join([f"{len(failures)} failures in {case}:", *failures[:SHOWN]])


@pytest.mark.parametrize("case", WHOLE, ids=str)
async def test_objects_mutated(client: AsyncCircleCI, strict: AsyncCircleCI, api: Responses, case: EntityCase) -> None:
    """Every object of a body, the parts of the envelope above all, is missing, null or no object."""

    async def read(body: Json, by: AsyncCircleCI = client) -> Any:
        api.status, api.content = case.status, encoded(body)
        return await case.call(by)

    failures: list[str] = []
    for place in objects(case.body):
        for kind in (DELETED, "null", "array"):
            if kind != DELETED or isinstance(place[-1], str):
                mutation = Mutation(place, kind)
                found = await wrong(case, mutation.apply(case.body), read, lambda body: read(body, strict))
                failures += [f"{mutation}: {line}" for line in found]
    assert not failures, "\n".join([f"{len(failures)} failures in {case}:", *failures[:SHOWN]])


def objects(value: Json, place: Place = ()) -> Iterator[Place]:
    """The places of the objects in a body; of a list those of its first item."""
    if isinstance(value, dict):
        yield from [place] if place else []
        for key, item in cast(dict[str, Json], value).items():
            yield from objects(item, (*place, key))
    elif isinstance(value, list):
        yield from objects(value[0], (*place, 0)) if value else ()


def test_cases_are_of_every_kind() -> None:
    assert len(CASES) > 180
    raising = [case for case in CASES if any(must_raise(case, mutation.apply(case.body)) for mutation in case.sample)]
    assert len(raising) > 20
