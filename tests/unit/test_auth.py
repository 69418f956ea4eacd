"""Finding, validation and sending of tokens."""

from __future__ import annotations

import copy
import pickle
from base64 import b64encode
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import ConfigError
from circleci_sdk._core.transport.auth import Credential, Token, version_of

SECRET = "CCIPAT_s3cret"


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CIRCLECI_TOKEN", "CIRCLE_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("scheme", "name", "value"),
    [
        ("circle-token", "Circle-Token", SECRET),
        ("bearer", "Authorization", f"Bearer {SECRET}"),
        ("basic", "Authorization", "Basic " + b64encode(f"{SECRET}:".encode()).decode()),
    ],
)
async def test_headers_by_scheme(scheme: Any, name: str, value: str) -> None:
    token = await Credential(SECRET, scheme).token()
    assert token is not None
    headers = httpx.Headers({"Accept": "application/json"})
    token.put_on(headers, "/api/v2/me")
    assert dict(headers) == {"accept": "application/json", name.lower(): value}
    Token.take_off(headers)
    assert dict(headers) == {"accept": "application/json"}


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/api/v3", "v3"),
        ("/api/v3/", "v3"),
        ("/api/v3/runs/search", "v3"),
        ("/api/v3?x=/api/v2", "v3"),
        ("/api/V3/runs", "v3"),
        ("/API/v3/runs", "v3"),
        ("/api/%763/runs", "v3"),
        ("/api/v3x/runs", "v3x"),
        ("/api/v2/v3", "v2"),
        ("/api/v2/api/v3/runs", "v2"),
        ("/api/v2/me?next=/api/v3/runs", "v2"),
        ("/api/v1.1/me", "v1.1"),
        ("/api/", ""),
        ("/api", ""),
        ("/output/api/v3", ""),
        ("//api/v3", ""),
        ("", ""),
    ],
)
def test_version_in_a_path(path: str, version: str) -> None:
    assert version_of(path) == version


@pytest.mark.parametrize("scheme", ["circle-token", "bearer", "basic"])
async def test_v3_takes_a_bearer_token_from_any_client(scheme: Any) -> None:
    token = await Credential(SECRET, scheme).token()
    assert token is not None
    headers: dict[str, str] = {}
    token.put_on(headers, "/api/v3/runs")
    assert headers == {"Authorization": f"Bearer {SECRET}"}


@pytest.mark.parametrize("scheme", ["circle-token", "bearer", "basic"])
async def test_operation_that_takes_a_circle_token(scheme: Any) -> None:
    token = await Credential(SECRET, scheme).token()
    assert token is not None
    headers: dict[str, str] = {}
    token.as_circle_token().put_on(headers, "/api/v3/catalog/offerings")
    assert headers == {"Circle-Token": SECRET}


async def test_auth_none_sends_no_token() -> None:
    assert await Credential(None, "none").token() is None


async def test_callable_is_called_for_each_request() -> None:
    tokens = iter("ab")

    async def source() -> str:
        return next(tokens)

    credential = Credential(None, source)
    assert credential.renewable
    for expected in "ab":
        token = await credential.token()
        assert token is not None
        headers: dict[str, str] = {}
        token.put_on(headers, "/api/v2/me")
        assert headers == {"Circle-Token": expected}


async def test_sources_of_the_token(monkeypatch: pytest.MonkeyPatch) -> None:
    async def sent(token: str | None) -> str:
        found = await Credential(token, "circle-token").token()
        assert found is not None
        headers: dict[str, str] = {}
        found.put_on(headers, "/api/v2/me")
        return headers["Circle-Token"]

    with pytest.raises(ConfigError, match="CIRCLECI_TOKEN or CIRCLE_TOKEN"):
        await sent(None)
    monkeypatch.setenv("CIRCLE_TOKEN", "second")
    assert await sent(None) == "second"
    monkeypatch.setenv("CIRCLECI_TOKEN", "")
    assert await sent(None) == "second"
    monkeypatch.setenv("CIRCLECI_TOKEN", "first")
    assert await sent(None) == "first"
    assert await sent("argument") == "argument"
    assert Credential(None, "none").key == "none"


@pytest.mark.parametrize(
    ("token", "auth"),
    [
        (SECRET, "none"),
        (SECRET, lambda: None),
        (SECRET, "digest"),
        (SECRET, None),
        (SECRET, 7),
        (b"bytes", "circle-token"),
        (7, "circle-token"),
    ],
)
def test_invalid_combinations(token: Any, auth: Any) -> None:
    with pytest.raises(ConfigError) as caught:
        Credential(token, auth)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    "bad", ["", " ", "s3cret ", " s3cret", "s3cret\n", "s3\rcret", "s3\0cret", "s3cr\xe9t", "s3\u202ecret", "s3\x7f"]
)
def test_token_invalid_in_a_header_is_refused_without_quoting(bad: str) -> None:
    with pytest.raises(ConfigError, match="no header can carry") as caught:
        Credential(bad, "circle-token")
    assert "s3" not in str(caught.value)


@given(st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_valid_token_is_sent_unchanged(value: str) -> None:
    headers = httpx.Headers()
    Token(value, "here").put_on(headers, "/api/v2/me")
    assert headers.raw == [(b"Circle-Token", value.encode())]


def test_token_is_not_in_repr() -> None:
    credential = Credential(SECRET, "circle-token")
    token = Token(SECRET, "here")
    assert SECRET not in f"{credential!r} {credential} {token!r} {token} {credential.key}"
    for duplicate in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            duplicate(token)


def test_keys_distinguish_tokens() -> None:
    keys = {Credential(token, scheme).key for token in ("a", "b") for scheme in ("circle-token", "bearer")}  # type: ignore[arg-type]  # the loop gives any str
    assert len(keys) == 2
