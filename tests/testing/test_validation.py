"""Validation of requests, and error responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

from circleci_sdk.testing import FakeCircleCI, FakeProject
from tests.testing.raw import Raw

UUID = "00000000-0000-4000-8000-000000000000"


@pytest.mark.parametrize(
    ("method", "path", "body", "message"),
    [
        ("POST", "/v2/project/gh/acme/web/envvar", {"name": "A"}, "Missing required field 'value'."),
        ("POST", "/v2/project/gh/acme/web/envvar", {"name": "A", "value": 1}, "Field 'value' must be a string."),
        (
            "POST",
            "/v2/project/gh/acme/web/envvar",
            {"name": "A", "value": "x", "more": 1},
            "Unexpected field 'more'.",
        ),
        ("POST", "/v2/project/gh/acme/web/envvar", None, "No JSON fields found."),
        ("POST", "/v2/project/gh/acme/web/envvar", b"{", "Malformed JSON in the request body."),
        ("POST", "/v2/project/gh/acme/web/envvar", [1], "The body must be a JSON object."),
        ("PATCH", "/v2/project/gh/acme/web/settings", {}, "No JSON fields found."),
        ("PATCH", "/v2/project/gh/acme/web/settings", {"advanced": {"oss": True}}, "Unexpected field 'advanced.oss'."),
        ("PATCH", "/v2/project/gh/acme/web/settings", {"advanced": {"x": 1}}, "Unexpected field 'advanced.x'."),
        (
            "POST",
            "/v2/project/gh/acme/web/pipeline/run",
            {"config": {"totally_not_a_field": 1}},
            "Unexpected field 'config.totally_not_a_field'.",
        ),
        (
            "POST",
            "/v2/context",
            {"name": "c", "owner": {"id": UUID, "type": "account"}},
            "Invalid owner type - only organization is supported at present",
        ),
        ("POST", "/v2/project/gh/acme/web/pipeline", {"branch": "a", "tag": "b"}, "Give only one of 'branch', 'tag'."),
        ("GET", "/v2/context", None, "Give exactly one of 'owner-id', 'owner-slug'."),
        ("GET", "/v2/webhook", None, "Missing query parameter 'scope-id'."),
        ("GET", "/v2/webhook?scope-id=x&scope-type=project", None, "Parameter 'scope-id' must be a UUID."),
        ("GET", f"/v2/webhook?scope-id={UUID}&scope-type=org", None, "Parameter 'scope-type' must be one of project."),
        ("GET", "/v2/pipeline?mine=maybe", None, "Parameter 'mine' must be true or false."),
        ("GET", "/v2/pipeline?minne=true", None, "Unexpected query parameter 'minne'."),
        ("GET", "/v2/pipeline?page-token=nonsense", None, "Invalid page token."),
        ("GET", "/v2/workflow/abc", None, "Parameter 'id' must be a UUID."),
        ("GET", "/v2/project/gh/acme/web/job/abc", None, "Parameter 'job-number' must be an integer."),
        ("GET", "/v2/project/circleci/acme/web", None, "Invalid project slug 'circleci/acme/web'."),
        ("GET", "/v1.1/recent-builds?limit=1000", None, "Parameter 'limit' is out of range."),
    ],
)
async def test_invalid_requests(raw: Raw, web: FakeProject, method: str, path: str, body: Any, message: str) -> None:
    response = await raw(method, path, body)
    assert (response.status_code, response.json()) == (400, {"message": message})


@pytest.mark.parametrize(
    ("method", "path", "status", "body"),
    [
        ("GET", "/v2/nothing", 404, {"message": "Not found"}),
        ("GET", "/v9/me", 404, {"message": "Not found"}),
        ("PATCH", "/v2/me", 405, {"message": "Method not allowed"}),
        ("GET", "/v2/project/gh/acme/none", 404, {"message": "Project not found"}),
        ("GET", "/v2/project/gh/hidden/web", 404, {"message": "Project not found"}),
        ("GET", "/v2/organization/gh%2Fhidden", 404, {"message": "Org not found."}),
        ("GET", f"/v2/context/{UUID}", 403, {"message": "Forbidden"}),
        ("GET", f"/v2/organizations/{UUID}/groups", 403, {"message": "Forbidden"}),
        ("GET", f"/v2/webhook/{UUID}", 404, {"message": "Webhook not found"}),
        ("GET", f"/v2/owner/{UUID}/context/config/policy-bundle", 403, {"error": "Forbidden"}),
        ("POST", "/v2/project/circleci/a/b", 405, None),
        ("GET", "/v1.1/project/gh/acme/web/checkout-key/aa", 404, {"message": "checkout key not found"}),
    ],
)
async def test_missing_items(
    raw: Raw, fake: FakeCircleCI, web: FakeProject, method: str, path: str, status: int, body: Any
) -> None:
    fake.add_project("gh/hidden/web", hidden=True)
    fake.organization("gh/hidden").hidden = True
    response = await raw(method, path)
    assert response.status_code == status
    if body is not None:
        assert response.json() == body


async def test_errors_of_v1(raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    page = await raw("GET", "/v1.1/nothing")
    assert (page.status_code, page.headers["content-type"]) == (404, "text/html;charset=utf-8")
    assert (await raw("GET", "/v1.1/project/github/acme/web/")).status_code == 302
    passed_on = await raw("GET", "/v1.1/project/github/acme/none/envvar")
    assert passed_on.status_code == 404
    assert json.loads(passed_on.json()["message"])["message"] == "Not Found"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("/v2/project/gh/acme/web", True),
        ("/v2/project/github/acme/web", True),
        ("/v2/project/gh%2Facme%2Fweb", True),
        ("/v2/project/gh%2Facme%2Fweb/pipeline", True),
        ("/v2/project/gh/acme/web/pipeline/mine", True),
        ("/v2/organization/gh%2Facme", True),
        ("/v2/organization/gh/acme", False),
        ("/v2/insights/gh/acme/summary", True),
        ("/v2/insights/pages/gh/acme/web/summary", True),
        ("/v1.1/project/gh/acme/web", True),
        ("/v1.1/project/gh/acme/web/tree/feature%2Fone", True),
    ],
)
async def test_slugs_in_paths(raw: Raw, web: FakeProject, path: str, found: bool) -> None:
    assert ((await raw("GET", path)).status_code == 200) is found


async def test_trigger_run_rejects_an_escaped_slug(raw: Raw, web: FakeProject) -> None:
    assert (await raw("POST", "/v2/project/gh%2Facme%2Fweb/pipeline/run", {})).status_code == 404
    assert (await raw("POST", "/v2/project/gh/acme/web/pipeline/run", {})).status_code == 201
    assert (await raw("GET", f"/v2/project/{web.id}")).json()["slug"] == "gh/acme/web"


async def test_project_tokens_are_valid_only_for_v1(raw: Raw, web: FakeProject) -> None:
    made = await raw("POST", "/v1.1/project/gh/acme/web/token", {"scope": "view-builds", "label": "x"})
    headers = {"Circle-Token": made.json()["token"]}
    assert (await raw("GET", "/v1.1/project/gh/acme/web", headers=headers)).status_code == 200
    assert (await raw("GET", "/v1.1/project/gh/acme/web/envvar", headers=headers)).status_code == 401
    assert (await raw("GET", "/v2/project/gh/acme/web", headers=headers)).status_code == 401


async def test_requests_are_recorded(raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    await raw("GET", "/v2/project/github/acme/web/pipeline?branch=a%2Fb")
    await raw("POST", "/v2/project/gh/acme/web/pipeline", {"parameters": {"n": 1}})
    first, second = fake.requests
    assert (first.operation, first.args) == (
        "v2.pipelines.list_for_project",
        {"project_slug": "github/acme/web", "branch": "a/b"},
    )
    assert (second.json, second.status, second.at) == ({"parameters": {"n": 1}}, 201, fake.clock.now)
    assert repr(second) == "<201 v2.pipelines.trigger(project_slug='gh/acme/web', parameters={'n': 1})>"
    assert list(fake.requests.of("triggerPipeline")) == [second]
    fake.requests.clear()
    assert len(fake.requests) == 0
