"""Secrets are set, rotated and looked over; each failure has a name, and no value is ever seen."""

from __future__ import annotations

import json
import logging
import pickle
import re
import traceback
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import pytest
from pydantic import SecretStr

from circleci_sdk import (
    AsyncCircleCI,
    CircleCIError,
    FieldUnavailableError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RequestTimeoutError,
)
from circleci_sdk.helpers.secrets.report import SecretReport, SecretResult, SecretTarget
from circleci_sdk.helpers.secrets.targets import belongs, slug_of
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.v1.models import Project
from tests.support.clients import SLUG, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, hang, reply

VALUE = "correct-horse/battery"
ONE = "11111111-1111-4111-8111-111111111111"
TWO = "22222222-2222-4222-8222-222222222222"


@pytest.fixture
def fake() -> FakeCircleCI:
    fake = FakeCircleCI()
    for name in ("web", "api", "docs"):
        fake.add_project(f"gh/acme/{name}")
    return fake


@pytest.fixture
async def circleci(fake: FakeCircleCI) -> AsyncIterator[AsyncCircleCI]:
    async with fake.client() as client:
        yield client


async def new_context(circleci: AsyncCircleCI, fake: FakeCircleCI, name: str) -> str:
    owner: Any = {"id": fake.organization("gh/acme").id, "type": "organization"}
    return (await circleci.v2.contexts.create(name=name, owner=owner)).id


def value_of(fake: FakeCircleCI, context: str, name: str) -> str | None:
    found = fake.context(context).env_vars.get(name)
    return None if found is None else found.value


def writes(fake: FakeCircleCI) -> list[Any]:
    return [request for request in fake.requests if request.method not in ("GET", "HEAD")]


def outcomes(report: SecretReport) -> list[tuple[str, str, str]]:
    return [(result.target.name, result.variable, result.outcome) for result in report.results]


# On the fake.


async def test_set_many_sets_every_value_everywhere(fake: FakeCircleCI, circleci: AsyncCircleCI) -> None:
    deploy = await new_context(circleci, fake, "deploy")
    await new_context(circleci, fake, "test")
    told: list[SecretResult] = []
    report = await circleci.secrets.set_many(
        {"KEY": VALUE, "OTHER": SecretStr("x")},
        contexts=[deploy, "test"],
        projects=["gh/acme/web"],
        org="gh/acme",
        on_result=told.append,
    )
    assert report.ok
    assert report.raise_for_failure() is report
    assert outcomes(report) == [
        (deploy, "KEY", "set"),
        (deploy, "OTHER", "set"),
        ("test", "KEY", "set"),
        ("test", "OTHER", "set"),
        ("gh/acme/web", "KEY", "set"),
        ("gh/acme/web", "OTHER", "set"),
    ]
    assert sorted(told, key=str) == sorted(report.results, key=str)
    assert value_of(fake, "deploy", "KEY") == value_of(fake, "test", "KEY") == VALUE
    listed = await circleci.v2.projects.list_env_vars("gh/acme/web").collect()
    assert {one.name for one in listed} == {"KEY", "OTHER"}


async def test_a_dry_run_writes_nothing_and_says_what_is_there(fake: FakeCircleCI, circleci: AsyncCircleCI) -> None:
    await new_context(circleci, fake, "deploy")
    await circleci.v2.projects.set_env_var("gh/acme/web", name="KEY", value="old")
    before = len(writes(fake))
    report = await circleci.secrets.set_many(
        {"KEY": VALUE}, contexts=["deploy"], projects=["gh/acme/web", "gh/acme/none"], org="gh/acme", dry_run=True
    )
    assert [(result.outcome, result.existed) for result in report.results] == [
        ("would_set", False),
        ("would_set", True),
        ("failed", None),
    ]
    report = await circleci.secrets.rotate("KEY", VALUE, org="gh/acme", dry_run=True)
    assert outcomes(report) == [("gh/acme/web", "KEY", "would_set")]
    assert len(writes(fake)) == before


