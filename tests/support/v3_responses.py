"""Responses of API v3 derived from the rows, with a unique value per member, and the expected flat results.

Every response has four variants, so that each member is present, in another form, null, and absent:

    full    all members
    other   all members, the second one of two types, and times with an offset
    null    required members only, and optional ones that may be null; null where allowed
    bare    required members only, null where allowed
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any, Final

from tests.support import v3_names
from tests.support.responses import DETAILS, NOTHING, Detail, Entries, Expectation, Instance, Items, Same
from tests.support.v3_facts import V3Operation
from tests.support.v3_rows import Member, Row, Tree

PARTS: Final = frozenset({"attributes", "references", "meta", "data"})
"""Objects whose members are members of the entity itself."""


class EntityMaker:
    """Creates entities of one resource."""

    def __init__(self, resource: str) -> None:
        self._resource = resource
        self._count = 0

    def body(self, operation: V3Operation, detail: Detail) -> tuple[Any, Expectation]:
        """One thing, with its envelope: the body and the expected model."""
        tree = operation.row.response
        assert tree is not None
        names = [member.name for member in tree.members]
        if names != ["data"]:  # without an envelope, or with more beside the data, which is then a part of the model
            return self.object(tree, detail)
        wire, expected = self.object(tree["data"], detail)
        return {"data": wire}, expected

    def items(self, row: Row) -> tuple[list[Any], Items]:
        """The items of a list, one of each variant."""
        key = items_key(row)
        assert row.response is not None
        tree = row.response[key].items
        assert tree is not None
        made = [self.object(tree, detail) for detail in DETAILS]
        return [wire for wire, _ in made], Items([expected for _, expected in made])

    def object(self, tree: Tree, detail: Detail) -> tuple[Any, Instance]:
        """An object, and the model with its members."""
        fields: dict[str, Expectation] = {}
        wire = self._members(tree, "", detail, fields, absent=False)
        return wire, Instance("", fields)

    def _members(
        self, tree: Tree, place: str, detail: Detail, fields: dict[str, Expectation], *, absent: bool
    ) -> dict[str, Any]:
        """The members of an object or of a part of it. `place` is below the parts of the entity."""
        wire: dict[str, Any] = {}
        for member in tree.members:
            gone = absent or is_absent(member, detail)
            inner = f"{place}.{member.name}".lstrip(".")
            if self._is_part(member, inner):
                below = self._members(member.tree, "" if member.name in PARTS else inner, detail, fields, absent=gone)
                if not gone:
                    wire[member.name] = below
                continue
            value: Any = None
            expected: Expectation = NOTHING
            if not gone and not (member.tree.nullable and detail in {"null", "bare"}):
                value, expected = self.value(member.tree, inner, detail)
            fields[self._name(member.name, place)] = expected
            if not gone:
                wire[member.name] = value
        return wire

    def _is_part(self, member: Member, place: str) -> bool:
        """Whether the members of an object are those of the entity."""
        if member.tree.kind != "object":
            return False
        only_id = [one.name for one in member.tree.members] == ["id"]
        renamed = any(name.startswith(f"{place}.") for resource, name in v3_names.RENAMED if resource == self._resource)
        return member.name in PARTS or only_id or renamed

    def _name(self, name: str, place: str) -> str:
        path = f"{place}.{name}".lstrip(".")
        if (self._resource, path) in v3_names.RENAMED:
            return v3_names.RENAMED[self._resource, path]
        name = {"Value": "value"}.get(name, name)
        return f"{place.rpartition('.')[2]}_id" if name == "id" and place else name

    def value(self, tree: Tree, place: str, detail: Detail) -> tuple[Any, Expectation]:
        """A value, and what it is read as."""
        match tree.kind:
            case "object":
                return self.object(tree, detail)
            case "union":
                return self.value(tree.variants[DETAILS.index(detail) % len(tree.variants)], place, detail)
            case "list" if tree.items:
                made = [self.value(tree.items, place, detail) for _ in range(2)]
                return [wire for wire, _ in made], Items([expected for _, expected in made])
            case "map" if tree.items:
                entries = {f"{place}.{number}": self.value(tree.items, place, detail) for number in range(2)}
                wires = {key: wire for key, (wire, _) in entries.items()}
                return wires, Entries({key: expected for key, (_, expected) in entries.items()})
            case _:
                return self._scalar(tree, place.rpartition(".")[2], detail)

    def _scalar(self, tree: Tree, name: str, detail: Detail) -> tuple[Any, Expectation]:
        self._count += 1
        number = self._count
        match tree.kind:
            case "int":
                return number, Same(number, int)
            case "float":
                return number + 0.5, Same(number + 0.5, float)
            case "bool":
                bit = bool(number >> DETAILS.index(detail) & 1)
                return bit, Same(bit, bool)
            case "uuid":
                text = f"{number:08x}-0000-4000-8000-000000000000"
                return text, Same(text, str)
            case "any":
                return {name: [number, None]}, Same({name: [number, None]})
            case "constant":
                return tree.value, Same(tree.value, str)
            case _ if tree.kind == "time" or name.endswith("_at"):
                moment = datetime(2026, 1, 2, 3, 4, 5, 678000 * (number % 2), tzinfo=UTC) + timedelta(hours=number)
                zone = timezone(timedelta(hours=-7)) if detail == "other" else UTC
                return moment.astimezone(zone).isoformat().replace("+00:00", "Z"), Same(moment, datetime)
            case _:
                return f"{name}-{number} é", Same(f"{name}-{number} é", str, unknown=None)


def is_absent(member: Member, detail: Detail) -> bool:
    """Whether a variant lacks a member."""
    return not member.required and (detail == "bare" or (detail == "null" and not member.tree.nullable))


def items_key(row: Row) -> str:
    """The key of the items of a list."""
    assert row.response is not None
    return row.response.members[0].name


def beside_items(row: Row) -> Iterator[Member]:
    """The members of a list beside its items and the links to other pages."""
    assert row.response is not None
    return (member for member in row.response.members[1:] if member.name != "page")
