"""Error bodies: the message in all known formats, and hints on its meaning."""

from __future__ import annotations

import json
import re
from typing import Any, Final, cast

from circleci_sdk._core.printable import printable

_KEYS: Final = ("message", "error", "error_description", "detail", "title", "errors")
_LONGEST: Final = 500


def read_error(content: bytes, content_type: str) -> tuple[str, str | None, str | None]:
    """The sentence in an error body, empty where there is none; its type and pointer, as API v3 has them. Never raises.

    Reads `{"message"}`, `{"error"}`, an object inside `error`, JSON inside a string (the API passes GitHub's
    responses through like that), lists of such, and plain text. Of HTML nothing is kept.
    """
    text = content.decode("utf-8-sig", "replace").strip()
    if not text:
        return "", None, None
    try:
        body = json.loads(text)
        return _short(_from_json(body, depth=0)), *_details_in(body)
    except (ValueError, RecursionError):
        if "html" in content_type.lower() or text.startswith("<"):
            return "", None, None
        return _short(text), None, None


def _from_json(value: object, depth: int) -> str:
    if depth > 6:
        return ""
    if isinstance(value, str):
        return _from_text(value, depth)
    if isinstance(value, list):
        items = cast("list[object]", value)
        found = (_from_json(item, depth + 1) for item in items[:3])
        return "; ".join(text for text in found if text)
    if isinstance(value, dict):
        fields = cast("dict[object, object]", value)
        title, detail = fields.get("title"), fields.get("detail")
        if isinstance(title, str) and isinstance(detail, str) and title and detail:
            return f"{title}: {detail}"
        for key in _KEYS:
            if key in fields and (text := _from_json(fields[key], depth + 1)):
                return text
    return ""


def _from_text(text: str, depth: int) -> str:
    if text.lstrip().startswith(("{", "[")):
        try:
            return _from_json(json.loads(text), depth + 1) or text
        except ValueError:
            return text
    return text


def _short(text: str) -> str:
    text = printable(" ".join(text.split()))
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


def _details_in(body: Any) -> tuple[str | None, str | None]:
    try:
        error: dict[str, Any] = body["error"]
        source: dict[str, Any] = error.get("source") or {}
        found = error.get("type"), source.get("pointer")
    except (TypeError, KeyError, AttributeError):  # any other form
        return None, None
    kind, pointer = (_short(one) if isinstance(one, str) else None for one in found)
    return kind, pointer


def described(content: bytes, content_type: str, *, quote: bool) -> str:
    """What came in place of JSON. `quote` admits a part of it."""
    text = content.decode("utf-8-sig", "replace").strip()
    if not text:
        return "an empty body"
    if is_html(content) or "html" in content_type.lower():
        title = re.search(r"<title[^>]*>([^<]+)</title>", text, re.IGNORECASE) if quote else None
        return f"an HTML page titled {_short(title[1])!r}" if title else "an HTML page"
    if text.startswith(("{", "[")):
        return f"{len(content)} bytes of broken JSON"
    return f"{content_type or 'no content type'}, {len(content)} bytes"


def is_html(content: bytes) -> bool:
    """Whether a body begins like a page of a browser."""
    return content[:100].lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<")


def hint_for(status: int, api: str, *, sent_before: bool, changes: bool, is_absent: bool = False) -> str:
    """A hint on the meaning of a status.

    `sent_before`: the server may have processed an earlier attempt of the same call. `changes`: the
    call changes something. `is_absent`: it is one of v3, to a Server.
    """
    if sent_before and changes and status in (404, 409):
        return "An earlier attempt of this call may have succeeded."
    if status == 404 and is_absent:
        return 'CircleCI Server has no API v3; use v2 or v1.1, or pass deployment="cloud" if the host is no Server.'
    if status == 401 and api == "v2":
        return "API v2 accepts personal tokens only, no project tokens."
    if status == 404:
        return "The API also returns 404 for resources that this token cannot access."
    if status == 403:
        return "Some parts of the API also return 403 for missing resources."
    if status == 410:
        return "The API no longer supports this operation."
    return ""
