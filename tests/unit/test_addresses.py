"""The short way to an address gives what httpx gives, or is not taken."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from circleci_sdk._core.messages import build_url
from circleci_sdk._core.transport.request import _Address, _address, without_query

ORIGINS = [
    "https://circleci.com",
    "https://circleci.com:443",
    "https://CI.Example.com:8443",
    "http://localhost:80",
    "http://127.0.0.1:8080",
    "http://[::1]:8080",
    "https://bücher.example",
]
NEARLY = st.text(st.sampled_from("aZ0-._~/?&=%2eE#:@+ é'"), max_size=20)


def same(url: str) -> None:
    """Whether a request to it looks the same, in all that a transport looks at."""
    ours, theirs = _address(url), httpx.URL(url)
    for part in ("scheme", "host", "raw_scheme", "raw_host", "port", "netloc", "raw_path", "userinfo"):
        assert getattr(ours, part) == getattr(theirs, part), part


@given(st.sampled_from(ORIGINS), NEARLY)
@example("https://circleci.com", "/api/../x")
@example("https://circleci.com", "/api/v2//me")
@example("https://circleci.com", "/a%2e%2e/%2E")
@example("https://circleci.com", "/a%zz")
@example("https://circleci.com", "/a?b=%zz")
@example("https://circleci.com", "/a?b=/c?d")
@example("https://circleci.com", "//")
@example("https://user:secret@circleci.com", "/a")
def test_any_address(origin: str, target: str) -> None:
    try:
        httpx.URL(origin + target)
    except httpx.InvalidURL:
        with pytest.raises(httpx.InvalidURL):
            _address(origin + target)
        return
    same(origin + target)


@given(
    st.sampled_from(ORIGINS),
    st.lists(st.from_regex(r"/[a-zA-Z0-9_-](?:[a-zA-Z0-9_.~-]|%[0-9A-F]{2})*", fullmatch=True), min_size=1).map(
        "".join
    ),
    st.lists(st.tuples(st.text(), st.text())),
)
def test_what_we_write_takes_the_short_way(origin: str, path: str, query: list[tuple[str, str]]) -> None:
    url = build_url(origin, path, [pair for pair in query if _encodes(pair)])
    assert isinstance(_address(url), _Address)
    same(url)


def _encodes(pair: tuple[str, str]) -> bool:
    return not any("\ud800" <= char <= "\udfff" for text in pair for char in text)


def test_a_password_is_not_remembered() -> None:
    assert not isinstance(_address("https://user:secret@circleci.com/a"), _Address)


def test_an_error_may_know_the_path_but_not_the_query() -> None:
    request = httpx.Request("GET", "https://circleci.com")
    request.url = _address("https://circleci.com/api/v2/a%20b?X-Amz-Signature=secret")
    assert str(without_query(request).url) == "https://circleci.com/api/v2/a%20b"
