"""Names, statuses and logs with control characters do not reach texts, logs, Markdown or the output of examples."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest

from circleci_sdk import CircleCIError, NotFoundError, RunFailedError, printable
from circleci_sdk._core.serialization.error_body import read_error
from circleci_sdk.testing import FakeCircleCI, Job, JobTest, Step, Workflow
from tests.helpers.test_fetching_examples import example
from tests.support.clients import SLUG, client_on
from tests.support.scripted_server import ScriptedServer, reply

HOSTILE = "\x1b[2J\x9b31m\u202e\u2066\u200f\x85\x07"


def steers(text: str) -> bool:
    return printable(text, lines=True) != text


def failing(fake: FakeCircleCI) -> None:
    test = JobTest(f"test{HOSTILE}", failure=f"wrong{HOSTILE}", classname=f"tests{HOSTILE}", file=f"a{HOSTILE}")
    steps = [Step(f"Run{HOSTILE}\nforged line", f"log{HOSTILE}\n", exit_code=1)]
    job = Job(f"test{HOSTILE}", 60, outcome="failed", steps=steps, tests=[test])
    fake.add_project(SLUG).will_run(Workflow(f"build{HOSTILE}\nforged", job))


async def test_texts_of_a_failed_run(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake = FakeCircleCI()
    failing(fake)
    async with fake.client() as circleci:
        run = await circleci.runs.start(SLUG, branch="main")
        result = await run.wait()
        explanation = await circleci.runs.explain(result)
        with pytest.raises(RunFailedError) as caught:
            result.raise_for_failure()
    texts = [explanation.markdown(), result.describe(), str(caught.value), caplog.text]
    assert [text for text in (*texts, repr(result), repr(explanation), repr(run)) if steers(text)] == []
    assert "build\\x1b[2J" in result.describe()
    assert "\n" not in result.describe()
    assert "\nforged" not in explanation.markdown()
    assert HOSTILE in explanation.jobs[0].logs[0].text  # the output as it came


@pytest.mark.parametrize("name", ["explain_failure", "release_and_wait"])
async def test_output_of_examples(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    fake = FakeCircleCI(speed=1000, start=datetime.now(UTC))
    failing(fake)
    async with fake.serve() as served:
        monkeypatch.setenv("CIRCLECI_TOKEN", fake.token)
        monkeypatch.setenv("CIRCLECI_BASE_URL", served.base_url)
        async with fake.client() as circleci:
            run = await circleci.runs.start(SLUG, branch="main")
            await run.wait()
        await example(name).main([SLUG, "--branch", "main"])
    said = capsys.readouterr()
    assert "forged" in said.out
    assert not steers(said.out + said.err)


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[Any]:
    async with client_on(server, max_retries=0) as client:
        yield client


async def test_words_of_a_server(client: Any, server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    raw = "\x9b31m\x85".encode("latin-1").decode("latin-1")
    headers = {"X-Request-Id": raw, "Deprecation": raw, "Sunset": raw, "Content-Type": "text/plain"}
    server.otherwise(reply(404, text=f"no such\n{HOSTILE} thing", headers=headers))
    with pytest.raises(NotFoundError) as caught:
        await client.v2.users.me()
    server.otherwise(reply(200, text=f"<title>{HOSTILE}</title>", content_type="text/html"))
    with pytest.raises(CircleCIError) as unread:
        await client.v2.users.me()
    texts = [str(caught.value), repr(caught.value), caught.value.message, caught.value.request_id or "", caplog.text]
    assert [text for text in (*texts, str(unread.value)) if steers(text)] == []
    assert HOSTILE.encode() in caught.value.body


async def test_names_of_unknown_fields(server: ScriptedServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server.otherwise(reply(json={"id": 5, "login": "ada", "name": "Ada", f"new{HOSTILE}": 1}))
    async with client_on(server) as client:
        user = await client.v2.users.me()
    assert [text for text in (repr(user), str(user), caplog.text, *map(str, user.mismatches)) if steers(text)] == []


def test_message_is_one_line() -> None:
    assert read_error("a\r\n\x1b[2Jb\u2028c".encode(), "text/plain")[0] == "a \\x1b[2Jb c"
