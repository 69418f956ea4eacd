"""Generated requests: schemathesis against the served fake, with state between the calls.

The fake never returns a 5xx, and each response fits the spec without tolerance: enums are closed, and unlisted keys
are errors. (`test_every_operation.py` does the same with the facts about required keys.)
"""

from __future__ import annotations

import json
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from copy import deepcopy
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any, Final, cast
from zlib import crc32

import pytest
from hypothesis import HealthCheck, settings

from circleci_sdk import BadRequestError
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, JobTest, Workflow

schemathesis = pytest.importorskip("schemathesis")
checks = pytest.importorskip("schemathesis.checks")
jsonschema_rs = pytest.importorskip("jsonschema_rs")

UUID: Final = "00000000-0000-4000-8000-000000000000"
EXAMPLES: Final = int(os.environ.get("GENERATED_REQUESTS", "6"))
"""Requests per operation; a thorough run needs some hundred."""

FAKE: Final = FakeCircleCI(page_size=3, start=datetime(2026, 6, 1, tzinfo=UTC))


def strict(version: str) -> dict[str, Any]:
    """The bundled spec without tolerance: an object has no unlisted key, unless the spec calls it open."""
    document = json.loads(files("circleci_sdk").joinpath(version, "openapi.json").read_text("utf-8"))
    schemas = document["components"]["schemas"]
    for schema in schemas.values():
        for base in schema.pop("allOf", []):
            whole = deepcopy(schemas[base["$ref"].rpartition("/")[2]])
            schema["properties"] = {**whole["properties"], **schema.get("properties", {})}
        if "properties" in schema:
            for name, property in list(schema["properties"].items()):  # both spellings, as our models read them
                schema["properties"].setdefault(name.replace("_", "-"), property)
                schema["properties"].setdefault(property.get("x-python-name", name), property)
            schema["additionalProperties"] = schema.get("x-open", False)
    if version == "v3":
        close_inline_objects(document["paths"])
        close_inline_objects(schemas)
    else:
        schemas["ErrorResponse"]["properties"]["error"] = {"type": "string"}  # the key of errors of policies
    return cast("dict[str, Any]", document)


def close_inline_objects(node: object) -> None:
    """Forbid unlisted keys in objects that have no name, at any depth."""
    if isinstance(node, dict):
        if isinstance(node.get("properties"), dict) and node.get("type") == "object":
            node.setdefault("additionalProperties", False)
        node = list(node.values())
    if isinstance(node, list):
        for each in node:
            close_inline_objects(each)


def web() -> FakeProject:
    """The project, with new runs when few are left."""
    try:
        project = FAKE.project("gh/acme/web")
    except LookupError:
        project = FAKE.add_project("gh/acme/web")
    if len(project.pipelines) < 3:
        tests = [JobTest("a"), JobTest("b", "boom")]
        project.push(
            Workflow("build", Job("test", 5, outcome="failed", tests=tests, artifacts={"a": "b"}), Approval("ok?"))
        )
        project.push(Workflow("build", Job("test", 5000)))
        project.deploy("api", "1.0")
        FAKE.clock.advance(10)
    return project


def first(items: Mapping[str, object]) -> str:
    return next(iter(items), UUID)


POOL: Final[Mapping[str, Callable[[], object]]] = {
    "project-slug": lambda: "gh/acme/web",
    "org-slug": lambda: "gh/acme",
    "org-slug-or-id": lambda: "gh/acme",
    "provider": lambda: "gh",
    "vcs-type": lambda: "github",
    "organization": lambda: "acme",
    "username": lambda: "acme",
    "project": lambda: "web",
    "workflow-name": lambda: "build",
    "branch": lambda: "main",
    "job-number": lambda: 1,
    "build_num": lambda: 1,
    "pipeline-number": lambda: 1,
    "context": lambda: "config",
    "project_id": lambda: web().id,
    "projectID": lambda: web().id,
    "org_id": lambda: web().organization.id,
    "orgID": lambda: web().organization.id,
    "ownerID": lambda: web().organization.id,
    "scope-id": lambda: web().id,
    "org-id": lambda: web().organization.id,
    "owner-id": lambda: web().organization.id,
    "pipeline-id": lambda: web().pipelines[0].id,
    "job-id": lambda: web().pipelines[0].workflows[0].jobs[0].id,
    "approval_request_id": lambda: web().pipelines[0].workflows[0].jobs[-1].id,
    "context_id": lambda: first(web().organization.contexts),
    "group_id": lambda: first(web().organization.groups),
    "component_id": lambda: first(web().organization.components),
    "environment_id": lambda: first(web().organization.environments),
    "otel_exporter_id": lambda: first(web().organization.otel_exporters),
    "allow-list-entry-id": lambda: first(web().organization.orb_urls),
    "usage_export_job_id": lambda: first(web().organization.usage_exports),
    "pipeline_definition_id": lambda: first(web().pipeline_definitions),
    "trigger_id": lambda: first(web().triggers),
    "schedule-id": lambda: first(web().schedules),
    "webhook-id": lambda: first(web().webhooks),
    "fingerprint": lambda: first(web().checkout_keys),
    "policyName": lambda: first(web().organization.policies.bundle),
    "name": lambda: first(web().env_vars),
    "run_id": lambda: web().pipelines[0].id,
    "workflow_id": lambda: web().pipelines[0].workflows[0].id,
    "job_id": lambda: web().pipelines[0].workflows[0].jobs[0].id,
    "pipeline_id": lambda: first(web().pipeline_definitions),
    "slug": lambda: "gh/acme",
    "step_num": lambda: 102,
    "user_id": lambda: "me",
}


