"""Behaviour that was measured on CircleCI and differs from its documents."""

from __future__ import annotations

from logging import WARNING
from typing import Any

import pytest

from circleci_sdk import AsyncCircleCI, BadRequestError, NotFoundError, PermissionDeniedError
from circleci_sdk.testing import FakeCircleCI, FakeProject, Workflow
from tests.testing.raw import Raw

UUID = "00000000-0000-4000-8000-000000000000"
SLUG = "gh/acme/web"
SETTINGS = f"/v2/project/{SLUG}/settings"


def webhook(web: FakeProject, **changes: Any) -> dict[str, Any]:
    """The body of a new webhook."""
    return {
        "name": "hook",
        "events": ["workflow-completed", "job-completed"],
        "url": "https://bot.example/",
        "scope": {"id": web.id, "type": "project"},
        **changes,
    }


# Webhooks


async def test_a_webhook_without_a_secret_has_no_key_for_it(raw: Raw, web: FakeProject, anyio_backend: str) -> None:
    made = (await raw("POST", "/v2/webhook", webhook(web, **{"verify-tls": True, "signing-secret": ""}))).json()
    got = (await raw("GET", f"/v2/webhook/{made['id']}")).json()
    [listed] = (await raw("GET", f"/v2/webhook?scope-id={web.id}&scope-type=project")).json()["items"]
    assert made == got == listed
    assert "signing_secret" not in made
    signed = (await raw("PUT", f"/v2/webhook/{made['id']}", {"signing-secret": "s"})).json()
    assert signed["signing_secret"] == "****"
    assert "signing_secret" not in (await raw("PUT", f"/v2/webhook/{made['id']}", {"signing-secret": ""})).json()


async def test_only_hyphened_keys_of_a_webhook_count(raw: Raw, web: FakeProject, anyio_backend: str) -> None:
    snake = await raw("POST", "/v2/webhook", webhook(web, verify_tls=False, signing_secret="s"))
    assert snake.status_code == 201
    assert snake.json()["verify_tls"] is True
    assert "signing_secret" not in snake.json()
    both = webhook(web, verify_tls=True, signing_secret="", **{"verify-tls": False, "signing-secret": "s"})
    kebab = (await raw("POST", "/v2/webhook", both)).json()
    assert (kebab["verify_tls"], kebab["signing_secret"]) == (False, "****")
    path = f"/v2/webhook/{kebab['id']}"
    changed = (await raw("PUT", path, {"verify_tls": True, "signing_secret": "", "name": "b"})).json()
    assert (changed["name"], changed["verify_tls"], changed["signing_secret"]) == ("b", False, "****")
    missing = await raw("POST", "/v2/webhook", webhook(web))
    assert (missing.status_code, missing.json()["message"]) == (400, "Missing required field 'verify-tls'.")


@pytest.mark.parametrize("drops", [False, True])
async def test_an_update_may_delete_the_secret(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject, drops: bool
) -> None:
    assert fake.webhooks.update_drops_secret is False
    fake.webhooks.update_drops_secret = drops
    body = webhook(web)
    made = await circleci.v2.webhooks.create(**body, verify_tls=True, signing_secret="s")
    await circleci.v2.webhooks.update(made.id, name="other")
    web.push(Workflow("build"))
    fake.clock.run_until_idle()
    assert fake.webhooks.deliveries
    assert all(("circleci-signature" in each.headers) is not drops for each in fake.webhooks.deliveries)
    kept = await circleci.v2.webhooks.update(made.id, signing_secret="s")
    assert kept.signing_secret == "****"


# Settings of projects


