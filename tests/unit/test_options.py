"""Timeouts and options: valid and invalid values, and views that leave the client unchanged."""

from __future__ import annotations

from typing import Any

import anyio
import pytest

from circleci_sdk import AsyncCircleCI, ConfigError, Timeout
from circleci_sdk._core.clock import SystemClock
from circleci_sdk._core.options import Options

PLAIN = Options(Timeout(), 2, 60.0)
NO_NUMBERS: list[Any] = [0, -1, float("nan"), float("inf"), True, "5"]


@pytest.mark.parametrize("part", ["total", "connect", "read", "write"])
@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
def test_timeout_is_a_number_of_seconds(part: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"timeout: {part}"):
        Timeout(**{part: value})


def test_short_forms_of_a_timeout() -> None:
    assert Timeout.of(7) == Timeout(total=7, connect=5, read=30, write=30)
    assert Timeout.of(None) == Timeout(total=None, connect=None, read=None, write=None)
    assert Timeout.of(Timeout(read=1)) == Timeout(read=1)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        *(("timeout", value) for value in NO_NUMBERS),
        *(("max_retries", value) for value in (-1, 1.5, True, "2", None)),
        *(("max_retry_after", value) for value in (-1, float("nan"), float("inf"), False, "2", None)),
    ],
)
def test_invalid_values_are_refused_by_clients_and_views(option: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=option):
        AsyncCircleCI("token", **{option: value})
    with pytest.raises(ConfigError, match=option):
        AsyncCircleCI("token").with_options(**{option: value})


def test_view_replaces_options_and_adds_headers_and_parameters() -> None:
    first = PLAIN.changed(timeout=5, headers={"X-One": "1", "X-Two": "2"}, query={"a": "1"})
    second = first.changed(max_retries=0, max_retry_after=0, headers={"x-one": "3"}, query={"a": "2"})
    assert (first.timeout.total, first.max_retries) == (5, 2)
    assert (second.timeout.total, second.max_retries, second.max_retry_after) == (5, 0, 0)
    assert second.headers == (("X-Two", "2"), ("x-one", "3"))
    assert second.query == (("a", "1"), ("a", "2"))
    assert (PLAIN.timeout, PLAIN.max_retries, PLAIN.headers, PLAIN.query) == (Timeout(), 2, (), ())


@pytest.mark.parametrize(
    "headers",
    [
        *({name: "x"} for name in ("Circle-Token", "authorization", "HOST", "Content-Length", "Content-Type")),
        *({name: "x"} for name in ("", "a b", "a:b", "a\n", "\xe9")),
        *({"X-Mine": value} for value in ("a\nb", "a\r", "\xe9", "\0")),
    ],
    ids=repr,
)
def test_headers_that_are_not_sent(headers: dict[str, str]) -> None:
    with pytest.raises(ConfigError, match="headers"):
        PLAIN.changed(headers=headers)


async def test_real_clock() -> None:
    clock = SystemClock()
    before = clock.monotonic()
    with anyio.fail_after(5):
        await clock.sleep(0.01)
    assert clock.monotonic() > before
    assert clock.time() > 1_750_000_000
    assert all(0 <= clock.random() < 1 for _ in range(100))
