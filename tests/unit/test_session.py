"""Base URLs: all supported forms, and no URL that could expose the token."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import AsyncCircleCI, ConfigError
from circleci_sdk._core.session import find_origin


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CIRCLECI_BASE_URL", "CIRCLECI_HOST"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("pasted", "origin"),
    [
        (None, "https://circleci.com"),
        ("ci.example.com", "https://ci.example.com"),
        ("ci.example.com/", "https://ci.example.com"),
        ("  https://ci.example.com \n", "https://ci.example.com"),
        ("https://CI.Example.com", "https://ci.example.com"),
        ("https://ci.example.com/api", "https://ci.example.com"),
        ("https://ci.example.com/api/", "https://ci.example.com"),
        ("https://ci.example.com/api/v2", "https://ci.example.com"),
        ("https://ci.example.com/api/v2/", "https://ci.example.com"),
        ("https://ci.example.com/api/v1.1", "https://ci.example.com"),
        ("ci.example.com/api/v1", "https://ci.example.com"),
        ("https://ci.example.com/api/v3", "https://ci.example.com"),
        ("ci.example.com:8443", "https://ci.example.com:8443"),
        ("localhost:8443/api/v2", "https://localhost:8443"),
        ("http://localhost:8080", "http://localhost:8080"),
        ("http://ci.localhost", "http://ci.localhost"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://127.9.9.9", "http://127.9.9.9"),
        ("http://[::1]:8080/", "http://[::1]:8080"),
        ("https://[2001:db8::1]", "https://[2001:db8::1]"),
    ],
)
def test_forms_of_base_url(pasted: str | None, origin: str) -> None:
    assert find_origin(pasted, allow_http=False) == origin


@pytest.mark.parametrize(
    "pasted",
    [
        *("", " ", "/", "https://", "https:///api", "://x", "ftp://ci.example.com", "file:///etc/passwd"),
        *("https://ci.example.com/api/v4", "https://ci.example.com/me", "https://ci.example.com/api/v2/me"),
        *("https://ci.example.com?x=1", "https://ci.example.com#x", "https://ci.example.com/api?token=s3cret"),
        *("https://ci example.com", "https://ci.example.com:port", "https://ci.example.com:99999", "https://[::1"),
        *("http://ci.example.com", "http://circleci.com", "http://10.0.0.1", "http://localhost.example.com"),
        *("http://127.0.0.1.example.com", "http://128.0.0.1", "http://[::2]"),
    ],
)
def test_invalid_base_url(pasted: str) -> None:
    with pytest.raises(ConfigError):
        find_origin(pasted, allow_http=False)


@pytest.mark.parametrize(
    "pasted",
    ["https://s3cret@ci.example.com", "https://a:s3cret@ci example.com", "https://a:s3cret@h:port", "s3cret@h"],
)
def test_password_in_the_url_is_not_quoted(pasted: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_origin(pasted, allow_http=False)
    assert "s3cret" not in str(caught.value)


def test_plain_http_only_when_allowed() -> None:
    assert find_origin("http://ci.example.com:81", allow_http=True) == "http://ci.example.com:81"
    with pytest.raises(ConfigError, match="allow_http=True"):
        AsyncCircleCI("token", base_url="http://ci.example.com")


def test_base_url_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLECI_HOST", "second.example.com")
    assert AsyncCircleCI("token").base_url == "https://second.example.com"
    monkeypatch.setenv("CIRCLECI_BASE_URL", "first.example.com/api/v2")
    assert AsyncCircleCI("token").base_url == "https://first.example.com"
    assert AsyncCircleCI("token", base_url="third.example.com").base_url == "https://third.example.com"
    monkeypatch.setenv("CIRCLECI_BASE_URL", "")
    assert AsyncCircleCI("token").base_url == "https://second.example.com"
    monkeypatch.setenv("CIRCLECI_HOST", "http://ci.example.com")
    with pytest.raises(ConfigError, match="CIRCLECI_HOST"):
        AsyncCircleCI("token")


@given(st.text())
def test_origin_is_normalized(pasted: str) -> None:
    try:
        origin = find_origin(pasted, allow_http=False)
    except ConfigError:
        return
    scheme, _, host = origin.partition("://")
    assert scheme in ("http", "https")
    assert host
    assert not set(host) & set("/?#@ \\\r\n\t")


@pytest.mark.parametrize("count", [0, -1, 1.5, True, "3", None])
def test_max_concurrency(count: object) -> None:
    with pytest.raises(ConfigError, match="max_concurrency"):
        AsyncCircleCI("token", max_concurrency=count)  # type: ignore[arg-type]  # what is refused