async def test_rotate_replaces_only_what_is_there(fake: FakeCircleCI, circleci: AsyncCircleCI) -> None:
    deploy = await new_context(circleci, fake, "deploy")
    await new_context(circleci, fake, "test")
    await circleci.v2.contexts.set_env_var(deploy, "KEY", value="old")
    report = await circleci.secrets.rotate(
        "KEY", VALUE, contexts=["deploy", "test"], projects=["gh/acme/web"], org="gh/acme"
    )
    assert outcomes(report) == [
        ("deploy", "KEY", "set"),
        ("test", "KEY", "missing"),
        ("gh/acme/web", "KEY", "missing"),
    ]
    assert value_of(fake, "deploy", "KEY") == VALUE
    assert value_of(fake, "test", "KEY") is None
    assert await circleci.v2.projects.list_env_vars("gh/acme/web").collect() == []
    with pytest.raises(CircleCIError, match="KEY in context test: missing"):
        report.raise_for_failure()


async def test_rotate_finds_every_place_in_an_organization(fake: FakeCircleCI, circleci: AsyncCircleCI) -> None:
    deploy = await new_context(circleci, fake, "deploy")
    await circleci.v2.contexts.set_env_var(deploy, "KEY", value="old")
    await circleci.v2.projects.set_env_var("gh/acme/docs", name="KEY", value="old")
    await circleci.v2.projects.set_env_var("gh/acme/web", name="OTHER", value="old")
    report = await circleci.secrets.rotate("KEY", VALUE, org="gh/acme")
    assert outcomes(report) == [("deploy", "KEY", "set"), ("gh/acme/docs", "KEY", "set")]
    assert all(result.existed for result in report.results)
    with pytest.raises(InvalidArgumentError, match=r"^secrets\.rotate: nothing has NONE"):
        await circleci.secrets.rotate("NONE", VALUE, org="gh/acme")


async def test_a_context_with_more_variables_than_the_api_lists(fake: FakeCircleCI, circleci: AsyncCircleCI) -> None:
    """A variable beyond the listed ones is neither rotated nor reported as missing."""
    names = [f"NAME_{number:03}" for number in range(109)]
    large = fake.add_context("large", organization="gh/acme", env_vars=dict.fromkeys(names, "old"))

    targets: tuple[dict[str, Any], ...] = (
        {"contexts": [large.id]},
        {"contexts": ["large"], "org": "gh/acme"},
        {"org": "gh/acme"},
    )
    for target in targets:
        listed = await circleci.secrets.rotate("NAME_007", VALUE, **target)
        assert [(result.outcome, result.existed) for result in listed.results] == [("set", True)]
        report = await circleci.secrets.rotate("NAME_108", VALUE, **target)
        [result] = report.results
        assert (result.outcome, result.request_outcome) == ("failed", "not_sent")
        with pytest.raises(CircleCIError, match=r"NAME_108 in context .*: failed"):
            report.raise_for_failure()
        assert result.error is not None
        assert "the API lists only the first 100 variables" in str(result.error)
    assert value_of(fake, "large", "NAME_108") == "old"
    assert len([info async for info in circleci.secrets.audit("gh/acme", projects=[])]) == 100


@pytest.mark.parametrize("by_id", [False, True])
async def test_audit_lists_all_with_their_age(fake: FakeCircleCI, circleci: AsyncCircleCI, by_id: bool) -> None:
    fake.add_project("gh/other/web")
    deploy = await new_context(circleci, fake, "deploy")
    await circleci.v2.contexts.set_env_var(deploy, "A", value=VALUE)
    fake.clock.advance(86400)
    await circleci.v2.projects.set_env_var("gh/acme/web", name="B", value=VALUE)
    await circleci.v2.projects.set_env_var("gh/other/web", name="C", value=VALUE)
    fake.clock.advance(3600)
    org = fake.organization("gh/acme").id if by_id else "gh/acme"
    infos = [info async for info in circleci.secrets.audit(org)]
    assert [(str(info.target), info.variable) for info in infos] == [
        ("context deploy", "A"),
        ("project gh/acme/web", "B"),
    ]
    assert infos[0].age is not None
    assert timedelta(hours=25) <= infos[0].age < timedelta(hours=26)
    assert infos[0].updated_at is not None
    assert VALUE not in repr(infos)
    assert VALUE[-4:] not in repr(infos)


