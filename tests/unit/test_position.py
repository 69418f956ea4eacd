"""The position in a file that breaks off at any byte, as a pure function of its responses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk._core.messages import Headers
from circleci_sdk.helpers._downloads.position import Position


def headers(**values: str) -> Headers:
    return Headers([(name.replace("_", "-").encode(), value.encode()) for name, value in values.items()])


def whole(file: bytes, etag: str | None) -> Headers:
    tag = {} if etag is None else {"etag": etag}
    return headers(content_length=str(len(file)), **tag)


def rest(file: bytes, start: int, etag: str) -> Headers:
    return headers(content_range=f"bytes {start}-{len(file) - 1}/{len(file)}", etag=etag)


@given(st.data(), st.binary(min_size=1, max_size=60), st.sampled_from([None, 'W/"a"', '"a"']))
def test_a_file_that_breaks_off_anywhere_is_given_once(data: st.DataObject, file: bytes, etag: str | None) -> None:
    position, given_bytes = Position(), b""
    for _ in range(50):
        if position.received and position.has_tag:
            sent = dict(position.range_headers())
            assert sent == {"Range": f"bytes={position.received}-", "If-Range": etag}
            assert position.resume(rest(file, position.received, '"a"'))
            body = file[position.received :]
        else:
            position.restart(whole(file, etag))
            body = file
        until = data.draw(st.integers(0, len(body)))
        while body[:until]:
            size = data.draw(st.integers(1, until))
            given_bytes += position.take(body[:size])
            body, until = body[size:], until - size
        assert file.startswith(given_bytes)
        assert position.received == len(given_bytes)
        assert position.size == len(file)
        if position.missing is None:
            break
    assert (position.missing is None) == (given_bytes == file)


@given(st.binary(min_size=1, max_size=60), st.data())
def test_other_bytes_than_those_given_are_another_file(file: bytes, data: st.DataObject) -> None:
    reached = data.draw(st.integers(1, len(file)))
    changed = data.draw(st.integers(0, reached - 1))
    other = file[:changed] + bytes([file[changed] ^ 1]) + file[changed + 1 :]
    position = Position()
    position.restart(whole(file, None))
    position.take(file[:reached])
    position.restart(whole(other, None))
    with pytest.raises(ValueError, match="another one"):
        position.take(other)


@pytest.mark.parametrize(
    "response",
    [
        headers(content_range="bytes 2-4/5", etag='"a"'),
        headers(content_range="bytes 3-4/5", etag='"b"'),
        headers(content_range="bytes */5", etag='"a"'),
        headers(etag='"a"'),
    ],
)
def test_a_part_from_elsewhere_makes_the_whole_file_necessary(response: Headers) -> None:
    position = Position()
    position.restart(whole(b"12345", '"a"'))
    position.take(b"123")
    assert not position.resume(response)
    assert not position.has_tag
    assert position.range_headers() == (("Range", "bytes=3-"),)
    position.restart(whole(b"12345", '"a"'))
    assert position.is_repeating
    assert position.take(b"1234") == b"4"
    assert position.missing == "the response ended after 4 of 5 bytes"


def test_the_end_that_a_server_confirms_is_the_end() -> None:
    position = Position()
    position.restart(headers())
    position.take(b"123")
    assert (position.size, position.missing) == (None, None)
    position.restart(headers())
    assert position.missing == "the response ended after 0 of an unknown number bytes"
    position.end()
    assert position.missing is None
