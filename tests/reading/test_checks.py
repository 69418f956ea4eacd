"""The checks of mutated readings detect readings that are wrong: each test plants one fault."""

from __future__ import annotations

from typing import Any, Final

import pytest
from pydantic import BaseModel

from circleci_sdk import AsyncCircleCI
from tests.reading.cases import Responses
from tests.reading.checks import compared_dumps, compared_mismatches, touched
from tests.reading.odd_models import Tree, Trees
from tests.support.disturbed import Comparison
from tests.support.mutations import Json, Mutation, encoded

BODY: Final[dict[str, Json]] = {
    "id": "t",
    "kind": "oak",
    "count": 3,
    "names": ["a"],
    "branch": {"leaf": {"name": "l"}, "leaves": [{"name": "m"}, {"name": "n", "at": "2026-01-02T12:00:00Z"}]},
    "branches_by_name": {"a": {"leaf": {"name": "o"}}},
    "new": {"kept": True},
}
UNFIT: Final = Mutation(("branch", "leaves", 1, "name"), "number")
FITS: Final = Mutation(("branch", "leaves", 1, "name"), "unknown word")


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def read(body: Json) -> Tree:
    api = Responses()
    api.content = encoded(body)
    async with AsyncCircleCI("token", transport=api) as client:
        return await Trees(client._caller).get()


def found(before: Tree, after: Any, mutation: Mutation, body: Json = BODY) -> list[str]:
    comparison = Comparison(mutation)
    comparison.value(before, after, Tree, body)
    return [
        *comparison.found,
        *compared_dumps(comparison, before, after, comparison.raw_owner),
        *compared_mismatches(comparison, before, after),
        *touched("v2.trees.get", comparison),
    ]


@pytest.mark.parametrize(
    "mutation",
    [
        UNFIT,
        FITS,
        Mutation(("id",), "deleted"),
        Mutation(("count",), "deleted"),
        Mutation(("count",), "null"),
        Mutation(("names", 0), "object"),
        Mutation(("branch",), "empty array"),
        Mutation(("branch", "leaf"), "deleted"),
        Mutation(("branch", "leaves", 0), "null"),
        Mutation(("branch", "leaves", 1, "at"), "empty string"),
        Mutation(("branches_by_name", "a"), "deleted"),
        Mutation(("branches_by_name", "a"), "huge number"),
        Mutation(("branches_by_name", "a", "leaf", "name"), "null"),
        Mutation(("new", "kept"), "array"),
        Mutation(("new",), "deleted"),
    ],
    ids=str,
)
async def test_right_readings_pass(mutation: Mutation) -> None:
    assert found(await read(BODY), await read(mutation.apply(BODY)), mutation) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "elm"},
        {"count": None},
        {"names": ["b"]},
        {"new": {"kept": False}},
        {"more": 1},
        {"branch": {**BODY["branch"], "leaf": {"name": "other"}}},
        {"branch": {**BODY["branch"], "leaves": [{"name": "other"}, BODY["branch"]["leaves"][1]]}},
        {"branches_by_name": {}},
    ],
    ids=str,
)
@pytest.mark.parametrize("mutation", [UNFIT, FITS], ids=str)
async def test_change_beside_the_mutation(changes: dict[str, Json], mutation: Mutation) -> None:
    after = await read(mutation.apply({**BODY, **changes}))

    assert found(await read(BODY), after, mutation)


@pytest.mark.parametrize("other", [FITS, Mutation(UNFIT.place, "null"), Mutation(UNFIT.place, "deleted")], ids=str)
async def test_another_value_of_the_field(other: Mutation) -> None:
    before, after = await read(BODY), await read(other.apply(BODY))

    assert found(before, after, UNFIT)
    assert found(before, before, UNFIT)
    assert found(before, before, other)


async def test_default_for_a_value_that_does_not_fit() -> None:
    mutation = Mutation(("count",), "empty string")
    after = await read({key: value for key, value in BODY.items() if key != "count"})

    assert after.count is None
    assert found(await read(BODY), after, mutation)


async def test_lost_raw_value() -> None:
    after = await read(UNFIT.apply(BODY))
    assert after.branch is not None
    assert after.branch.leaves is not None
    extra = after.branch.leaves[1].model_extra
    assert extra is not None
    extra["name"] = 8

    assert any("dump" in line for line in found(await read(BODY), after, UNFIT))


async def test_wrong_type_of_a_value_that_is_read() -> None:
    mutation = Mutation(("count",), "number")
    after = await read(mutation.apply(BODY))
    object.__setattr__(after, "count", 7.0)

    assert after.count == 7
    assert found(await read(BODY), after, mutation)


@pytest.mark.parametrize("times", [0, 2])
async def test_lost_or_repeated_mismatches(monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    before, after = await read(BODY), await read(UNFIT.apply(BODY))
    told = after.mismatches * times
    monkeypatch.setattr(Tree, "mismatches", property(lambda tree: told if tree == after else ()))

    assert any("mismatches" in line or "twice" in line for line in found(before, after, UNFIT))


async def test_another_class() -> None:
    class Other(BaseModel):
        pass

    comparison = Comparison(FITS)
    comparison.value(await read(BODY), Other(), Tree, BODY)
    assert comparison.found
