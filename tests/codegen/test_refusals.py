"""What codegen refuses, row by row: the fault, and the place and the sentence that follow from it."""

from __future__ import annotations

from pathlib import Path

import pytest

from codegen.build import build
from codegen.nodes import SpecError
from tests.codegen.support import SPECS

GOOD = (SPECS / "good.yaml").read_text(encoding="utf-8")
MAIN = (SPECS / "openapi.yaml").read_text(encoding="utf-8")


def rows(file: str) -> dict[str, tuple[str, str, str]]:
    """A table of refusals: good text, bad text and refusal by name."""
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
    """What codegen says to a spec of these files."""
    specs = folder / "things"
    specs.mkdir()
    for name, text in files.items():
        (specs / f"{name}.yaml").write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        build(specs, "things_sdk.v9", "v9")
    return str(caught.value)


def test_the_good_spec_is_good(tmp_path: Path) -> None:
    (tmp_path / "openapi.yaml").write_text(MAIN, encoding="utf-8")
    (tmp_path / "thing.yaml").write_text(GOOD, encoding="utf-8")
    assert build(tmp_path, "things_sdk.v9", "v9")


@pytest.mark.parametrize("name", IN_A_TAG_FILE)
def test_a_fault_in_a_tag_file_is_refused_with_place_and_remedy(name: str, tmp_path: Path) -> None:
    good, bad, refused = IN_A_TAG_FILE[name]
    assert good in GOOD
    assert refusal(tmp_path, openapi=MAIN, thing=GOOD.replace(good, bad)) == refused


@pytest.mark.parametrize("name", IN_THE_MAIN_FILE)
def test_a_fault_in_the_main_file_is_refused_with_place_and_remedy(name: str, tmp_path: Path) -> None:
    good, bad, refused = IN_THE_MAIN_FILE[name]
    assert good in MAIN
    assert refusal(tmp_path, openapi=MAIN.replace(good, bad), thing=GOOD) == refused


def test_an_empty_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, openapi=MAIN, thing="# nothing yet\n") == (
        "things/thing.yaml:1: /: The file is empty; write something into it or remove it."
    )


def test_a_folder_without_its_main_file_is_refused(tmp_path: Path) -> None:
    assert refusal(tmp_path, thing=GOOD) == (
        "things/openapi.yaml:1: /: The file is missing; it holds info, servers, tags and what files share."
    )


def test_what_two_files_define_is_refused(tmp_path: Path) -> None:
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


def test_an_unknown_extension_of_a_shared_response_is_refused(tmp_path: Path) -> None:
    bad = GOOD.replace('"201":', 'default: {$ref: "#/components/responses/Error"}\n        "201":')
    bad = bad.replace("components:", "components:\n  responses: {Error: {description: Why., x-retry: true}}")
    assert refusal(tmp_path, openapi=MAIN, thing=bad) == (
        "things/thing.yaml:35: /components/responses/Error/x-retry: "
        "`x-retry` is no extension of a response; openapi/README.md lists those that are."
    )


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    bad = GOOD.replace("x-python-name: get", "x-python-name: import")
    bad = bad.replace("x-python-name: list", "x-python-name: all")
    assert [line.split(":")[1] for line in refusal(tmp_path, openapi=MAIN, thing=bad).splitlines()] == ["6", "17"]
