"""Verifies the signature of a delivery and decodes it. No I/O, no framework."""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final, cast

from circleci_sdk._core.checks import Accepted, at_least, check, is_text
from circleci_sdk._core.errors import InvalidArgumentError

from .errors import SignatureError

if TYPE_CHECKING:
    from .event_types import Event
    from .types import Body, RequestHeaders, Secret

SIGNATURE_HEADER: Final = "circleci-signature"
EVENT_HEADER: Final = "circleci-event-type"
MAX_BODY: Final = 1024 * 1024
"""Default limit of the body in bytes. Deliveries have a few thousand."""

_VERSION: Final = "v1="
"""The only known version of signatures. If there is a newer one, it alone must count wherever it is in the list."""
_DIGEST: Final = re.compile(r"[0-9A-Fa-f]{64}")
_MAX_SIGNATURE: Final = 16 * 1024
"""Limit of `circleci-signature` in characters. One signature has 67."""
_NOUN: Final = "a mapping of str, or pairs of str or bytes"
_HEADERS: Final = Accepted(
    f"{_NOUN}, or None",
    lambda value: (
        value is None
        or (isinstance(value, Iterable) and not isinstance(value, type | str | bytes | bytearray | memoryview))
    ),
)
_SIGNATURE: Final = Accepted(f"circleci-signature, {_NOUN}", lambda value: is_text(value) or _HEADERS.admits(value))
_SPACE: Final = " \t\r\n"


def verify(
    body: Body, headers_or_signature: RequestHeaders | str | None, secret: Secret, *, max_body: int = MAX_BODY
) -> None:
    """Verify that a delivery was signed with your secret.

    `circleci-signature` is a list of signatures: `v1=<hexadecimal>,v2=...`. The package knows `v1`; one valid signature
    of this version suffices. Everything else in the list is passed over: unknown versions, other forms, empty entries.
    The comparison takes constant time.

    Args:
        body: the unchanged body of the request. A body that was parsed and encoded again has another signature.
        headers_or_signature: the headers of the request, or the value of `circleci-signature`.
        secret: the signing secret of the webhook. During a rotation several; one of them must match.
        max_body: limit of the body in bytes.

    Raises:
        SignatureError: the signature is missing, malformed, wrong or longer than 16384 characters, or the body is
            larger than `max_body`.
        InvalidArgumentError: the body is not bytes, the headers are no mapping and no pairs, or the secret is empty.
    """
    content = _content(body, max_body)
    _check_secret(secret)
    check("verify", headers_or_signature=(headers_or_signature, _SIGNATURE))
    if headers_or_signature is None or isinstance(headers_or_signature, str):
        signature = headers_or_signature
    else:
        signature = header(headers_or_signature, SIGNATURE_HEADER, "headers_or_signature")
    if not signature:
        raise SignatureError(
            "The delivery has no circleci-signature: the webhook has no signing secret, or the sender is not CircleCI."
        )
    if not _matches(content, _digests(signature), secret):
        raise SignatureError("The signature (v1) is wrong: it was made with another secret, or the body was changed.")


def parse(
    body: Body, headers: RequestHeaders | None = None, *, secret: Secret | None, max_body: int = MAX_BODY
) -> Event:
    """Verify and decode a delivery.

    Args:
        body: the unchanged body of the request.
        headers: the headers of the request. Their values are read of `circleci-signature` and `circleci-event-type`.
        secret: as for `verify`. None decodes an unauthenticated delivery.
        max_body: limit of the body in bytes.

    Returns:
        A `WorkflowCompleted`, `JobCompleted` or `Ping`; a `v1.models.Build` for a notification of CircleCI 1.0
        (`notify:`); an `UnknownEvent` for types that this version of the package does not know. A field that does not
        fit is in the `mismatches` of the event and raises `FieldUnavailableError` when it is read; an event of which
        nothing fits is an `UnknownEvent`.

    Raises:
        SignatureError: the signature is missing, malformed or wrong, or the body is larger than `max_body`.
        DecodeError: the body is not a JSON object.
        InvalidArgumentError: the body is not bytes, the headers are no mapping and no pairs, or the secret is empty.
    """
    check("parse", headers=(headers, _HEADERS))
    given = headers
    if isinstance(cast("object", headers), Iterator):
        given = tuple(cast("Iterator[tuple[str, str]]", headers))  # read twice
    if secret is not None:
        verify(body, given, secret, max_body=max_body)
    content = _content(body, max_body)
    from .reading import read_event

    return read_event(content, header(given, EVENT_HEADER) if given is not None else None)