async def test_an_audit_passes_over_nothing_in_silence(fake: FakeCircleCI, circleci: AsyncCircleCI) -> None:
    await circleci.v2.projects.set_env_var("gh/acme/web", name="B", value=VALUE)
    given = ["gh/acme/none", "gh/acme/web"]
    audit = circleci.secrets.audit("gh/acme", projects=given)
    assert [info.variable async for info in audit] == ["B"]
    with pytest.raises(CircleCIError, match=r"1 passed over:\n  v2\.projects\.list_env_vars gh/acme/none: "):
        audit.raise_for_failure()
    missed: list[tuple[SecretTarget, CircleCIError]] = []
    infos = [
        info
        async for info in circleci.secrets.audit(
            "gh/acme", projects=given, on_error=lambda target, error: missed.append((target, error))
        )
    ]
    assert [info.variable for info in infos] == ["B"]
    assert [(target.name, type(error)) for target, error in missed] == [("gh/acme/none", NotFoundError)]


async def test_an_audit_may_be_left_early(fake: FakeCircleCI, circleci: AsyncCircleCI) -> None:
    await circleci.v2.projects.set_env_var("gh/acme/api", name="A", value=VALUE)
    await circleci.v2.projects.set_env_var("gh/acme/web", name="B", value=VALUE)
    async for _ in circleci.secrets.audit("gh/acme"):
        break
    asked = [request for request in fake.requests if request.path.endswith("/project/gh/acme/web/envvar")]
    assert [request.method for request in asked] == ["POST"]


async def test_chaos_doubles_nothing_that_matters(fake: FakeCircleCI, circleci: AsyncCircleCI) -> None:
    deploy = await new_context(circleci, fake, "deploy")
    faults: list[dict[str, Any]] = [{"status": 429}, {"status": 502}, {"drop": "after"}, {"drop": "before"}]
    for fault in faults:
        fake.fail_next("v2.contexts.set_env_var", **fault)
        fake.fail_next("v2.projects.set_env_var", **fault)
        report = await circleci.secrets.set_many({"KEY": VALUE}, contexts=[deploy], projects=["gh/acme/web"])
        assert report.ok
    assert value_of(fake, "deploy", "KEY") == VALUE


# On the wire.


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, FakeClock()) as client:
        yield client


def variable(request: Request) -> Response:
    name = request.path.rpartition("/")[2]
    moment = "2026-01-02T03:04:05Z"
    return reply(json={"variable": name, "context_id": ONE, "created_at": moment, "updated_at": moment})


def variable_at(path: str) -> Response:
    return variable(Request("PUT", path, path, (), (), b"", 0, 0.0))


def put(context: str, name: str = "KEY") -> str:
    return f"/api/v2/context/{context}/environment-variable/{name}"