async def test_settings_of_a_new_project(raw: Raw, fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    fake.add_project("gh/acme/old", default_branch="master")
    found = (await raw("GET", SETTINGS)).json()["advanced"]
    assert (found["forks_receive_secret_env_vars"], found["setup_workflows"]) == (True, True)
    assert found["pr_only_branch_overrides"] == ["main"]
    old = (await raw("GET", "/v2/project/gh/acme/old/settings")).json()["advanced"]
    assert old["pr_only_branch_overrides"] == ["master"]


async def test_empty_settings_change_nothing(raw: Raw, web: FakeProject, anyio_backend: str) -> None:
    before = (await raw("GET", SETTINGS)).json()
    for body in ({"advanced": {}}, {"advanced": {"pr_only_branch_overrides": []}}):
        response = await raw("PATCH", SETTINGS, body)
        assert (response.status_code, response.json()) == (200, before)
    empty = await raw("PATCH", SETTINGS, {})
    assert (empty.status_code, empty.json()["message"]) == (400, "No JSON fields found.")


async def test_at_most_100_overrides(circleci: AsyncCircleCI, web: FakeProject) -> None:
    branches = [f"release-{number}" for number in range(101)]
    with pytest.raises(BadRequestError) as caught:
        await circleci.v2.projects.update_settings(SLUG, advanced={"pr_only_branch_overrides": branches})
    assert caught.value.message == "Field 'pr_only_branch_overrides' only supports up to 100 branches."
    assert web.settings["pr_only_branch_overrides"] == ["main"]
    await circleci.v2.projects.update_settings(SLUG, advanced={"pr_only_branch_overrides": branches[:100]})
    assert len(web.settings["pr_only_branch_overrides"]) == 100


async def test_a_rejected_setting_does_not_keep_the_others(circleci: AsyncCircleCI, fake: FakeCircleCI) -> None:
    organization = fake.add_organization("circleci/acme")
    project = await circleci.v2.projects.create(organization.id, name="web")
    changes: Any = {"forks_receive_secret_env_vars": True, "autocancel_builds": True, "disable_ssh": True}
    with pytest.raises(PermissionDeniedError):
        await circleci.v2.projects.update_settings(project.slug, advanced=changes)
    advanced = (await circleci.v2.projects.get_settings(project.slug)).advanced
    assert (advanced.autocancel_builds, advanced.disable_ssh) == (True, True)
    off = {**changes, "forks_receive_secret_env_vars": False, "disable_ssh": False}
    changed = await circleci.v2.projects.update_settings(project.slug, advanced=off)
    assert (changed.advanced.forks_receive_secret_env_vars, changed.advanced.disable_ssh) == (False, False)


async def test_a_project_of_a_code_host_accepts_secrets_in_forks(circleci: AsyncCircleCI, web: FakeProject) -> None:
    for value in (False, True):
        changed = await circleci.v2.projects.update_settings(SLUG, advanced={"forks_receive_secret_env_vars": value})
        assert changed.advanced.forks_receive_secret_env_vars is value


# Lists that are sets


async def test_sets_come_back_in_another_order(circleci: AsyncCircleCI, web: FakeProject) -> None:
    v2, org = circleci.v2, web.organization.id
    sent = ["workflow-completed", "job-completed"]
    made = await v2.webhooks.create(**webhook(web), verify_tls=True, signing_secret="s")
    changed = await v2.webhooks.update(made.id, events=sent)
    branches = ["main", "dev", "release"]
    settings = await v2.projects.update_settings(SLUG, advanced={"pr_only_branch_overrides": branches})
    names = ["b", "a", "c"]
    claims = await v2.oidc_claims.update_for_org(org, audience=names)
    of_project = await v2.oidc_claims.update_for_project(org, web.id, audience=names)
    pairs = [
        (made.events, sent),
        (changed.events, sent),
        (settings.advanced.pr_only_branch_overrides, branches),
        (claims.audience, names),
        (of_project.audience, names),
    ]
    for shown, given in pairs:
        assert shown is not None
        assert list(shown) != given
        assert sorted(shown) == sorted(given)
    assert (await v2.webhooks.get(made.id)).events == changed.events  # and stays in that order


# Missing items


async def test_a_missing_allow_list_entry_is_deleted(circleci: AsyncCircleCI, web: FakeProject) -> None:
    deleted = await circleci.v2.organizations.delete_orb_allow_list_entry("gh/acme", UUID)
    assert deleted.message
    with pytest.raises(NotFoundError):
        await circleci.v2.organizations.delete_orb_allow_list_entry("gh/none", UUID)


async def test_a_missing_repository(circleci: AsyncCircleCI, web: FakeProject) -> None:
    with pytest.raises(NotFoundError) as caught:
        await circleci.v2.projects.create("gh/acme", name="none")
    assert caught.value.message == "GitHub response: Not Found"


# Contexts


@pytest.mark.parametrize("count", [0, 100, 101, 109])
async def test_the_token_of_a_large_context_leads_nowhere(
    raw: Raw, fake: FakeCircleCI, web: FakeProject, count: int, anyio_backend: str
) -> None:
    names = [f"NAME_{number:03}" for number in range(count)]
    context = fake.add_context("deploy", organization="gh/acme", env_vars=dict.fromkeys(names, "0123456789"))
    path = f"/v2/context/{context.id}/environment-variable"
    page = (await raw("GET", path)).json()
    assert [each["variable"] for each in page["items"]] == names[:100]
    assert (page["next_page_token"] is not None) is (count > 100)
    if count > 100:
        for parameter in ("page-token", "page_token", "next_page_token"):
            again = await raw("GET", f"{path}?{parameter}={page['next_page_token']}")
            assert again.json()["items"] == page["items"]


async def test_the_client_ends_after_the_first_page_of_a_large_context(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject, caplog: pytest.LogCaptureFixture
) -> None:
    names = [f"NAME_{number:03}" for number in range(109)]
    context = fake.add_context("deploy", organization="gh/acme", env_vars=dict.fromkeys(names, "0123456789"))
    page = await circleci.v2.contexts.list_env_vars(context.id)
    assert (page.is_truncated, page.next, page.mismatches) == (True, None, ())
    assert [each.levelno for each in caplog.records if each.levelno >= WARNING] == [WARNING]
    assert [each.variable async for each in circleci.v2.contexts.list_env_vars(context.id)] == names[:100]
    assert len(fake.requests.of("v2.contexts.list_env_vars")) == 2
    small = fake.add_context("small", organization="gh/acme", env_vars={"A": "0123456789"})
    assert (await circleci.v2.contexts.list_env_vars(small.id)).is_truncated is False


# Pipelines


async def test_a_pipeline_that_a_trigger_rule_stopped(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    web.will_error("No trigger rule matches.", kind="trigger-rule")
    made = await circleci.v2.pipelines.trigger(SLUG, branch="main")
    fake.clock.advance(60)
    [error] = (await circleci.v2.pipelines.get(made.id)).errors
    assert (error.type, error.message) == ("trigger-rule", "No trigger rule matches.")


# Acknowledgements


ACCEPTED = {"message": "Accepted."}


async def test_an_acknowledgement_of_a_context_variable(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    context = fake.add_context("deploy", organization="gh/acme")
    fake.fail_next("v2.contexts.set_env_var", status=200, body=ACCEPTED, processed=True)
    shown: Any = await circleci.v2.contexts.set_env_var(context.id, "KEY", value="0123456789")
    assert shown.message == "Accepted."
    assert context.env_vars["KEY"].value == "0123456789"


async def test_an_acknowledgement_of_a_rerun(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    pipeline = web.push(Workflow("build"))
    fake.clock.run_until_idle()
    fake.fail_next("v2.workflows.rerun", status=202, body=ACCEPTED, processed=True)
    shown: Any = await circleci.v2.workflows.rerun(pipeline.workflow("build").id)
    assert shown.message == "Accepted."
    assert len(pipeline.workflows) == 2


async def test_an_acknowledgement_of_a_deleted_entry(
    circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject
) -> None:
    v2 = circleci.v2.organizations
    entry = await v2.create_orb_allow_list_entry("gh/acme", name="x", prefix="https://x.example/", auth="none")
    fake.fail_next("v2.organizations.delete_orb_allow_list_entry", status=200, body=ACCEPTED, processed=True)
    shown: Any = await v2.delete_orb_allow_list_entry("gh/acme", entry.id)
    assert shown.message == "Accepted."
    assert (await v2.list_orb_allow_list_entries("gh/acme")).items == []
