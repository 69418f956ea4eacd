"""Every operation of v3, called through the SDK, has its effect and a response that fits the table of operations."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from circleci_sdk import AsyncCircleCI, ByteStream, ItemStream, NotFoundError
from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, JobTest, Step, Workflow
from circleci_sdk.v3 import models
from tests.testing.strict_v3 import differences, row_of
from tests.testing.v3 import OPERATIONS

UUID = "00000000-0000-4000-8000-000000000000"
VCS: Mapping[str, Any] = {"provider": "github_app", "repo_id": "42"}


class Walk:
    """Calls operations and checks each response against its row. Streams have no bodies to check."""

    def __init__(self, circleci: AsyncCircleCI, fake: FakeCircleCI) -> None:
        self.circleci = circleci
        self.fake = fake
        self.complaints: list[str] = []

    async def __call__(self, method: Any, *args: Any, **kwargs: Any) -> Any:
        reply = await self.circleci.raw_response(method, *args, **kwargs)
        request = self.fake.requests[-1]
        assert request.operation is not None
        operation = OPERATIONS[request.operation]
        found = differences(row_of(operation.method, operation.path), reply.content)
        self.complaints += [f"{request.operation}: {each}" for each in found]
        return reply.data


async def test_every_operation(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    walk = Walk(circleci, fake)
    await runs(walk, web)
    await streams(walk, web)
    await projects(walk, web)
    await contexts(walk, web)
    await definitions(walk, web)
    await deploys(walk, web)
    await orbs(walk)
    await signing(walk)
    await runners(walk)
    done = {request.operation for request in fake.requests if request.status is not None and request.status < 300}
    assert set(OPERATIONS) - done == set()
    assert sorted(set(walk.complaints)) == []


async def runs(call: Walk, web: FakeProject) -> None:
    v3, fake = call.circleci.v3, call.fake
    web.will_run(Workflow("build", Job("test", 30, outcome=["failed", "success"], artifacts={"a.txt": "1"})))
    pipeline = web.push(branch="dev")
    [me] = (await call(v3.users.list)).items
    assert (me.id, me.login) == (fake.user.id, "ada")
    [run] = (await call(v3.runs.list)).items
    assert (run.id, run.phase, run.current_outcome) == (pipeline.id, "started", "succeeded")
    fake.clock.advance(30)
    run = await call(v3.runs.get, run.id)
    assert (run.phase, run.current_outcome, run.project_id, run.event.vcs.branch) == ("ended", "failed", web.id, "dev")
    now = fake.clock.now
    found = await call(
        v3.runs.search,
        project_ids=[web.id],
        from_=now - timedelta(days=1),
        to=now,
        filter_expression='pipeline.git.branch == "dev" and pipeline.status == "failed"',
    )
    assert [each.id for each in found.items] == [run.id]
    [workflow] = (await call(v3.workflows.list, run_id=run.id)).items
    assert (await call(v3.workflows.get, workflow.id)).outcome == "failed"
    [job] = (await call(v3.jobs.list, workflow_id=workflow.id)).items
    details = await call(v3.jobs.get, job.id)
    assert (details.workflow_id, details.parallel_executions[0].steps[-1].exit_code) == (workflow.id, 1)
    assert [each.path for each in (await call(v3.jobs.list_artifacts, job.id)).items] == ["a.txt"]
    assert (await call(v3.jobs.get_resource_usage, job.id)).resource_class.cpu_count == 2
    rerun = await call(v3.workflows.rerun, workflow.id, is_from_failed=True)
    assert (await call(v3.workflows.cancel, rerun.id)).id == rerun.id
    fake.clock.advance(2)
    assert (await call(v3.workflows.get, rerun.id)).outcome == "canceled"
    [charge] = (await call(v3.charges.search, analysis="charge.job", project_ids=[web.id])).items
    assert (charge.name, charge.credits, charge.runs, charge.project_id) == ("test", 20, 2, web.id)


async def streams(call: Walk, web: FakeProject) -> None:
    v3, fake = call.circleci.v3, call.fake
    step = Step("pytest", "a\n", writes=[(5, b"\xc3"), (6, b"\xa9\n")], stderr="late\n")
    job = web.push(Workflow("build", Job("test", 10, steps=[step], tests=[JobTest("a"), JobTest("b", "boom")]))).job(
        "test"
    )
    stream = v3.jobs.stream_stdout(job.id, step_num=101)
    collected = b""
    for seconds in (0, 5, 5):
        fake.clock.advance(seconds)
        stream = stream.resume(len(collected))
        async with stream:
            collected += b"".join([piece async for piece in stream])
            assert (stream.offset, stream.is_terminal) == (len(collected), seconds == 5 and job.ended)
    assert collected == "a\né\n".encode()
    assert await read(v3.jobs.stream_stderr(job.id, step_num=101)) == [b"late\n"]
    assert await call(v3.jobs.get_condensed_stdout, job.id, step_num=101) == "a\né\n"
    tests = v3.jobs.stream_tests(job.id)
    assert [(each.name, each.result) for each in await read(tests)] == [("a", "success"), ("b", "failure")]


async def read(stream: ByteStream | ItemStream[models.JobTest]) -> list[Any]:
    async with stream:
        return [each async for each in stream]


async def projects(call: Walk, web: FakeProject) -> None:
    v3, org = call.circleci.v3, web.organization.id
    assert [each.id for each in (await call(v3.organizations.list, slug="gh/acme")).items] == [org]
    assert (await call(v3.organizations.get_settings, org)).enable_private_orbs is False
    assert (await call(v3.organizations.update_settings, org, enable_private_orbs=True)).enable_private_orbs is True
    assert [each.name for each in (await call(v3.projects.list, org_id=org)).items] == ["web"]
    assert (await call(v3.projects.get, web.id)).org_id == org
    assert (await call(v3.projects.get_settings, web.id)).is_oss is False
    assert (await call(v3.projects.update_settings, web.id, is_oss=True)).is_oss is True
    assert web.settings["oss"] is True
    await call(v3.projects.delete_docker_layer_cache, web.id)
    assert (await call(v3.connections.list, org_id=org)).items == []
    made = await call(v3.connections.setup, org_id=org, provider="github_app", return_url="https://bot.example/")
    assert made.next_step == "redirect"
    assert (await call(v3.repositories.list, org_id=org, provider="github_app")).items == []
    compiled = await call(v3.configs.compile, config="version: 2.1")
    assert (compiled.outcome, compiled.compiled_config) == ("succeeded", "version: 2.1")
    assert len((await call(v3.tools.list_releases, tool="circleci-cli")).items) == 1
    await call(v3.catalog.get_offerings)


async def contexts(call: Walk, web: FakeProject) -> None:
    v3, fake, org = call.circleci.v3, call.fake, web.organization.id
    context = await call(v3.contexts.create, name="deploy", org_id=org)
    assert [each.id for each in (await call(v3.contexts.list, org_id=org)).items] == [context.id]
    assert (await call(v3.contexts.get, context.id)).org_id == org
    await call(v3.contexts.set_env_var, context.id, name="KEY", value="0123456789")
    assert fake.context("deploy").env_vars["KEY"].value == "0123456789"
    [variable] = (await call(v3.contexts.list_env_vars, context.id)).items
    assert (variable.name, variable.context_id) == ("KEY", context.id)
    await call(v3.contexts.delete_env_var, context.id, name="KEY")
    restriction = await call(
        v3.contexts.create_restriction, restriction_type="project", match_pattern=web.id, context_id=context.id
    )
    [listed] = (await call(v3.contexts.list_restrictions, context_id=context.id)).items
    assert (listed.id, listed.name) == (restriction.id, "web")
    await call(v3.contexts.delete_restriction, restriction.id, context_id=context.id)
    await call(v3.contexts.delete, context.id)
    with pytest.raises(NotFoundError) as caught:
        await v3.contexts.get(context.id)
    assert caught.value.error_type == "not_found"
    assert (await call(v3.groups.list, org_id=org)).items == []


async def definitions(call: Walk, web: FakeProject) -> None:
    v3 = call.circleci.v3
    made = await call(
        v3.pipelines.create,
        name="main",
        config={"type": "vcs", "file_path": ".circleci/config.yml", "vcs": VCS},
        checkout={"type": "vcs", "vcs": VCS},
        project_id=web.id,
    )
    page = await call(v3.pipelines.list, project_id=web.id)
    assert [(each.id, each.project_id) for each in page.items] == [(made.id, web.id)]
    trigger = await call(
        v3.triggers.create,
        is_disabled=False,
        event={"type": "vcs", "vcs": VCS, "filter": {"preset": "all-pushes"}},
        config_ref="main",
        pipeline_id=made.id,
    )
    [listed] = (await call(v3.triggers.list, project_id=web.id, pipeline_id=made.id)).items
    assert (listed.id, listed.config_ref, listed.event.filter.preset) == (trigger.id, "main", "all-pushes")


async def deploys(call: Walk, web: FakeProject) -> None:
    v3, org = call.circleci.v3, web.organization.id
    web.deploy("api", "1.0")
    web.deploy("api", "1.1")
    [component] = (await call(v3.deploy_components.list, org_id=org)).items
    assert (await call(v3.deploy_components.get, component.id)).project_id == web.id
    versions = (await call(v3.deploy_components.list_versions, component.id)).items
    assert [each.name for each in versions] == ["1.1", "1.0"]
    [environment] = (await call(v3.deploy_environments.list, org_id=org)).items
    assert (await call(v3.deploy_environments.get, environment.id)).name == "production"
    deployments = (await call(v3.deployments.list, org_id=org)).items
    assert {each.status for each in deployments} == {"succeeded"}
    rollback = await call(
        v3.deployments.rollback,
        web.id,
        component_id=component.id,
        environment_id=environment.id,
        current_version="1.1",
        target_version="1.0",
    )
    assert rollback.project_id == web.id
    assert (await call(v3.deploy_settings.get, project_id=web.id)).project_id == web.id


async def orbs(call: Walk) -> None:
    v3 = call.circleci.v3
    namespace = await call(v3.namespaces.create, name="acme", org_id=UUID)
    assert (await call(v3.namespaces.get_by_name, name="acme")).name == "acme"
    assert (await call(v3.namespaces.rename, namespace.id, name="acme2")).name == "acme2"
    await call(v3.namespaces.delete, namespace.id)
    orb = await call(v3.orbs.create, name="tools", is_private=True, namespace_id=UUID)
    assert (await call(v3.orbs.list)).items == []
    await call(v3.orbs.get, orb.id)
    await call(v3.orbs.add_category, orb.id, category_id=UUID)
    await call(v3.orbs.remove_category, orb.id, category_id=UUID)
    assert (await call(v3.orbs.set_listed, orb.id, is_listed=True)).is_listed is True
    await call(v3.orbs.validate, yaml="version: 2.1")
    assert (await call(v3.orb_categories.list)).items == []
    version = await call(v3.orb_versions.create, orb_id=UUID, yaml="version: 2.1", version="1.0.0")
    assert version.version == "1.0.0"
    assert (await call(v3.orb_versions.list, orb_id=UUID)).items == []
    await call(v3.orb_versions.get, version.id)
    await call(v3.orb_versions.promote, version.id, segment="major")
    assert await call(v3.orb_versions.get_source, version.id) == "text\n"


async def signing(call: Walk) -> None:
    v3 = call.circleci.v3
    made = await call(
        v3.signing_certificates.create, file_name="a.p12", cert_blob="YQ==", cert_password="x", org_id=UUID
    )
    assert (await call(v3.signing_certificates.list, org_id=UUID)).items == []
    config = await call(
        v3.signing_configs.create,
        name="main",
        provisioning_profiles=[{"file_name": "a", "blob": "YQ=="}],
        org_id=UUID,
        signing_certificate_id=made.id,
    )
    assert (await call(v3.signing_configs.list, org_id=UUID)).items == []
    await call(v3.signing_configs.set_profile, config.id, file_name="a", blob="YQ==")
    await call(v3.signing_configs.remove_profile, config.id, profile_id=UUID)
    await call(v3.signing_configs.delete, config.id)
    await call(v3.signing_certificates.delete, made.id)


async def runners(call: Walk) -> None:
    v3 = call.circleci.v3
    assert (await call(v3.runner_instances.list, namespace="acme")).items == []
    resource = await call(v3.runner_resources.create, resource_class="acme/linux", description="Linux")
    assert resource.resource_class == "acme/linux"
    assert (await call(v3.runner_resources.list, namespace="acme")).items == []
    await call(v3.runner_resources.force_delete, resource.id)
    token = await call(v3.runner_tokens.create, resource_class="acme/linux", nickname="a")
    assert (await call(v3.runner_tokens.list, resource_class="acme/linux")).items == []
    await call(v3.runner_tokens.delete, token.id)
    made = await call(v3.runner_resource_classes.create, resource_class="acme/mac", description="Mac", org_id=UUID)
    assert (made.resource_class, made.org_id) == ("acme/mac", UUID)
    assert (await call(v3.runner_resource_classes.list, org_id=UUID)).items == []
    await call(v3.runner_resource_classes.get, made.id)
    await call(v3.runner_resource_classes.update, made.id, description="Macs")
    new = await call(v3.runner_resource_classes.create_token, nickname="a", resource_class_id=made.id)
    assert (await call(v3.runner_resource_classes.list_tokens, resource_class="acme/mac")).items == []
    await call(v3.runner_resource_classes.delete_token, new.id)
    await call(v3.runner_resource_classes.delete, made.id)
    assert (await call(v3.runner_agents.list, namespace="acme")).items == []
    assert (await call(v3.runner_fleets.list, org_id=UUID)).items == []
    await call(v3.runner_fleets.get, UUID)