async def test_a_failure_stops_nothing_and_is_named(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("PUT", put(ONE), reply(403, json={"message": "Permission denied"}))
    server.on("PUT", put(TWO), variable)
    server.on("POST", "/api/v2/project/gh/acme/web/envvar", drop())
    report = await client.secrets.set_many({"KEY": VALUE}, contexts=[ONE, TWO], projects=["gh/acme/web"])
    assert [(result.outcome, result.request_outcome) for result in report.results] == [
        ("failed", "rejected"),
        ("set", None),
        ("failed", "unknown"),
    ]
    assert not report.ok
    with pytest.raises(CircleCIError) as caught:
        report.raise_for_failure()
    text = str(caught.value)
    assert text.startswith("2 of 3 secrets were not set:")
    assert f"KEY in context {ONE}: failed: v2.contexts.set_env_var: 403 Forbidden: Permission denied" in text
    assert "KEY in project gh/acme/web: failed" in text
    assert "[unknown]" in text
    assert TWO not in text
    cause: Any = caught.value.__cause__
    assert type(cause) is ExceptionGroup
    assert isinstance(cause.exceptions[0], PermissionDeniedError)


def variables_of(context: str) -> str:
    return f"/api/v2/context/{context}/environment-variable"


def listed_variables(*names: object, token: str | None = None) -> Response:
    about = {"context_id": ONE, "created_at": "2026-01-02T03:04:05Z", "updated_at": "2026-01-03T03:04:05Z"}
    return reply(json={"items": [{**about, "variable": name} for name in names], "next_page_token": token})


@pytest.mark.parametrize(
    ("listed", "reason"),
    [
        (listed_variables("A", 5), r"items\.1\.variable: expected string"),
        (
            listed_variables("A", "B", token="more"),
            r"secrets\.rotate: the API lists only the first 2 variables of context",
        ),
    ],
    ids=["unavailable", "truncated"],
)
async def test_a_variable_that_may_be_there_is_not_missing(
    server: ScriptedServer, client: AsyncCircleCI, listed: Response, reason: str
) -> None:
    server.on("GET", variables_of(ONE), listed)
    server.on("GET", variables_of(TWO), listed_variables("KEY"))
    server.on("PUT", put(TWO), variable)
    report = await client.secrets.rotate("KEY", VALUE, contexts=[ONE, TWO])
    assert [(result.outcome, result.existed, result.request_outcome) for result in report.results] == [
        ("failed", None, "not_sent"),
        ("set", True, None),
    ]
    assert re.search(reason, str(report.results[0].error))
    assert [request.method for request in server.requests] == ["GET", "GET", "PUT"]
    server.on("GET", variables_of(ONE), listed_variables(5, "KEY"))
    assert (await client.secrets.rotate("KEY", VALUE, contexts=[ONE], dry_run=True)).results[0].outcome == "would_set"


async def test_an_audit_names_what_it_could_not_read(server: ScriptedServer, client: AsyncCircleCI) -> None:
    contexts: list[dict[str, Any]] = [{"id": ONE, "name": "one", "created_at": "2026-01-01T00:00:00Z"}]
    contexts.append({**contexts[0], "id": None, "name": "two"})
    server.on("GET", "/api/v2/context", reply(json={"items": contexts, "next_page_token": None}))
    server.on("GET", variables_of(ONE), listed_variables("A", None))
    missed: list[tuple[str, str]] = []
    audit = client.secrets.audit(
        "gh/acme", projects=[], on_error=lambda target, error: missed.append((str(target), str(error)))
    )
    infos = [info async for info in audit]
    assert [getattr(info, "variable", "unavailable") for info in infos] == ["A", "unavailable"]
    assert all(info.age is not None for info in infos)
    assert [target for target, _ in missed] == ["context two"]
    assert "items.1.id: expected string, received null" in missed[0][1]
    assert [(one.operation, one.id) for one in audit.skipped] == [("v2.contexts.list_env_vars", "two")]
    assert isinstance(audit.skipped[0].error, FieldUnavailableError)


async def test_an_audit_logs_a_followed_project_without_a_slug(
    server: ScriptedServer, client: AsyncCircleCI, caplog: pytest.LogCaptureFixture
) -> None:
    server.on("GET", "/api/v2/context", reply(json={"items": [], "next_page_token": None}))
    project = {"reponame": "web", "username": "acme", "vcs_url": "https://github.com/acme/web", "vcs_type": "github"}
    server.on("GET", "/api/v1.1/projects", reply(json=[{**project, "reponame": None}, project]))
    server.on("GET", "/api/v2/project/gh/acme/web/envvar", reply(json={"items": [{"name": "A", "value": "xxxx"}]}))
    with caplog.at_level(logging.WARNING, logger="circleci_sdk"):
        audit = client.secrets.audit("gh/acme")
        infos = [info async for info in audit]
    assert [info.variable for info in infos] == ["A"]
    assert [(one.operation, one.id) for one in audit.skipped] == [("v1.projects.list", "unknown")]
    messages = [record.getMessage() for record in caplog.records if record.name == "circleci_sdk"]
    assert messages == ["secrets.audit leaves out a followed project: its slug is unavailable"]


async def test_a_long_rate_limit_is_waited_for(server: ScriptedServer) -> None:
    clock = FakeClock()
    server.on("PUT", put(ONE), lambda request: reply(429, text="Rate limited.", headers={"Retry-After": "600"}))
    server.script([reply(429, text="Rate limited.", headers={"Retry-After": "120"}), variable_at(put(ONE))])
    async with client_on(server, clock) as client:
        assert (await client.secrets.set_many({"KEY": VALUE}, contexts=[ONE])).ok
        assert 120 <= clock.now - 1000 < 130
        assert len(server.requests) == 2
        report = await client.secrets.set_many({"KEY": VALUE, "B": VALUE}, contexts=[ONE], timeout=300, concurrency=1)
    assert [result.outcome for result in report.results] == ["failed", "failed"]
    assert {result.request_outcome for result in report.results} <= {"rejected", "not_sent"}


async def test_the_time_for_everything(server: ScriptedServer) -> None:
    """Retries included: the pause of a second one would end too late."""
    clock = FakeClock()

    def slow(_: Request) -> Response:
        clock.now += 5
        return reply(503)

    server.on("PUT", put(ONE, "A"), slow)
    async with client_on(server, clock) as client:
        report = await client.secrets.set_many({"A": VALUE, "B": VALUE}, contexts=[ONE], timeout=10, concurrency=1)
    assert [(result.outcome, result.request_outcome) for result in report.results] == [
        ("failed", "unknown"),
        ("failed", "not_sent"),
    ]
    assert [request.path for request in server.requests] == [put(ONE, "A")] * 2


async def test_no_call_outlasts_the_time_for_everything(server: ScriptedServer) -> None:
    """Nor its own, where that is shorter."""
    server.on("PUT", put(ONE, "A"), hang())
    server.on("GET", f"/api/v2/project/{SLUG}/envvar", hang())
    async with client_on(server) as client:
        with anyio.fail_after(5):
            hurried = client.with_options(timeout=0.3).secrets
            assert [one.outcome for one in (await hurried.set_many({"A": VALUE}, contexts=[ONE])).results] == ["failed"]
            written = await client.secrets.set_many({"A": VALUE}, contexts=[ONE], timeout=0.3)
            looked = await client.secrets.rotate("A", VALUE, projects=[SLUG], timeout=0.3)
    assert [(one.outcome, one.request_outcome) for one in written.results] == [("failed", "unknown")]
    assert [one.outcome for one in looked.results] == ["failed"]
    assert all(isinstance(one.error, RequestTimeoutError) for one in (*written.results, *looked.results))


async def test_concurrency_is_bounded(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.otherwise(lambda request: variable(request).after(0.01))
    values = {f"KEY{number}": VALUE for number in range(12)}
    assert (await client.secrets.set_many(values, contexts=[ONE], concurrency=3)).ok
    assert server.max_concurrent == 3
    assert sorted(request.json["value"] for request in server.requests) == [VALUE] * 12


async def test_looking_is_bounded_too(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.otherwise(reply(json={"items": [], "next_page_token": None}).after(0.01))
    projects = [f"gh/acme/{number}" for number in range(12)]
    assert (await client.secrets.set_many({"KEY": VALUE}, projects=projects, concurrency=3, dry_run=True)).ok
    assert server.max_concurrent == 3


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"values": {}, "contexts": [ONE]}, r"^secrets\.set_many: expected at least one value"),
        ({"values": {"KEY": VALUE}}, "at least one context"),
        ({"values": {"": VALUE}, "contexts": [ONE]}, r"^secrets\.set_many: values: expected the name of a variable"),
        ({"values": {"A B": VALUE}, "contexts": [ONE]}, r"^secrets\.set_many: values: expected the name of a variable"),
        ({"values": {"A=B": VALUE}, "contexts": [ONE]}, r"^secrets\.set_many: values: expected the name of a variable"),
        ({"values": {"KEY": ""}, "contexts": [ONE]}, "non-empty str"),
        ({"values": {"KEY": SecretStr("")}, "contexts": [ONE]}, "non-empty str"),
        ({"values": {"KEY": 7}, "contexts": [ONE]}, "non-empty str or SecretStr"),
        ({"values": {"KEY": VALUE}, "contexts": ["deploy"]}, "no id; context names require org="),
        ({"values": {"KEY": VALUE}, "contexts": ONE}, "expected a list of .*, got str"),
        ({"values": {"KEY": VALUE}, "projects": "gh/acme/web"}, "expected a list of .*, got str"),
        ({"values": {"KEY": VALUE}, "projects": ["acme/web"]}, r"projects: .*gh/acme/web.*ProjectSlug\.parse"),
        (
            {"values": {"KEY": VALUE}, "contexts": [ONE], "org": "gh/acme/web"},
            r"org: .* is the slug of a project; .*'gh/acme'",
        ),
        (
            {"values": {"KEY": VALUE}, "contexts": [ONE], "org": None},
            "org: expected the slug or id of an organization, got None",
        ),
        ({"values": {"KEY": VALUE}, "projects": ["gh/acme/.."]}, "path"),
        (
            {"values": {"KEY": VALUE}, "contexts": [ONE], "concurrency": 0},
            r"^secrets\.set_many: concurrency: expected an int of at least 1, got 0",
        ),
    ],
)
async def test_what_is_wrong_is_refused_before_anything_is_written(
    server: ScriptedServer, client: AsyncCircleCI, arguments: dict[str, Any], word: str
) -> None:
    with pytest.raises(InvalidArgumentError, match=word) as caught:
        await client.secrets.set_many(**arguments)
    assert VALUE not in str(caught.value)
    assert not server.requests


