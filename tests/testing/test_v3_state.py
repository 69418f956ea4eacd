"""The other resources of v3: the state of v2 by the same ids."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, Workflow
from tests.testing.raw import Raw
from tests.testing.v3 import V3

UUID = "00000000-0000-4000-8000-000000000000"


@pytest.fixture
def v3(fake: FakeCircleCI, anyio_backend: str) -> V3:
    return V3(fake)


def names(body: dict[str, Any]) -> list[str]:
    return [each["attributes"]["name"] for each in body["data"]]


async def test_organizations_and_users(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    org = web.organization.id
    assert (await v3.get("/orgs", slug="github/acme"))["data"] == [{"id": org}]
    assert (await v3.get("/orgs", slug="gh/none"))["data"] == []
    fake.add_organization("gh/hidden", hidden=True)
    assert (await v3.get("/orgs", slug="gh/hidden"))["data"] == []
    [me] = (await v3.get("/users", user_id="me"))["data"]
    assert (me["id"], me["attributes"]["login"]) == (fake.user.id, "ada")
    assert (await v3.get("/users", user_id=fake.user.id))["data"] == [me]
    assert (await v3.refused("GET", "/users", user_id=fake.add_user("bob").id))[0] == 400
    before = (await v3.get(f"/orgs/{org}/settings"))["data"]["attributes"]
    assert not any(before.values())
    after = await v3.post(f"/orgs/{org}/update-settings", {"enable_private_orbs": True})
    assert after["data"]["attributes"] == {**before, "enable_private_orbs": True}
    assert await v3.get(f"/orgs/{org}/settings") == after
    assert (await v3.refused("POST", f"/orgs/{org}/update-settings", {"enable_all": True}))[0] == 400
    assert (await v3.refused("GET", f"/orgs/{UUID}/settings"))[0] == 404


async def test_projects_of_an_organization(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    org = web.organization.id
    for name in ("api", "website", "docs"):
        fake.add_project(f"gh/acme/{name}")
    fake.add_project("gh/acme/hidden", hidden=True)
    assert names(await v3.get("/projects", org_id=org)) == ["web", "api", "website", "docs"]
    assert names(await v3.get("/projects", org_id=org, name="WEB", order_by="name")) == ["web", "website"]
    first = await v3.get("/projects", org_id=org, order_by="name", page__limit=3)
    assert names(first) == ["api", "docs", "web"]
    again = await v3.get("/projects", org_id=org, order_by="name", page__limit=3, page__cursor=first["page"]["next"])
    assert (names(again), again["page"]["next"]) == (["website"], None)
    [found] = (await v3.get("/projects", slug="gh/acme/web"))["data"]
    assert (found["id"], found["references"]) == (web.id, {"org": {"id": org}})
    assert (await v3.get(f"/projects/{web.id}"))["data"] == found
    for slug in ("gh/acme/none", "gh/acme/hidden"):
        assert (await v3.get("/projects", slug=slug))["data"] == []
    assert (await v3.refused("GET", f"/projects/{UUID}"))[0] == 404
    assert (await v3.refused("GET", f"/projects/{fake.project('gh/acme/hidden').id}"))[0] == 404
    assert (await v3.refused("GET", "/projects"))[1]["title"] == "Missing Required Filter"
    assert (await v3.refused("GET", "/projects", org_id=org, page__limit=51))[0] == 400
    assert (await v3.refused("GET", "/projects", org_id=UUID))[0] == 404
    await v3.delete(f"/projects/{web.id}/dlc")


async def test_settings_of_a_project_have_other_names(v3: V3, raw: Raw, web: FakeProject) -> None:
    settings = f"/projects/{web.id}/settings"
    assert (await v3.get(settings))["data"]["attributes"]["pr_only_branch_overrides"] == ["main"]
    changes = {"is_ssh_disabled": True, "enable_auto_cancel_redundant_workflows": True, "is_running_disabled": True}
    changed = await v3.post(f"/projects/{web.id}/update-settings", changes)
    assert {name: changed["data"]["attributes"][name] for name in changes} == changes
    assert await v3.get(settings) == changed
    shown = (await raw("GET", "/v2/project/gh/acme/web/settings")).json()["advanced"]
    assert (shown["disable_ssh"], shown["autocancel_builds"]) == (True, True)
    assert "is_running_disabled" not in shown
    await raw("PATCH", "/v2/project/gh/acme/web/settings", {"advanced": {"build_fork_prs": True}})
    assert (await v3.get(settings))["data"]["attributes"]["enable_building_fork_prs"] is True


async def test_contexts(v3: V3, raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    org = web.organization.id
    made = await v3.post("/contexts", _entity({"name": "Deploy"}, org=org), 201)
    id = made["data"]["id"]
    fake.add_context("docker", organization=org)
    assert names(await v3.get("/contexts", org_id=org)) == ["Deploy", "docker"]
    assert names(await v3.get("/contexts", org_id=org, name="PLOY", include="restrictions")) == ["Deploy"]
    assert (await v3.refused("POST", "/contexts", _entity({"name": "Deploy"}, org=org)))[0] == 400
    assert await v3.get(f"/contexts/{id}") == made
    assert (await raw("GET", f"/v2/context/{id}")).json()["name"] == "Deploy"
    await v3.post(f"/contexts/{id}/env-vars/set", {"name": "TOKEN", "value": "0123456789"})
    assert fake.context("Deploy").env_vars["TOKEN"].value == "0123456789"
    [variable] = (await v3.get(f"/contexts/{id}/env-vars"))["data"]
    assert variable["attributes"]["truncated_value"] == "6789"
    await v3.delete(f"/contexts/{id}/env-vars", name="TOKEN")
    assert (await v3.refused("DELETE", f"/contexts/{id}/env-vars", name="TOKEN"))[0] == 404
    await v3.delete(f"/contexts/{id}")
    assert (await v3.refused("GET", f"/contexts/{id}"))[0] == 404
    assert await v3.refused("POST", "/contexts", _entity({"name": "x", "more": 1}, org=org)) == (
        400,
        {
            "type": "validation_error",
            "title": "Bad Request",
            "detail": "Unexpected field 'data.attributes.more'.",
        },
    )


async def test_restrictions_of_a_context(v3: V3, raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    context = fake.add_context("deploy", organization=web.organization.id)
    group = (await raw("POST", f"/v2/organizations/{web.organization.id}/groups", {"name": "team"})).json()["id"]
    assert names(await v3.get("/groups", org_id=web.organization.id)) == ["team"]
    expression = 'pipeline.git.branch == "main"'
    for kind, value in (("project", web.id), ("group", group), ("expression", expression)):
        body = _entity({"restriction_type": kind, "match_pattern": value}, context=context.id)
        await v3.post("/context-restrictions", body, 201)
    shown = (await v3.get("/context-restrictions", context_id=context.id))["data"]
    assert [(each["attributes"].get("name"), set(each["references"])) for each in shown] == [
        ("web", {"context", "project"}),
        ("team", {"context", "group"}),
        (None, {"context"}),
    ]
    before = (await raw("GET", f"/v2/context/{context.id}/restrictions")).json()["items"]
    assert [each["id"] for each in before] == [each["id"] for each in shown]
    await v3.delete(f"/context-restrictions/{shown[0]['id']}", context_id=context.id)
    assert len(context.restrictions) == 2
    status, _ = await v3.refused("DELETE", f"/context-restrictions/{shown[0]['id']}", context_id=context.id)
    assert status == 404


async def test_pipelines_are_definitions(v3: V3, raw: Raw, web: FakeProject) -> None:
    vcs = {"provider": "github_app", "repo_id": "42"}
    config = {"type": "vcs", "file_path": ".circleci/config.yml", "vcs": vcs}
    body = _entity({"name": "main", "config": config, "checkout": {"type": "vcs", "vcs": vcs}}, project=web.id)
    made = (await v3.post("/pipelines", body, 201))["data"]
    assert made["attributes"]["config"]["vcs"]["repo_full_name"] == "acme/web"
    hosted = {"type": "hosted", "file_path": "config.yml", "hosted": {"provider": "circleci"}}
    body = _entity({"name": "hosted", "config": hosted, "checkout": {"vcs": vcs}}, project=web.id)
    assert (await v3.post("/pipelines", body, 201))["data"]["attributes"]["config"] == hosted
    listed = await v3.get("/pipelines", project_id=web.id)
    assert (names(listed), listed["meta"]) == (["main", "hosted"], {"total_count": 2})
    old = (await raw("GET", f"/v2/projects/{web.id}/pipeline-definitions")).json()["items"]
    assert [each["id"] for each in old] == [each["id"] for each in listed["data"]]
    assert [each["config_source"]["provider"] for each in old] == ["github_app", "circleci"]
    wrong = _entity(
        {"name": "x", "config": {"type": "vcs", "file_path": "x"}, "checkout": {"vcs": vcs}}, project=web.id
    )
    assert (await v3.refused("POST", "/pipelines", wrong))[0] == 400
    assert (await v3.refused("GET", "/pipelines", project_id=UUID))[0] == 404


async def test_triggers(v3: V3, raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    source = {"provider": "github_app", "repo": {"external_id": "1"}}
    definition = (
        await raw(
            "POST",
            f"/v2/projects/{web.id}/pipeline-definitions",
            {"name": "main", "config_source": {**source, "file_path": "x"}, "checkout_source": source},
        )
    ).json()["id"]
    where = {"project_id": web.id, "pipeline_id": definition}
    vcs = {"provider": "github_app", "repo_id": "42"}
    event = {"type": "vcs", "vcs": vcs, "filter": {"preset": "all-pushes"}}
    made = await v3.post("/triggers", _entity({"is_disabled": False, "event": event}, pipeline=definition), 201)
    assert made["data"]["attributes"]["event"]["vcs"]["repo_full_name"] == "acme/web"
    hook = {"type": "webhook", "webhook": {"name": "deployed", "source": "argo"}}
    attributes = {"is_disabled": True, "event": hook, "config": {"ref": "main"}, "checkout": {"ref": "main"}}
    await v3.post("/triggers", _entity(attributes, pipeline=definition), 201, project_id=web.id)
    cron = {"type": "schedule", "schedule": {"cron_expression": "0 2 * * *"}}
    await v3.post("/triggers", _entity({"is_disabled": False, "event": cron}, pipeline=definition), 201)
    listed = await v3.get("/triggers", **where)
    assert listed["meta"] == {"total_count": 3}
    assert [each["attributes"]["event"]["type"] for each in listed["data"]] == ["vcs", "webhook", "schedule"]
    second = listed["data"][1]["attributes"]
    assert {name: second[name] for name in attributes} == attributes
    old = (await raw("GET", f"/v2/projects/{web.id}/pipeline-definitions/{definition}/triggers")).json()["items"]
    assert [each["id"] for each in old] == [each["id"] for each in listed["data"]]
    assert old[1]["event_source"]["webhook"]["url"].endswith("secret=**REDACTED**")
    for query in ({}, {"project_id": fake.add_project("gh/acme/api").id}):
        pipeline = UUID if not query else definition
        body = _entity({"is_disabled": False, "event": event}, pipeline=pipeline)
        assert (await v3.refused("POST", "/triggers", body, **query))[0] == 404
    assert (await v3.refused("GET", "/triggers", project_id=web.id, pipeline_id=UUID))[0] == 404


async def test_deployments_and_rollbacks(v3: V3, raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    org = web.organization.id
    web.push()
    for version in ("1.0", "1.1"):
        fake.clock.advance(60)
        web.deploy("api", version)
    [component] = (await v3.get("/deploy/components", org_id=org, project_id=web.id))["data"]
    assert (await v3.get(f"/deploy/components/{component['id']}"))["data"] == component
    [environment] = (await v3.get("/deploy/environments", org_id=org))["data"]
    assert (await v3.get(f"/deploy/environments/{environment['id']}"))["data"] == environment
    assert names(await v3.get(f"/deploy/components/{component['id']}/versions")) == ["1.1", "1.0"]
    assert names(await v3.get(f"/deploy/components/{component['id']}/versions", environment_id=UUID)) == []
    deployments = (await v3.get("/deploy/deployments", org_id=org))["data"]
    assert [each["attributes"]["target_version"]["name"] for each in deployments] == ["1.1", "1.0"]
    assert deployments[0]["references"]["pipeline"] == {"id": web.pipelines[0].id}
    assert deployments == (await v3.get("/deploy/deployments", org_id=org))["data"]
    assert (await v3.get("/deploy/settings", project_id=web.id))["data"]["id"] == web.id

    body = {"component_id": component["id"], "environment_id": environment["id"]}
    back = {**body, "current_version": "1.1", "target_version": "1.0"}
    path = f"/projects/{web.id}/rollback"
    assert (await v3.refused("POST", path, {**back, "current_version": "0.9"}))[0] == 400
    assert (await v3.refused("POST", path, {**back, "target_version": "0.9"}))[0] == 400
    assert (await v3.refused("POST", path, {**back, "component_id": UUID}))[0] == 404
    assert (await v3.post(path, back))["data"]["attributes"] == {"rollback_type": "agent"}
    assert (await v3.refused("POST", path, back))[1]["title"] == "Conflict"
    fake.clock.advance(10)
    old = (await raw("GET", f"/v2/deploy/components/{component['id']}/versions")).json()["items"]
    assert [(each["name"], each["is_live"]) for each in old] == [("1.1", False), ("1.0", True)]
    forth = {**body, "current_version": "1.0", "target_version": "1.1"}
    await v3.post(path, forth)


async def test_the_github_app(v3: V3, raw: Raw, fake: FakeCircleCI, web: FakeProject) -> None:
    assert await v3.get("/provider/connections", org_id=web.organization.id) == {
        "data": [],
        "meta": {"total_count": 0},
    }
    org = (await raw("POST", "/v2/organization", {"name": "app", "vcs_type": "circleci"})).json()["id"]
    for name in ("a", "b", "c"):
        await raw("POST", f"/v2/organization/{org}/project", {"name": name})
    [connection] = (await v3.get("/provider/connections", org_id=org))["data"]
    installation = (await raw("GET", f"/v2/github-app/organization/{org}/installation")).json()
    assert connection["attributes"]["external_id"] == str(installation["id"])
    first = await v3.get("/provider/repositories", org_id=org, provider="github_app", page__limit=2)
    cursor = first["page"]["next"]
    rest = await v3.get("/provider/repositories", org_id=org, provider="github_app", page__cursor=cursor)
    assert [each["attributes"]["repo_name"] for each in first["data"] + rest["data"]] == ["a", "b", "c"]
    assert rest["page"]["next"] is None
    both = {"org_id": org, "provider": "github_app", "page__cursor": cursor, "page__limit": 2}
    assert (await v3.refused("GET", "/provider/repositories", **both))[0] == 400
    setup = {"type": "vcs", "vcs": {"provider": "github_app"}, "return_url": "https://bot.example/"}
    states = [
        (await v3.post("/provider/connections/setup", setup, org_id=org))["data"]["attributes"]["state_token"]
        for _ in range(2)
    ]
    assert states[0] != states[1]


async def test_a_config_and_a_tool_need_no_token(v3: V3, web: FakeProject) -> None:
    body = {"data": {"attributes": {"config": "version: 2.1\n"}}}
    response = await v3.send("POST", "/configs/compile", body, headers={})
    assert response.json()["data"]["attributes"] == {
        "phase": "ended",
        "outcome": "succeeded",
        "compiled_config": "version: 2.1\n",
    }
    response = await v3.send("POST", "/configs/compile", {"data": {"attributes": {"config": " "}}}, headers={})
    assert (response.status_code, len(response.json()["meta"]["messages"])) == (200, 1)
    [release] = (await v3.send("GET", "/tool/releases?filter[tool]=circleci-cli", headers={})).json()["data"]
    assert release["attributes"]["tool"] == "circleci-cli"
    named = await v3.send("GET", "/namespaces?filter[name]=acme", headers={})
    assert named.json()["data"]["attributes"]["name"] == "acme"
    assert (await v3.send("GET", "/orb/packages", headers={})).json()["data"] == []


async def test_charges(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    first = web.push(Workflow("build", Job("test", 90), Job("lint", 30)))
    fake.clock.advance(86_400)
    web.push(Workflow("build", Job("test", 30)))
    fake.add_project("gh/acme/other").push(Workflow("build", Job("test", 30)))
    fake.clock.advance(60)

    async def rows(analysis: str, filter: str = "", **more: object) -> list[tuple[str, int, int, float]]:
        scope = {"project_ids": [web.id], **{name: more.pop(name) for name in ("from", "to") if name in more}}
        body = {"analysis": f"charge.{analysis}", "scope": scope, "filter": filter, "page": {"limit": 20}, **more}
        found = (await v3.post("/analysis/charges", body))["data"]
        assert {each["references"]["project"]["id"] for each in found} <= {web.id}
        names = ("name", "credits", "runs", "credits_per_run")
        return [tuple(each["attributes"][name] for name in names) for each in found]

    assert await rows("job") == [("test", 30, 2, 15), ("lint", 10, 1, 10)]
    assert await rows("job", order_by="name asc") == [("lint", 10, 1, 10), ("test", 30, 2, 15)]
    assert await rows("workflow") == [("build", 40, 2, 20)]
    assert await rows("pipeline", f'pipeline.id == "{first.id}"') == [("web", 30, 1, 30)]
    assert await rows("job", **{"from": (fake.clock.now - timedelta(hours=1)).isoformat()}) == [("test", 10, 1, 10)]
    assert await rows("job", to=(fake.clock.now - timedelta(days=2)).isoformat()) == []
    fake.clock.advance(14 * 86_400)
    assert await rows("job") == []
    body = {"analysis": "charge.job", "scope": {"project_ids": [web.id]}, "page": {"limit": 20}, "order_by": "size asc"}
    assert (await v3.refused("POST", "/analysis/charges", body))[0] == 400


async def test_pages_without_a_size(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    for _ in range(25):
        web.push(Workflow("build", Job("test", 30)))
    fake.page_size = 1000
    assert len((await v3.get("/runs", user_id="me"))["data"]) == 20  # the most that there can be
    fake.page_size = 7
    assert len((await v3.get("/runs", user_id="me"))["data"]) == 7


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({"Authorization": "Bearer fake-token"}, "", 200),
        ({"Circle-Token": "fake-token"}, "", 200),
        ({}, "", 401),
        ({}, "&circle-token=fake-token", 401),
        ({"Authorization": "Basic ZmFrZS10b2tlbjo="}, "", 401),
        ({"Authorization": "Bearer "}, "", 401),
        ({"Authorization": "Bearer wrong"}, "", 401),
    ],
)
async def test_tokens(v3: V3, headers: dict[str, str], query: str, status: int) -> None:
    response = await v3.send("GET", f"/users?filter[user_id]=me{query}", headers=headers)
    assert response.status_code == status
    if status == 401:
        assert response.json()["error"]["type"] == "unauthorized"
        wrong = await v3.send("GET", "/tool/releases?filter[tool]=x", headers=headers)
        assert wrong.status_code == (401 if headers else 200)


async def test_default_bodies_of_faults(v3: V3, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.fail_next("v3.projects.get", status=403)
    response = await v3.send("GET", f"/projects/{web.id}")
    assert (response.status_code, response.json()) == (403, {"error": {"type": "forbidden", "title": "Forbidden"}})
    fake.fail_next("v3.projects.get", status=503)
    assert (await v3.send("GET", f"/projects/{web.id}")).text.startswith("upstream")


async def test_a_changed_response(raw: Raw, fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    with pytest.raises(ValueError, match="attributes"):
        fake.misbehave("v3.projects.get", drop="data.attribute.name")
    fake.misbehave("v3.projects.get", replace={"data.attributes.name": 7})
    assert (await raw("GET", f"/v3/projects/{web.id}")).json()["data"]["attributes"] == {"name": 7}


def _entity(attributes: dict[str, Any], **references: str) -> dict[str, Any]:
    """The body of a create."""
    return {"data": {"attributes": attributes, "references": {name: {"id": id} for name, id in references.items()}}}
