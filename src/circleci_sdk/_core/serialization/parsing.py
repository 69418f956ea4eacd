"""JSON that the fast parser refuses, though it is JSON: only the path of failure comes here."""

from __future__ import annotations

import json
from typing import cast

from pydantic_core import from_json, to_json


def parsed(content: bytes) -> object:
    """JSON as data, nested no deeper than models can be. Raises `ValueError` for anything else; see `parsed_deep`."""
    try:
        return from_json(content)
    except ValueError:
        pass
    # Parsed once more: what is nested too deep to be read is refused here.
    return from_json(to_json(parsed_deep(content)))


def parsed_deep(content: bytes) -> object:
    """JSON as data. Raises `ValueError` for anything else.

    Half of a surrogate pair, such as an emoji that was cut in two, and bytes that are no UTF-8 become U+FFFD. A byte
    order mark is skipped.
    """
    try:
        try:
            data: object = json.loads(content)
        except UnicodeDecodeError:
            data = json.loads(content.decode("utf-8-sig", "replace"))
        return _without_halves(data) if _may_have_halves(content) else data
    except RecursionError:
        raise ValueError("nested too deep") from None


def _may_have_halves(content: bytes) -> bool:
    """Whether strings of it may have halves of pairs: by an escape, or in an encoding other than ASCII."""
    return b"\\ud" in content or b"\\uD" in content or b"\0" in content or b"\xed" in content


def _without_halves(value: object) -> object:
    match value:
        case str():
            return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        case list():
            return [_without_halves(item) for item in cast("list[object]", value)]
        case dict():
            entries = cast("dict[str, object]", value)
            return {_without_halves(key): _without_halves(item) for key, item in entries.items()}
        case _:
            return value
