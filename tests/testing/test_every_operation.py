"""Every operation of both versions, called through the SDK, has its effect and the response of the API."""

from __future__ import annotations

import warnings
from collections.abc import Awaitable
from datetime import timedelta
from typing import Any

import circleci_sdk.v1
import circleci_sdk.v2
from circleci_sdk import AsyncCircleCI, NotFoundError, PermissionDeniedError, StatusError
from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, JobTest, Workflow
from tests.testing.strict import complaints

ALL = {each.label for table in (circleci_sdk.v1.OPERATIONS, circleci_sdk.v2.OPERATIONS) for each in table.values()}
SLUG = "gh/acme/web"


class Walk:
    """Calls operations and checks each response against the facts."""

    def __init__(self, circleci: AsyncCircleCI, fake: FakeCircleCI) -> None:
        self.circleci = circleci
        self.fake = fake
        self.complaints: list[str] = []

    async def __call__(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            reply = await self.circleci.raw_response(method, *args, **kwargs)
        request = self.fake.requests[-1]
        assert request.operation is not None
        if kwargs.get("shallow"):  # a shorter response by request
            return reply.data
        found = complaints(request.operation, reply.status, reply.content)
        self.complaints += [f"{request.operation}: {each}" for each in found]
        return reply.data

    async def refuses(self, kind: type[StatusError], call: Awaitable[object]) -> None:
        try:
            await call
        except kind:
            return
        raise AssertionError(f"no {kind.__name__}")


async def test_every_operation(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    walk = Walk(circleci, fake)
    await runs(walk, web)
    await insights(walk)
    await projects(walk, web)
    await contexts(walk, web)
    await organization(walk, web)
    await definitions(walk, web)
    await schedules_and_webhooks(walk, web)
    await policies_and_claims(walk, web)
    await deploys(walk, web)
    await builds(walk, web)
    await projects_v1(walk, web)
    await the_end(walk, web)
    done = {request.operation for request in fake.requests if request.status is not None and request.status < 300}
    assert ALL - done == set()
    assert sorted(set(walk.complaints)) == []


async def runs(call: Walk, web: FakeProject) -> None:
    v2, fake = call.circleci.v2, call.fake
    me = await call(v2.users.me)
    assert (await call(v2.users.get, me.id)).login == "ada"
    await call(v2.users.list_collaborations)
    web.will_run(
        Workflow("setup", Job("find", 5), setup=True),
        Workflow(
            "build",
            Job(
                "test",
                30,
                outcome=["failed", "success"],
                tests=[JobTest("a"), JobTest("b", "x")],
                artifacts={"a/b c": b"1"},
            ),
            Job("slow", 600),
            Approval("ok?"),
        ),
    )
    created = await call(v2.pipelines.trigger, SLUG, parameters={"n": 1})
    fake.clock.advance(2)
    pipeline = fake.project(SLUG).pipelines[0]
    await call(v2.pipelines.continue_, continuation_key=pipeline.continuation_key, configuration="version: 2.1")
    fake.clock.advance(60)
    await call(v2.pipelines.get, created.id)
    await call(v2.pipelines.get_by_number, SLUG, 1)
    assert (await call(v2.pipelines.get_config, created.id)).source == "version: 2.1"
    assert (await call(v2.pipelines.get_values, created.id))["pipeline.parameters.n"] == 1
    assert len((await call(v2.pipelines.list, org_slug="gh/acme")).items) == 1
    assert len((await call(v2.pipelines.list, mine=True)).items) == 1
    assert len((await call(v2.pipelines.list_for_project, SLUG, branch="main")).items) == 1
    assert len((await call(v2.pipelines.list_mine, SLUG)).items) == 1
    workflows = {each.name: each for each in (await call(v2.pipelines.list_workflows, created.id)).items}
    build = await call(v2.workflows.get, workflows["build"].id)
    jobs = {each.name: each for each in (await call(v2.workflows.list_jobs, build.id)).items}
    await call(v2.workflows.approve, build.id, jobs["ok?"].approval_request_id)
    test = await call(v2.jobs.get, SLUG, jobs["test"].job_number)
    assert [each.path for each in (await call(v2.jobs.list_artifacts, SLUG, test.number)).items] == ["a/b c"]
    assert len((await call(v2.jobs.list_tests, SLUG, test.number)).items) == 2
    await call(v2.jobs.cancel, SLUG, jobs["slow"].job_number)
    fake.clock.advance(2)
    rerun = await call(v2.workflows.rerun, build.id, from_failed=True)
    again = {each.name: each for each in (await call(v2.workflows.list_jobs, rerun.workflow_id)).items}
    await call(v2.jobs.cancel_by_id, again["slow"].id)
    await call(v2.workflows.cancel, rerun.workflow_id)
    fake.clock.advance(60)
    await call(v2.pipelines.trigger_run, SLUG, checkout={"branch": "dev"}, config={"branch": "dev"})
    fake.clock.advance(60)
    await call.refuses(NotFoundError, v2.pipelines.get("00000000-0000-4000-8000-000000000000"))
    await call.refuses(NotFoundError, v2.jobs.get(SLUG, 999))


async def insights(call: Walk) -> None:
    v2, fake = call.circleci.v2, call.fake
    web = fake.project(SLUG)
    flaky = Job("unit", 30, outcome=["failed", "success"], tests=lambda n: [JobTest("t", None if n else "boom")])
    for _ in range(3):
        run = web.push(Workflow("nightly", flaky)).workflow("nightly")
        fake.clock.advance(60)
        await v2.workflows.rerun(run.id)
        fake.clock.advance(3600)
    rows = {row.name: row for row in (await call(v2.insights.list_workflow_metrics, SLUG)).items}
    nightly = rows["nightly"].metrics
    assert (nightly.total_runs, nightly.successful_runs, nightly.failed_runs, nightly.success_rate) == (6, 3, 3, 0.5)
    assert (nightly.duration_metrics.min, nightly.duration_metrics.max) == (30, 30)
    assert nightly.total_credits_used == 60
    assert nightly.mttr == 60  # from the end of the failure to the end of the successful rerun
    assert len((await call(v2.insights.list_workflow_runs, SLUG, "nightly", branch="main")).items) == 6
    jobs = (await call(v2.insights.list_job_runs, SLUG, "nightly", "unit", branch="main")).items
    assert [(job.status, job.duration) for job in jobs] == [("success", 30), ("failed", 30)] * 3
    [job] = (await call(v2.insights.list_job_metrics, SLUG, "nightly", all_branches=True)).items
    assert (job.name, job.metrics.total_runs) == ("unit", 6)
    assert (await call(v2.insights.get_workflow_summary, SLUG, "nightly")).metrics.completed_runs == 6
    assert "main" in (await call(v2.insights.get_branches, SLUG)).branches
    [flake] = (await call(v2.insights.get_flaky_tests, SLUG)).flaky_tests
    assert (flake.test_name, flake.times_flaked) == ("t", 3)
    assert (await call(v2.insights.get_test_metrics, SLUG, "nightly")).most_failed_tests[0].failed_runs == 3
    assert (await call(v2.insights.get_org_summary, "gh/acme")).org_data.metrics.total_runs > 6
    summary = await call(v2.insights.get_project_summary, SLUG, workflow_names=["nightly"], branches=["main"])
    assert summary.project_data.metrics.total_runs == 6
    points = (await call(v2.insights.list_job_timeseries, SLUG, "nightly", granularity="hourly")).items
    assert sum(point.metrics.total_runs for point in points) == 6


async def projects(call: Walk, web: FakeProject) -> None:
    v2 = call.circleci.v2
    assert (await call(v2.projects.get, SLUG)).id == web.id
    assert (await call(v2.projects.get, web.id)).slug == SLUG
    await call(v2.projects.create, "gh/acme", name="web")
    await call(v2.projects.create_from_repo, "gh/acme/new")
    await call(v2.projects.get_settings, SLUG)
    changed = await call(v2.projects.update_settings, SLUG, advanced={"autocancel_builds": True})
    assert changed.advanced.autocancel_builds is True
    assert (await call(v2.projects.set_env_var, SLUG, name="TOKEN", value="a long secret")).value == "xxxxcret"
    assert web.env_vars["TOKEN"].value == "a long secret"
    assert [each.name for each in (await call(v2.projects.list_env_vars, SLUG)).items] == ["TOKEN"]
    assert (await call(v2.projects.get_env_var, SLUG, "TOKEN")).value == "xxxxcret"
    await call(v2.projects.delete_env_var, SLUG, "TOKEN")
    assert web.env_vars == {}
    key = await call(v2.projects.create_checkout_key, SLUG, key_type="user-key")
    assert key.type == "github-user-key"
    [listed] = (await call(v2.projects.list_checkout_keys, SLUG, digest="sha256")).items
    assert listed.fingerprint.startswith("SHA256:")
    assert (await call(v2.projects.get_checkout_key, SLUG, listed.fingerprint)).public_key == key.public_key
    await call(v2.projects.delete_checkout_key, SLUG, key.fingerprint)
    assert web.checkout_keys == {}


async def contexts(call: Walk, web: FakeProject) -> None:
    v2, fake = call.circleci.v2, call.fake
    owner = web.organization.id
    context = await call(v2.contexts.create, name="deploy", owner={"id": owner, "type": "organization"})
    assert [each.id for each in (await call(v2.contexts.list, owner_slug="gh/acme")).items] == [context.id]
    assert (await call(v2.contexts.get, context.id)).name == "deploy"
    await call(v2.contexts.set_env_var, context.id, "KEY", value="0123456789")
    assert fake.context("deploy").env_vars["KEY"].value == "0123456789"
    [variable] = (await call(v2.contexts.list_env_vars, context.id)).items
    assert variable.truncated_value == "6789"
    await call(v2.contexts.delete_env_var, context.id, "KEY")
    restriction = await call(
        v2.contexts.create_restriction, context.id, restriction_type="project", restriction_value=web.id
    )
    assert [each.name for each in (await call(v2.contexts.list_restrictions, context.id)).items] == ["web"]
    await call(v2.contexts.delete_restriction, context.id, restriction.id)
    await call(v2.contexts.delete, context.id)
    await call.refuses(PermissionDeniedError, v2.contexts.get(context.id))


async def organization(call: Walk, web: FakeProject) -> None:
    v2, fake = call.circleci.v2, call.fake
    org = web.organization.id
    made = await call(v2.organizations.create, name="other", vcs_type="circleci")
    assert made.slug.startswith("circleci/")
    assert (await call(v2.organizations.get, "gh/acme")).id == org
    await call(v2.projects.create, made.id, name="app")
    installation = await call(v2.organizations.get_github_app_installation, made.id)
    assert (installation.login, installation.repository_selection) == ("other", "all")
    page = await call(v2.organizations.list_github_app_repositories, made.id)
    assert [repository.repo_full_name for repository in page.items] == ["other/app"]
    assert page.extras == {"total_count": 1}
    await call.refuses(NotFoundError, v2.organizations.get_github_app_installation(org))
    assert (await call(v2.organizations.list_github_app_repositories, org)).items == []
    await call(v2.organizations.delete, made.id)
    fake.clock.advance(2)
    await call.refuses(NotFoundError, v2.organizations.get(made.id))
    entry = await call(
        v2.organizations.create_orb_allow_list_entry, org, name="x", prefix="https://x.example/", auth="none"
    )
    assert len((await call(v2.organizations.list_orb_allow_list_entries, "gh/acme")).items) == 1
    await call(v2.organizations.delete_orb_allow_list_entry, org, entry.id)
    group = await call(v2.groups.create, org, name="team")
    assert [each.name for each in (await call(v2.groups.list, org)).items] == ["team"]
    await call(v2.groups.get, org, group.id)
    await call(v2.groups.delete, org, group.id)
    await call.refuses(PermissionDeniedError, v2.groups.get(org, group.id))
    exporter = await call(
        v2.otel_exporters.create, org_id=org, endpoint="otel:4317", protocol="grpc", headers={"key": "secret"}
    )
    assert exporter.headers == {"key": "xxxx"}
    assert len((await call(v2.otel_exporters.list, org_id=org)).items) == 1
    await call(v2.otel_exporters.delete, exporter.id)
    now = fake.clock.now
    export = await call(v2.usage_exports.create, org, start=now - timedelta(days=2), end=now)
    fake.clock.advance(100)
    assert (await call(v2.usage_exports.get, org, export.usage_export_job_id)).state == "completed"


async def definitions(call: Walk, web: FakeProject) -> None:
    v2 = call.circleci.v2
    definition = await call(
        v2.pipeline_definitions.create,
        web.id,
        name="main",
        config_source={"provider": "github_app", "repo": {"external_id": "1"}, "file_path": ".circleci/config.yml"},
        checkout_source={"provider": "github_app", "repo": {"external_id": "1"}},
    )
    assert len((await call(v2.pipeline_definitions.list, web.id)).items) == 1
    await call(v2.pipeline_definitions.get, web.id, definition.id)
    changed = await call(v2.pipeline_definitions.update, web.id, definition.id, config_source={"file_path": "ci.yml"})
    assert (changed.config_source.file_path, changed.config_source.provider) == ("ci.yml", "github_app")
    trigger = await call(
        v2.triggers.create,
        web.id,
        definition.id,
        event_source={"provider": "webhook", "webhook": {"sender": "bot"}},
        event_name="nightly",
        checkout_ref="main",
        config_ref="main",
    )
    assert "REDACTED" not in trigger.event_source.webhook.url
    assert len((await call(v2.triggers.list, web.id, definition.id)).items) == 1
    assert (await call(v2.triggers.get, web.id, trigger.id)).event_source.webhook.url.endswith("secret=**REDACTED**")
    assert (await call(v2.triggers.update, web.id, trigger.id, disabled=True)).disabled is True
    await call(v2.triggers.delete, web.id, trigger.id)
    await call(v2.pipeline_definitions.delete, web.id, definition.id)


async def schedules_and_webhooks(call: Walk, web: FakeProject) -> None:
    v2 = call.circleci.v2
    schedule = await call(
        v2.schedules.create,
        SLUG,
        name="nightly",
        timetable={"per-hour": 1, "hours-of-day": [3], "days-of-week": ["MON"]},
        attribution_actor="current",
        parameters={"branch": "main"},
        description="every night",
    )
    assert len((await call(v2.schedules.list, SLUG)).items) == 1
    await call(v2.schedules.get, schedule.id)
    changed = await call(v2.schedules.update, schedule.id, timetable={"days-of-month": [1]}, attribution_actor="system")
    assert changed.timetable.days_of_month == [1]
    await call(v2.schedules.delete, schedule.id)
    webhook = await call(
        v2.webhooks.create,
        name="hook",
        events=["job-completed"],
        url="https://example.com/",
        verify_tls=True,
        signing_secret="s",
        scope={"id": web.id, "type": "project"},
    )
    assert webhook.signing_secret == "****"
    assert len((await call(v2.webhooks.list, scope_id=web.id)).items) == 1
    await call(v2.webhooks.get, webhook.id)
    assert (await call(v2.webhooks.update, webhook.id, signing_secret="")).signing_secret is None
    await call(v2.webhooks.delete, webhook.id)


async def policies_and_claims(call: Walk, web: FakeProject) -> None:
    v2, org = call.circleci.v2, web.organization.id
    assert (await call(v2.policies.set_bundle, org, policies={"a": "package org"}, dry=True)).created == ["a"]
    assert await call(v2.policies.get_bundle, org) == {}
    await call(v2.policies.set_bundle, org, policies={"a": "package org"})
    assert (await call(v2.policies.get, org, "a")).content == "package org"
    assert list(await call(v2.policies.get_bundle, org)) == ["a"]
    web.organization.will_decide("HARD_FAIL", rule="no_root", reason="root is not allowed")
    decision = await call(v2.policies.make_decision, org, config="version: 2.1", metadata={"build_number": 7})
    assert (decision.status, decision.hard_failures[0].rule) == ("HARD_FAIL", "no_root")
    [log] = (await call(v2.policies.list_decisions, org, status="HARD_FAIL")).items
    await call(v2.policies.get_decision, org, log.id)
    await call(v2.policies.get_decision_bundle, org, log.id)
    await call(v2.policies.get_settings, org)
    assert (await call(v2.policies.update_settings, org, enabled=True)).enabled is True
    await call(v2.oidc_claims.get_for_org, org)
    assert (await call(v2.oidc_claims.update_for_org, org, ttl="90m", audience=["a"])).ttl == "1h30m0s"
    left = await call(v2.oidc_claims.delete_for_org, org, claims=["ttl"])
    assert (left.ttl, left.audience) == (None, ["a"])
    await call(v2.oidc_claims.get_for_project, org, web.id)
    await call(v2.oidc_claims.update_for_project, org, web.id, audience=["b"])
    await call(v2.oidc_claims.delete_for_project, org, web.id, claims=["audience", "ttl"])


async def deploys(call: Walk, web: FakeProject) -> None:
    v2, org = call.circleci.v2, web.organization.id
    web.deploy("api", "1.0")
    web.deploy("api", "1.1")
    [component] = (await call(v2.deploys.list_components, org_id=org)).items
    assert (await call(v2.deploys.get_component, component.id)).release_count == 2
    [environment] = (await call(v2.deploys.list_environments, org_id=org)).items
    await call(v2.deploys.get_environment, environment.id)

    async def live() -> list[tuple[str, bool]]:
        versions = (await call(v2.deploys.list_component_versions, component.id)).items
        return [(version.name, version.is_live) for version in versions]

    assert await live() == [("1.1", True), ("1.0", False)]
    await call(
        v2.deploys.rollback,
        web.id,
        component_name="api",
        current_version="1.1",
        environment_name="production",
        target_version="1.0",
    )
    call.fake.clock.advance(10)
    assert await live() == [("1.1", False), ("1.0", True)]


async def builds(call: Walk, web: FakeProject) -> None:
    v1, fake = call.circleci.v1, call.fake
    web.will_run(Workflow("build", Job("test", 30, output="ok\n", artifacts={"a.txt": "1"})))
    build = await call(v1.builds.trigger, SLUG, branch="old")
    await call(v1.builds.trigger_for_branch, SLUG, "old/branch")
    assert (await call(v1.builds.trigger_pipeline, SLUG, branch="old")).body == "Build created"
    await call(v1.builds.cancel, SLUG, build.build_num + 1)
    fake.clock.advance(60)
    details = await call(v1.builds.get, SLUG, build.build_num)
    assert (details.status, details.workflows.job_name) == ("success", "test")
    assert len((await call(v1.builds.list, page_size=2)).items) == 2
    assert len((await call(v1.builds.list, shallow=True, page_size=100)).items) > 2
    assert (await call(v1.builds.list_for_project, SLUG, status_filter="failed")).items[0].failed is True
    [canceled] = (await call(v1.builds.list_for_branch, SLUG, "old/branch")).items
    assert canceled.status == "canceled"
    assert len((await call(v1.builds.list_artifacts, SLUG, build.build_num)).items) == 1
    assert len((await call(v1.builds.list_latest_artifacts, SLUG, branch="old")).items) == 1
    await call(v1.builds.get_tests, SLUG, build.build_num)
    retried = await call(v1.builds.retry, SLUG, build.build_num)
    assert retried.retry_of == build.build_num
    await call(v1.builds.retry_with_ssh, SLUG, build.build_num)
    assert (await call(v1.builds.add_ssh_user, SLUG, build.build_num)).ssh_users[0].login == "ada"


async def projects_v1(call: Walk, web: FakeProject) -> None:
    v1 = call.circleci.v1
    await call(v1.projects.unfollow, SLUG)
    assert web.followed is False
    await call(v1.projects.follow, SLUG)
    assert [each.reponame for each in (await call(v1.projects.list)).items] == ["web", "new"]
    await call(v1.projects.disable, SLUG)
    await call(v1.projects.enable, SLUG)
    await call(v1.projects.update_settings, SLUG, feature_flags={"oss": True})
    assert (await call(v1.projects.get_settings, SLUG, ssh_key_digest="sha256")).oss is True
    assert (await call(v1.projects.set_env_var, SLUG, name="A", value="12345678")).value == "xxxx5678"
    assert len((await call(v1.projects.list_env_vars, SLUG)).items) == 1
    await call(v1.projects.get_env_var, SLUG, "A")
    await call(v1.projects.delete_env_var, SLUG, "A")
    key = await call(v1.projects.create_checkout_key, SLUG, key_type="deploy-key")
    assert len((await call(v1.projects.list_checkout_keys, SLUG, digest="md5")).items) == 1
    await call(v1.projects.get_checkout_key, SLUG, key.fingerprint)
    await call(v1.projects.delete_checkout_key, SLUG, key.fingerprint)
    await call(v1.projects.create_ssh_key, SLUG, private_key="-----BEGIN RSA PRIVATE KEY-----", hostname="h")
    await call(v1.projects.delete_ssh_key, SLUG, fingerprint=next(iter(web.ssh_keys)))
    token = await call(v1.projects.create_token, SLUG, scope="view-builds", label="badge")
    assert token.token
    [listed] = (await call(v1.projects.list_tokens, SLUG)).items
    assert listed.token is None
    await call(v1.projects.delete_build_cache, SLUG)
    await call(v1.organizations.update_settings, "gh/acme", feature_flags={"x": True})
    assert (await call(v1.organizations.get_settings, "gh/acme")).feature_flags == {"x": True}
    assert (await call(v1.users.me)).login == "ada"
    assert len((await call(v1.users.list_repos, "github", page_size=1, page=2)).items) == 1
    await call(v1.users.create_ssh_key)
    await call(v1.users.set_heroku_key, apikey="k")
    assert call.fake.user.heroku_key == "k"


async def the_end(call: Walk, web: FakeProject) -> None:
    v2 = call.circleci.v2
    await call(v2.projects.delete, SLUG)
    await call.refuses(NotFoundError, v2.projects.get(SLUG))