async def test_an_unknown_context_is_refused_before_anything_is_written(
    server: ScriptedServer, client: AsyncCircleCI
) -> None:
    known = {"id": ONE, "name": "deploy", "created_at": "2026-01-02T03:04:05Z"}
    server.on("GET", "/api/v2/context", reply(json={"items": [known], "next_page_token": None}))
    with pytest.raises(InvalidArgumentError, match=r"no context named 'depoly'\.$"):
        await client.secrets.set_many({"KEY": VALUE}, contexts=["deploy", "depoly"], org="gh/acme")
    assert [request.method for request in server.requests] == ["GET"]
    server.on("GET", "/api/v2/context", reply(json={"items": [known, {**known, "name": 5}], "next_page_token": None}))
    with pytest.raises(InvalidArgumentError, match="The names of 1 contexts are unavailable; pass the id"):
        await client.secrets.set_many({"KEY": VALUE}, contexts=["depoly"], org="gh/acme")


async def test_a_place_given_twice_is_written_once(server: ScriptedServer, client: AsyncCircleCI) -> None:
    server.on("PUT", put(ONE), variable)
    await client.secrets.set_many({"KEY": VALUE}, contexts=[ONE, ONE])
    assert len(server.requests) == 1


async def test_organizations_with_opaque_slugs_are_asked_for_by_id(
    server: ScriptedServer, client: AsyncCircleCI
) -> None:
    server.on("GET", "/api/v2/organization/circleci%2Fabc", reply(
        json={"id": TWO, "name": "Acme", "slug": "circleci/abc", "vcs_type": "circleci"}))  # fmt: skip
    server.on("GET", "/api/v2/organization/circleci/abc", reply(
        json={"id": TWO, "name": "Acme", "slug": "circleci/abc", "vcs_type": "circleci"}))  # fmt: skip
    server.on("GET", "/api/v2/context", reply(json={"items": [], "next_page_token": None}))
    assert [info async for info in client.secrets.audit("circleci/abc", projects=[])] == []
    assert server.requests[-1].query == (("owner-id", TWO),)


