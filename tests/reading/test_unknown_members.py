"""Members that this version does not know are kept at each level of an entity, whatever they are called."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic.fields import FieldInfo

from circleci_sdk import AsyncCircleCI, DecodeError, Drift
from circleci_sdk._core.errors import CallFacts
from circleci_sdk._core.messages import Headers, Received
from circleci_sdk._core.serialization.decode import decode_response
from circleci_sdk._core.serialization.model import Model
from circleci_sdk._core.serialization.unknown import unknown_in
from circleci_sdk.v3 import OPERATIONS
from tests.reading.cases import Responses
from tests.reading.entities import WHOLE, EntityCase, models, wrong
from tests.support.declared_types import is_entity, models_in, path_of
from tests.support.mutations import Json, Place, dotted, encoded
from tests.support.v3_rows import Tree

NEW: Final = "unheard_of"


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def api() -> Responses:
    return Responses()


@pytest.fixture(scope="module")
def drift() -> list[Drift]:
    return []


@pytest.fixture(scope="module")
async def client(api: Responses, drift: list[Drift]) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", transport=api, max_retries=0, on_drift=drift.append) as client:
        yield client


@pytest.fixture(scope="module")
async def strict(api: Responses) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", transport=api, max_retries=0, strict=True) as client:
        yield client


def extended(tree: Tree, value: Json, place: str, places: set[str]) -> Json:
    """A value with an unknown member in each of its objects. Their places are added."""
    match tree.kind:
        case "object" if isinstance(value, dict):
            members = {member.name: member.tree for member in tree.members}
            made = {
                key: extended(members.get(key, Tree("any")), item, f"{place}.{key}".lstrip("."), places)
                for key, item in cast(dict[str, Json], value).items()
            }
            places.add(f"{place}.{NEW}".lstrip("."))
            return {**made, NEW: {"a": [len(places)]}}
        case "list" if tree.items and isinstance(value, list):
            return [extended(tree.items, item, f"{place}.*", places) for item in cast(list[Json], value)]
        case "map" if tree.items and isinstance(value, dict):
            entries = cast(dict[str, Json], value)
            return {key: extended(tree.items, item, f"{place}.*", places) for key, item in entries.items()}
        case "union":
            one = next(variant for variant in tree.variants if (variant.kind == "object") == isinstance(value, dict))
            return extended(one, value, place, places)
        case _:
            return value


@pytest.mark.parametrize("case", WHOLE, ids=str)
async def test_a_member_in_each_object(
    client: AsyncCircleCI, strict: AsyncCircleCI, api: Responses, drift: list[Drift], case: EntityCase
) -> None:
    tree, places = case.operation.row.response, set[str]()
    assert tree is not None
    body = extended(tree, case.body, "", places)

    async def read(body: Json, by: AsyncCircleCI = client) -> Any:
        api.status, api.content = case.status, encoded(body)
        return await case.call(by)

    before = await read(case.body)
    drift.clear()
    assert await wrong(case, body, read, lambda body: read(body, strict)) == []
    after = await read(body)

    assert all(
        field_values(one) == field_values(other) for one, other in zip(models(before), models(after), strict=True)
    )
    around = {NEW, f"page.{NEW}", f"meta.{NEW}"} if case.operation.lists else set[str]()  # the page has these
    assert {(one.place, one.kind) for one in drift} == {(place, "unknown_field") for place in places - around}
    expected = [f"{case.key}.*" if case.operation.lists else case.key]
    assert all(f"{place}.{NEW}".lstrip(".") in places for place in expected)


def field_values(model: Model) -> dict[str, Any]:
    """The values of the fields; of nested models, whose unknown members differ, as dumps without them."""
    return {name: _plain(getattr(model, name)) for name in type(model).model_fields if name in model.model_fields_set}


def _plain(value: Any) -> Any:
    match value:
        case Model():
            return field_values(value)
        case list():
            return [_plain(item) for item in cast(list[Any], value)]
        case dict():
            return {key: _plain(item) for key, item in cast(dict[str, Any], value).items() if key != NEW}
        case _:
            return value


# Names that are taken.

ENTITIES: Final[Mapping[str, EntityCase]] = {
    case.name: case
    for case in WHOLE
    if not case.operation.lists and is_entity(models_in(case.declared)[0]) and not case.is_secret
}
IDS: Final = {f"v3.{entry.python_name}": entry for entry in OPERATIONS.values()}


def paths_of(case: EntityCase) -> dict[Place, FieldInfo]:
    """The fields by their places in the body."""
    [model] = models_in(case.declared)
    outer = (case.key,) if case.key else ()
    return {(*outer, *path_of(name, field)): field for name, field in model.model_fields.items()}


def groups(case: EntityCase) -> list[Place]:
    """The places of the objects around the fields, the body included."""
    return sorted({path[:depth] for path in paths_of(case) for depth in range(len(path))}, key=str)


def names(case: EntityCase) -> Sequence[str]:
    """Names that may be taken: of fields and references, of parts of the envelope, and places."""
    [model] = models_in(case.declared)
    found = {*model.model_fields, *(str(part) for path in paths_of(case) for part in path)}
    found |= {dotted(path) for path in paths_of(case)} | {dotted(path[1:]) for path in paths_of(case)}
    found |= {f".{name}" for name in model.model_fields} | {"", ".", "x", "references.x", "attributes.x"}
    return sorted(found)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[EntityCase, Mapping[Place, Json], Mapping[Place, Json]]:
    """A case, values in its body that do not fit, and unknown members, by their places."""
    case = ENTITIES[draw(st.sampled_from(sorted(ENTITIES)))]
    paths, around = paths_of(case), groups(case)
    fields = [path for path, field in paths.items() if "list[" not in str(field.annotation)]
    odd: Place | None = draw(st.none() | st.sampled_from([*fields, *(place for place in around if place)]))
    keys = st.one_of(st.sampled_from(names(case)), st.text(max_size=3))
    drawn = draw(st.lists(st.tuples(st.sampled_from(around), keys), max_size=6, unique=True))
    added = [(*place, key) for place, key in drawn if (*place, key) not in paths and (*place, key) not in around]
    added = [place for place in added if not odd or place[: len(odd)] != odd]
    return case, {odd: ODD} if odd else {}, {place: {"number": number} for number, place in enumerate(added)}


ODD: Final = ["odd", 7, None]
"""A value for a field or a group that fits neither."""


def with_members(body: Json, added: Mapping[Place, Json]) -> Json:
    """A body with more members."""
    body = copy.deepcopy(body)
    for place, value in added.items():
        holder = body
        for key in place[:-1]:
            holder = holder.setdefault(key, {})
        holder[place[-1]] = value
    return body


def decoded(case: EntityCase, body: Json) -> Any:
    """The result of an operation with this response."""
    operation = IDS[case.name]
    response = Received(200, Headers([]), json.dumps(body).encode())
    return decode_response(operation, response, CallFacts(operation.label, operation.method, "/"), strict=False)[0]


@settings(deadline=None, max_examples=150)
@given(bodies())
def test_unknown_members_replace_nothing(
    made: tuple[EntityCase, Mapping[Place, Json], Mapping[Place, Json]],
) -> None:
    """Neither in an entity that fits, nor in one with a field or a part that does not."""
    case, odd, added = made
    [model] = models_in(case.declared)
    body = with_members(case.body, odd)
    try:
        before = decoded(case, body)
    except DecodeError:  # no required field is left
        assert odd
        return
    after = decoded(case, with_members(body, added))

    assert (bool(after.mismatches), after.mismatches) == (bool(odd), before.mismatches)
    assert [getattr(after, name, None) for name in model.model_fields] == [
        getattr(before, name, None) for name in model.model_fields
    ]
    kept = [value["number"] for value in after.model_extra.values() if value != ODD]
    assert sorted(kept) == list(range(len(added)))
    assert list(after.model_extra.values()).count(ODD) == len(odd)
    fields = {name: value for name, value in before.model_dump().items() if name in model.model_fields}
    dump = after.model_dump()
    assert dump == {**fields, **after.model_extra}
    assert len(dump) == len(before.model_dump()) + len(added)
    assert places_of(case, after) == {dotted(place) for place in added}
    for other in (copy.deepcopy(after), pickle.loads(pickle.dumps(after)), after.model_copy()):
        assert other == after
        assert (other.model_dump(), places_of(case, other)) == (dump, places_of(case, after))
    if not odd:
        assert model.model_validate_json(after.model_dump_json()) == after
        assert model.model_validate(dump) == after


def places_of(case: EntityCase, model: Model) -> set[str]:
    return {one.place for kind, one in unknown_in(model, key=case.key or None) if kind == "unknown_field"}
