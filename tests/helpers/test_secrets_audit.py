"""An audit names each context and project that cannot be read, and lists all others; on asyncio and trio."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from circleci_sdk import AuthenticationError, CircleCIError, InvalidArgumentError, PermissionDeniedError
from circleci_sdk.helpers import SecretInfo
from circleci_sdk.testing import FakeCircleCI
from tests.helpers.long_work import COUNT, EACH_PLACE, FAILURES, PLACES, Failure, assert_named
from tests.support.clients import client_on
from tests.support.clock import FakeClock
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import Response, ScriptedServer, reply

TIME: Final = "2026-06-01T12:00:00Z"
PROJECTS: Final = [f"gh/acme/{place}" for place in range(COUNT)]
REFUSED: Final = reply(401, json={"message": "You must log in first."})


def context_id(place: int) -> str:
    return f"00000000-0000-4000-8000-{place:012}"


def context_at(place: int) -> str:
    return f"/api/v2/context/{context_id(place)}/environment-variable"


def project_at(place: int) -> str:
    return f"/api/v2/project/{PROJECTS[place]}/envvar"


def listed(*items: dict[str, Any]) -> Response:
    return reply(json={"items": items, "next_page_token": None})


def script(server: ScriptedServer) -> None:
    """An organization with contexts and projects, each with one variable."""
    contexts = [{"id": context_id(at), "name": f"context-{at}", "created_at": TIME} for at in range(COUNT)]
    server.on("GET", "/api/v2/context", listed(*contexts))
    for at in range(COUNT):
        about = {"context_id": context_id(at), "created_at": TIME, "updated_at": TIME}
        server.on("GET", context_at(at), listed({"variable": f"C{at}", **about}))
        server.on("GET", project_at(at), listed({"name": f"P{at}", "value": "xxxx", "created_at": TIME}))


async def names(infos: AsyncIterator[SecretInfo]) -> list[str]:
    return [info.variable async for info in infos]


ALL: Final = [*[f"C{at}" for at in range(COUNT)], *[f"P{at}" for at in range(COUNT)]]


CASES: Final = [
    pytest.param(kind, failure, id=f"{kind}-{name}")
    for name, failure in FAILURES.items()
    for kind in ("context", "project")
    if kind == "project" or "token" not in name  # only the first page of the variables of a context is read
]


@ON_ASYNCIO
@pytest.mark.parametrize(("kind", "failure"), CASES)
@EACH_PLACE
async def test_a_target_that_cannot_be_read_is_named(
    server: ScriptedServer, kind: str, failure: Failure, place: int
) -> None:
    script(server)
    path, operation, item, lost = {
        "context": (context_at(place), "v2.contexts.list_env_vars", context_id(place), f"C{place}"),
        "project": (project_at(place), "v2.projects.list_env_vars", PROJECTS[place], f"P{place}"),
    }[kind]
    server.on("GET", path, failure.response)
    async with client_on(server, FakeClock(), strict=failure.strict) as circleci:
        audit = circleci.secrets.audit("gh/acme", projects=PROJECTS)
        assert await names(audit) == [name for name in ALL if name != lost]
        assert_named(audit.skipped, operation, item, failure)
        with pytest.raises(CircleCIError, match=r"^secrets\.audit: 1 passed over:"):
            audit.raise_for_failure()
        # Asked again, while it cannot be read and afterwards.
        again = audit.retry()
        assert await names(again) == []
        assert_named(again.skipped, operation, item, failure)
        script(server)
        assert await names(again.retry()) == [lost]
        given: dict[str, Any] = {"contexts": [], "projects": [], f"{kind}s": [item]}
        chosen = circleci.secrets.audit("gh/acme", **given)
        assert await names(chosen) == [lost]
        assert chosen.raise_for_failure() is chosen


@pytest.mark.parametrize("listed_at", ["/api/v2/context", "/api/v1.1/projects"])
async def test_a_list_of_targets_that_cannot_be_read_is_raised(server: ScriptedServer, listed_at: str) -> None:
    script(server)
    server.on("GET", listed_at, reply(403, json={"message": "Permission denied"}))
    async with client_on(server, FakeClock()) as circleci:
        with pytest.raises(PermissionDeniedError):
            await names(circleci.secrets.audit("gh/acme"))


async def test_three_refusals_in_a_row_end_the_audit_and_a_new_loop_resumes(server: ScriptedServer) -> None:
    script(server)
    for place in (1, 2, 3):
        server.on("GET", context_at(place), REFUSED)
    found: list[str] = []
    async with client_on(server, FakeClock()) as circleci:
        audit = circleci.secrets.audit("gh/acme", projects=[])
        with pytest.raises(AuthenticationError):
            async for info in audit:
                found.append(info.variable)  # noqa: PERF401  # what came before the error counts
        script(server)
        found += await names(audit)
    assert found == ["C0", "C3", "C4"]
    assert [one.id for one in audit.skipped] == [context_id(1), context_id(2)]


async def test_contexts_are_given_by_name_too(server: ScriptedServer) -> None:
    script(server)
    async with client_on(server, FakeClock()) as circleci:
        assert await names(circleci.secrets.audit("gh/acme", contexts=["context-3"], projects=[])) == ["C3"]
        with pytest.raises(InvalidArgumentError, match=r"^secrets\.audit: contexts: gh/acme has no context named"):
            await names(circleci.secrets.audit("gh/acme", contexts=["none"], projects=[]))


async def test_a_context_with_more_variables_than_the_api_lists_is_named(
    server: ScriptedServer, caplog: pytest.LogCaptureFixture
) -> None:
    script(server)
    about = {"context_id": context_id(1), "created_at": TIME, "updated_at": TIME}
    server.on("GET", context_at(1), reply(json={"items": [{"variable": "C1", **about}], "next_page_token": "more"}))
    async with client_on(server, FakeClock()) as circleci:
        audit = circleci.secrets.audit("gh/acme", projects=PROJECTS)
        with caplog.at_level(logging.WARNING, logger="circleci_sdk"):
            assert await names(audit) == ALL
    assert [one.id for one in audit.skipped] == [context_id(1)]
    assert any("secrets.audit passes over variables of context context-1" in one.getMessage() for one in caplog.records)


@EACH_PLACE
async def test_a_rotation_names_what_may_have_the_variable(server: ScriptedServer, place: int) -> None:
    script(server)
    server.on("GET", "/api/v1.1/projects", reply(json=[]))
    for at in PLACES.values():
        about = {"context_id": context_id(at), "created_at": TIME, "updated_at": TIME}
        server.on("GET", context_at(at), listed({"variable": "KEY", **about}))
        server.on("PUT", f"{context_at(at)}/KEY", reply(json={"variable": "KEY", **about}))
    server.on("GET", context_at(place), reply(403, json={"message": "Permission denied"}))
    async with client_on(server, FakeClock()) as circleci:
        report = await circleci.secrets.rotate("KEY", "new-value", org="gh/acme")
    outcomes = {result.target.id: result.outcome for result in report.results}
    assert outcomes == {context_id(at): "failed" if at == place else "set" for at in PLACES.values()}


async def test_on_the_fake() -> None:
    fake = FakeCircleCI()
    for name in ("web", "api", "docs"):
        fake.add_project(f"gh/acme/{name}")
    async with fake.client() as circleci:
        for name in ("web", "api", "docs"):
            await circleci.v2.projects.set_env_var(f"gh/acme/{name}", name=name.upper(), value="some-value")
        fake.fail_next("v2.projects.list_env_vars", status=403)
        audit = circleci.secrets.audit("gh/acme")
        assert await names(audit) == ["DOCS", "WEB"]
        assert [one.id for one in audit.skipped] == ["gh/acme/api"]
        assert await names(audit.retry()) == ["API"]


async def organization(*, server: bool) -> FakeCircleCI:
    """Three projects with a variable each, of which the user follows two."""
    fake = FakeCircleCI(server=server)
    async with fake.client() as circleci:
        for name in ("api", "docs", "web"):
            fake.add_project(f"gh/acme/{name}")
            await circleci.v2.projects.set_env_var(f"gh/acme/{name}", name=name.upper(), value="some-value")
        await circleci.v1.projects.unfollow("gh/acme/docs")
    return fake


@pytest.mark.parametrize("org", ["gh/acme", "id"])
@pytest.mark.parametrize(
    ("server", "refused", "api", "expected"),
    [
        (False, None, "v3", ["API", "DOCS", "WEB"]),
        (False, 401, "v1.1", ["API", "WEB"]),
        (False, 403, "v1.1", ["API", "WEB"]),
        (False, 404, "v1.1", ["API", "WEB"]),
        (True, None, "v1.1", ["API", "WEB"]),
    ],
)
async def test_all_projects_of_the_organization_or_those_that_the_user_follows(
    server: bool, refused: int | None, api: str, expected: list[str], org: str
) -> None:
    fake = await organization(server=server)
    if refused is not None:
        fake.fail_next("v3.projects.list", status=refused)
    async with fake.client() as circleci:
        project = fake.project("gh/acme/web")
        audit = circleci.secrets.audit(project.organization.id if org == "id" else org)
        assert audit.api is None
        assert await names(audit) == expected
    assert audit.api == api
    assert audit.skipped == ()
    assert bool(fake.requests.of("v1.projects.list")) == (api == "v1.1")
    assert bool(fake.requests.of("v3.projects.list")) == (not server)


async def test_a_project_without_a_slug_is_named() -> None:
    fake = await organization(server=False)
    fake.fail_next("v2.projects.get", status=404)
    async with fake.client() as circleci:
        audit = circleci.secrets.audit("gh/acme")
        assert len(await names(audit)) == 2
    [one] = audit.skipped
    assert one.operation == "v2.projects.get"
    assert one.id in {fake.project(f"gh/acme/{name}").id for name in ("api", "docs", "web")}
