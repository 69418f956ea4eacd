"""The token: where it comes from, how it is sent, and how it stays hidden."""

from __future__ import annotations

import base64
import hashlib
import os
import re
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Final, Literal
from urllib.parse import unquote

from circleci_sdk._core.checks import Accepted, awaitable, check_configuration, got, is_text, may_be_async, one_of
from circleci_sdk._core.errors import ConfigError
from circleci_sdk._core.redaction import Secrets

AuthScheme = Literal["circle-token", "bearer", "basic", "none"]
_Always = Literal["always circle-token"]
TokenSource = Callable[[], Awaitable[str]]

TOKEN_VARIABLES: Final = ("CIRCLECI_TOKEN", "CIRCLE_TOKEN")
_SCHEMES: Final = ("circle-token", "bearer", "basic", "none")
_AUTH: Final = f"one of {', '.join(_SCHEMES)}, or an async function that returns a token"
_BEARER_ONLY: Final = frozenset({"v3"})
"""The versions of the API whose documentation knows no `Circle-Token`, as in the path after `/api/`."""


class Token:
    """A token, and how it is sent. No `repr`, pickle or traceback shows it."""

    __slots__ = ("_scheme", "_value", "secrets")

    def __init__(self, value: str, source: str, scheme: AuthScheme | _Always = "circle-token") -> None:
        if not is_text(value):
            shown = got(value)
            del value
            raise ConfigError(f"The token from {source}: expected str, got {shown}.")
        if not value or not value.isascii() or not value.isprintable() or " " in value:
            del value  # tracebacks show locals
            raise ConfigError(
                f"The token from {source} is empty or holds spaces, line ends or other characters that no header can "
                "carry. Strip it; a line end after a token read from a file is the usual cause."
            )
        self._value = value
        self._scheme = scheme
        self.secrets: Final = Secrets([value])
        """The token as a secret that no text of a server may repeat."""

    def __repr__(self) -> str:
        return "<token>"

    def __reduce__(self) -> str:
        raise TypeError("a token is never pickled")

    def put_on(self, headers: MutableMapping[str, str], path: str) -> None:
        """Add the header that carries the token: for v3 always a bearer token, else that of its scheme."""
        if self._scheme == "bearer" or (self._scheme != "always circle-token" and version_of(path) in _BEARER_ONLY):
            headers["Authorization"] = f"Bearer {self._value}"
        elif self._scheme == "basic":
            headers["Authorization"] = "Basic " + base64.b64encode(f"{self._value}:".encode()).decode()
        else:
            headers["Circle-Token"] = self._value

    def as_circle_token(self) -> Token:
        """The same token, sent as `Circle-Token` to any path."""
        return Token(self._value, "", "always circle-token")

    @staticmethod
    def take_off(headers: MutableMapping[str, str]) -> None:
        """Remove it again: a request that was sent shows no token."""
        for name in ("Circle-Token", "Authorization"):
            if name in headers:
                del headers[name]

    def fingerprint(self) -> str:
        """A short digest that distinguishes tokens and reveals none."""
        return hashlib.sha256(b"circleci_sdk:" + self._value.encode()).hexdigest()[:16]


class Credential:
    """Where tokens come from: a fixed token, a callable asked for each attempt, or nothing.

    The callable's tokens go out as `Circle-Token`, and as `Bearer` where the API knows no other way.
    """

    __slots__ = ("_fixed", "_source", "key")

    def __init__(self, token: str | None, auth: AuthScheme | TokenSource) -> None:
        self._fixed: Token | None = None
        self._source: TokenSource | None = None
        if callable(auth):
            check_configuration(auth=(auth, Accepted(_AUTH, may_be_async)))
            if token is not None:
                raise ConfigError("Give token= or a callable as auth=, not both.")
            self._source = auth
        else:
            self._fixed = _fixed_token(token, auth)
        self.key: Final = (
            self._fixed.fingerprint() if self._fixed else f"callable-{id(self._source)}" if self._source else "none"
        )

    def __repr__(self) -> str:
        return f"<credential {self.key}>"

    @property
    def renewable(self) -> bool:
        """Whether asking again may give another token."""
        return self._source is not None

    async def token(self) -> Token | None:
        """The token for one attempt, or None when nothing is sent."""
        if self._source is None:
            return self._fixed
        return Token(await awaitable("auth", self._source()), "the auth callable")


def version_of(path: str) -> str:
    """The version of the API that a path belongs to, such as `v2`; empty for another path."""
    if path[:5].lower() != "/api/":
        return ""
    return unquote(re.split("[/?#]", path[5:], maxsplit=1)[0]).lower()


def _fixed_token(token: str | None, scheme: AuthScheme) -> Token | None:
    check_configuration(auth=(scheme, Accepted(_AUTH, one_of(*_SCHEMES).admits)))
    if scheme == "none":
        if token is not None:
            raise ConfigError('auth="none" sends no token; leave token= out.')
        return None
    if token is not None:
        return Token(token, "token=", scheme)
    for variable in TOKEN_VARIABLES:
        if value := os.environ.get(variable):
            return Token(value, variable, scheme)
    raise ConfigError(
        'No token. Pass token=, or set CIRCLECI_TOKEN or CIRCLE_TOKEN; for open projects on v1.1, auth="none". '
        "Tokens are made in the web app under User Settings, Personal API Tokens."
    )
