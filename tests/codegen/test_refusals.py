"""Errors in specs: each row is an error, its location and its message."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.build import build
from codegen.nodes import SpecError
from tests.codegen.support import SPECS

GOOD = (SPECS / "good.yaml").read_text(encoding="utf-8")
MAIN = (SPECS / "openapi.yaml").read_text(encoding="utf-8")


def rows(file: str) -> dict[str, tuple[str, str, str]]:
    """A table of errors by name: valid text, invalid text and message."""
    table: dict[str, tuple[str, str, str]] = {}
    _, *parts = (SPECS / file).read_text(encoding="utf-8").split("\n== ")
    for part in parts:
        name, *lines = part.splitlines()
        assert name not in table
        good, bad, refused = ("\n".join(line[2:] for line in lines if line.startswith(mark)) for mark in "-+!")
        table[name] = good, bad, refused
    return table


IN_A_TAG_FILE = rows("refusals_in_a_tag_file.txt")
IN_THE_MAIN_FILE = rows("refusals_in_the_main_file.txt")


def refusal(folder: Path, **files: str) -> str:
    """The error of codegen for a spec of these files."""
    specs = folder / "things"
    specs.mkdir()
    for name, text in files.items():
        (specs / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        build(specs, "things_sdk.v9", "v9")
    return str(caught.value)


def test_valid_spec(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(MAIN, encoding="utf-8")
    (tmp_path / "thing.yaml").write_text(GOOD, encoding="utf-8")
    assert build(tmp_path, "things_sdk.v9", "v9")


@pytest.mark.parametrize("name", IN_A_TAG_FILE)
def test_error_in_a_tag_file_has_location_and_remedy(name: str, tmp_path: Path) -> None:
    good, bad, refused = IN_A_TAG_FILE[name]
    assert good in GOOD
    assert refusal(tmp_path, openapi=MAIN, thing=GOOD.replace(good, bad)) == refused


@pytest.mark.parametrize("name", IN_THE_MAIN_FILE)
def test_error_in_the_main_file_has_location_and_remedy(name: str, tmp_path: Path) -> None:
    good, bad, refused = IN_THE_MAIN_FILE[name]
    assert good in MAIN
    assert refusal(tmp_path, openapi=MAIN.replace(good, bad), thing=GOOD) == refused


def test_empty_file(tmp_path: Path) -> None:
    assert refusal(tmp_path, openapi=MAIN, thing="# nothing yet\n") == (
        "things/thing.yaml:1: /: The file is empty; remove it, or add content."
    )


def test_folder_without_a_main_file(tmp_path: Path) -> None:
    assert refusal(tmp_path, thing=GOOD) == (
        "things/openapi.yaml:1: /: The file is missing; it contains info, servers, tags and shared components."
    )


def test_definition_in_two_files(tmp_path: Path) -> None:
    again = "paths: {/things: {get: {}}}\ncomponents: {schemas: {Thing: {type: object}}}\n"
    assert refusal(tmp_path, openapi=MAIN, thing=GOOD, thing_again=again).splitlines() == [
        (
            "things/thing_again.yaml:1: /paths/~1things/get: "
            "`get` is defined in things/thing.yaml:14 already; define it once."
        ),
        (
            "things/thing_again.yaml:2: /components/schemas/Thing: "
            "`Thing` is defined in things/thing.yaml:35 already; define it once."
        ),
    ]


def test_unknown_extension_of_a_shared_response(tmp_path: Path) -> None:
    bad = GOOD.replace('"201":', 'default: {$ref: "#/components/responses/Error"}\n        "201":')
    bad = bad.replace("components:", "components:\n  responses: {Error: {description: Why., x-retry: true}}")
    assert refusal(tmp_path, openapi=MAIN, thing=bad) == (
        "things/thing.yaml:35: /components/responses/Error/x-retry: "
        "`x-retry` is not an extension of a response; openapi/README.md lists those that are."
    )


def test_all_errors_are_reported_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("x-python-name: get", "x-python-name: import")
    bad = bad.replace("x-python-name: list", "x-python-name: all")
    assert [line.split(":")[1] for line in refusal(tmp_path, openapi=MAIN, thing=bad).splitlines()] == ["6", "17"]
