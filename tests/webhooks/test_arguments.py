"""Arguments of the right type at the edges: huge numbers, and headers that can be read only once."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Iterator

import pytest

from circleci_sdk import InvalidArgumentError
from circleci_sdk.webhooks import MemoryStore, Ping, Router, WebhookApp, WorkflowCompleted, parse, verify

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
    with pytest.raises(InvalidArgumentError, match=f"{name}: expected .*, got a huge int"):
        call()


def test_headers_that_can_be_read_once_suffice() -> None:
    body = b'{"id": "1"}'
    signature = "v1=" + hmac.digest(b"secret", body, "sha256").hex()

    def headers() -> Iterator[tuple[str, str]]:
        yield "circleci-signature", signature
        yield "circleci-event-type", "ping"

    assert isinstance(parse(body, headers(), secret="secret"), Ping)
    verify(body, headers(), "secret")
