"""Errors without the words of a server that repeats the secret it was given."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING
from urllib.parse import quote

from circleci_sdk._core.errors import CallFacts, CircleCIError, DecodeError, RateLimitError, StatusError

if TYPE_CHECKING:
    from pydantic import SecretStr


def without_echo(error: CircleCIError, value: SecretStr) -> CircleCIError:
    """The error, or one like it without the words of the server, should they repeat the value."""
    if not isinstance(error, StatusError | DecodeError):
        return error
    said = f"{error}\n{error.body.decode('utf-8', 'replace')}"
    if not any(form in said for form in _forms(value.get_secret_value())):
        return error
    operation, method, path = error.operation or "", error.method or "", error.path or ""
    facts = CallFacts(operation, method, path, error.attempts, error.elapsed, error.stopped_because, error.delivery)
    if isinstance(error, DecodeError):
        said = f"{operation}: the answer could not be read; it repeats the value ({facts.describe()})."
        return DecodeError(said, facts=facts, field=error.field, status=error.status)
    hint = "What the server said is left out, because it repeats the value."
    clean = type(error)("", facts=facts, status=error.status, hint=hint)
    if isinstance(error, RateLimitError) and isinstance(clean, RateLimitError):
        clean.retry_after, clean.rate_limit = error.retry_after, error.rate_limit
    return clean


def _forms(value: str) -> Iterator[str]:
    """How a value, or a line of it, may look in what a server says."""
    for line in {value, *(line.strip() for line in value.splitlines())}:
        if line:
            yield line
            yield json.dumps(line)[1:-1]
            yield json.dumps(line, ensure_ascii=False)[1:-1].replace("/", "\\/")
            yield quote(line, safe="")