def id_of(path: str) -> object:
    """The value of `{id}`: of a workflow or of a user."""
    return FAKE.user.id if "user" in path else web().pipelines[0].workflows[0].id


def known(context: Any, values: dict[str, Any] | None) -> dict[str, Any] | None:
    """Replace most generated values by existing ones; some stay, depending on their hash."""
    if not values:
        return values
    web()
    made = dict(values)
    for name, value in values.items():
        if crc32(repr(value).encode()) % 5 == 0:
            continue
        if name == "id":
            made[name] = id_of(context.operation.path)
        elif (key := name.removeprefix("filter[").removesuffix("]")) in POOL:
            made[name] = POOL[key]()
    return made


def schema_of(version: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        schema = schemathesis.openapi.from_dict(strict(version))
    schema.hook("map_path_parameters")(known)
    schema.hook("map_query")(known)
    return schema


V1, V2, V3 = schema_of("v1"), schema_of("v2"), schema_of("v3")
LIMITS: Final = settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture(scope="module")
def origin() -> Iterator[str]:
    with FAKE.serve() as server:
        yield server.base_url


def validate(case: Any, base: str) -> None:
    chosen = [
        schemathesis.checks.CHECKS.get_one(name) for name in ("not_a_server_error", "response_schema_conformance")
    ]
    case.call_and_validate(base_url=base, headers={"Circle-Token": FAKE.token}, checks=chosen, allow_redirects=False)


async def test_unlisted_feature_flags_are_returned(anyio_backend: str) -> None:
    """`x-open` objects may have unlisted keys; the listed ones keep their types, and other objects stay closed."""
    fake = FakeCircleCI()
    fake.add_project("gh/acme/web")
    async with fake.client() as circleci:
        await circleci.v1.projects.update_settings("gh/acme/web", feature_flags={"not-listed": 17, "junit": True})
        with pytest.raises(BadRequestError, match=r"feature_flags\.junit"):
            await circleci.v1.projects.update_settings("gh/acme/web", feature_flags={"junit": "yes"})
        settings = await circleci.request("GET", "/api/v1.1/project/gh/acme/web/settings")
    flags = settings.data["feature_flags"]
    assert (flags["not-listed"], flags["junit"]) == (17, True)
    schemas = strict("v1")["components"]["schemas"]
    assert [name for name, schema in schemas.items() if schema.get("additionalProperties")] == ["ProjectFeatureFlags"]
    validator = jsonschema_rs.validator_for({"components": {"schemas": schemas}, **schemas["ProjectFeatureFlags"]})
    assert validator.is_valid(flags)
    assert not validator.is_valid({**flags, "junit": "yes"})


@pytest.mark.filterwarnings("ignore")
@V2.parametrize()
@LIMITS
def test_v2(case: Any, origin: str) -> None:
    validate(case, f"{origin}/api/v2")


@pytest.mark.filterwarnings("ignore")
@V3.parametrize()
@LIMITS
def test_v3(case: Any, origin: str) -> None:
    validate(case, f"{origin}/api/v3")


@pytest.mark.filterwarnings("ignore")
@V1.parametrize()
@LIMITS
def test_v1(case: Any, origin: str) -> None:
    validate(case, f"{origin}/api/v1.1")
