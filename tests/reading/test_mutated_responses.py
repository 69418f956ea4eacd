"""Whatever a response holds, the call returns, and one odd value makes one field unavailable and no more.

In every recorded response single values are deleted or replaced. What must come of it is derived from the annotations
of the models with plain pydantic: see `tests/support/expected_reading.py`. `EXPLORE_MUTATIONS=seed` tries many more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI
from tests.reading.cases import LEAST_EXPLORED, RESPONSES, SEED, Case, Responses
from tests.reading.checks import copied
from tests.reading.responses import must_raise, whole_differences, wrong
from tests.support.mutations import Json, encoded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SHOWN: Final = 8
"""The number of failures that are shown of a file."""


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    """The mutations by the thousand run on one event loop; `test_mutated_over_sockets` runs on both."""
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


@pytest.mark.parametrize("case", RESPONSES, ids=str)
async def test_original(client: AsyncCircleCI, api: Responses, case: Case) -> None:
    """The response itself is read as its annotations say, also where it does not fit them."""
    result = await responded(api, case, client, case.body)

    assert list(whole_differences(case, case.body, result)) == []


@pytest.mark.parametrize("case", RESPONSES, ids=str)
async def test_mutated(client: AsyncCircleCI, strict: AsyncCircleCI, api: Responses, case: Case) -> None:
    async def read(body: Json) -> Any:
        return await responded(api, case, client, body)

    async def read_strictly(body: Json) -> Any:
        return await responded(api, case, strict, body)

    before = await read(case.body)
    failures: list[str] = []
    for number, mutation in enumerate(case.sample):
        found = await wrong(case, before, mutation, read, read_strictly)
        if number % 5 == 0 and not must_raise(case, case.declared, body := mutation.apply(case.body)):
            found += copied(await read(body), lossless=not case.is_secret)
        failures += [f"{mutation}: {line}" for line in found]
    assert not failures, "\n".join([f"{len(failures)} failures in {case}:", *failures[:SHOWN]])


@pytest.mark.parametrize("case", RESPONSES, ids=str)
async def test_mutated_in_several_places(client: AsyncCircleCI, api: Responses, case: Case) -> None:
    failures: list[str] = []
    for number in range(0, len(case.sample) - 3, 3 if SEED else 12):
        mutations = case.sample[number : number + 3]
        body = case.body
        for mutation in mutations:
            with suppress(KeyError, IndexError, TypeError, AttributeError):  # the place is gone
                body = mutation.apply(body)
        if must_raise(case, case.declared, body):
            continue
        result = await responded(api, case, client, body)
        names = ", ".join(map(str, mutations))
        failures += [f"{names}: {line}" for line in whole_differences(case, body, result)]
        failures += [f"{names}: {line}" for line in copied(result, lossless=not case.is_secret)]
        if await responded(api, case, client, body) != result:
            failures.append(f"{names}: a second reading is not equal")
    assert not failures, "\n".join([f"{len(failures)} failures in {case}:", *failures[:SHOWN]])


def test_exploring_run_is_large() -> None:
    assert sum(len(case.explored) for case in RESPONSES) >= LEAST_EXPLORED


async def responded(api: Responses, case: Case, client: AsyncCircleCI, body: Json) -> Any:
    """Call the operation of a case, with this body as the response."""
    api.status = case.recording.status or 200
    api.content = encoded(body)
    return await case.call(client)
