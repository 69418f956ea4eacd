"""Rules of names and docstrings, which golden files cover by example only."""

from __future__ import annotations

import ast
import textwrap

import pytest

from codegen.docstrings import model_text, resource_docstring
from codegen.names import bad_class_name, bad_field_name, bad_method_name, bad_parameter_name, pascal_case, snake_case
from codegen.operations import Resource


@pytest.mark.parametrize(
    ("wire", "python"),
    [
        ("org-id", "org_id"),
        ("orgID", "org_id"),
        ("ownerID", "owner_id"),
        ("OrgId", "org_id"),
        ("policyName", "policy_name"),
        ("getJobDetails", "get_job_details"),
        ("listURLOrbAllowListEntries", "list_url_orb_allow_list_entries"),
        ("circle.yml", "circle_yml"),
        ("s3Bucket", "s3_bucket"),
        ("already_snake", "already_snake"),
    ],
)
def test_snake_case(wire: str, python: str) -> None:
    assert snake_case(wire) == python


def test_pascal_case() -> None:
    assert pascal_case("oidc_claims") == "OidcClaims"


@pytest.mark.parametrize("name", ["page_token", "list_", "v2", "is_2_0_job"])
def test_valid_names(name: str) -> None:
    assert bad_parameter_name(name) is None
    assert bad_method_name(name) is None
    assert bad_field_name(name) is None


@pytest.mark.parametrize("name", ["", "Name", "_name", "na-me", "1st", "name__x", "class", "naïve"])
def test_invalid_names(name: str) -> None:
    assert bad_parameter_name(name)
    assert bad_method_name(name)
    assert bad_field_name(name)


def test_reserved_names_by_kind() -> None:
    taken = {
        name: [bool(check(name)) for check in (bad_parameter_name, bad_method_name, bad_field_name)]
        for name in ("type", "match", "id", "list", "set", "date", "json", "model_dump", "str")
    }
    assert taken == {
        #        parameter, method, field
        "type": [True, False, False],
        "match": [True, False, False],
        "id": [True, False, False],
        "list": [True, False, True],
        "set": [True, False, False],
        "date": [False, True, False],
        "json": [False, False, True],
        "model_dump": [False, False, True],
        "str": [True, True, True],
    }


@pytest.mark.parametrize(
    ("name", "good"), [("Job", True), ("OidcClaims", True), ("Job2", False), ("job", False), ("A_B", False)]
)
def test_class_names(name: str, good: bool) -> None:
    assert (bad_class_name(name) is None) == good


@pytest.mark.parametrize(
    "text",
    [
        "Plain",
        'Ends with a "quote"',
        'Holds """three""" quotes',
        "Ends with a backslash \\",
        "A \\d in it",
        "Naïve → ünïcode",
    ],
)
def test_docstring_evaluates_to_the_text_of_the_spec(text: str) -> None:
    docstring = resource_docstring(Resource("things", (text,), ()))
    value = ast.literal_eval(docstring)
    assert value.strip() == f"{text}."


def test_paragraphs_are_wrapped_and_lists_are_kept() -> None:
    text = model_text(f"{'word ' * 30}\nand on.\n\nThen:\n* {'item ' * 30}\n* last")
    assert text == (
        f"{' '.join(['word'] * 22)}\n{' '.join(['word'] * 8)} and on.\n\nThen:\n"
        f"* {' '.join(['item'] * 21)}\n{textwrap.indent(' '.join(['item'] * 9), '  ')}\n* last."
    )


def test_no_docstring_without_text() -> None:
    assert model_text(None) is None
    assert model_text(None, undocumented=True, deprecated=True) == "Undocumented. Deprecated."