# Nothing shows a value.

PEM = "-----BEGIN KEY-----\nc2VjcmV0/c2VjcmV0+\nQUJDREVG\n-----END KEY-----\n"

ECHOES: list[Callable[[str], Response]] = [
    lambda value: reply(400, json={"message": f"bad value {value}"}),
    lambda value: reply(400, json={"error": {"detail": value}}),
    lambda value: reply(400, text=f"bad value {value}"),
    lambda value: reply(400, text="<html>" + value),
    lambda value: reply(400, body=json.dumps({"message": value}).replace("/", "\\/").encode()),
    lambda value: reply(201, json=[value]),
    lambda value: reply(201, text=value),
]


def everything_about(error: BaseException) -> str:
    """All that a log, a debugger or an error tracker may show of it."""
    parts: list[str] = []
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None:
            continue
        parts += [str(one), repr(one), repr(one.__dict__), repr(pickle.dumps(one)), *getattr(one, "__notes__", ())]
        parts += traceback.TracebackException.from_exception(one, capture_locals=True).format()
        todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
    return "\n".join(parts)


def pieces(value: str) -> Iterator[str]:
    yield value
    yield from (line for line in value.splitlines() if "KEY-----" not in line)


@pytest.mark.parametrize("echo", ECHOES, ids=range(len(ECHOES)))
@pytest.mark.parametrize("value", [VALUE, PEM], ids=["one line", "lines"])
@pytest.mark.parametrize("wrapped", [False, True])
async def test_no_value_in_what_a_failure_shows(
    server: ScriptedServer,
    client: AsyncCircleCI,
    caplog: pytest.LogCaptureFixture,
    echo: Callable[[str], Response],
    value: str,
    wrapped: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    server.otherwise(echo(value))
    report = await client.secrets.set_many(
        {"KEY": SecretStr(value) if wrapped else value}, contexts=[ONE], projects=["gh/acme/web"]
    )
    assert len(report.failed) == 2
    with pytest.raises(CircleCIError) as caught:
        report.raise_for_failure()
    shown = [repr(report), str(report.results[0]), caplog.text, repr(pickle.dumps(report))]
    shown += [everything_about(result.error) for result in report.results if result.error]
    # The frames of this test know the value; those of the package do not.
    group = caught.value.__cause__
    shown += [str(caught.value), repr(caught.value.__dict__), repr(group)]
    for piece in pieces(value):
        assert piece not in "\n".join(shown)


async def test_no_value_in_a_traceback_of_a_cancelled_call(server: ScriptedServer) -> None:
    class StopError(Exception):
        pass

    async def on_request(request: object) -> None:
        raise StopError

    async with client_on(server, FakeClock(), on_request=on_request) as client:
        hidden = SecretStr(VALUE)
        with pytest.raises(StopError) as caught:
            await client.secrets.rotate("KEY", hidden, contexts=[ONE])
        with pytest.raises(StopError) as again:
            await client.secrets.set_many({"KEY": hidden}, contexts=[ONE])
    for error in (caught.value, again.value):
        text = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        assert VALUE not in text


# Decisions.


@pytest.mark.parametrize(
    ("given", "slug"),
    [
        (("https://github.com/acme/web", "acme", "web", "github"), "gh/acme/web"),
        (("https://bitbucket.org/acme/web", "acme", "web", "bitbucket"), "bb/acme/web"),
        (("https://github.com/acme/web", "acme", "web", None), "gh/acme/web"),
        (("//circleci.com/abc/def", "Acme", "Web", "circleci"), "circleci/abc/def"),
        (("https://git.example.com/x", "acme", "web", None), None),
        (("https://github.com/acme/web", "acme", "", "github"), None),
    ],
)
def test_slugs_of_followed_projects(given: tuple[str, str, str, str | None], slug: str | None) -> None:
    url, username, reponame, vcs = given
    project = Project.model_validate({"vcs_url": url, "username": username, "reponame": reponame, "vcs_type": vcs})
    assert slug_of(project) == slug


@pytest.mark.parametrize(
    ("project", "org", "inside"),
    [
        ("gh/acme/web", "gh/acme", True),
        ("gh/acme/web", "github/Acme", True),
        ("gh/acme/web", "bb/acme", False),
        ("gh/acme-two/web", "gh/acme", False),
        ("circleci/abc/def", "circleci/abc", True),
    ],
)
def test_projects_of_an_organization(project: str, org: str, inside: bool) -> None:
    assert belongs(project, org) is inside


def test_ages_need_a_date() -> None:
    from circleci_sdk.helpers.secrets.work import age_of

    now = datetime(2026, 1, 2, tzinfo=UTC)
    assert age_of(None, now) is None
    assert age_of(now - timedelta(days=3), now) == timedelta(days=3)
