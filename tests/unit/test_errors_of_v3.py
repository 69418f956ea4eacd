"""Error bodies of API v3, and whether a host is a Server."""

from __future__ import annotations

import json
from typing import Any

import pytest

from circleci_sdk import AsyncCircleCI, ConfigError, NotFoundError
from circleci_sdk._core.serialization.error_body import read_error

FULL = {
    "error": {
        "id": "e",
        "type": "validation_error",
        "title": "Invalid",
        "detail": "no branch",
        "source": {"pointer": "/filter", "offset": 3, "error": "x"},
    }
}


@pytest.mark.parametrize(
    ("body", "message", "kind", "pointer"),
    [
        (FULL, "Invalid: no branch", "validation_error", "/filter"),
        ({"error": {"type": "not_found", "detail": "run not found", "id": "e"}}, "run not found", "not_found", None),
        ({"error": {"title": "Not found.", "id": "e"}}, "Not found.", None, None),
        ({"error": {"title": "", "detail": "d", "type": ""}}, "d", "", None),
        ({"error": {"source": None, "type": "t", "title": "a"}}, "a", "t", None),
        ({"error": {"source": {}, "type": None}}, "", None, None),
        ({"error": {"source": "/a", "type": 7, "title": "a"}}, "a", None, None),
        ({"error": {"source": {"pointer": ["/a"]}, "type": {"a": 1}, "title": 5}}, "", None, None),
        ({"error": {"source": ["/a"], "type": "t"}}, "", None, None),
        ({"error": {"title": "a\u202eb\n\x1b[31m", "type": "t\x00", "source": {"pointer": "/\x07"}}}, None, None, None),
        ({"error": {"title": "a", "type": "t" * 900, "source": {"pointer": "/" * 900}}}, "a", None, None),
        ({"error": "internal error"}, "internal error", None, None),
        ({"error": ["a", {"title": "b"}]}, "a; b", None, None),
        ({"error": None, "message": "m"}, "m", None, None),
        ({"message": "Unauthorized"}, "Unauthorized", None, None),
        ({}, "", None, None),
        ([{"error": {"type": "t"}}], "", None, None),
        ("not found", "not found", None, None),
        (None, "", None, None),
        (7, "", None, None),
    ],
    ids=str,
)
def test_forms_of_an_error(body: Any, message: str | None, kind: str | None, pointer: str | None) -> None:
    content = json.dumps(body).encode()
    found = read_error(content, "application/json")

    if message is None:
        assert found == (r"a\u202eb \x1b[31m", r"t\x00", r"/\x07")
    elif "t" * 900 in str(body):
        assert found == ("a", "t" * 497 + "...", "/" * 497 + "...")
    else:
        assert found == (message, kind, pointer)


@pytest.mark.parametrize(
    "content",
    [b"", b" ", b"not found", b"<html></html>", b'{"error": {"type": "t"', b"\xff\xfe", b'{"error": ' * 100_000],
    ids=lambda content: repr(content[:20]),
)
def test_a_body_that_is_no_json_has_no_details(content: bytes) -> None:
    assert read_error(content, "application/json")[1:] == (None, None)


@pytest.mark.parametrize(
    ("host", "is_server"),
    [
        (None, False),
        ("https://circleci.com", False),
        ("https://circleci.com/api/v2", False),
        ("https://CircleCI.com", False),
        ("https://circleci.com:443", False),
        ("https://app.circleci.com", False),
        ("https://ci.acme.example", True),
        ("https://notcircleci.com", True),
        ("https://circleci.com.acme.example", True),
        ("https://circleci.company", True),
        ("http://127.0.0.1:8080", True),
    ],
)
@pytest.mark.parametrize("deployment", [None, "cloud", "server"])
async def test_other_hosts_are_servers_unless_said_otherwise(
    host: str | None, is_server: bool, deployment: Any
) -> None:
    async with AsyncCircleCI("token", base_url=host, allow_http=True, deployment=deployment) as client:
        expected = is_server if deployment is None else deployment == "server"
        assert client._session.is_server == expected
        assert client.with_options(max_retries=0)._session.is_server == expected


@pytest.mark.parametrize("deployment", ["Cloud", "", "self-hosted", True, 1, ["cloud"], b"server"], ids=repr)
def test_another_deployment_is_refused(deployment: Any) -> None:
    with pytest.raises(ConfigError, match="deployment: expected one of cloud, server or None, got"):
        AsyncCircleCI("token", deployment=deployment)


@pytest.mark.parametrize(
    ("message", "text"),
    [
        ("Not Found: no such run", "404 Not Found: no such run"),
        ("Not Found", "404 Not Found: Not Found"),
        ("Missing: no such run", "404 Not Found: Missing: no such run"),
        ("", "404 Not Found"),
    ],
)
def test_a_title_that_is_the_phrase_of_the_status_is_said_once(message: str, text: str) -> None:
    error = NotFoundError(message, status=404)
    assert str(error) == text
    assert error.message == message
