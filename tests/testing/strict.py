"""Checks responses against the facts about the API, without tolerance.

Our specs and models are tolerant, so that nearly every response fits them. Here enums are closed, documented required
keys are required, unknown keys are errors, and only the spelling on the wire is valid.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final
from uuid import UUID

from tests.support import places
from tests.support.facts import Operation, Shape, Success, operations
from tests.testing.structure import Differences

OPERATIONS: Final[Mapping[str, Operation]] = {each.label: each for each in operations(places.facts())}

MEASURED: Final = {
    # Spelling of the recorded responses.
    **dict.fromkeys(
        ("v1.projects.get_settings", "v1.projects.enable", "v1.projects.disable"),
        re.compile(r"\.added-at is unknown"),
    ),
    # Measured on CircleCI: without a signing secret there is no key.
    "v2.webhooks.update": re.compile(r"\.signing_secret is missing"),
}
"""Differences to the facts that later measurements justify."""

SCALARS: Final[Mapping[str, tuple[type, ...]]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "map": (dict,),
}


def complaints(label: str, status: int, body: bytes) -> list[str]:
    """The differences between a successful response and the facts."""
    found = [f"{status} is no success of {label}"]
    for success in OPERATIONS[label].successes:
        if success.status != status:
            continue
        found = list(_body(success, body))
        if not found:
            return []
    measured = MEASURED.get(label)
    return [each for each in found if measured is None or not measured.search(each)]


def _body(success: Success, body: bytes) -> Iterator[str]:
    if success.form == "nothing" or success.shape is None:
        return
    value = json.loads(body)
    match success.form:
        case "page" | "items":
            token = {"next_page_token"} if success.form == "page" else set[str]()
            if set(value) - {"items", *success.extras} - {"next_page_token"}:
                yield f"a page with {sorted(value)}"
            if not token <= set(value):
                yield "a page without next_page_token"
            for at, item in enumerate(value["items"]):
                yield from _Facts().of(success.shape, item, f"items[{at}]")
        case "array":
            for at, item in enumerate(value):
                yield from _Facts().of(success.shape, item, f"[{at}]")
        case _:
            yield from _Facts().of(success.shape, value, "")


class _Facts(Differences[Shape]):
    def of_object(self, structure: Shape, value: dict[str, Any], place: str) -> Iterator[str]:
        known = {field.spellings[0]: field for field in structure.fields}
        for name in value:
            if name not in known:
                yield f"{place}.{name} is unknown"
        for name, field in known.items():
            if name not in value:
                if field.required and not field.missing:
                    yield f"{place}.{name} is missing"
            elif value[name] is None:
                if not (field.nullable or field.missing):
                    yield f"{place}.{name} is null"
            else:
                yield from self.of(field.shape, value[name], f"{place}.{name}")

    def of_scalar(self, structure: Shape, value: Any, place: str) -> Iterator[str]:
        if structure.known and value not in structure.known:
            yield f"{place}: {value!r} is none of {structure.known}"
        if structure.kind == "id":
            try:
                UUID(str(value))
            except ValueError:
                if isinstance(value, str):
                    yield f"{place}: {value!r} is no UUID"
        elif structure.kind == "date-time":
            try:
                datetime.fromisoformat(value)
            except (ValueError, TypeError):
                yield f"{place}: {value!r} is no date and time"
        elif structure.kind in SCALARS and (
            not isinstance(value, SCALARS[structure.kind]) or (isinstance(value, bool) and structure.kind != "boolean")
        ):
            yield f"{place}: {value!r} is no {structure.kind}"
