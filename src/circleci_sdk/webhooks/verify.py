"""A delivery as bytes and headers: is it CircleCI's, and what does it say? No I/O, no framework."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from circleci_sdk._core.errors import InvalidArgumentError, SignatureError

if TYPE_CHECKING:
    from pydantic import SecretStr

    from .kinds import Event

SIGNATURE_HEADER: Final = "circleci-signature"
EVENT_HEADER: Final = "circleci-event-type"
MAX_BODY: Final = 1024 * 1024
"""Bytes of the largest body that is looked at unless you say otherwise. Deliveries have a few thousand."""

Body: TypeAlias = bytes | bytearray | memoryview
HeaderValue: TypeAlias = str | bytes
Headers: TypeAlias = Mapping[str, str] | Iterable[tuple[HeaderValue, HeaderValue]]
"""Headers of a request: any mapping, or pairs as ASGI gives them. Names are compared without case."""
if TYPE_CHECKING:
    OneSecret: TypeAlias = str | bytes | SecretStr
    Secret: TypeAlias = OneSecret | Sequence[OneSecret]
    """The signing secret of a webhook, or several of them while it is being changed."""

_VERSIONS: Final = {"v1": "sha256"}
"""Versions of the signature that are known, the oldest first, with the hash of each."""
_ENTRY: Final = re.compile(r"[ \t]*(?P<version>v[0-9]{1,9})=(?P<digest>[0-9A-Fa-f]{2,256})[ \t]*", re.ASCII)


def verify(body: Body, headers_or_signature: Headers | str | None, secret: Secret, *, max_body: int = MAX_BODY) -> None:
    """Check that a delivery was signed with your secret.

    Only the newest version of the signature that this package knows is checked, so that nobody can fall back to an
    older one. The comparison takes the same time wherever a difference is.

    Args:
        body: the body of the request, byte for byte as it came. A body that was parsed and written again does not fit.
        headers_or_signature: the headers of the request, or the value of `circleci-signature`.
        secret: the signing secret of the webhook. Give several while you change it: any of them will do.
        max_body: bytes of the largest body that is looked at.

    Raises:
        SignatureError: the signature is missing, malformed or wrong, or the body is larger than `max_body`.
        InvalidArgumentError: the body is no bytes, or the secret is empty.
    """
    content = _content(body, max_body)
    _check_secret(secret)
    if headers_or_signature is None or isinstance(headers_or_signature, str):
        signature = headers_or_signature
    else:
        signature = header(headers_or_signature, SIGNATURE_HEADER)
    if not signature:
        raise SignatureError(
            "The delivery has no circleci-signature. The webhook has no signing secret, or somebody else sent this."
        )
    version, digest = _newest(signature)
    if not _matches(content, _VERSIONS[version], digest, secret):
        raise SignatureError(
            f"The signature ({version}) is wrong: another secret signed this body, or the body was changed on its way."
        )


def parse(body: Body, headers: Headers | None = None, *, secret: Secret | None, max_body: int = MAX_BODY) -> Event:
    """Verify a delivery and read it.

    Args:
        body: the body of the request, byte for byte as it came.
        headers: the headers of the request.
        secret: as for `verify`. None reads a delivery that nobody vouches for.
        max_body: bytes of the largest body that is looked at.

    Returns:
        A `WorkflowCompleted`, `JobCompleted` or `Ping`; for a notification of the old kind (`notify:` of CircleCI
        1.0) a `v1.models.Build`; an `UnknownEvent` for whatever this version of the package does not know.

    Raises:
        SignatureError: the signature is missing, malformed or wrong, or the body is larger than `max_body`.
        DecodeError: the body is no JSON object, or does not fit the event that it says it is.
        InvalidArgumentError: the body is no bytes, or the secret is empty.
    """
    if secret is not None:
        verify(body, headers, secret, max_body=max_body)
    content = _content(body, max_body)
    from .reading import read_event

    return read_event(content, header(headers, EVENT_HEADER) if headers is not None else None)


def header(headers: Headers, name: str) -> str | None:
    """The value of a header, several of the same name joined by commas as HTTP says; None without one."""
    pairs: Iterable[tuple[Any, Any]]
    pairs = cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
    try:
        values = [_text(value) for key, value in pairs if _text(key).lower() == name]
    except (TypeError, ValueError):
        raise InvalidArgumentError("headers: they are a mapping of texts, or pairs of texts or bytes.") from None
    return ", ".join(values) if values else None


def _text(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise TypeError


def _content(body: object, max_body: int) -> bytes:
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidArgumentError(
            f"body: it takes the raw bytes of the request, not {type(body).__name__}. The signature is made over them."
        )
    size = memoryview(cast("bytes", body)).nbytes
    if size > max_body:
        raise SignatureError(f"The body has {size} bytes, more than the {max_body} that are looked at.")
    return bytes(cast("bytes", body))


def _secrets(secret: Secret) -> list[bytes]:
    several = secret if isinstance(secret, Sequence) and not isinstance(secret, str | bytes) else (secret,)
    plain = [one if isinstance(one, str | bytes) else one.get_secret_value() for one in several]
    return [one if isinstance(one, bytes) else one.encode("utf-8", "surrogatepass") for one in plain]


def _check_secret(secret: Secret) -> None:
    fault = ""
    try:
        secrets = _secrets(secret)
        if not secrets or not all(secrets):
            fault = "it is empty, and an empty secret proves nothing"
        del secrets
    except (AttributeError, TypeError):
        fault = "it takes a text, bytes, a SecretStr, or a list of those"
    # Raised out here, where no frame of this package holds a plain secret in its locals.
    if fault:
        raise InvalidArgumentError(f"secret: {fault}.")


def _newest(signature: str) -> tuple[str, bytes]:
    """The newest known version in the list, and its digest."""
    found: dict[str, bytes] = {}
    for entry in signature.split(","):
        match = _ENTRY.fullmatch(entry)
        if match is None or len(match["digest"]) % 2:
            raise SignatureError("circleci-signature is malformed; it is a list such as v1=0a1b..., in hexadecimal.")
        if match["version"] in found:
            raise SignatureError(f"circleci-signature is malformed: {match['version']} stands in it twice.")
        found[match["version"]] = bytes.fromhex(match["digest"])
    for version in reversed(_VERSIONS):
        if version in found:
            return version, found[version]
    raise SignatureError(
        f"circleci-signature has no version that this package knows ({', '.join(_VERSIONS)}); update the package."
    )


def _matches(content: bytes, algorithm: str, digest: bytes, secret: Secret) -> bool:
    checks = [hmac.compare_digest(hmac.digest(key, content, algorithm), digest) for key in _secrets(secret)]
    return any(checks)
