"""Which fields of the specs recorded responses have, lack, or hold null in."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from tests.support import places
from tests.support.facts import route
from tests.support.names import Version
from tests.support.recordings import Recording

Node: TypeAlias = Mapping[str, Any]
Json: TypeAlias = Any
FieldName: TypeAlias = str
"""`Schema.wire-name`."""

VERSIONS: Final[tuple[Version, ...]] = ("v1", "v2")


@dataclass(slots=True)
class Evidence:
    """The recordings with a value in a field, with null, and without the field."""

    present: list[Recording] = field(default_factory=list[Recording])
    null: list[Recording] = field(default_factory=list[Recording])
    missing: list[Recording] = field(default_factory=list[Recording])

    def proves(self, responses: int, sources: int) -> bool:
        """Whether so many responses of so many sources always have a value in the field."""
        files = {recording.file for recording in self.present}
        repositories = {recording.source for recording in self.present}
        return not self.missing and not self.null and len(files) >= responses and len(repositories) >= sources


@dataclass(frozen=True, slots=True)
class SpecField:
    """A field of a named schema of a spec."""

    name: FieldName
    spellings: tuple[str, ...]
    node: Node
    required: bool

    @property
    def nullable(self) -> bool:
        members: Sequence[Node] = self.node.get("anyOf", ())
        return "null" in self.node.get("type", ()) or any(member.get("type") == "null" for member in members)


class Spec:
    """The bundled document of one version."""

    def __init__(self, version: Version) -> None:
        self.version: Version = version
        path = Path(places.ROOT, "src", "circleci_sdk", version, "openapi.json")
        self._document: Node = json.loads(path.read_text("utf-8"))
        self._schemas: Mapping[str, Node] = self._document["components"]["schemas"]
        self._operations: Mapping[str, Node] = {
            route(method.upper(), path): operation
            for path, methods in self._document["paths"].items()
            for method, operation in methods.items()
        }

    def fields(self) -> Iterator[SpecField]:
        """All fields of all schemas, each once."""
        for name, schema in self._schemas.items():
            yield from self._own_fields(name, schema)

    def evidence(self, recordings: Iterable[Recording]) -> Mapping[FieldName, Evidence]:
        """What the recordings of this version say about each field."""
        found: dict[FieldName, Evidence] = defaultdict(Evidence)
        for recording in recordings:
            if recording.version == self.version and not recording.is_error and recording.route in self._operations:
                schema = self._response_schema(self._operations[recording.route], recording.status)
                self._note(schema, recording.response, recording, found)
        return found

    def _response_schema(self, operation: Node, status: int | None) -> Node:
        responses: Mapping[str, Node] = operation["responses"]
        documented = [responses.get(str(status), {}), *(node for key, node in responses.items() if key < "3")]
        schemas = [node["content"]["application/json"]["schema"] for node in documented if "content" in node]
        return schemas[0] if schemas else {}

    def _own_fields(self, name: str, schema: Node) -> Iterator[SpecField]:
        for wire, node in schema.get("properties", {}).items():
            spellings = dict.fromkeys((wire, wire.replace("-", "_"), wire.replace("_", "-")))
            required = wire in schema.get("required", ())
            yield SpecField(f"{name}.{wire}", (*spellings, node.get("x-python-name", wire)), node, required)

    def _all_fields(self, name: str) -> Iterator[SpecField]:
        schema = self._schemas[name]
        for base in schema.get("allOf", ()):
            yield from self._all_fields(_name(base))
        yield from self._own_fields(name, schema)

    def _note(self, node: Node, value: Json, recording: Recording, found: dict[FieldName, Evidence]) -> None:
        """Note the fields of a value that the schema `node` describes."""
        if value is None:
            return
        if "$ref" in node:
            schema = self._schemas[_name(node)]
            if "properties" not in schema and "allOf" not in schema:
                self._note(schema, value, recording, found)
            elif isinstance(value, dict):
                self._note_object(_name(node), cast(dict[str, Json], value), recording, found)
        elif "anyOf" in node:
            self._note(self._best(node["anyOf"], value), value, recording, found)
        elif isinstance(value, list):
            for item in cast(list[Json], value):
                self._note(node.get("items", {}), item, recording, found)
        elif isinstance(value, dict) and isinstance(node.get("additionalProperties"), dict):
            for item in cast(dict[str, Json], value).values():
                self._note(node["additionalProperties"], item, recording, found)

    def _note_object(
        self, name: str, value: dict[str, Json], recording: Recording, found: dict[FieldName, Evidence]
    ) -> None:
        for each in self._all_fields(name):
            spelling = next((spelling for spelling in each.spellings if spelling in value), None)
            evidence = found[each.name]
            if spelling is None:
                evidence.missing.append(recording)
            elif value[spelling] is None:
                evidence.null.append(recording)
            else:
                evidence.present.append(recording)
                self._note(each.node, value[spelling], recording, found)

    def _best(self, members: Sequence[Node], value: Json) -> Node:
        """The member of a union that lacks the fewest fields in the value."""

        def lacking(member: Node) -> int:
            if "$ref" not in member or not isinstance(value, dict):
                return 0
            return sum(
                each.required and not any(spelling in value for spelling in each.spellings)
                for each in self._all_fields(_name(member))
            )

        return min((member for member in members if member.get("type") != "null"), key=lacking)


def _name(reference: Node) -> str:
    return str(reference["$ref"]).rpartition("/")[2]
