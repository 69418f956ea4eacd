"""The request of a call equals a request created by httpx, in every attribute."""

from __future__ import annotations

import copy
import pickle

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk._core.messages import Prepared, build_url
from circleci_sdk._core.transport.request import URL, build_request, without_query

ORIGINS = [
    "https://circleci.com",
    "https://circleci.com:443",
    "https://CI.Example.com:8443",
    "http://localhost:80",
    "http://127.0.0.1:8080",
    "http://[::1]:8080",
    "https://bücher.example",
]
PATHS = st.lists(st.from_regex(r"/[a-zA-Z0-9_-](?:[a-zA-Z0-9_.~-]|%[0-9A-F]{2})*", fullmatch=True), min_size=1).map(
    "".join
)
PARTS = (
    *("scheme", "raw_scheme", "userinfo", "username", "password", "host", "raw_host", "port", "netloc", "path"),
    *("query", "params", "raw_path", "fragment", "is_absolute_url", "is_relative_url", "_uri_reference"),
)


def encodes(pair: tuple[str, str]) -> bool:
    return not any("\ud800" <= char <= "\udfff" for text in pair for char in text)


@given(st.sampled_from(ORIGINS), PATHS, st.lists(st.tuples(st.text(), st.text())), st.permutations(PARTS))
def test_url_equals_the_one_parsed_by_httpx(
    origin: str, path: str, query: list[tuple[str, str]], parts: list[str]
) -> None:
    """In all attributes, read in any order, and in all values derived from it."""
    url = build_url(origin, path, [pair for pair in query if encodes(pair)])
    theirs = httpx.URL(url)
    ours = URL(origin, url)
    assert [getattr(ours, part) for part in parts] == [getattr(theirs, part) for part in parts]
    for make in (str, repr, hash, httpx.URL, lambda one: one.join("/x"), lambda one: one.copy_with(scheme="ftp")):
        assert make(URL(origin, url)) == make(theirs)
    for keep in (copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))):
        assert keep(URL(origin, url)) == theirs
        assert keep(URL(origin, url)).raw_path == theirs.raw_path


@pytest.mark.parametrize("name", ["nothing", "__nothing__", "_nothing"])
def test_url_has_no_other_attributes(name: str) -> None:
    with pytest.raises(AttributeError, match=name):
        getattr(URL("https://circleci.com", "https://circleci.com/a"), name)


@pytest.mark.parametrize("content", [None, b"", b'{"a": 1}'])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
@pytest.mark.parametrize("origin", [ORIGINS[0], None])
async def test_request_equals_the_one_created_by_httpx(method: str, content: bytes | None, origin: str | None) -> None:
    url, headers = f"{ORIGINS[0]}/api/v2/me?a=b", (("Accept", "*/*"), ("User-Agent", "x"))
    ours = build_request(Prepared(method, url, headers, content, origin), {"timeout": {}})
    theirs = httpx.Request(method, url, headers=headers, content=content, extensions={"timeout": {}})
    assert ours.headers == theirs.headers
    assert ours.headers.raw[0] == (b"Host", b"circleci.com")
    assert (ours.method, ours.url, ours.content, ours.extensions) == (
        method,
        theirs.url,
        theirs.content,
        theirs.extensions,
    )
    for _ in range(2):  # a transport may send it twice
        assert b"".join([piece async for piece in ours.stream]) == theirs.content  # type: ignore[union-attr]  # an async one


def test_error_contains_the_path_but_not_the_query() -> None:
    request = httpx.Request("GET", "https://circleci.com")
    request.url = URL("https://circleci.com", "https://circleci.com/api/v2/a%20b?X-Amz-Signature=secret")
    assert str(without_query(request).url) == "https://circleci.com/api/v2/a%20b"
