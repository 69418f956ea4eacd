"""The message of an error body is found in all observed formats of the API and of gateways."""

from __future__ import annotations

import json

import pytest

from circleci_sdk._core.serialization.error_body import hint_for, read_error

GITHUB = {"message": "Not Found", "documentation_url": "https://docs.github.com/rest"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"message": "Project not found"}, "Project not found"),
        ({"error": "Policy does not exist", "context": {"a": 1}}, "Policy does not exist"),
        ({"message": None, "error": "b"}, "b"),
        ({"message": "", "error": "b"}, "b"),
        ({"message": {"message": "deep"}}, "deep"),
        ({"message": json.dumps(GITHUB)}, "Not Found"),
        ({"message": json.dumps({"message": json.dumps(GITHUB)})}, "Not Found"),
        ({"message": "{broken"}, "{broken"),
        ({"message": "[1] is no list of names"}, "[1] is no list of names"),
        (
            {"error": {"id": "1", "type": "not_found", "title": "Not found", "detail": "No such run."}},
            "Not found: No such run.",
        ),
        ({"error": {"id": "1", "title": "Not found"}}, "Not found"),
        ({"error": "invalid_grant", "error_description": "The code expired."}, "invalid_grant"),
        ({"errors": [{"message": "a"}, {"message": "b"}]}, "a; b"),
        ([{"message": "a"}, "b", {"message": ""}], "a; b"),
        ([{"message": str(i)} for i in range(9)], "0; 1; 2"),
        ("Not found", "Not found"),
        ({"message": "two\nlines  and\tspaces"}, "two lines and spaces"),
        ({}, ""),
        ([], ""),
        ({"message": 5}, ""),
        ({"unknown": "key"}, ""),
        (None, ""),
        (5, ""),
        (
            {
                "message": {
                    "message": {"message": {"message": {"message": {"message": {"message": {"message": "deep"}}}}}}
                }
            },
            "",
        ),
    ],
    ids=repr,
)
def test_json_bodies(body: object, message: str) -> None:
    assert read_error(json.dumps(body).encode(), "application/json")[0] == message
    assert read_error(json.dumps(body).encode(), "text/plain")[0] == message


@pytest.mark.parametrize(
    ("body", "content_type", "message"),
    [
        (b"", "", ""),
        (b"  \r\n", "text/plain", ""),
        (b"Rate limited.", "text/plain", "Rate limited."),
        (b"Rate limited.", "application/json", "Rate limited."),
        (b"upstream connect error", "", "upstream connect error"),
        (b"<!doctype html><h1>Bad gateway</h1>", "text/html; charset=utf-8", ""),
        (b"<html>no type</html>", "", ""),
        (b"Sorry, <b>gone</b>", "text/HTML", ""),
        (b"\xff\xfe\x00", "application/octet-stream", "\ufffd\ufffd\\x00"),
        (b'{"message": "half', "application/json", '{"message": "half'),
        (b'{"message": "\xff"}', "application/json", "\ufffd"),
        ('\ufeff{"message": "with a mark"}'.encode(), "application/json", "with a mark"),
        (b"x" * 1000, "text/plain", "x" * 497 + "..."),
        (b"[" * 100_000, "application/json", "[" * 497 + "..."),
        (b'{"message":' * 50_000 + b"1" + b"}" * 50_000, "application/json", None),
        (b"1" * 10_000, "text/plain", "1" * 497 + "..."),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_other_bodies(body: bytes, content_type: str, message: str | None) -> None:
    found = read_error(body, content_type)[0]
    assert len(found) <= 500
    if message is not None:
        assert found == message


@pytest.mark.parametrize(
    ("status", "api", "sent_before", "changes", "word"),
    [
        (401, "v2", False, False, "no project tokens"),
        (401, "v1", False, False, ""),
        (403, "v2", False, False, "missing resources"),
        (404, "v2", False, False, "this token cannot access"),
        (404, "v2", False, True, "this token cannot access"),
        (404, "v2", True, False, "this token cannot access"),
        (404, "v2", True, True, "An earlier attempt of this call may have succeeded."),
        (409, "v2", True, True, "An earlier attempt"),
        (409, "v2", False, True, ""),
        (410, "v1", False, True, "no longer supports"),
        (400, "v2", False, True, ""),
        (500, "v2", True, True, ""),
    ],
)
def test_hints(status: int, api: str, sent_before: bool, changes: bool, word: str) -> None:
    hint = hint_for(status, api, sent_before=sent_before, changes=changes)
    assert word in hint
    assert bool(word) == bool(hint)
