"""The folder of recorded responses: its manifest, replaying of responses, and comparison."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from tests.support.facts import route
from tests.support.names import FIELD_NAMES, Version

Json: TypeAlias = Any

WHOLE: Final = "response"
ITEM: Final = "single item of items[]"
ITEMS: Final = "items[] unwrapped by the client (bare array)"
ELEMENT: Final = "single item of the top-level array"
KINDS: Final = frozenset({WHOLE, ITEM, ITEMS, ELEMENT})


@dataclass(frozen=True, slots=True)
class Recording:
    """One file. `operation` is the lower-case id without a version; `quality` is recorded, edited or invented.

    `route` is the method and the path as in `facts.route`. In newer files it identifies the operation, not the id.
    `source` is the repository that published it.
    """

    file: str
    version: Version | None
    operation: str
    status: int | None
    quality: str
    kind: str
    content: bytes
    route: str = ""
    source: str = ""

    @property
    def response(self) -> Json:
        """The complete response as sent by the API, with the parts that the file omits."""
        content = json.loads(self.content)
        if self.kind in {ITEM, ITEMS}:
            return {"items": [content] if self.kind == ITEM else content, "next_page_token": None}
        return [content] if self.kind == ELEMENT else content

    @property
    def items(self) -> Sequence[Json]:
        """The items of a list response, with or without an enclosing object."""
        response = self.response
        return cast(Sequence[Json], response if isinstance(response, list) else response["items"])

    @property
    def is_error(self) -> bool:
        return self.status is not None and self.status >= 400

    @property
    def is_delivery(self) -> bool:
        """Whether the file is a webhook delivery, which no operation returns."""
        return self.version is None


def recordings(folder: Path) -> tuple[Recording, ...]:
    """All files of the manifest."""
    lines = folder.joinpath("MANIFEST.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(_recording(folder, json.loads(line)) for line in lines)


def _recording(folder: Path, row: Mapping[str, Any]) -> Recording:
    versions: Mapping[str, Version] = {"1": "v1", "1.1": "v1", "2": "v2"}
    return Recording(
        file=row["file"],
        version=versions.get(row["api"]),
        operation=re.sub(r"^v\d\.", "", row["operation"]).lower(),
        status=row["status"],
        quality=row["quality"],
        kind=row["kind"],
        content=folder.joinpath(row["file"]).read_bytes(),
        route=route(row["method"], row["path"]),
        source=row["repo"],
    )


def differences(original: Json, dumped: Json, place: str = "") -> Iterator[str]:
    """Differences between data and its decoded and encoded copy.

    Other spellings of keys, other notations of timestamps, and 1.0 for 1 are no differences.
    """
    if isinstance(original, dict) and isinstance(dumped, dict):
        yield from _in_objects(
            _by_name(cast(dict[str, Json], original)), _by_name(cast(dict[str, Json], dumped)), place
        )
    elif isinstance(original, list) and isinstance(dumped, list):
        before, after = cast(Sequence[Json], original), cast(Sequence[Json], dumped)
        if len(before) != len(after):
            yield f"{place}: {len(before)} items became {len(after)}"
        for number, (one, other) in enumerate(zip(before, after, strict=False)):
            yield from differences(one, other, f"{place}[{number}]")
    elif not _same(original, dumped):
        yield f"{place}: {original!r} became {dumped!r}"


def _in_objects(before: dict[str, Json], after: dict[str, Json], place: str) -> Iterator[str]:
    for name in before.keys() - after.keys():
        yield f"{place}.{name}: lost"
    for name in after.keys() - before.keys():
        yield f"{place}.{name}: was added"
    for name in before.keys() & after.keys():
        yield from differences(before[name], after[name], f"{place}.{name}")


def _by_name(value: dict[str, Json]) -> dict[str, Json]:
    return {FIELD_NAMES.get(key, key.replace("-", "_")): child for key, child in value.items()}


def _same(one: Json, other: Json) -> bool:
    if isinstance(one, str) and isinstance(other, str):
        return one == other or (instant(one) is not None and instant(one) == instant(other))
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    numbers = isinstance(one, int | float) and isinstance(other, int | float)
    return one == other and (numbers or type(one) is type(other))


def instant(text: str) -> datetime | None:
    """The point in time of a string, in microseconds; None if the string is no timestamp."""
    plain = text.removeprefix("#joda/inst").strip(' "')
    plain = re.sub(r"(\.\d{6})\d+", r"\1", plain)
    if re.fullmatch(r"\d{9,10}", plain):
        return datetime.fromtimestamp(int(plain), UTC)
    try:
        found = datetime.fromisoformat(plain)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def said(content: bytes) -> str:
    """The message of an error body: `message` or `error`, or the one in nested JSON."""
    try:
        body: Mapping[str, str] = json.loads(content)
    except ValueError:
        return ""
    text = body.get("message") or body["error"]
    return said(text.encode()) if text.startswith("{") else text
