"""Errors of API v3 over sockets: what they say, what they keep, and that a Server has no v3."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeAlias

import pytest

from circleci_sdk import (
    AsyncCircleCI,
    AuthenticationError,
    BadRequestError,
    CircleCIError,
    DecodeError,
    NotFoundError,
    StatusError,
)
from tests.support.clients import ID, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import ScriptedServer, reply

Call: TypeAlias = Callable[[AsyncCircleCI], Awaitable[Any]]

REFUSED: Final = {
    "error": {
        "type": "validation_error",
        "title": "Missing Required Filter",
        "detail": "Query parameter 'filter[workflow_id]' is required.",
        "source": {"pointer": "/filter"},
    }
}
NO_V3: Final = "CircleCI Server has no API v3"


async def entered(stream: Any) -> None:
    async with stream:
        pass


CALLS: Final[dict[str, Call]] = {
    "one thing": lambda client: client.v3.jobs.get(ID),
    "a list": lambda client: client.v3.jobs.list(workflow_id=ID),
    "text": lambda client: client.v3.orb_versions.get_source(ID),
    "a write": lambda client: client.v3.workflows.rerun(ID),
    "bytes": lambda client: entered(client.v3.jobs.stream_stdout(ID, step_num=1)),
    "lines": lambda client: entered(client.v3.jobs.stream_tests(ID)),
}
ON_SERVER: Final[dict[str, Call]] = {
    "runner_instances.list": lambda client: client.v3.runner_instances.list(namespace="acme"),
    "runner_resources.list": lambda client: client.v3.runner_resources.list(namespace="acme"),
    "runner_resources.create": lambda client: client.v3.runner_resources.create(resource_class="a/b", description="c"),
    "runner_resources.force_delete": lambda client: client.v3.runner_resources.force_delete(ID),
    "runner_tokens.list": lambda client: client.v3.runner_tokens.list(resource_class="a/b"),
    "runner_tokens.create": lambda client: client.v3.runner_tokens.create(resource_class="a/b", nickname="c"),
    "runner_tokens.delete": lambda client: client.v3.runner_tokens.delete(ID),
}
"""The methods that CircleCI Server has too, all of them."""


async def error_of(call: Call, client: AsyncCircleCI) -> StatusError:
    with pytest.raises(StatusError) as failure:
        await call(client)
    return failure.value


@pytest.mark.parametrize("name", CALLS)
async def test_type_and_pointer(server: ScriptedServer, name: str) -> None:
    server.otherwise(reply(400, json=REFUSED))
    async with client_on(server) as client:
        error = await error_of(CALLS[name], client)

    assert isinstance(error, BadRequestError)
    for one in (error, copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (one.error_type, one.pointer) == ("validation_error", "/filter")
        assert one.message == "Missing Required Filter: Query parameter 'filter[workflow_id]' is required."
        assert "Missing Required Filter" in str(one)


async def test_errors_of_other_versions_have_the_attributes_too(server: ScriptedServer) -> None:
    server.otherwise(reply(404, json={"message": "Not found"}))
    async with client_on(server) as client:
        error = await error_of(lambda client: client.v2.jobs.get("gh/acme/web", 1), client)
    assert (error.message, error.error_type, error.pointer) == ("Not found", None, None)
    assert NO_V3 not in str(error)


@pytest.mark.parametrize(
    "call",
    [
        lambda client: client.v3.runner_tokens.list(resource_class="acme/linux"),
        lambda client: client.v3.runner_resource_classes.create_token(nickname="n", resource_class_id=ID),
        lambda client: client.v3.connections.setup(org_id=ID, provider="github_app", return_url="https://example.com"),
    ],
    ids=["tokens", "a new token", "a state"],
)
async def test_an_error_that_may_quote_a_secret_says_nothing(server: ScriptedServer, call: Call) -> None:
    secret = "hunter2-was-quoted"
    body = {"error": {"type": secret, "title": secret, "detail": secret, "source": {"pointer": secret}}}
    server.otherwise(reply(400, json=body))
    async with client_on(server) as client:
        error = await error_of(call, client)
    assert (error.message, error.error_type, error.pointer) == ("", None, None)
    assert secret not in f"{error!s}{error!r}"
    assert secret.encode() not in pickle.dumps(error)


# A Server has no v3.


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize(("deployment", "is_server"), [(None, True), ("server", True), ("cloud", False)])
async def test_404_of_a_server(server: ScriptedServer, name: str, deployment: Any, is_server: bool) -> None:
    """A server of the tests is no circleci.com."""
    server.otherwise(reply(404, json={"message": "not found"}))
    async with client_on(server, deployment=deployment) as client:
        error = await error_of(CALLS[name], client)

    assert isinstance(error, NotFoundError)
    assert (NO_V3 in str(error)) == is_server
    assert ('deployment="cloud"' in str(error)) == is_server
    assert ("cannot access" in str(error)) != is_server
    assert error.message == "not found"


@pytest.mark.parametrize("name", ON_SERVER)
async def test_404_of_a_method_that_a_server_has(server: ScriptedServer, name: str) -> None:
    server.otherwise(reply(404, json={"message": "not found"}))
    async with client_on(server, deployment="server") as client:
        error = await error_of(ON_SERVER[name], client)
    assert error.operation == f"v3.{name}"
    assert NO_V3 not in str(error)


def test_methods_that_a_server_has() -> None:
    from circleci_sdk.v3 import OPERATIONS

    assert {one.python_name for one in OPERATIONS.values() if one.on_server} == ON_SERVER.keys()
    assert all(one.path.startswith("/runner") for one in OPERATIONS.values() if one.on_server)


@pytest.mark.parametrize(("status", "kind"), [(401, AuthenticationError), (403, StatusError), (500, StatusError)])
async def test_another_status_says_nothing_of_a_server(
    server: ScriptedServer, status: int, kind: type[CircleCIError]
) -> None:
    server.otherwise(reply(status, json={"message": "no"}))
    async with client_on(server, FakeClock(), deployment="server", max_retries=0) as client:
        error = await error_of(CALLS["one thing"], client)
    assert isinstance(error, kind)
    assert NO_V3 not in str(error)
    assert "project tokens" not in str(error)


# Responses above the limit.


@pytest.mark.parametrize("name", ["one thing", "a list", "text", "a write"])
async def test_responses_are_read_up_to_the_limit(server: ScriptedServer, name: str) -> None:
    server.otherwise(reply(body=b'{"data": "' + b"a" * 5000 + b'"}'))
    async with client_on(server, max_response_bytes=4000) as client:
        with pytest.raises(DecodeError, match=r"4,000 bytes.*max_response_bytes") as failure:
            await CALLS[name](client)
    assert (failure.value.attempts, failure.value.request_outcome) == (1, "processed")


@pytest.mark.parametrize("name", ["bytes", "lines", "a list", "text"])
async def test_a_long_error_is_no_failure_of_its_own(server: ScriptedServer, name: str) -> None:
    server.otherwise(reply(404, body=b'{"message": "' + b"a" * 3000 + b'"}'))
    async with client_on(server, max_response_bytes=4000) as client:
        error = await error_of(CALLS[name], client)
    assert error.message == "a" * 497 + "..."


async def test_a_stream_of_bytes_has_no_limit(server: ScriptedServer) -> None:
    server.otherwise(reply(body=b"a" * 5000, headers={"X-Terminal": "true"}))
    async with (
        client_on(server, max_response_bytes=4000) as client,
        client.v3.jobs.stream_stdout(ID, step_num=1) as output,
    ):
        assert sum([len(piece) async for piece in output]) == 5000
