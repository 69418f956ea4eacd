"""Calls of every operation, derived from the facts, with the expected requests. Each argument has a unique value.

Every operation is called with all arguments, with the required ones only, and with all by keyword. Where arguments
exclude each other, "all" means several calls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final, Literal, TypeAlias, cast
from urllib.parse import unquote
from uuid import UUID

from tests.support.facts import Field, Operation, Shape
from tests.support.responses import DETAILS, MismatchError
from tests.support.scripted_server import Request

Style: TypeAlias = Literal["wire", "python", "model"]
STYLES: Final[tuple[Style, ...]] = ("wire", "python", "model")
"""Nested objects are passed as mappings with wire names, as mappings with Python names, or as models."""

MakeModel: TypeAlias = Callable[[str, Mapping[str, Any]], object]
"""Creates a model by name with these Python fields."""

CONFLICTS: Final = (
    ("owner_id", "owner_slug"),  # exactly one of them identifies the owner of contexts
    ("branch", "all_branches"),
    ("branch", "tag"),
    ("revision", "tag"),
    ("jobs", "from_failed"),  # a rerun is of some jobs or from the failed ones,
    ("enable_ssh", "from_failed"),  # and these two go with jobs only
    ("sparse_tree", "from_failed"),
    ("days_of_week", "days_of_month"),
)
"""Mutually exclusive parameters and nested fields, from the notes of the facts and the table of names."""

NEEDED: Final = {"v2.contexts.list": ("owner_slug",)}
"""Parameters that are required by a rule only."""

PAGE_SIZE: Final = len(DETAILS)
"""Items of a sample list, so that the page is full."""

TOKEN: Final = "CCIPAT_contract_0123456789"


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments of a call, and the expected request."""

    positional: tuple[Any, ...]
    keywords: Mapping[str, Any]
    segments: tuple[str, ...]
    query: tuple[tuple[str, Any], ...]
    body: Mapping[str, Any]


def calls(operation: Operation, make_model: MakeModel) -> list[Call]:
    """Calls with all arguments, with the required ones, and as many as needed to use every argument."""
    arguments = operation.arguments
    needed = {*NEEDED.get(operation.label, ()), *operation.needed}
    required = {argument.name for argument in arguments if argument.required or argument.name in needed}
    in_path = {argument.name for argument in arguments if argument.place == "path"}
    conflicts = (*CONFLICTS, *operation.conflicts)
    first, *rest = compatible([argument.name for argument in arguments if argument.name not in in_path], conflicts)
    nested = any(_is_nested(argument.shape) for argument in arguments)
    wanted = [first, required, *rest, *([first] if nested else [])]
    return [_Builder(operation, turn, make_model).call(given | in_path) for turn, given in enumerate(wanted)]


def _is_nested(shape: Shape) -> bool:
    return shape.kind in {"object", "union"} or (shape.items is not None and shape.items.kind == "object")


def compatible(names: Sequence[str], conflicts: Sequence[tuple[str, str]]) -> list[set[str]]:
    """Maximal sets of names without conflicts that together contain every name."""
    sets: list[set[str]] = []
    for leader in names or [""]:
        if any(leader in chosen for chosen in sets):
            continue
        chosen = {leader} & set(names)
        for name in names:
            if not any({name, other} == set(pair) for other in chosen for pair in conflicts):
                chosen.add(name)
        sets.append(chosen)
    return sets


def put(body: dict[str, Any], path: Sequence[str], value: object) -> None:
    """Put a value into a body. Objects on the way to it are added."""
    for key in path[:-1]:
        body = body.setdefault(key, {})
    body[path[-1]] = value


