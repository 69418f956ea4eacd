"""JSON that the fast parser refuses, though it is JSON: only the path of failure comes here."""

from __future__ import annotations

import json
from typing import cast

from pydantic_core import from_json, to_json


def parsed(content: bytes) -> object:
    """JSON as data. Raises `ValueError` for anything else.

    Half of a surrogate pair, such as an emoji that was cut in two, becomes U+FFFD. A byte order mark is skipped.
    """
    try:
        return from_json(content)
    except ValueError:
        pass
    try:
        # Parsed once more: what is nested too deep to be read is refused here.
        return from_json(to_json(_without_halves(json.loads(content))))
    except RecursionError:
        raise ValueError("nested too deep") from None


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
