"""The expected reading of values that fit, and of values that do not."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

import pytest
from pydantic import BaseModel, ConfigDict

from circleci_sdk import UnknownStr
from circleci_sdk._core.serialization.model import Timestamp
from tests.support.declared_types import nouns, nouns_in
from tests.support.expected_reading import (
    Bare,
    Entries,
    Expected,
    Fits,
    Items,
    Object,
    Unfit,
    differences,
    dumped,
    expected,
    mismatches,
)
from tests.support.mutations import HUGE


class Part(BaseModel):
    name: str
    count: int | None = None


class Whole(BaseModel):
    model_config = ConfigDict(extra="allow")
    id: str
    at: Timestamp | None = None
    part: Part | None = None
    parts: list[Part] | None = None
    by_name: dict[str, Part] | None = None
    tags: list[str] | None = None


@pytest.mark.parametrize(
    ("declared", "raw", "value"),
    [
        (str, "", ""),
        (int, 10**30, 10**30),
        (float, HUGE, HUGE),
        (bool | None, None, None),
        (Literal["a"] | UnknownStr, "b", UnknownStr("b")),
        (list[str], ["a"], ["a"]),
        (dict[str, Any], {"a": [1]}, {"a": [1]}),
        (Timestamp, "2026-01-01 00:00:00Z", datetime.fromisoformat("2026-01-01T00:00:00Z")),
        (Part | None, {"name": "n"}, Part(name="n")),
    ],
)
def test_values_that_fit(declared: Any, raw: object, value: object) -> None:
    reading = expected(declared, raw)

    assert isinstance(reading, Fits)
    assert list(differences(reading, value)) == []
    assert list(differences(reading, [value]))
    assert mismatches(reading) == []


@pytest.mark.parametrize(
    ("declared", "raw", "types", "received"),
    [
        (str, 7, {"string"}, "number"),
        (int | None, HUGE, {"integer", "null"}, "number"),
        (int | str | None, [], {"integer", "string", "null"}, "array"),
        (bool, None, {"boolean"}, "null"),
        (Timestamp | None, "", {"timestamp", "null"}, "string"),
        (Literal["a"], "b", {"string"}, "string"),
        (list[str] | None, ["a", 7], {"array", "null"}, "array"),
        (dict[str, list[str]], {"a": "b"}, {"object"}, "object"),
        (Part | None, "", {"object", "null"}, "string"),
        (list[Part], {}, {"array"}, "object"),
    ],
)
def test_values_that_do_not_fit(declared: Any, raw: object, types: set[str], received: str) -> None:
    reading = expected(declared, raw)

    assert reading == Unfit(raw, frozenset(types), received)
    assert mismatches(reading, ("place",)) == [Expected(("place",), frozenset(types), received)]
    assert dumped(reading) == raw


def test_parts_of_objects() -> None:
    raw = {
        "id": None,
        "at": "soon",
        "part": {"count": "many"},
        "parts": [{"name": "n"}, "odd"],
        "by_name": {"a": {"name": 7}, "b": None},
        "tags": ["a"],
        "more": 1,
    }

    reading = expected(Whole, raw)

    assert isinstance(reading, Object)
    assert [".".join(map(str, one.place)) + " " + one.received for one in mismatches(reading)] == [
        "id null",
        "at string",
        "part.name missing",
        "part.count string",
        "parts.1 string",
        "by_name.a.name number",
        "by_name.b null",
    ]
    assert isinstance(parts := reading.fields["parts"], Items)
    assert parts.items[1] == Bare("odd", Part)
    assert isinstance(reading.fields["by_name"], Entries)
    assert dumped(reading) == raw


def test_member_of_a_union_with_the_fewest_mismatches() -> None:
    reading = expected(Whole | Part, {"name": "n", "count": "many"})

    assert isinstance(reading, Object)
    assert reading.model is Part
    assert nouns(Whole | list[Part] | str) == {"object", "array", "string"}


def test_types_in_the_text_of_a_mismatch() -> None:
    assert nouns_in("integer or string or null") == {"integer", "string", "null"}
    assert nouns_in("one of mon, tue or null") == {"string", "null"}
    assert nouns_in("timestamp or empty string") == {"timestamp", "string"}
