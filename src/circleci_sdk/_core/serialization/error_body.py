"""Error bodies: the message in all known formats, and hints on its meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Final, cast
from urllib.parse import quote

_KEYS: Final = ("message", "error", "error_description", "detail", "title", "errors")
_LONGEST: Final = 500
_SHORT: Final = 8
_BARE: Final = r"(?<!\w){}(?!\w)"
_AS_VALUE: Final = r"""[:=]\s*{0}(?!\w)|["'`\u2018\u201c]{0}["'`\u2019\u201d\\]|\A\s*{0}\s*\Z"""


def message_of(content: bytes, content_type: str) -> str:
    """The sentence in an error body; empty where there is none. Never raises.

    Reads `{"message"}`, `{"error"}`, an object inside `error`, JSON inside a string (the API passes GitHub's
    responses through like that), lists of such, and plain text. Of HTML nothing is kept.
    """
    text = content.decode("utf-8-sig", "replace").strip()
    if not text:
        return ""
    try:
        return _short(_from_json(json.loads(text), depth=0))
    except (ValueError, RecursionError):
        if "html" in content_type.lower() or text.startswith("<"):
            return ""
        return _short(text)


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
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST else text[: _LONGEST - 3] + "..."


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


def repeats(content: bytes, secrets: Iterable[str]) -> bool:
    """Whether an error body quotes one of these secrets, or a line of it, plain or escaped.

    A secret of 8 characters or more is found anywhere. A shorter one, such as `1` or `prod`, is part of common words
    and numbers, so it counts only as a whole word. If it is a word of letters, such as `on`, it counts only where it
    stands as a value: in quotation marks, after a colon or an equals sign, or as the whole body. Without letters and
    digits it never counts. So a short password of letters stays in the message where a server writes it without any
    mark, in the middle of a sentence; there it cannot be told from a word of that sentence.
    """
    text = content.decode("utf-8", "replace")
    return any(_quotes(text, form) for secret in secrets for form in _forms(secret))


def _quotes(text: str, form: str) -> bool:
    if len(form) >= _SHORT:
        return form in text
    pattern = _AS_VALUE if form.isalpha() else _BARE
    return any(map(str.isalnum, form)) and re.search(pattern.format(re.escape(form)), text) is not None


def _forms(secret: str) -> Iterator[str]:
    for line in {secret, *(line.strip() for line in secret.splitlines())}:
        if line:
            yield line
            yield json.dumps(line)[1:-1]
            yield json.dumps(line, ensure_ascii=False)[1:-1].replace("/", "\\/")
            yield quote(line, safe="")


def hint_for(status: int, api: str, *, sent_before: bool, changes: bool) -> str:
    """A hint on the meaning of a status.

    `sent_before`: the server may have processed an earlier attempt of the same call. `changes`: the
    call changes something.
    """
    if sent_before and changes and status in (404, 409):
        return "An earlier attempt of this call may have succeeded."
    if status == 401 and api == "v2":
        return "API v2 accepts personal tokens only, no project tokens."
    if status == 404:
        return "The API also returns 404 for resources that this token cannot access."
    if status == 403:
        return "Some parts of the API also return 403 for missing resources."
    if status == 410:
        return "The API no longer supports this operation."
    return ""
