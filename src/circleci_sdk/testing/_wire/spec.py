"""The bundled specs: the schemas of all requests and responses."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Final, cast

Schema = Mapping[str, Any]


class Spec:
    """One bundled document and its operations by id."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        self.operations: Final[dict[str, Mapping[str, Any]]] = {
            operation["operationId"]: operation
            for item in document["paths"].values()
            for method, operation in item.items()
            if method != "parameters"
        }

    def resolve(self, node: Schema) -> Schema:
        """Resolve a reference."""
        while "$ref" in node:
            found: Any = self._document
            for part in str(node["$ref"])[2:].split("/"):
                found = found[part.replace("~1", "/").replace("~0", "~")]
            node = cast("Schema", found)
        return node

    def schema(self, name: str) -> Schema:
        """The named schema. Raises `KeyError` for an unknown name."""
        return self.resolve({"$ref": f"#/components/schemas/{name}"})

    def parameters(self, operation_id: str) -> dict[str, Schema]:
        """The schemas of all parameters of an operation, by wire name."""
        given = (self.resolve(each) for each in self.operations[operation_id].get("parameters", ()))
        return {each["name"]: each["schema"] for each in given}

    def body(self, operation_id: str) -> Schema | None:
        """The schema of the request body of an operation; None without a body."""
        body = self.operations[operation_id].get("requestBody")
        if body is None:
            return None
        content = self.resolve(body)["content"]
        return cast("Schema", next(iter(content.values()))["schema"])

    def success(self, operation_id: str) -> tuple[int, Schema | None]:
        """The success status of an operation, and the schema of its body; None without a body."""
        for status, response in self.operations[operation_id]["responses"].items():
            if status.startswith("2"):
                content = self.resolve(response).get("content", {})
                media = next(iter(content.values()), None)
                return int(status), cast("Schema | None", media.get("schema")) if media else None
        return 200, None

    def media_type(self, operation_id: str) -> str | None:
        """The content type of the success of an operation; None without a body."""
        for status, response in self.operations[operation_id]["responses"].items():
            if status.startswith("2"):
                return next(iter(self.resolve(response).get("content", {})), None)
        return None


@cache
def spec_of(version: str) -> Spec:
    """The bundled document of `v1`, `v2` or `v3`, read once."""
    text = files("circleci_sdk").joinpath(version, "openapi.json").read_text(encoding="utf-8")
    return Spec(json.loads(text))
