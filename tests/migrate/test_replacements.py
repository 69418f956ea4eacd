"""Every replacement that the pages in docs/migration and the command show runs on the fake, async and sync."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import pytest

from circleci_sdk.testing import Approval, FakeCircleCI, FakeProject, Job, Workflow
from tests.typing.replacements import USES

SLUG: Final = "gh/acme/web"
BUILD: Final = Workflow("build", Job("test", 10, outcome="failed", artifacts={"a.txt": b"1"}))


class State:
    """A fake on which every replacement finds what it needs: values by the name of the parameter."""

    def __init__(self, folder: Path) -> None:
        self.fake = FakeCircleCI()
        self.web: FakeProject = self.fake.add_project(SLUG)
        self.values: dict[str, Any] = {
            "branch": "main",
            "config": "version: 2.1",
            "description": "a runner",
            "folder": str(folder),
            "hostname": "example.com",
            "job_name": "test",
            "name": "TOKEN",
            "nickname": "one",
            "org_id": self.web.organization.id,
            "org_slug": "gh/acme",
            "parameters": {"image": "latest"},
            "private_key": "-----BEGIN OPENSSH PRIVATE KEY-----",
            "project_id": self.web.id,
            "resource_class": "acme/linux",
            "resource_id": "11111111-1111-4111-8111-111111111111",
            "slug": SLUG,
            "token_id": "22222222-2222-4222-8222-222222222222",
            "url": "https://example.com/hook",
            "user_id": self.fake.user.id,
            "value": "a-secret",
            "workflow_name": "build",
        }
        self.web.set_env_var("TOKEN", "a-secret")
        self.web.will_run(BUILD)
        self.web.push()
        self.fake.clock.advance(60)
        self._name_run(0)
        self.values["since"] = self.fake.clock.now - timedelta(days=1)
        self.values["until"] = self.fake.clock.now + timedelta(days=1)

    def prepare(self, source: str) -> None:
        """What only some replacements need: something that waits, or that runs."""
        if "approve" in source:
            self.web.push(Workflow("build", Approval("ok?")))
            self.fake.clock.advance(5)
            self._name_run(-1)
        elif "cancel" in source or "add_ssh_user" in source:
            self.web.push(Workflow("build", Job("test", 600)))
            self.fake.clock.advance(5)
            self._name_run(-1)
        elif "continue_" in source:
            self.web.push(Workflow("setup", Job("find", 5), setup=True), Workflow("build", Job("test", 600)))
            self.fake.clock.advance(2)
            self.values["continuation_key"] = self.web.pipelines[-1].continuation_key

    def create_by_api(self) -> None:
        """What has no method of the fake."""
        values = self.values
        with self.fake.sync_client() as circleci:
            v2 = circleci.v2
            context = v2.contexts.create(name="deploy", owner={"id": values["org_id"], "type": "organization"})
            v2.contexts.set_env_var(context.id, "TOKEN", value="a")
            restriction = v2.contexts.create_restriction(
                context.id, restriction_type="project", restriction_value=self.fake.add_project("gh/acme/api").id
            )
            schedule = v2.schedules.create(
                SLUG,
                name="nightly",
                attribution_actor="current",
                parameters={"branch": "main"},
                timetable={"per_hour": 1, "hours_of_day": [2], "days_of_week": ["MON"]},
            )
            webhook = v2.webhooks.create(
                name="bot",
                events=["workflow-completed"],
                url=values["url"],
                verify_tls=True,
                signing_secret="a-secret",
                scope={"id": values["project_id"], "type": "project"},
            )
            key = v2.projects.create_checkout_key(SLUG, key_type="deploy-key")
            circleci.v1.projects.create_ssh_key(SLUG, private_key=values["private_key"], hostname="example.com")
            [ssh_key] = circleci.v1.projects.get_settings(SLUG).ssh_keys or ()
        values |= {"context_id": context.id, "restriction_id": restriction.id, "schedule_id": schedule.id}
        values |= {"webhook_id": webhook.id, "fingerprint": key.fingerprint, "ssh_fingerprint": ssh_key.fingerprint}

    def _name_run(self, index: int) -> None:
        pipeline = self.web.pipelines[index]
        [workflow] = pipeline.workflows
        [job] = workflow.jobs
        self.values |= {"pipeline_id": pipeline.id, "pipeline_number": pipeline.number, "workflow_id": workflow.id}
        self.values |= {"job_id": job.id, "job_number": job.number, "approval_request_id": job.id}

    def arguments(self, function: Callable[..., object]) -> dict[str, Any]:
        """The values of the parameters of a replacement."""
        source = inspect.getsource(function)
        self.prepare(source)
        values = dict(self.values)
        if "delete_ssh_key" in source:
            values["fingerprint"] = values["ssh_fingerprint"]
        return {name: values[name] for name in list(inspect.signature(function).parameters)[1:]}


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path)
    state.create_by_api()
    return state


@pytest.mark.parametrize(("use", "use_sync"), USES, ids=lambda function: function.__name__)
@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_replacement_runs(
    use: Callable[..., Awaitable[None]], use_sync: Callable[..., None], state: State, anyio_backend: str
) -> None:
    async with state.fake.client() as circleci:
        await use(circleci, **state.arguments(use))


@pytest.mark.parametrize("use_sync", [pair[1] for pair in USES], ids=lambda function: function.__name__)
def test_a_replacement_runs_in_its_sync_form(use_sync: Callable[..., None], state: State) -> None:
    with state.fake.sync_client() as circleci:
        use_sync(circleci, **state.arguments(use_sync))
