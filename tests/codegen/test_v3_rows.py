"""The specs of API v3 against the rows of `api/v3.md`: every row, and every difference with its reason."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from tests.support.places import ROOT
from tests.support.v3_comparison import Difference, differences, operations
from tests.support.v3_rows import rows

LEFT_OUT: Final = {
    "for a later release": (
        "GET /function/packages",
        "GET /function/versions/{id}",
        "GET /notification/integrations",
        "GET /notification/integrations/{id}",
        "POST /notification/integrations/{id}/set-status",
        "DELETE /notification/integrations/{id}",
        "GET /notification/channel-configs",
        "POST /notification/channel-configs",
        "GET /notification/channel-configs/{id}",
        "POST /notification/channel-configs/{id}/update",
        "DELETE /notification/channel-configs/{id}",
        "GET /notification/preferences",
        "POST /notification/preferences",
        "GET /notification/links",
        "GET /sidecar/instances",
        "POST /sidecar/instances",
        "DELETE /sidecar/instances/{id}",
        "POST /sidecar/instances/{id}/ssh/add-key",
        "POST /sidecar/instances/{id}/exec",
        "GET /sidecar/commands/{id}",
        "GET /sidecar/commands/{id}/output",
        "POST /sidecar/snapshots",
        "GET /sidecar/snapshots",
        "GET /sidecar/snapshots/{id}",
    ),
    "seen in one client of a partner only": ("GET /orgs/{id}", "GET /signing/certificates/{id}"),
    "documented for the former host of the runner API only": ("GET /runner/tasks", "GET /runner/tasks/running"),
    "called by no client": ("GET /namespaces/{id}", "DELETE /runner/resource/{id}"),
}
"""Rows of grade B without an operation, by reason."""


class Known(NamedTuple):
    """Differences that several operations may share, with the reason."""

    reason: str
    keys: tuple[str, ...]
    differences: tuple[Difference, ...]


ORB_ATTRIBUTES: Final = (
    "created_at",
    "last_30_days_build_count",
    "last_30_days_project_count",
    "last_30_days_org_count",
)

KNOWN: Final = (
    Known(
        "Short rows and details of orbs are one model: a list by name contains details.",
        (
            "POST /orb/packages",
            "GET /orb/packages/{id}",
            "POST /orb/packages/{id}/add-category",
            "POST /orb/packages/{id}/remove-category",
            "POST /orb/packages/{id}/set-listed",
        ),
        tuple(Difference(f"response.data.attributes.{name}", "required in the row") for name in ORB_ATTRIBUTES),
    ),
    Known(
        "The model of the details, see above.",
        ("GET /orb/packages",),
        (Difference("response.data[].attributes.home_url", "in the spec only"),),
    ),
    Known(
        "The notes have the rule: certified orbs only without a namespace.",
        ("GET /orb/packages",),
        (Difference("x-rules", "certified or namespace_id in the spec only"),),
    ),
    Known(
        "The notes have the rule: one of them is required, and the reference takes precedence.",
        ("GET /orb/versions",),
        (Difference("x-rules", "orb_id or ref in the spec only"),),
    ),
    Known(
        "The notes have the rule: exactly one of the members of the body.",
        ("POST /orb/versions/{id}/promote",),
        (Difference("x-rules", "segment or semantic_version in the spec only"),),
    ),
    Known(
        "Read whole, as text, like the source of an orb; a stream would promise ranges.",
        ("GET /jobs/{id}/stdout/condensed",),
        (Difference("response", "bytes in the row, text in the spec"),),
    ),
    Known(
        "All pages have the same links, each of them optional.",
        ("GET /provider/repositories",),
        (
            Difference("response.page", "required in the row"),
            Difference("response.page.prev", "in the spec only"),
        ),
    ),
    Known(
        "The row has no types; the responses have strings.",
        ("POST /runner/resource",),
        (
            Difference("body.resource_class", "any in the row, str in the spec"),
            Difference("body.description", "any in the row, str in the spec"),
        ),
    ),
    Known(
        "The row has no types; the responses have strings.",
        ("POST /runner/token",),
        (
            Difference("body.resource_class", "any in the row, str in the spec"),
            Difference("body.nickname", "any in the row, str in the spec"),
        ),
    ),
    Known(
        "The status of the path without /force.",
        ("DELETE /runner/resource/{id}/force",),
        (Difference("status", "409 in the row only"),),
    ),
    Known(
        "The status of a filter, which the method does not have.",
        ("GET /runner/fleets/{id}",),
        (Difference("status", "400 in the row only"),),
    ),
    Known(
        "Contexts in lists and alone are one model, with the organization where a response has it.",
        ("GET /contexts",),
        (Difference("response.data[].references.org", "in the spec only"),),
    ),
    Known(
        "Contexts in lists and alone are one model, with the organization where a response has it.",
        ("POST /contexts", "GET /contexts/{id}"),
        (
            Difference("response.data.references", "required in the row"),
            Difference("response.data.references.org", "required in the row"),
        ),
    ),
    Known(
        "No source has the body of the response; the method returns nothing.",
        ("POST /contexts/{id}/env-vars/set",),
        (Difference("response", "unread in the row, nothing in the spec"),),
    ),
    Known(
        "New and listed tokens are one model; a new one has the token, and may lack the name of the class.",
        ("GET /runner/tokens",),
        (
            Difference("response.data[].attributes.token", "in the spec only"),
            Difference("response.data[].references.resource_class.attributes", "required in the row"),
        ),
    ),
    Known(
        "New and listed tokens are one model, see above.",
        ("POST /runner/tokens",),
        (Difference("response.data.attributes.token", "required in the row"),),
    ),
    Known(
        "Runners and tokens refer to their class by one model.",
        ("GET /runner/agents",),
        (Difference("response.data[].references.resource_class.attributes", "required in the row"),),
    ),
    Known(
        "Fleets in lists and alone are one model, with the tasks where a response has them.",
        ("GET /runner/fleets",),
        (
            Difference("response.data[].attributes.queued_tasks", "in the spec only"),
            Difference("response.data[].attributes.running_tasks", "in the spec only"),
        ),
    ),
    Known(
        "Fleets in lists and alone are one model, with the tasks where a response has them.",
        ("GET /runner/fleets/{id}",),
        (
            Difference("response.data.attributes.queued_tasks", "required in the row"),
            Difference("response.data.attributes.running_tasks", "required in the row"),
        ),
    ),
)
"""Every difference between a row and its operation."""


def found(folder: Path = ROOT / "openapi" / "v3") -> set[tuple[str, Difference]]:
    known = operations(folder)
    return {
        (row.key, difference) for row in rows() if row.key in known for difference in differences(row, known[row.key])
    }


def test_every_row_is_an_operation_or_left_out() -> None:
    left_out = [key for keys in LEFT_OUT.values() for key in keys]
    grade_a = {row.key for row in rows() if row.grade == "A"}
    grade_b = {row.key for row in rows() if row.grade == "B"}
    known = operations().keys()

    assert known & grade_a == grade_a
    assert known & grade_b == grade_b - set(left_out)
    assert known <= grade_a | grade_b
    assert set(left_out) <= grade_b
    assert (len(known & grade_a), len(known & grade_b), len(left_out)) == (73, 24, 30)


def test_operations_are_as_their_rows() -> None:
    known = {(key, difference) for entry in KNOWN for key in entry.keys for difference in entry.differences}
    now = found()

    assert not now - known, "\n".join(map(str, sorted(now - known)))
    assert not known - now, "no longer a difference:\n" + "\n".join(map(str, sorted(known - now)))


@pytest.mark.parametrize(
    ("file", "old", "new", "key", "difference"),
    [
        (
            "run.yaml",
            "name: filter[current_outcome]",
            "name: filter[outcome]",
            "GET /runs",
            Difference("query", "filter[current_outcome] in the row only"),
        ),
        (
            "project.yaml",
            "- exactly-one: [slug, org_id]",
            "- at-most-one: [slug, org_id]",
            "GET /projects",
            Difference("query", "no rule for org_id or slug"),
        ),
        (
            "context.yaml",
            "required: [restriction_type, match_pattern]",
            "required: [restriction_type]",
            "POST /context-restrictions",
            Difference("body.data.attributes.match_pattern", "required in the row"),
        ),
        (
            "workflow.yaml",
            "is_from_failed:",
            "from_failed:",
            "POST /workflows/{id}/rerun",
            Difference("body.is_from_failed", "in the row only"),
        ),
        (
            "job.yaml",
            "stdout_bytes: {type: integer",
            "stdout_bytes: {type: string",
            "GET /jobs/{id}",
            Difference(
                "response.data.attributes.parallel_executions[].steps[].stdout_bytes",
                "int in the row, str in the spec",
            ),
        ),
        (
            "orb.yaml",
            'errors: {type: [array, "null"]',
            "errors: {type: [array]",
            "POST /orb/packages/validate",
            Difference("response.data.attributes.errors", "null in the row only"),
        ),
        (
            "runner.yaml",
            '"409": {description',
            '"418": {description',
            "DELETE /runner/resource-classes/{id}",
            Difference("status", "409 in the row only"),
        ),
    ],
)
def test_a_changed_spec_is_noticed(
    tmp_path: Path, file: str, old: str, new: str, key: str, difference: Difference
) -> None:
    folder = tmp_path / "v3"
    shutil.copytree(ROOT / "openapi" / "v3", folder)
    text = (folder / file).read_text(encoding="utf-8")
    assert old in text
    (folder / file).write_text(text.replace(old, new), encoding="utf-8")

    assert (key, difference) in found(folder) - found()
