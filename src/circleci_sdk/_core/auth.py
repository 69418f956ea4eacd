"""How a token is found, sent, and kept out of sight."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Awaitable, Callable
from typing import Final, Literal

from .errors import ConfigError
from .options import is_text

AuthScheme = Literal["circle-token", "bearer", "basic", "none"]
TokenSource = Callable[[], Awaitable[str]]

TOKEN_VARIABLES: Final = ("CIRCLECI_TOKEN", "CIRCLE_TOKEN")
_SCHEMES: Final = ("circle-token", "bearer", "basic", "none")
_SENDABLE: Final = re.compile(r"[\x21-\x7e]+")


class Token:
    """A token that no `repr`, pickle or traceback shows."""

    __slots__ = ("_value",)

    def __init__(self, value: str, source: str) -> None:
        if not is_text(value):
            raise ConfigError(f"The token from {source} is not a string.")
        if not _SENDABLE.fullmatch(value):
            raise ConfigError(
                f"The token from {source} is empty or holds spaces, line ends or other characters that no header can "
                "carry. Strip it; a line end after a token read from a file is the usual cause."
            )
        self._value = value

    def __repr__(self) -> str:
        return "<token>"

    def __reduce__(self) -> str:
        raise TypeError("a token is never pickled")

    def header(self, scheme: AuthScheme) -> tuple[str, str]:
        """The header that carries the token. For the one place that sends."""
        if scheme == "bearer":
            return "Authorization", f"Bearer {self._value}"
        if scheme == "basic":
            return "Authorization", "Basic " + base64.b64encode(f"{self._value}:".encode()).decode()
        return "Circle-Token", self._value

    def fingerprint(self) -> str:
        """A short digest that tells tokens apart and gives none away."""
        return hashlib.sha256(b"circleci_sdk:" + self._value.encode()).hexdigest()[:16]


class Credential:
    """Where tokens come from and how they are sent: a fixed token, a callable asked for each attempt, or nothing.

    The callable's tokens go out as `Circle-Token`.
    """

    __slots__ = ("_fixed", "_scheme", "_source", "key")

    def __init__(self, token: str | None, auth: AuthScheme | TokenSource) -> None:
        self._fixed: Token | None = None
        self._source: TokenSource | None = None
        self._scheme: AuthScheme = "circle-token"
        if callable(auth):
            if token is not None:
                raise ConfigError("Give token= or a callable as auth=, not both.")
            self._source = auth
        elif is_text(auth):
            self._scheme = auth
            self._fixed = _fixed_token(token, auth)
        else:
            raise ConfigError(f"auth must be one of {', '.join(_SCHEMES)}, or an async callable that returns a token.")
        self.key: Final = (
            self._fixed.fingerprint() if self._fixed else f"callable-{id(self._source)}" if self._source else "none"
        )

    def __repr__(self) -> str:
        return f"<credential {self.key}>"

    @property
    def renewable(self) -> bool:
        """Whether asking again may give another token."""
        return self._source is not None

    async def header(self) -> tuple[str, str] | None:
        """The header for one attempt, or None when nothing is sent."""
        if self._source is not None:
            return Token(await self._source(), "the auth callable").header(self._scheme)
        return self._fixed.header(self._scheme) if self._fixed else None


def _fixed_token(token: str | None, scheme: str) -> Token | None:
    if scheme not in _SCHEMES:
        raise ConfigError(f"auth must be one of {', '.join(_SCHEMES)}, or an async callable; it is {scheme!r}.")
    if scheme == "none":
        if token is not None:
            raise ConfigError('auth="none" sends no token; leave token= out.')
        return None
    if token is not None:
        return Token(token, "token=")
    for variable in TOKEN_VARIABLES:
        if value := os.environ.get(variable):
            return Token(value, variable)
    raise ConfigError(
        'No token. Pass token=, or set CIRCLECI_TOKEN or CIRCLE_TOKEN; for open projects on v1.1, auth="none". '
        "Tokens are made in the web app under User Settings, Personal API Tokens."
    )
