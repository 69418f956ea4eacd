"""What the examples of the reference refer to: a project with runs on a fake, and the values of their variables.

A method with the name of a variable gives its value. Where the same name is something else in one resource, the method
has the name of both. A method `before_...` prepares one operation.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from circleci_sdk.testing import Approval, FakeCircleCI, Job, JobTest, Step, Workflow

SLUG: Final = "gh/acme/web"
UUID: Final = "00000000-0000-4000-8000-000000000000"
"""The fake has no state of such things: orbs, signing, runners."""


class ExampleProject:
    """A project with a run that has ended and one that runs."""

    def __init__(self) -> None:
        self.fake = FakeCircleCI()
        self.circleci = self.fake.client(on_drift=lambda _: None)
        self.web = self.fake.add_project(SLUG)
        self.org_id: str = self.web.organization.id
        self.project_id: str = self.web.id
        self.scope_id = self.project_id
        self.user_id = self.fake.user.id
        steps = [Step("pytest", "ok\n", stderr="late\n")]
        test = Job("test", 30, outcome="failed", steps=steps, tests=[JobTest("a")], artifacts={"a.txt": "1"})
        ended = self.web.push(Workflow("build", test))
        self.fake.clock.advance(60)
        running = self.web.push(Workflow("build", Job("test", 600), Approval("ok?")))
        self.fake.clock.advance(2)
        self._running = running
        self.web.deploy("web", "1.3.2")
        self.web.deploy("web", "1.4.0")
        self.pipeline_id = self.run_id = ended.id
        self.pipeline_number = ended.number
        self.workflow_id = ended.workflow("build").id
        self.job_id = ended.job("test").id
        self.job_number = self.build_num = ended.job("test").number
        self.namespace_id = self.orb_id = self.version_id = self.category_id = UUID
        self.certificate_id = self.signing_certificate_id = self.config_id = self.profile_id = UUID
        self.resource_class_id = self.token_id = self.resource_id = UUID
        self.restriction_value = self.match_pattern = self.project_id
        self.private_key = "-----BEGIN RSA PRIVATE KEY-----"
        self.apikey = self.signing_secret = self.cert_password = "a secret"
        self.cert_blob = self.blob = "YQ=="
        self.start = self.from_ = self.fake.clock.now - timedelta(days=2)
        self.end = self.to = self.fake.clock.now

    async def values(self, label: str, names: list[str]) -> dict[str, Any]:
        """The values of the variables of an example, after what it needs has been made."""
        resource = "_".join(label.split(".")[:2])
        if before := getattr(self, "before_" + label.replace(".", "_"), None):
            await before()
        found: dict[str, Any] = {"circleci": self.circleci, "print": lambda *_: None}
        for name in names:
            value = getattr(self, f"{resource}_{name}", None) or getattr(self, name)
            found[name] = await value() if callable(value) else value
        return found

    async def context_id(self) -> str:
        contexts = await self.circleci.v2.contexts.list(owner_slug="gh/acme").collect()
        if contexts:
            return contexts[0].id
        made = await self.circleci.v2.contexts.create(name="build", owner={"slug": "gh/acme"})
        await self.circleci.v2.contexts.set_env_var(made.id, "NPM_TOKEN", value="npm_example")
        return made.id

    async def restriction_id(self) -> str:
        made = await self.circleci.v2.contexts.create_restriction(
            await self.context_id(), restriction_type="project", restriction_value=self.project_id
        )
        return made.id

    async def group_id(self) -> str:
        return (await self.circleci.v2.groups.create(self.org_id, name="team")).id

    async def fingerprint(self) -> str:
        return (await self.circleci.v1.projects.create_checkout_key(SLUG, key_type="deploy-key")).fingerprint

    async def component_id(self) -> str:
        [component] = (await self.circleci.v2.deploys.list_components(org_id=self.org_id)).items
        return component.id

    async def environment_id(self) -> str:
        [environment] = (await self.circleci.v2.deploys.list_environments(org_id=self.org_id)).items
        return environment.id

    async def allow_list_entry_id(self) -> str:
        made = await self.circleci.v2.organizations.create_orb_allow_list_entry(
            self.org_id, name="x", prefix="https://x.example/", auth="none"
        )
        return made.id

    async def otel_exporter_id(self) -> str:
        made = await self.circleci.v2.otel_exporters.create(org_id=self.org_id, endpoint="otel:4317", protocol="grpc")
        return made.id

    async def pipeline_definition_id(self) -> str:
        source: Any = {"provider": "github_app", "repo": {"external_id": "1"}}
        made = await self.circleci.v2.pipeline_definitions.create(
            self.project_id, name="main", config_source={**source, "file_path": "a.yml"}, checkout_source=source
        )
        return made.id

    async def v3_triggers_pipeline_id(self) -> str:
        return await self.pipeline_definition_id()

    async def trigger_id(self) -> str:
        made = await self.circleci.v2.triggers.create(
            self.project_id,
            await self.pipeline_definition_id(),
            event_source={"provider": "webhook", "webhook": {"sender": "bot"}},
            event_name="nightly",
            checkout_ref="main",
            config_ref="main",
        )
        return made.id

    async def continuation_key(self) -> str:
        self.web.push(Workflow("setup", Job("find", 60), setup=True))
        self.fake.clock.advance(2)
        return self.web.pipelines[-1].continuation_key

    async def decision_id(self) -> str:
        await self.before_v2_policies_get()
        await self.circleci.v2.policies.make_decision(self.org_id, config="version: 2.1")
        [log] = (await self.circleci.v2.policies.list_decisions(self.org_id)).items
        return log.id

    async def schedule_id(self) -> str:
        made = await self.circleci.v2.schedules.create(
            SLUG,
            name="nightly",
            timetable={"per_hour": 1, "hours_of_day": [3], "days_of_week": ["MON"]},
            attribution_actor="current",
            parameters={"branch": "main"},
        )
        return made.id

    async def usage_export_job_id(self) -> str:
        made = await self.circleci.v2.usage_exports.create(self.org_id, start=self.start, end=self.end)
        return made.usage_export_job_id

    async def webhook_id(self) -> str:
        made = await self.circleci.v2.webhooks.create(
            name="hook",
            events=["job-completed"],
            url="https://bot.example.com/",
            verify_tls=True,
            signing_secret="s",
            scope={"id": self.project_id, "type": "project"},
        )
        return made.id

    async def approval_request_id(self) -> str:
        jobs = await self.circleci.v2.workflows.list_jobs(self.workflow_id).collect()
        return next(job.approval_request_id for job in jobs if job.approval_request_id)

    async def before_v2_workflows_approve(self) -> None:
        self.workflow_id = self._running.workflow("build").id

    async def before_v2_policies_get(self) -> None:
        await self.circleci.v2.policies.set_bundle(self.org_id, policies={"no-root": "package org"})

    async def before_v2_projects_create(self) -> None:
        self.fake.add_project("gh/acme/web-next")

    async def before_v2_projects_get_env_var(self) -> None:
        await self.circleci.v2.projects.set_env_var(SLUG, name="NPM_TOKEN", value="npm_example")

    before_v2_projects_delete_env_var = before_v1_projects_get_env_var = before_v2_projects_get_env_var

    async def before_v2_organizations_get_github_app_installation(self) -> None:
        made = await self.circleci.v2.organizations.create(name="acme-labs", vcs_type="circleci")
        await self.circleci.v2.projects.create(made.id, name="app")
        self.org_id = made.id