@dataclass(slots=True)
class _Builder:
    operation: Operation
    turn: int
    make_model: MakeModel
    count: int = 0

    def call(self, given: set[str]) -> Call:
        positional: list[Any] = []
        keywords: dict[str, Any] = {}
        path: dict[str, Any] = {}
        query: list[tuple[str, Any]] = []
        body: dict[str, Any] = {}
        for holder in self.operation.holders:
            put(body, holder.split("."), {})
        complete = self.turn != 1
        for argument in self.operation.arguments:
            python, wire = self._value(argument.shape, argument.name, complete)
            if argument.default is not None and not (argument.name in given and complete):
                wire = cast(Any, argument.default)
            elif argument.name not in given:
                continue
            elif argument.keyword or not complete:
                keywords[argument.name] = python
            else:
                positional.append(python)
            match argument.place:
                case "path" if len(argument.parts) > 1:
                    path.update(zip(argument.parts, wire, strict=True))
                case "path":
                    path[argument.wire] = wire
                case "query":
                    values: list[Any] = wire if argument.shape.kind == "list" else [wire]
                    query += [(argument.wire, value) for value in values]
                case "body":
                    for name in (argument.wire, *argument.also):
                        put(body, name.split("."), wire)
        return Call(tuple(positional), keywords, tuple(self._segments(path)), tuple(query), body)

    def _segments(self, path: Mapping[str, Any]) -> Iterator[str]:
        for segment in self.operation.path.split("/"):
            if not segment.startswith("{"):
                yield segment
            elif isinstance(value := path[segment.strip("{}")], list):
                yield from cast(list[str], value)
            else:
                yield str(value)

    def _value(self, shape: Shape, name: str, complete: bool, *, nested: bool = False) -> tuple[Any, Any]:
        """An argument in Python, and its value on the wire."""
        match shape.kind:
            case "object":
                return self._object(shape, complete)
            case "union":
                return self._value(shape.variants[self.turn % len(shape.variants)], name, complete)
            case "list" if shape.items:
                made = [self._value(shape.items, name, complete, nested=nested) for _ in range(2)]
                return [python for python, _ in made], [wire for _, wire in made]
            case "map":
                return self._map(shape, name)
            case "words":
                return list(shape.known), ",".join(shape.known)
            case _:
                self.count += 1
                return self._scalar(shape, name, self.count, nested)

    def _object(self, shape: Shape, complete: bool) -> tuple[Any, Any]:
        fields = [field for field in shape.fields if complete or field.required]
        sets = compatible([field.name for field in fields], CONFLICTS)
        chosen = sets[self.turn % len(sets)]
        style = STYLES[self.turn % len(STYLES)]
        made: list[tuple[Field, Any, Any]] = [
            (field, *self._value(field.shape, field.name, complete, nested=True))
            for field in fields
            if field.name in chosen
        ]
        wires = {field.spellings[0]: wire for field, _, wire in made}
        if style == "wire":
            return {field.spellings[0]: python for field, python, _ in made}, wires
        values = {field.name: python for field, python, _ in made}
        return self.make_model(shape.model, values) if style == "model" else values, wires

    def _map(self, shape: Shape, name: str) -> tuple[Any, Any]:
        self.count += 1
        values: dict[str, Any] = {"branch": f"{name}-{self.count}", "other key": f"é-{self.count}"}
        if shape.items and shape.items.kind == "any":
            values |= {"number": self.count, "flag": True}
        return values, dict(values)

    def _scalar(self, shape: Shape, name: str, number: int, nested: bool) -> tuple[Any, Any]:
        match shape.kind:
            case "slug":
                return self._slug(name, number)
            case "id":
                text = f"{number:08x}-0000-4000-8000-00000000000{self.turn}"
                return (UUID(text) if self.turn % 2 and not nested else text), text
            case "integer":
                size = PAGE_SIZE if name == "page_size" else 10 + number
                return size, size
            case "boolean":
                bit = bool((number + self.turn) % 2)
                return bit, bit
            case "date-time":
                moment = datetime(2026, 3, 4, 5, 6, 7, tzinfo=timezone(timedelta(hours=2))) + timedelta(days=number)
                return moment, moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
            case _ if shape.known:
                value = shape.known[(number + self.turn) % len(shape.known)]
                return value, value
            case _:
                value = SPECIAL.get(name) or (SPECIAL["ttl"] if shape.pattern else f"{name}/{number} +%é")
                return value, value

    def _slug(self, name: str, number: int) -> tuple[Any, Any]:
        short, long = [("gh", "github"), ("bb", "bitbucket"), ("circleci", "circleci")][self.turn % 3]
        rest = [f"acme.{number}"] + ([f"web_{number}-{self.turn}"] if name == "project_slug" else [])
        vcs = long if self.operation.version == "v1" else short
        return "/".join([short, *rest]), [vcs, *rest]


SPECIAL: Final = {
    "url": "https://example.com/hook?a=1",
    "ttl": "90m",
    "policy_context": "config",
    "scope_type": "project",
    "org_slug": "gh/acme",
    "owner_slug": "gh/acme inc",
    "vcs_type": "github",
    "attribution_actor": "system",
    "page_token": "AARLwwV6+/=",
}
"""Strings for parameters with a restricted format."""


def check_request(operation: Operation, call: Call, request: Request) -> None:
    """Fail if the request differs from the expected one."""
    place = operation.label
    _same(f"{place} method", operation.method, request.method)
    raw = request.path.split("/")
    if not all(re.fullmatch(r"[A-Za-z0-9._~!$&'()*+,;=:@%-]*", segment) for segment in raw):
        raise MismatchError(f"{place} path: {request.path!r} is not encoded")
    _same(f"{place} path", list(call.segments), [unquote(segment) for segment in raw])
    _same(f"{place} query", _sorted(call.query), _sorted(request.query))
    _check_body(operation, call, request)
    headers = request.headers
    _same(f"{place} header Accept", operation.accept, headers.get("accept"))
    token, bearer = (None, f"Bearer {TOKEN}") if operation.bearer else (TOKEN, None)
    _same(f"{place} header Circle-Token", token, headers.get("circle-token"))
    _same(f"{place} header Authorization", bearer, headers.get("authorization"))
    if not re.match(r"circleci-sdk/\d", headers.get("user-agent", "")):
        raise MismatchError(f"{place} header User-Agent: {headers.get('user-agent')!r}")


def _check_body(operation: Operation, call: Call, request: Request) -> None:
    place = f"{operation.label} body"
    if call.body:
        _same(f"{operation.label} header Content-Type", "application/json", request.headers.get("content-type"))
        _same(place, call.body, request.json)
    elif operation.body == "required":
        _same(place, {}, request.json)
    elif request.body not in {b"", b"{}" if operation.body == "optional" else b""}:
        raise MismatchError(f"{place}: expected none, not {request.body!r}")


def _sorted(query: Sequence[tuple[str, Any]]) -> list[tuple[str, str]]:
    """Pairs sorted by name; pairs of the same name keep their order."""
    return sorted(((name, _in_query(value)) for name, value in query), key=lambda pair: pair[0])


def _in_query(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _same(place: str, expected: object, actual: object) -> None:
    """Compare as JSON: 1 differs from true."""
    if json.dumps(expected, sort_keys=True) != json.dumps(actual, sort_keys=True):
        raise MismatchError(f"{place}: expected {expected!r}, not {actual!r}")
