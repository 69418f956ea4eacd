"""Mutations change one place and leave the original alone."""

from __future__ import annotations

import json

import pytest

from tests.support.mutations import DELETED, HUGE, VALUES, Mutation, encoded, json_type, mutations, sample

BODY = {"items": [{"id": "1", "size": 7}, {"id": "2", "tags": ["a", None]}], "next": None}


def test_every_place_is_mutated() -> None:
    found = {mutation.place for mutation in mutations(BODY)}

    assert found == {
        ("items",),
        ("items", 0),
        ("items", 0, "id"),
        ("items", 0, "size"),
        ("items", 1),
        ("items", 1, "id"),
        ("items", 1, "tags"),
        ("items", 1, "tags", 0),
        ("items", 1, "tags", 1),
        ("next",),
    }


def test_a_value_is_replaced_by_other_values_and_other_types_only() -> None:
    kinds = {mutation.kind for mutation in mutations(BODY) if mutation.place == ("items", 0, "size")}
    assert kinds == {DELETED, *VALUES} - {"number"}
    kinds = {mutation.kind for mutation in mutations(BODY) if mutation.place == ("items", 1)}
    assert kinds == VALUES.keys() - {"empty object", "object"}


@pytest.mark.parametrize(
    ("mutation", "changed"),
    [
        (Mutation(("next",), DELETED), {"items": BODY["items"]}),
        (Mutation(("items", 0), "null"), {**BODY, "items": [None, {"id": "2", "tags": ["a", None]}]}),
        (
            Mutation(("items", 1, "tags", 0), "number"),
            {**BODY, "items": [{"id": "1", "size": 7}, {"id": "2", "tags": [7, None]}]},
        ),
    ],
    ids=str,
)
def test_one_place_is_changed(mutation: Mutation, changed: object) -> None:
    before = json.dumps(BODY)

    assert mutation.apply(BODY) == changed
    assert json.dumps(BODY) == before


def test_samples_are_reproducible() -> None:
    assert sample(BODY, 20, "seed") == sample(BODY, 20, "seed")
    assert sample(BODY, 20, "seed") != sample(BODY, 20, "other seed")
    assert len(set(sample(BODY, 20, "seed"))) == 20
    assert len(sample(BODY, 1000, "seed")) < len(list(mutations(BODY)))


def test_huge_numbers_are_written_as_numbers() -> None:
    assert encoded({"size": HUGE}) == b'{"size": 1e400}'
    assert json.loads(encoded([10**30])) == [10**30]


@pytest.mark.parametrize(
    ("value", "name"),
    [(None, "null"), (True, "boolean"), (1, "number"), (1.5, "number"), ("", "string"), ([], "array"), ({}, "object")],
)
def test_json_types(value: object, name: str) -> None:
    assert json_type(value) == name
