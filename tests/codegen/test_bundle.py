"""The installed documents: valid OpenAPI without prose."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import pytest
from openapi_spec_validator import validate

from codegen.__main__ import VERSIONS
from codegen.bundle import bundled

if TYPE_CHECKING:
    from codegen.nodes import Json

NAMED: Final[dict[str, Json]] = {"description": {"type": "string"}, "summary": {"type": "string"}}


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"description": "d", "type": "string"}, {"type": "string"}),
        ({"summary": "s", "x-source": "a test", "operationId": "o"}, {"operationId": "o"}),
        ({"items": {"description": "d", "type": "integer"}}, {"items": {"type": "integer"}}),
        ({"anyOf": [{"description": "d", "const": "x"}]}, {"anyOf": [{"const": "x"}]}),
        ({"properties": NAMED}, {"properties": NAMED}),
        ({"schemas": NAMED}, {"schemas": NAMED}),
        ({"parameters": [{"name": "q", "description": "d"}]}, {"parameters": [{"name": "q"}]}),
        ({"responses": {"200": {"description": "Ok"}}}, {"responses": {"200": {"description": ""}}}),
        ({"responses": {"404": {"$ref": "#/x"}}}, {"responses": {"404": {"$ref": "#/x"}}}),
    ],
)
def test_only_prose_is_left_out(given: Json, expected: Json) -> None:
    assert json.loads(bundled(given)) == expected


@pytest.mark.parametrize("version", [package for _, package in VERSIONS])
def test_the_installed_document_is_valid(version: str) -> None:
    validate(json.loads(files("circleci_sdk").joinpath(version, "openapi.json").read_text("utf-8")))