def header(headers: RequestHeaders, name: str, argument: str = "headers") -> str | None:
    """The value of a header; several values are joined by commas. None without one. A value of None is none."""
    pairs: Iterable[tuple[Any, Any]]
    pairs = cast("Mapping[str, str]", headers).items() if isinstance(headers, Mapping) else headers
    try:
        values = [_string(value) for key, value in pairs if _string(key).lower() == name and value is not None]
    except (TypeError, ValueError):
        raise InvalidArgumentError(f"{argument}: expected {_NOUN}.") from None
    return ", ".join(values) if values else None


def _string(value: object) -> str:
    if isinstance(value, bytes):
        return value.decode("latin-1")
    if isinstance(value, str):
        return value
    raise TypeError


def _content(body: object, max_body: int) -> bytes:
    if not isinstance(body, bytes | bytearray | memoryview):
        raise InvalidArgumentError(
            f"body: expected the raw bytes of the request, which are signed, got {type(body).__name__}."
        )
    check("webhooks", max_body=(max_body, at_least(1)))
    try:
        size = memoryview(cast("bytes", body)).nbytes
        if size > max_body:
            raise SignatureError(f"The body has {size} bytes, more than the limit of {max_body}.")
        return bytes(cast("bytes", body))
    except ValueError:
        raise InvalidArgumentError("body: expected the raw bytes of the request, got a released memoryview.") from None


def _secrets(secret: Secret) -> list[bytes]:
    several = secret if isinstance(secret, Sequence) and not isinstance(secret, str | bytes) else (secret,)
    plain = [one if isinstance(one, str | bytes) else one.get_secret_value() for one in several]
    return [one if isinstance(one, bytes) else one.encode("utf-8", "surrogatepass") for one in plain]


def _check_secret(secret: Secret) -> None:
    fault = ""
    try:
        secrets = _secrets(secret)
        if not secrets or not all(secrets):
            fault = "expected a secret, got an empty one"
        del secrets
    except (AttributeError, TypeError):
        fault = "expected str, bytes, SecretStr, or a list of those"
    # Raised here, without a plain secret in the locals of the frames of this package.
    if fault:
        raise InvalidArgumentError(f"secret: {fault}.")


def _digests(signature: str) -> list[bytes]:
    """The digests of the known version in the header."""
    if len(signature) > _MAX_SIGNATURE:
        raise SignatureError(
            f"circleci-signature has {len(signature)} characters, more than the limit of {_MAX_SIGNATURE}."
        )
    entries = [entry.strip(_SPACE) for entry in signature.split(",")]
    known = [entry.removeprefix(_VERSION) for entry in entries if entry.startswith(_VERSION)]
    digests = [bytes.fromhex(digest) for digest in known if _DIGEST.fullmatch(digest)]
    if known and not digests:
        raise SignatureError(
            "circleci-signature is malformed: expected v1= and 64 hexadecimal digits, such as v1=0a1b..."
        )
    if not digests:
        raise SignatureError(
            "circleci-signature has no signature of a known version (v1); if CircleCI sent it, update the package."
        )
    return digests


def _matches(content: bytes, digests: Sequence[bytes], secret: Secret) -> bool:
    expected = [hmac.digest(key, content, "sha256") for key in _secrets(secret)]
    # All are compared, so that the time does not depend on which signature is valid.
    checks = [hmac.compare_digest(one, digest) for one in expected for digest in digests]
    return any(checks)
