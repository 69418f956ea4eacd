"""The comparison of data with its decoded and encoded copy detects every loss."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import places
from tests.support.facts import operations
from tests.support.names import Version
from tests.support.recordings import Recording, differences, recordings, said


@pytest.mark.parametrize(
    ("original", "dumped"),
    [
        ({"a-b": 1, "user?": True}, {"a_b": 1, "is_user": True}),
        ({"at": "2020-01-01T00:00:00Z"}, {"at": "2020-01-01T00:00:00+00:00"}),
        ({"at": "2020-01-01T02:00:00+0200"}, {"at": "2020-01-01T00:00:00Z"}),
        ({"at": '#joda/inst "2020-01-01T00:00:00"'}, {"at": "2020-01-01T00:00:00Z"}),
        ({"at": "1577836800"}, {"at": "2020-01-01T00:00:00Z"}),
        ({"at": "2020-01-01T00:00:00.123456789Z"}, {"at": "2020-01-01T00:00:00.123456Z"}),
        ([1, 2.5, None, True, "a"], [1.0, 2.5, None, True, "a"]),
    ],
)
def test_other_spellings_are_equal(original: Any, dumped: Any) -> None:
    assert list(differences(original, dumped)) == []


@pytest.mark.parametrize(
    ("original", "dumped", "found"),
    [
        ({"a": 1}, {}, ".a: lost"),
        ({}, {"a": 1}, ".a: was added"),
        ({"a": [{"b": 25}]}, {"a": [{"b": "25"}]}, ".a[0].b: 25 became '25'"),
        ({"a": "25"}, {"a": 25}, ".a: '25' became 25"),
        ([1, 2], [1], ": 2 items became 1"),
        ({"a": None}, {"a": ""}, ".a: None became ''"),
        ([True], [1], "[0]: True became 1"),
        ([{"a": 1}], [["a"]], "[0]: {'a': 1} became ['a']"),
        (["2020-01-01T00:00:00Z"], ["2020-01-01T00:00:01Z"], "[0]: '2020-01-01T00:00:00Z' became"),
        (["a"], ["b"], "[0]: 'a' became 'b'"),
    ],
)
def test_losses_are_detected(original: Any, dumped: Any, found: str) -> None:
    [difference] = differences(original, dumped)
    assert difference.startswith(found)


@pytest.mark.parametrize(
    ("kind", "whole"),
    [
        ("response", {"id": 1}),
        ("single item of items[]", {"items": [{"id": 1}], "next_page_token": None}),
        ("items[] unwrapped by the client (bare array)", {"items": {"id": 1}, "next_page_token": None}),
        ("single item of the top-level array", [{"id": 1}]),
    ],
)
def test_partial_response_is_completed(kind: str, whole: object) -> None:
    assert Recording("f", "v2", "get", 200, "recorded", kind, b'{"id": 1}').response == whole


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b'{"message": "Not found"}', "Not found"),
        (b'{"error": "Nope"}', "Nope"),
        (b'{"message": "{\\"message\\": \\"Deep\\"}"}', "Deep"),
        (b"<html>", ""),
    ],
)
def test_message_of_error_body(content: bytes, sentence: str) -> None:
    assert said(content) == sentence


def test_routes_and_ids_identify_the_same_operations() -> None:
    of_id = {(operation.version, operation.id.lower()): operation for operation in operations(places.facts())}
    of_route = {(operation.version, operation.route): operation for operation in of_id.values()}
    older, newer = (
        [recording for recording in recordings(folder) if not recording.is_delivery]
        for folder in places.payload_folders()
    )

    assert len(of_route) == len(of_id)
    for recording in older:
        version, _ = _key(recording)
        assert of_id.get((version, recording.operation)) in {None, of_route.get(_key(recording))}
    assert all(_key(recording) in of_route for recording in newer)


def _key(recording: Recording) -> tuple[Version, str]:
    assert recording.version is not None
    return recording.version, recording.route
