"""The sample bodies of API v3 from the fakes and tests of its clients, and what of a body is in a result.

`differences` knows the envelope (`data`, `attributes`, `references`, `meta`) and no specs, tables or aliases: every
member of a body must be a value of the result, under its own name, with the name of the object around it
(`workflow.id` as `workflow_id`), or with its place; and every value of the result must be a member of the body.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, TypeAlias, cast
from urllib.parse import parse_qsl

from pydantic import BaseModel

from tests.support.recordings import instant

Json: TypeAlias = Any

ENVELOPE: Final = frozenset({"data", "attributes", "references", "meta", "page"})
_NOTHING: Final = object()


@dataclass(frozen=True, slots=True)
class Sample:
    """One file of the manifest, or a response without a body.

    `key` is the method and the path of a row, `headers` are those of the response. `range`, `query` and `body` are
    those of the request, as far as the source shows it: empty or None if not.
    """

    key: str
    number: int
    file: str
    status: int
    is_error: bool
    content: bytes
    content_type: str
    headers: Mapping[str, str]
    range: str
    query: tuple[tuple[str, str], ...] | None
    body: Json

    def __str__(self) -> str:
        return self.file or f"{self.key} {self.status}"

    @property
    def json(self) -> Json:
        return json.loads(self.content)

    @property
    def offset(self) -> int:
        """The first byte that the request asks for."""
        return int(self.range.removeprefix("bytes=").removesuffix("-") or 0)


def samples(folder: Path) -> tuple[Sample, ...]:
    """All lines of the manifest."""
    lines = folder.joinpath("MANIFEST.jsonl").read_text(encoding="utf-8").splitlines()
    return tuple(_sample(folder, number, json.loads(line)) for number, line in enumerate(lines))


def _sample(folder: Path, number: int, line: Mapping[str, Any]) -> Sample:
    request: Mapping[str, Any] = line.get("request", {})
    query = tuple(parse_qsl(request["query"], keep_blank_values=True)) if "query" in request else None
    return Sample(
        key=f"{line['method']} {line['path']}",
        number=number,
        file=line["file"] or "",
        status=line["status"],
        is_error=line["kind"] == "error",
        content=folder.joinpath(line["file"]).read_bytes() if line["file"] else b"",
        content_type=line.get("content_type", "application/json"),
        headers=line.get("response_headers", {}),
        range=request.get("headers", {}).get("Range", ""),
        query=query,
        body=request.get("json"),
    )


# What of a body is in a result.


def differences(body: Json, result: Any, place: str = "") -> Iterator[str]:
    """Members of an object that a model lacks or has with another value, and values of the model from nowhere."""
    held = dict(result) if isinstance(result, Mapping) else _held(result)
    yield from _members(body, held, place, "", "")
    yield from (f"{place}.{name}: {value!r} from nowhere" for name, value in held.items())


def _held(model: BaseModel) -> dict[str, Any]:
    """The values of a model that came with a response, each under its name."""
    values = {name: getattr(model, name) for name in type(model).model_fields if name in model.model_fields_set}
    return {**values, **(model.model_extra or {})}


def _members(body: Mapping[str, Json], held: dict[str, Any], place: str, owner: str, way: str) -> Iterator[str]:
    """Take the members of an object out of what the model holds."""
    for key, value in body.items():
        here = f"{place}.{key}"
        at = f"{way}{key}"
        names = (*((f"{owner}_{key}", owner) if owner else ()), at, at.removeprefix("data."), key)
        name = next((name for name in names if _same(value, held.get(name, _NOTHING))), None)
        if name is not None:
            del held[name]
        elif isinstance(value, dict):
            inner = cast("dict[str, Json]", value)
            yield from _members(inner, held, here, "" if key in ENVELOPE else key, f"{at}.")
        else:
            yield f"{here}: {value!r} is lost"


def _same(value: Json, actual: Any) -> bool:
    """Whether a value of the result holds all of a value of the body."""
    match value:
        case dict() if isinstance(actual, BaseModel):
            return not any(differences(cast("dict[str, Json]", value), actual))
        case dict():
            entries = cast("dict[str, Json]", value)
            return (
                isinstance(actual, dict)
                and actual.keys() == entries.keys()
                and all(_same(item, cast("dict[str, Any]", actual)[key]) for key, item in entries.items())
            )
        case list():
            items = cast("list[Json]", value)
            return (
                isinstance(actual, list)
                and len(items) == len(cast("list[Any]", actual))
                and all(map(_same, items, cast("list[Any]", actual)))
            )
        case str() if isinstance(actual, datetime):
            return instant(value) == actual
        case _:
            return actual == value and isinstance(actual, bool) == isinstance(value, bool)
