"""Responses of API v3, and what must come of them: derived from the annotations of the models with plain pydantic.

The bodies are the samples of other clients, and bodies with every member that the facts list.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final, cast

from pydantic import BaseModel, ConfigDict, Field, create_model

import circleci_sdk.v3
from circleci_sdk import AsyncCircleCI, DecodeError, FieldUnavailableError, Page
from circleci_sdk._core.serialization.model import Model
from tests.reading.cases import SEED, call, declared
from tests.reading.checks import copied
from tests.reading.responses import Read, raises, usable
from tests.support import places
from tests.support.declared_types import models_in, nouns_in, spread
from tests.support.expected_reading import (
    Expected,
    Items,
    Reading,
    differences,
    dumped,
    expected,
    item_reading,
    mismatches,
)
from tests.support.mutations import Json, Mutation, Place, dotted, json_type, sample
from tests.support.responses import DETAILS
from tests.support.v3_contract import success
from tests.support.v3_facts import V3Operation, operations
from tests.support.v3_responses import EntityMaker, items_key
from tests.support.v3_samples import samples

_EXPLORED: Final = 160
_TABLE: Final = {entry.python_name: entry for entry in circleci_sdk.v3.OPERATIONS.values()}


@dataclass(frozen=True)
class EntityCase:
    """A response of an operation of v3."""

    name: str
    operation: V3Operation
    body: Json
    status: int
    fixed: int
    """The number of mutations outside of an exploring run."""

    def __str__(self) -> str:
        return self.name

    @cached_property
    def sample(self) -> Sequence[Mutation]:
        """The mutations to try."""
        return sample(self.body, _EXPLORED if SEED else self.fixed, f"{SEED} {self}")

    @property
    def key(self) -> str:
        """The key of the items or of the entity in the body; empty if the model is the body."""
        if self.operation.lists:
            return items_key(self.operation.row)
        response = self.operation.row.response
        assert response is not None
        return "data" if [member.name for member in response.members] == ["data"] else ""

    @property
    def declared(self) -> Any:
        """The type of the result; of a list that of its items."""
        return declared(self.operation)

    @property
    def is_secret(self) -> bool:
        """Whether the response holds secrets."""
        return _TABLE[f"{self.operation.resource}.{self.operation.name}"].secret

    async def call(self, client: AsyncCircleCI) -> Any:
        """Call the operation with its required arguments; of a list, read the first page."""
        return await call(client, self.operation)


def _cases() -> Iterator[EntityCase]:
    known = {operation.id: operation for operation in operations() if operation.row.form == "json"}
    for operation in known.values():
        maker = EntityMaker(operation.resource)
        if operation.lists:
            body: Json = {items_key(operation.row): maker.items(operation.row)[0]}
            if operation.has_pages:
                body["page"] = {"next": "more", "prev": None}
        else:
            body, _ = maker.body(operation, DETAILS[0])
        yield EntityCase(operation.label, operation, body, success(operation), 10)
    for one in samples(places.v3_payloads()):
        if one.key in known and not one.is_error:
            yield EntityCase(str(one), known[one.key], one.json, one.status, 5)


CASES: Final = list(_cases())
WHOLE: Final = [case for case in CASES if case.name.startswith("v3.")]
"""The cases with every member, one of each operation."""


@dataclass(frozen=True)
class Outcome:
    """What must come of a body: the readings of its models, and the members of a page beside its items."""

    way: Place
    reading: Reading
    extras: dict[str, Json]
    next: Json
    mismatches: frozenset[Expected]


def outcome(case: EntityCase, body: Json) -> Outcome:
    """What must come of a body that can be used."""
    if not case.operation.lists:
        reading = expected(case.declared, body, case.key)
        return Outcome((), reading, {}, None, frozenset(mismatches(reading)))
    held, way = body[case.key], (case.key,)
    reading = Items([item_reading(case.declared, item) for item in held or []])
    flat, odd = spread(envelope(case.key), body)
    found = {
        *mismatches(reading, way),
        *(Expected(at, frozenset({"object"}), json_type(raw)) for at, raw in odd.items()),
    }
    token, extras = flat.pop(NEXT, None), {name: value for name, value in flat.items() if name != case.key}
    is_odd = token is not None and not isinstance(token, str)
    if is_odd:
        found.add(Expected(("page", "next"), frozenset({"string", "null"}), json_type(token)))
        extras[NEXT] = token
    following = UNREADABLE if odd or is_odd else token or None
    return Outcome(way, reading, extras, following if case.operation.has_pages else None, frozenset(found))


UNREADABLE: Final = "unreadable"
NEXT: Final = "next_page_token"
"""The key of a cursor of another type among the extras of a page."""


@cache
def envelope(key: str) -> type[BaseModel]:
    """The object around the items of a list."""
    following: Any = (str | None, Field(None, validation_alias="page.next"))
    fields: dict[str, Any] = {key: (list[Any] | None, ...), **({NEXT: following} if key == "data" else {})}
    return create_model("Envelope", __config__=ConfigDict(extra="allow"), **fields)


def must_raise(case: EntityCase, body: Json) -> bool:
    """Whether a response cannot be used at all."""
    if not isinstance(body, dict):
        return True
    if case.operation.lists:
        held = cast(dict[str, Json], body).get(case.key, MISSING)
        return not isinstance(held, list) and not (held is None and case.key == "data")
    [model] = models_in(case.declared)
    flat, _ = spread(model, cast(dict[str, Json], body), case.key)
    return case.operation.method == "GET" and not usable(model, flat)


MISSING: Final = "missing"


async def wrong(case: EntityCase, body: Json, read: Read, read_strictly: Read) -> list[str]:
    """What is wrong with the reading of a body, by a client as it is by default and by a strict one."""
    if must_raise(case, body):
        clients = (("the client", read), ("a strict client", read_strictly))
        return [f"{name} raised no DecodeError" for name, by in clients if not await raises(by, body)]
    due = outcome(case, body)
    try:
        result = await read(body)
    except DecodeError as error:
        return [f"raised {error}"]
    found = [*_in_result(due, result), *copied(result, lossless=not case.is_secret), *_in_json(result)]
    return [*found, *[line async for line in _of_strict(due, body, result, read_strictly)]]


def _in_result(due: Outcome, result: Any) -> Iterator[str]:
    if isinstance(result, Page):
        value: Any = cast(Page[Any], result).items
        if _extras(result) != due.extras:
            yield f"the extras are {result.extras}, expected {due.extras}"
        if _next(result) != due.next:
            yield f"next is {_next(result)!r}, expected {due.next!r}"
    else:
        value = result
    yield from differences(due.reading, value, due.way)
    found = [(one.place, nouns_in(one.expected), one.received) for one in result.mismatches]
    wanted = {(dotted(one.place), one.expected, one.received) for one in due.mismatches}
    if len(found) != len(wanted) or set(found) != wanted:
        yield f"the mismatches are {found}, expected {wanted}"
    dumps: Any = [item.model_dump(mode="json", by_alias=True, exclude_unset=True) for item in models(result)]
    wanted_dumps = dumped(due.reading)
    if dumps != (wanted_dumps if isinstance(result, Page) else [wanted_dumps]):
        yield f"the dump is {dumps!r:.300}, expected {wanted_dumps!r:.300}"


def models(result: Any) -> Sequence[Model]:
    """The models of a result."""
    return cast(Page[Any], result).items if isinstance(result, Page) else [result]


def _extras(page: Page[Any]) -> dict[str, Any]:
    return {name: getattr(value, "raw", value) for name, value in page.extras.items()}


def _next(page: Page[Any]) -> Any:
    try:
        return page.next
    except FieldUnavailableError:
        return UNREADABLE


def _in_json(result: Any) -> Iterator[str]:
    """What is wrong with the JSON of a model that fits: it is read as the same model again."""
    for model in models(result):
        if not model.mismatches and type(model).model_validate_json(model.model_dump_json()) != model:
            yield f"the JSON of {model!r:.300} is read as another model"


async def _of_strict(due: Outcome, body: Json, result: Any, read: Read) -> AsyncIterator[str]:
    names = {dotted(one.place) for one in due.mismatches}
    try:
        other = await read(body)
    except DecodeError as error:
        if error.field not in names or error.request_outcome != "processed":
            yield f"a strict client raised {error} at {error.field!r}, expected {names or 'nothing'}"
    else:
        if names or other != result:
            yield "a strict client raised nothing, or read another value"
