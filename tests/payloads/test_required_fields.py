"""A field of a response is non-optional where documents or recorded responses prove that it is always present.

* v2: the documents require it, or at least 3 recorded responses of 2 sources always have it.
* v1.1: at least 5 recorded responses of 2 sources always have it; names, ids and discriminators are exempt.
* Neither: a recorded response lacks it.

Edited responses can contradict the documents, but prove nothing. Deliveries, pages and request bodies are not covered:
there are too few recorded deliveries, and the others have no models.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import pytest

from tests.support import places
from tests.support.evidence import VERSIONS, Evidence, FieldName, Spec, SpecField
from tests.support.facts import Field, Shape, operations
from tests.support.names import FIELD_NAMES, Version, snake
from tests.support.recordings import recordings

RECORDINGS: Final = [recording for folder in places.payload_folders() for recording in recordings(folder)]
SPECS: Final = {version: Spec(version) for version in VERSIONS}
RECORDED: Final = {
    version: SPECS[version].evidence(each for each in RECORDINGS if each.quality == "recorded") for version in VERSIONS
}
OBSERVED: Final = SPECS["v2"].evidence(each for each in RECORDINGS if each.quality in {"recorded", "edited"})
PROOF: Final[Mapping[Version, tuple[int, int]]] = {"v1": (5, 2), "v2": (3, 2)}
"""The least number of recorded responses and of their sources."""

IDENTIFYING: Final = {
    "Artifact.path",
    "Artifact.url",
    "BuildTest.classname",
    "BuildTest.name",
    "CheckoutKey.fingerprint",
    "CheckoutKey.type",
    "MessageResponse.message",
    "Project.reponame",
    "Project.username",
    "Project.vcs_url",
    "ProjectEnvVar.name",
    "StatusResponse.status",
    "User.login",
    "UserBitbucket.id",
    "UserRepo.name",
    "UserRepo.username",
    "UserRepo.vcs_type",
    "UserRepo.vcs_url",
    "UserRepoOwner.login",
}
"""Names, ids and discriminators of v1.1 that are required with fewer recorded responses."""

REPORTED: Final = {
    "Schedule.actor": "missing, says a public report",
    "Webhook.signing_secret": "missing without a secret, measured by the vendor's staff",
}
"""Fields that the documents require and that no copy of a response lacks."""

PREVIEW: Final = {
    "Collaboration.slug",
    "JobDetails",
    "PipelineTrigger.actor",
    "Project.id",
    "Project.organization_id",
    "Project.organization_slug",
    "Workflow.pipeline_id",
    "Workflow.pipeline_number",
    "Workflow.project_slug",
    "Workflow.started_by",
    "WorkflowJob.project_slug",
}
"""Fields or schemas that are required although an edited response contradicts the documents.

The edited responses of `alpinweis/pycircleci` are of the preview of v2 in 2019. The one for `JobDetails` is a test that
writes out two keys only. Recorded responses of later years have all of these fields.
"""


def documented() -> dict[tuple[str, str], Field]:
    """The fields of v2 in the documents, by model and Python name."""
    found: dict[tuple[str, str], Field] = {}

    def visit(shape: Shape) -> None:
        for field in shape.fields:
            found[shape.model, field.name] = field
            visit(field.shape)
        for inner in (*([shape.items] if shape.items else []), *shape.variants):
            visit(inner)

    for operation in operations(places.facts()):
        for success in operation.successes:
            if success.shape is not None and operation.version == "v2":
                visit(success.shape)
    return found


DOCUMENTED: Final = documented()


def fields(version: Version) -> Iterator[SpecField]:
    """The fields of the models of responses, without deliveries."""
    models = {model for model, _ in DOCUMENTED}
    for field in SPECS[version].fields():
        schema = field.name.partition(".")[0]
        if schema in models if version == "v2" else not schema.endswith("Body"):
            yield field


def facts_of(name: FieldName) -> Field | None:
    schema, _, wire = name.partition(".")
    return DOCUMENTED.get((schema, FIELD_NAMES.get(wire, snake(wire))))


def recorded(version: Version, name: FieldName) -> Evidence:
    return RECORDED[version].get(name, Evidence())


def observed(name: FieldName) -> Evidence:
    """Recorded and edited responses of v2."""
    return OBSERVED.get(name, Evidence())


def test_there_is_evidence() -> None:
    """The walk through the responses reaches nested schemas, lists, maps and extended schemas."""
    assert len(recorded("v1", "Build.build_num").present) > 200
    assert recorded("v1", "BuildAction.index").proves(5, 2)
    assert recorded("v1", "BranchBuild.status").present
    assert recorded("v1", "BuildDetails.steps").proves(5, 2)
    assert not recorded("v1", "BuildPicard.resource_class").proves(5, 2)
    assert recorded("v2", "PipelineVcsCommit.subject").proves(3, 2)
    assert recorded("v2", "PipelineVcs.commit").missing
    assert recorded("v2", "PipelineTriggerActor.avatar_url").null


@pytest.mark.parametrize("version", VERSIONS)
def test_no_recorded_response_contradicts_a_spec(version: Version) -> None:
    contradicted = {
        field.name
        for field in SPECS[version].fields()
        if (field.required and recorded(version, field.name).missing)
        or (not field.nullable and not field.node.get("x-any") and recorded(version, field.name).null)
    }
    assert contradicted == set()


def test_required_fields_of_v1_are_proven() -> None:
    unproven = {
        field.name for field in fields("v1") if field.required and not recorded("v1", field.name).proves(*PROOF["v1"])
    }
    assert unproven == IDENTIFYING


def test_required_fields_of_v2_are_documented_or_proven() -> None:
    unproven = {
        field.name
        for field in fields("v2")
        if field.required
        and not ((facts := facts_of(field.name)) and facts.required and not facts.missing)
        and not recorded("v2", field.name).proves(*PROOF["v2"])
    }
    assert unproven == set()


def test_documented_fields_of_v2_are_optional_only_if_contradicted() -> None:
    optional = {
        field.name
        for field in fields("v2")
        if not field.required and (facts := facts_of(field.name)) and facts.required and not facts.missing
    }
    contradicted = {name for name in optional if observed(name).missing}
    assert optional - contradicted == set(REPORTED)


def test_contradicted_fields_of_v2_are_required_only_by_exception() -> None:
    contradicted = {
        field.name
        for field in fields("v2")
        if (field.required and observed(field.name).missing) or (not field.nullable and observed(field.name).null)
    }
    assert {name for name in contradicted if name.partition(".")[0] not in PREVIEW} == {
        name for name in PREVIEW if "." in name
    }
