"""openapi/migration.yaml has every method of the three clients, with the operations that they call."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, Final

import pytest

from codegen.__main__ import VERSIONS
from codegen.migration.entries import Migration
from codegen.migration.source import FILE, read_migration
from codegen.nodes import SpecError
from tests.support.places import ROOT, facts

PEERS: Final[list[dict[str, Any]]] = json.loads((facts() / "peers_methods.json").read_text(encoding="utf-8"))
WITHOUT_A_CALL: Final = {
    "pycircleci": {"owner_slug", "ppj", "ppr", "project_slug", "split_project_slug", "validate_api_version"}
}
"""Public methods that send nothing; the list of peers has only those that do."""


@pytest.fixture(scope="module")
def migration() -> Migration:
    return read_migration(ROOT / "openapi", dict(VERSIONS))


def bare(path: str) -> str:
    """A path without the names of its parameters, a slug as one of them."""
    for slug in ("{vcs_type}/{username}/{project}", "{vcs_type}/{org_name}/{repo_name}"):
        path = path.replace(slug, "{}")
    for slug in ("{vcs-type}/{username}/{project}", "{provider}/{organization}/{project}"):
        path = path.replace(slug, "{}")
    return re.sub(r"\{[^}]*\}", "{}", path)


def parameters(signature: str) -> list[str]:
    inside = signature.partition("(")[2].rpartition(")")[0]
    return [part.partition("=")[0].partition(":")[0].strip() for part in inside.split(", ") if part]


@pytest.mark.parametrize("package", ["circleci", "pycircleci", "circleci-api-python"])
def test_every_method_is_there_with_its_operations(migration: Migration, package: str) -> None:
    [client] = [one for one in migration.clients if one.package == package]
    rows = [row for row in PEERS if row["peer"] == package]
    assert {row["version"].removesuffix(".0") for row in rows} == {client.version.removesuffix(".0")}
    names = [method.name for method in client.methods]
    assert len(names) == len(set(names))
    assert set(names) == {row["method"].rpartition(".")[2] for row in rows} | WITHOUT_A_CALL.get(package, set())
    for method in client.methods:
        mine = [row for row in rows if row["method"].rpartition(".")[2] == method.name]
        for row in mine:
            assert list(method.takes) == parameters(row["signature"]), method.name
        called = {
            f"{variant.calls.method} /api/{'v1.1' if str(variant.calls.label).startswith('v1.') else 'v2'}"
            f"{bare(variant.calls.path)}"
            for variant in method.variants
            if variant.calls
        }
        sent = {f"{row['http_method']} {bare(row['path_template'])}" for row in mine}
        if called:
            assert called == sent, method.name


def test_what_has_no_call_is_known(migration: Migration) -> None:
    without = {
        f"{client.package} {method.name}"
        for client in migration.clients
        for method in client.methods
        if not any(variant.calls for variant in method.variants)
    }
    assert without == {
        "circleci build_singleton",  # several calls
        "circleci download_artifact",  # not of the API
        "pycircleci download_artifact",
        *(f"pycircleci {name}" for name in WITHOUT_A_CALL["pycircleci"]),
        "circleci-api-python cancel_job_by_id",  # a path that does not exist
    }


def test_what_ends(migration: Migration) -> None:
    ends = {f"{each.kind} {each.route.method} {each.route.path}": str(each.day) for each in migration.endings}
    assert len([1 for text in ends if text.startswith("trigger POST /project/{vcs-type}/{username}/{project}")]) == 5
    assert {day for text, day in ends.items() if text.startswith("trigger")} == {"2027-02-01"}
    assert {day for text, day in ends.items() if text.startswith("branches")} == {"2026-12-07"}
    assert {day for text, day in ends.items() if text.startswith(("runner", "insights"))} == {"None"}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("calls: v1.users.set_heroku_key", "calls: v1.users.set_heroku", "`v1.users.set_heroku` is not an operation"),
        ("get(slug, job_number)", "get(slug, number)", "`number` is not in `names`"),
        ("use: await circleci.v2.users.me()", "use: await circleci.v2.users.me(", "is not an expression"),
        ("  v1.builds.list:\n", "  v1.builds.list:\n    used: a\n", "`used` is not supported"),
        ("use: await circleci.v1.projects.follow(slug)", "remark: nothing", "`use` is missing"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path: Path, old: str, new: str, sentence: str) -> None:
    text = (ROOT / "openapi" / FILE).read_text(encoding="utf-8")
    assert old in text
    for folder, _ in VERSIONS:
        (tmp_path / folder).symlink_to(ROOT / "openapi" / folder)
    (tmp_path / FILE).write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(SpecError, match=re.escape(sentence)):
        read_migration(tmp_path, dict(VERSIONS))
