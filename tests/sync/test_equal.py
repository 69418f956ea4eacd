"""What both clients refuse, and how they are shown."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, Final

import pytest

from circleci_sdk import CircleCI
from tests.support.clients import ID, SLUG, TOKEN, USER, client_on
from tests.support.scripted_server import ScriptedServer, reply
from tests.support.sync_clients import STEP, sync_client_on


@pytest.fixture
def client(server: ScriptedServer) -> Iterator[CircleCI]:
    with sync_client_on(server) as client:
        yield client


MADE: Final[dict[str, Callable[[Any], Any]]] = {
    "the client": lambda c: c,
    "a copy": lambda c: c.with_options(timeout=3),
    "an API": lambda c: c.v2,
    "a resource": lambda c: c.v2.jobs,
    "a helper": lambda c: c.runs,
    "a list": lambda c: c.v2.pipelines.list(),
    "a run": lambda c: c.runs.attach(ID),
    "records": lambda c: c.history.records(SLUG),
    "output": lambda c: c.logs.open(STEP),
    "a stream": lambda c: c.v3.jobs.stream_stdout(ID, step_num=3, execution=0),
    "reading ahead": lambda c: c.v2.pipelines.list().prefetch(),
}


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_what_cannot_be_pickled_or_copied(client: CircleCI, make: Callable[[Any], Any]) -> None:
    made = make(client)
    for refused in (pickle.dumps, copy.copy, copy.deepcopy):
        with pytest.raises(TypeError, match=type(made).__name__):
            refused(made)


@pytest.mark.parametrize("make", MADE.values(), ids=MADE)
def test_each_is_shown_as_its_async_form(client: CircleCI, server: ScriptedServer, make: Callable[[Any], Any]) -> None:
    """Without the token, and without `Async`."""
    shown = repr(make(client))
    assert TOKEN not in shown
    expected = repr(make(client_on(server))).replace("<Async", "<")
    if " at 0x" not in expected:
        assert shown == expected
    assert "Async" not in shown


REFUSED: Final[dict[str, Callable[[Any], Any]]] = {
    "a helper": lambda c: c.runs.start,
    "a property": lambda c: c.base_url,
    "a stream": lambda c: c.v3.jobs.stream_stdout,
    "a function": lambda c: print,
    "a class": lambda c: dict,
    "itself": lambda c: c.request,
}


@pytest.mark.parametrize("method", REFUSED.values(), ids=REFUSED)
async def test_raw_response_refuses_the_same(server: ScriptedServer, method: Callable[[Any], Any]) -> None:
    texts: list[str] = []
    async with client_on(server) as one:
        with pytest.raises(TypeError) as caught:
            await one.raw_response(method(one))
        texts.append(str(caught.value))
    with sync_client_on(server) as other:
        with pytest.raises(TypeError) as caught:
            other.raw_response(method(other))
        texts.append(str(caught.value))
    assert texts[0].replace("AsyncCircleCI", "CircleCI") == texts[1]
    assert server.requests == []


def test_raw_response_of_a_copy(server: ScriptedServer) -> None:
    """The options are those of the client it is called on, also for a `partial`."""
    server.otherwise(reply(json=USER))
    with sync_client_on(server) as one:
        copied = one.with_options(headers={"X-Mine": "1"})
        assert copied.raw_response(one.v2.users.me).data == one.v2.users.me()
        assert copied.raw_response(partial(one.v2.users.me)).status == 200
        assert [request.headers.get("x-mine") for request in server.requests] == ["1", None, "1"]


def test_wrong_arguments_are_the_same_errors(client: CircleCI, server: ScriptedServer) -> None:
    users: Any = client.v2.users
    with pytest.raises(TypeError):
        users.me(1)
    with pytest.raises(TypeError):
        users.get()
    with pytest.raises(AttributeError):
        _ = users.nothing
    assert server.requests == []
