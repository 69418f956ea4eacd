"""Arguments of the right type at the edges: huge numbers, headers that can be read only once or hold odd values."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

import pytest

from circleci_sdk import InvalidArgumentError
from circleci_sdk.webhooks import (
    MemoryStore,
    Ping,
    Router,
    SignatureError,
    UnknownEvent,
    WebhookApp,
    WorkflowCompleted,
    parse,
    verify,
)

HUGE = 10**5000
"""An int without a `repr`, and above all floats."""


@pytest.mark.parametrize(
    ("call", "name"),
    [
        (lambda: Router(max_attempts=-HUGE), "max_attempts"),
        (lambda: Router(store_timeout=HUGE), "store_timeout"),
        (lambda: Router().subscribe(-HUGE), "size"),
        (lambda: Router().on(WorkflowCompleted, branch=[HUGE]), "branch"),  # type: ignore[call-overload]  # refused
        (lambda: Router().on(WorkflowCompleted, status=[HUGE]), "status"),  # type: ignore[call-overload]  # refused
        (lambda: Router().on(WorkflowCompleted, project=[HUGE]), "project"),  # type: ignore[call-overload]  # refused
        (lambda: MemoryStore(max_bytes=-HUGE), "max_bytes"),
        (lambda: WebhookApp(Router(), secret=None, read_timeout=HUGE), "read_timeout"),
        (lambda: WebhookApp(Router(), secret=None, shutdown_timeout=HUGE), "shutdown_timeout"),
        (lambda: WebhookApp(Router(), secret=None, handler_timeout=HUGE), "handler_timeout"),
        (lambda: WebhookApp(Router(), secret=None, max_running=-HUGE), "max_running"),
        (lambda: verify(b"", "v1=00", "secret", max_body=-HUGE), "max_body"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_huge_numbers_are_refused(call: Callable[[], object], name: str) -> None:
    with pytest.raises(InvalidArgumentError, match=f"{name}: expected .*, got an int (above|below) "):
        call()


def test_headers_that_can_be_read_once_suffice() -> None:
    body = b'{"id": "1"}'
    signature = "v1=" + hmac.digest(b"secret", body, "sha256").hex()

    def headers() -> Iterator[tuple[str, str]]:
        yield "circleci-signature", signature
        yield "circleci-event-type", "ping"

    assert isinstance(parse(body, headers(), secret="secret"), Ping)
    verify(body, headers(), "secret")


class _Unprintable:
    def __repr__(self) -> str:
        raise RuntimeError("no repr")

    __str__ = __repr__


ODD: Final[dict[str, Any]] = {
    "None": None,
    "int": 5,
    "huge int": HUGE,
    "bool": True,
    "bytes": b"\xff",
    "bytearray": bytearray(b"x"),
    "list": ["x"],
    "unprintable": _Unprintable(),
}
"""What headers hold in programs that made them of something else."""


def _signed(body: bytes) -> dict[str, str]:
    return {
        "circleci-signature": "v1=" + hmac.digest(b"secret", body, "sha256").hex(),
        "circleci-event-type": "ping",
    }


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("as_pairs", [False, True])
def test_odd_values_of_headers_that_are_not_read_are_passed_over(odd: Any, as_pairs: bool) -> None:
    body = b'{"id": "1"}'
    headers: Any = {"x-other": odd, **_signed(body), "x-another": odd}
    assert isinstance(parse(body, list(headers.items()) if as_pairs else headers, secret="secret"), Ping)


@pytest.mark.parametrize("odd", ODD.values(), ids=ODD)
@pytest.mark.parametrize("name", ["circleci-signature", "circleci-event-type", None])
def test_odd_headers_have_no_other_than_documented_errors(odd: Any, name: str | None) -> None:
    """As the value of a header that is read, or in place of a pair or of its name."""
    body = b'{"id": "1"}'
    pairs = [*_signed(body).items()]
    several: list[Any] = [
        [(key, odd if key == name else value) for key, value in pairs],
        [*pairs, (odd, "x")],
        [*pairs, odd],
        [*pairs, (odd,)],
        [*pairs, (odd, odd, odd)],
    ]
    for headers in several if name is None else several[:1]:
        for secret in ("secret", None):
            with suppress(InvalidArgumentError, SignatureError):
                parse(body, headers, secret=secret)
        with suppress(InvalidArgumentError, SignatureError):
            verify(body, headers, "secret")


def test_none_is_a_missing_header() -> None:
    body = b'{"id": "1"}'
    headers: dict[str, Any] = {**_signed(body), "circleci-event-type": None}
    assert isinstance(parse(body, headers, secret="secret"), UnknownEvent)
    headers["circleci-signature"] = None
    with pytest.raises(SignatureError, match="has no circleci-signature"):
        parse(body, headers, secret="secret")
