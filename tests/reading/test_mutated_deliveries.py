"""Whatever a delivery of a webhook holds, `parse` returns an event, and one odd value makes one field unavailable."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pytest
from pydantic import BaseModel

from circleci_sdk.webhooks import Event, UnknownEvent, parse
from tests.reading.cases import DELIVERIES, Case
from tests.reading.checks import compared_dumps, compared_mismatches, copied, touched
from tests.support.disturbed import Comparison
from tests.support.expected_reading import differences, expected
from tests.support.mutations import Json, Mutation, encoded, json_type

SHOWN: Final = 8

TYPED: Final = [case for case in DELIVERIES if "type" in case.body]
"""Deliveries of today, with their type in the body."""

NOTIFICATIONS: Final = [case for case in DELIVERIES if "type" not in case.body]
"""Notifications of CircleCI 1.0: a build, whose older fields are read as those of today."""


def event_of(body: Json) -> Event:
    return parse(encoded(body), secret=None)


@pytest.mark.parametrize("case", TYPED, ids=str)
def test_original(case: Case) -> None:
    event = event_of(case.body)

    assert isinstance(event, BaseModel)
    assert list(differences(expected(type(event), case.body), event)) == []


@pytest.mark.parametrize("case", DELIVERIES, ids=str)
def test_json_that_the_fast_parser_refuses(case: Case) -> None:
    """Half of a surrogate pair, in a field that this version does not know, changes nothing else."""
    before, after = event_of(case.body), parse(b'{"new": "\\ud83d", ' + encoded(case.body)[1:], secret=None)

    assert type(after) is type(before)
    if "type" in case.body:
        assert isinstance(after, BaseModel)
        assert after.model_extra == {"new": "\ufffd"}
        assert after.model_dump(exclude={"new"}) == event_of(case.body).model_dump()  # type: ignore[union-attr]  # it is an event again


@pytest.mark.parametrize("case", TYPED, ids=str)
def test_mutated(case: Case) -> None:
    before = event_of(case.body)
    failures: list[str] = []
    for mutation in case.sample:
        after = event_of(mutation.apply(case.body))
        found = decided(mutation, after) if mutation.place == ("type",) else compared(case, before, after, mutation)
        failures += [f"{mutation}: {line}" for line in found]
    assert not failures, "\n".join([f"{len(failures)} failures in {case}:", *failures[:SHOWN]])


def decided(mutation: Mutation, event: Event) -> Iterator[str]:
    """A body without a known type is an unknown event with the whole body."""
    if not isinstance(event, UnknownEvent):
        yield f"got {event!r:.200}"


def compared(case: Case, before: Any, after: Any, mutation: Mutation) -> Iterator[str]:
    if type(after) is not type(before):
        yield f"got {after!r:.200}"
        return
    comparison = Comparison(mutation)
    comparison.value(before, after, type(before), case.body)
    yield from comparison.found
    yield from compared_dumps(comparison, before, after, comparison.raw_owner)
    yield from compared_mismatches(comparison, before, after)
    yield from touched(case.body["type"], comparison)
    yield from copied(after, lossless=True)


@pytest.mark.parametrize("case", NOTIFICATIONS, ids=str)
def test_mutated_notifications(case: Case) -> None:
    """Fields are derived from others here, so only what every event has in common is compared."""
    before = event_of(case.body)
    failures: list[str] = []
    for mutation in case.sample:
        body = mutation.apply(case.body)
        after = event_of(body)
        if isinstance(after, UnknownEvent):
            is_build = json_type(body.get("payload")) == "object" and "build_num" in body["payload"]
            found = ["is an unknown event"] if is_build else []
        else:
            found = [*kept(before, after, mutation), *copied(after, lossless=True)]
        failures += [f"{mutation}: {line}" for line in found]
    assert not failures, "\n".join([f"{len(failures)} failures in {case}:", *failures[:SHOWN]])


DERIVED: Final = {"username", "reponame"}
"""Fields that are read from `vcs_url` if they are missing."""


def kept(before: Any, after: Any, mutation: Mutation) -> Iterator[str]:
    """Fields beside the mutated one that differ, and what is odd about the mutated one."""
    mutated = str(mutation.place[1]) if len(mutation.place) > 1 else ""
    names = set(type(after).model_fields)
    if len(mutation.place) > 1:
        for name in names - {mutated, *(DERIVED if mutated == "vcs_url" else ())}:
            if getattr(before, name, "unavailable") != getattr(after, name, "unavailable"):
                yield f"{name}: {getattr(before, name, None)!r:.200} became {getattr(after, name, None)!r:.200}"
    expected = {mutated, *(DERIVED if mutated == "vcs_url" else ())}
    for one in after.mismatches:
        if expected.isdisjoint(one.place.split(".")):
            yield f"{one} beside the mutation"
    after.model_dump(mode="json", by_alias=True)
