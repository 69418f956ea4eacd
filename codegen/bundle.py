"""The document that is installed with a package: what the fake server validates with, without prose.

The docstrings have the prose. Without it the documents take half as much of the wheel.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .nodes import Json

_PROSE: Final = frozenset({"description", "summary", "x-source", "x-example"})
# The values of these keys map names to nodes: there `description` is a name.
_NAMES: Final = frozenset({"parameters", "properties", "schemas"})


def bundled(document: Json) -> str:
    """The text of the document. OpenAPI requires the descriptions of responses: they are empty."""
    return json.dumps(_without_prose(document), indent=1, ensure_ascii=False) + "\n"


def _without_prose(value: Json, key: str = "") -> Json:
    if isinstance(value, list):
        return [_without_prose(each) for each in value]
    if not isinstance(value, dict):
        return value
    if key in _NAMES:
        return {name: _without_prose(each) for name, each in value.items()}
    if key == "responses":
        return {name: _response(each) for name, each in value.items()}
    return {name: _without_prose(each, name) for name, each in value.items() if name not in _PROSE}


def _response(value: Json) -> Json:
    found = _without_prose(value)
    return {"description": "", **found} if isinstance(found, dict) and "$ref" not in found else found
