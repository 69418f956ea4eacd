"""The documented rules for names and values of contexts and environment variables."""

from __future__ import annotations

import re
from typing import Final

from circleci_sdk.testing._wire.messages import ErrorResponse

MOST_VARIABLES: Final = 100
"""Variables per context."""

MOST_CONTEXTS: Final = 500
"""Contexts per organization."""

LONGEST_CONTEXT: Final = 200
LONGEST_VARIABLE: Final = 300
LONGEST_VALUE: Final = 32 * 1024

_VARIABLE: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_VERTICAL: Final = re.compile("[\n\v\f\r\x85\u2028\u2029]")


def check_context_name(name: str) -> None:
    """Raise the response 400 for a name that a context cannot have."""
    if not name.strip():
        raise ErrorResponse(400, "The name of a context cannot be empty.")
    if len(name) > LONGEST_CONTEXT:
        raise ErrorResponse(400, f"The name of a context has at most {LONGEST_CONTEXT} characters.")
    if name != name.strip() or _VERTICAL.search(name):
        raise ErrorResponse(400, "The name of a context has no leading, trailing or vertical whitespace.")


def check_variable(name: str, value: str) -> None:
    """Raise the response 400 for a name or value that an environment variable cannot have."""
    if not _VARIABLE.fullmatch(name):
        raise ErrorResponse(400, "Environment variable names must be letters, digits and underscores.")
    if len(name) > LONGEST_VARIABLE:
        raise ErrorResponse(400, f"Environment variable names have at most {LONGEST_VARIABLE} characters.")
    if len(value) > LONGEST_VALUE:
        raise ErrorResponse(400, f"Environment variable values have at most {LONGEST_VALUE} characters.")
