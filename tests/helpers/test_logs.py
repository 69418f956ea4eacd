"""Step output: of failed steps, without the token, by parallel run, in bounded memory; on asyncio and trio."""

from __future__ import annotations

import json
import random
import tracemalloc
from collections.abc import Callable
from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk import (
    AuthenticationError,
    FieldUnavailableError,
    InvalidArgumentError,
    NotFoundError,
    PermissionDeniedError,
    RequestTimeoutError,
)
from circleci_sdk.helpers.logs.step_output import LONGEST_TAIL, OutputReader, Tail, readable
from circleci_sdk.testing import FakeCircleCI, Job, Workflow
from circleci_sdk.testing import Step as FakeStep
from tests.support.clients import SLUG, TOKEN, client_on
from tests.support.clock import FakeClock
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import Response, ScriptedServer, drop, hang, redirect, reply

BUILD: Final = "/api/v1.1/project/github/acme/web/42"


def action(step: int, status: str = "success", *, index: int = 0, **more: Any) -> dict[str, Any]:
    return {"index": index, "step": step, "name": f"step {step}", "status": status, "type": "test", **more}


def build(*actions: dict[str, Any]) -> Response:
    steps = [{"name": one["name"], "actions": [one]} for one in actions]
    facts = {"build_num": 42, "build_url": "x", "lifecycle": "finished", "reponame": "web", "status": "failed"}
    more = {"username": "acme", "vcs_revision": "x", "vcs_url": "x", "why": "github"}
    return reply(json={**facts, **more, "steps": steps})


def output(*messages: str, **more: Any) -> Response:
    return reply(json=[{"message": message, "type": "out", **more} for message in messages])


# ---- which steps failed ----


@pytest.mark.parametrize(
    ("facts", "is_failed"),
    [
        ({}, False),
        ({"exit_code": 0}, False),
        ({"status": "running"}, False),
        ({"status": "failed", "failed": True, "exit_code": 1}, True),
        ({"status": "failed", "failed": None, "exit_code": None}, True),
        ({"status": "timedout", "failed": None, "exit_code": None}, True),
        ({"status": "timedout", "timedout": True}, True),
        ({"status": "canceled"}, True),
        ({"status": "success", "infrastructure_fail": True}, True),
        ({"status": "infrastructure_fail"}, True),
        ({"status": "success", "canceled": True}, True),
        ({"status": "a-word-of-2027", "exit_code": 137}, True),
        ({"status": "a-word-of-2027", "exit_code": None}, False),
    ],
    ids=lambda value: json.dumps(value),
)
async def test_what_counts_as_failed(server: ScriptedServer, facts: dict[str, Any], is_failed: bool) -> None:
    server.on("GET", BUILD, build(action(0) | facts))
    async with client_on(server) as circleci:
        step = (await circleci.logs.steps(SLUG, 42))[0]
        assert step.is_failed is is_failed
        assert step.timed_out is (facts.get("status") == "timedout")
        logs = await circleci.logs.failed(SLUG, 42)
    assert [log.step for log in logs] == ([step] if is_failed else [])
    assert [(log.text, log.problem) for log in logs] == ([("", None)] if is_failed else [])


async def test_parallel_runs_are_kept_apart(server: ScriptedServer) -> None:
    urls = {index: f"{server.url}/out/{index}" for index in range(3)}
    server.on(
        "GET",
        BUILD,
        build(
            action(1, "failed", index=1, output_url=urls[1], exit_code=1),
            action(0, index=1),
            action(1, "success", index=0, output_url=urls[0]),
            action(2, "failed", index=0, output_url=urls[2]),
        ),
    )
    server.on("GET", "/out/1", output("from run 1\n"))
    server.on("GET", "/out/2", output("from run 0\n"))
    async with client_on(server) as circleci:
        steps = await circleci.logs.steps(SLUG, 42)
        logs = await circleci.logs.failed(SLUG, 42)
    assert [(one.index, one.number) for one in steps] == [(0, 1), (0, 2), (1, 0), (1, 1)]
    assert [(log.step.index, log.step.number, log.text) for log in logs] == [
        (0, 2, "from run 0\n"),
        (1, 1, "from run 1\n"),
    ]


async def test_odd_steps_are_listed_with_what_is_available(server: ScriptedServer) -> None:
    odd = {
        "steps": [
            {"name": None, "actions": [{"type": "test", "output_url": f"{server.url}/out"}]},
            {"name": "lost", "actions": "none"},
            5,
            {"name": "fine", "actions": [action(7)]},
        ]
    }
    facts = {"build_num": None, "build_url": "x", "lifecycle": "finished"}
    server.on("GET", BUILD, reply(json={**facts, **odd}))
    server.on("GET", "/out", output("boom"))
    async with client_on(server, FakeClock()) as circleci:
        steps = await circleci.logs.steps(SLUG, 42)
        logs = await circleci.logs.failed(SLUG, 42)
    assert [(step.number, step.index, getattr(step, "name", None)) for step in steps] == [
        (0, 0, None),
        (1, 0, "lost"),
        (2, 0, None),
        (7, 0, "fine"),
    ]
    assert all(step.job_number == 42 for step in steps)
    # Without a status a step is not known to have succeeded.
    assert [step.is_failed for step in steps] == [True, True, True, False]
    assert [log.text for log in logs] == ["boom", "", ""]
    assert logs[0].problem is None
    assert "steps.1.actions: expected array or null, received string" in str(logs[1].problem)
    assert "steps.2: expected object, received number" in str(logs[2].problem)


async def test_a_build_without_steps_is_an_error(server: ScriptedServer) -> None:
    server.on("GET", BUILD, reply(json={"build_num": 42, "lifecycle": "finished", "steps": None}))
    async with client_on(server, FakeClock()) as circleci:
        with pytest.raises(FieldUnavailableError, match=r"^v1\.builds\.get: steps: expected array, received null"):
            await circleci.logs.failed(SLUG, 42)


# ---- where the token goes, and what happens on the way ----


async def test_the_token_goes_to_the_api_only(server: ScriptedServer) -> None:
    with ScriptedServer() as storage:
        server.on("GET", BUILD, build(action(0, "failed", output_url=f"{server.url}/signed?X-Amz-Signature=s")))
        server.on("GET", "/signed", redirect(f"{storage.url}/file"))
        storage.on("GET", "/file", output("boom"))
        async with client_on(server) as circleci:
            log = (await circleci.logs.failed(SLUG, 42))[0]
    assert log.text == "boom"
    sent = [*server.requests, *storage.requests]
    assert [TOKEN in str(request.raw_headers) for request in sent] == [True, False, False]
    assert "Signature" not in repr(log)


@pytest.mark.parametrize("expired", [400, 401, 403, 410])
async def test_an_expired_link_is_asked_for_again_once(server: ScriptedServer, expired: int) -> None:
    old, new = f"{server.url}/old", f"{server.url}/new"
    server.on("GET", "/old", reply(expired, text="<Error>Request has expired</Error>"))
    server.on("GET", "/new", output("boom"))
    server.on(
        "GET",
        BUILD,
        [build(action(0, "failed", output_url=old)), build(action(0), action(0, "failed", output_url=new, index=0))],
    )
    async with client_on(server) as circleci:
        log = (await circleci.logs.failed(SLUG, 42))[0]
    assert (log.text, log.problem) == ("boom", None)
    assert [request.path for request in server.requests] == [BUILD, "/old", BUILD, "/new"]


async def test_a_link_that_stays_expired_is_named(server: ScriptedServer) -> None:
    server.on("GET", BUILD, build(action(0, "failed", output_url=f"{server.url}/old"), action(1, "failed")))
    server.on("GET", "/old", reply(403, text="expired"))
    async with client_on(server) as circleci:
        logs = await circleci.logs.failed(SLUG, 42)
        with pytest.raises(PermissionDeniedError):
            await circleci.logs.read(logs[0].step)
    assert "403" in (logs[0].problem or "")
    assert logs[1].problem is None


async def test_an_invalid_link_is_refused_before_the_block(server: ScriptedServer) -> None:
    server.on("GET", BUILD, build(action(0, "failed", output_url="ftp://storage.example.com/out")))
    async with client_on(server) as circleci:
        [step] = await circleci.logs.steps(SLUG, 42)
        with pytest.raises(InvalidArgumentError, match="expected https:// and a host"):
            circleci.logs.open(step)


async def test_the_time_of_a_link_counts_from_open(server: ScriptedServer) -> None:
    server.on("GET", BUILD, build(action(0, "failed", output_url=f"{server.url}/out")))
    server.on("GET", "/out", hang())
    clock = FakeClock()
    async with client_on(server, clock) as circleci:
        [step] = await circleci.logs.steps(SLUG, 42)
        opened = circleci.logs.open(step, timeout=3600)
        clock.now += 3600
        with pytest.raises(RequestTimeoutError):
            async with opened:
                pytest.fail("it is open")


@pytest.mark.parametrize(
    "failure",
    [reply(502), drop(), reply(429, text="slow down"), output("line\n" * 500).cut()],
    ids=["502", "drop", "429", "cut"],
)
async def test_transient_errors_are_retried(server: ScriptedServer, failure: Response) -> None:
    server.on("GET", BUILD, [reply(502), drop(), build(action(0, "failed", output_url=f"{server.url}/out"))])
    server.on("GET", "/out", [failure, failure, output("line\n" * 500)])
    async with client_on(server, FakeClock()) as circleci:
        log = (await circleci.logs.failed(SLUG, 42, tail=None))[0]
    assert (log.text, log.problem) == ("line\n" * 500, None)


async def test_output_in_an_encoding_without_a_decoder_is_a_problem(server: ScriptedServer) -> None:
    urls = [f"{server.url}/out/{number}" for number in range(3)]
    server.on("GET", BUILD, build(*(action(n, "failed", output_url=url) for n, url in enumerate(urls))))
    for number in range(3):
        noise = reply(body=b"noise", headers={"Content-Encoding": "zstd"})
        server.on("GET", f"/out/{number}", noise if number == 1 else output("boom"))
    async with client_on(server, FakeClock()) as circleci:
        logs = await circleci.logs.failed(SLUG, 42)
    assert [log.text for log in logs] == ["boom", "", "boom"]
    assert "Content-Encoding: zstd" in (logs[1].problem or "")
    assert (logs[0].problem, logs[2].problem) == (None, None)


async def test_a_missing_job_is_an_error(server: ScriptedServer) -> None:
    server.on("GET", BUILD, reply(404, json={"message": "Build not found"}))
    async with client_on(server) as circleci:
        with pytest.raises(NotFoundError):
            await circleci.logs.failed(SLUG, 42)


@pytest.mark.parametrize("arguments", [{"tail": -1}, {"tail": True}, {"concurrency": 0}], ids=str)
async def test_senseless_arguments_are_refused(server: ScriptedServer, arguments: dict[str, Any]) -> None:
    server.on("GET", BUILD, build())
    async with client_on(server) as circleci:
        with pytest.raises(InvalidArgumentError):
            await circleci.logs.failed(SLUG, 42, **arguments)


async def test_no_more_at_once_than_allowed(server: ScriptedServer) -> None:
    urls = [f"/out/{number}" for number in range(12)]
    server.on("GET", BUILD, build(*(action(n, "failed", output_url=server.url + url) for n, url in enumerate(urls))))
    for number, url in enumerate(urls):
        server.on("GET", url, output(str(number)).after(0.01))
    async with client_on(server) as circleci:
        logs = await circleci.logs.failed(SLUG, 42, concurrency=3)
    assert [log.text for log in logs] == [str(number) for number in range(12)]
    assert server.max_concurrent == 3


@ON_ASYNCIO
@pytest.mark.load
async def test_a_large_output_streams(server: ScriptedServer) -> None:
    """8 MB go by; what is kept is the tail."""
    piece = json.dumps({"message": "a line of the log\n" * 5000, "type": "out"}).encode()
    whole = b"[" + b",".join([piece] * 80) + b"]"
    server.on("GET", BUILD, build(action(0, "failed", output_url=f"{server.url}/out")))
    server.on("GET", "/out", reply(body=whole).dripping(300, pause=0))  # so that the server keeps no copy
    async with client_on(server) as circleci:
        step = (await circleci.logs.steps(SLUG, 42))[0]
        await circleci.logs.read(step, tail=1)  # so that imports and the like are not counted
        tracemalloc.start()
        log = await circleci.logs.read(step, tail=100)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        size = 0
        async with circleci.logs.open(step) as pieces:
            async for text in pieces:
                size += len(text)
    assert log.text == "a line of the log\n" * 100
    assert log.is_cut
    assert size == 80 * 5000 * 18
    assert peak < 2_000_000


# ---- reading it, without I/O ----


def test_a_step_without_output_is_empty() -> None:
    assert OutputReader().feed(b"", last=True) == ""


def every_cut(data: bytes, at: Callable[[int], list[int]]) -> str:
    reader = OutputReader()
    parts: list[str] = []
    start = 0
    for end in [*at(len(data)), len(data)]:
        parts.append(reader.feed(data[start:end]))
        start = end
    return "".join([*parts, reader.feed(b"", last=True)])


MESSAGES: Final = [
    "plain\n",
    'quotes " and \\ and / and \t\r\n\b\f',
    "ünï \u2028 \x1b[31m red \U0001f600 end",
    "",
    '{"message": "not this one"}, [1, 2]',
    "\ud83d half a pair",
]


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize("indent", [None, 2])
def test_output_cut_anywhere_reads_the_same(ascii_only: bool, indent: int | None) -> None:
    messages = MESSAGES if ascii_only else MESSAGES[:-1]
    odd = {
        "type": "out",
        "time": "2026",
        "n": [1, {"message": "inner", "truncated": True}],
        "message ": "no",
        "t": None,
    }
    data = json.dumps(
        [{**odd, "message": message, "after": {"message": "inner"}, "truncated": False} for message in messages],
        ensure_ascii=ascii_only,
        indent=indent,
    ).encode("utf-8", "surrogatepass")
    expected = "".join(messages).replace("\ud83d", "\ufffd")
    assert every_cut(data, lambda size: []) == expected
    assert every_cut(data, lambda size: list(range(1, size))) == expected
    rng = random.Random(7)
    for _ in range(50):
        cuts = sorted(rng.sample(range(1, len(data)), 5))
        assert every_cut(data, lambda size, cuts=cuts: cuts) == expected  # type: ignore[misc]  # bound for each turn of the loop


@pytest.mark.parametrize(
    ("data", "text", "truncated"),
    [
        (b'[{"message": "a", "truncated": true}]', "a", True),
        (b'[{"truncated": true, "message": "a"}, {"message": "b", "truncated": false}]', "ab", True),
        (b'[{"message": "a", "truncated": false}]', "a", False),
        (b'[{"message": "a"', "a", True),
        (b'[{"message": "a\\u00', "a\ufffd", True),
        (b'{"message": "alone"}', "alone", False),
        (rb'[{"message": "\x \u12zz \/"}]', "x u12zz /", False),
        (b"plain text\nof a log", "plain text\nof a log", False),
        (b"[]", "", False),
        (b'[{"message": null}, {"message": 7}, "x", 7]', "", False),
    ],
    ids=lambda value: value.decode() if isinstance(value, bytes) else "-",
)
def test_odd_outputs(data: bytes, text: str, truncated: bool) -> None:
    reader = OutputReader()
    assert reader.feed(data) + reader.feed(b"", last=True) == text
    assert reader.truncated is truncated


TEXTS: Final = [
    "[INFO] Scanning for projects...\n[INFO] done\n",
    "[1/4] Resolving packages...\n",
    "[",
    "{",
    "[]  no tests\n",
    "[[1, 2], [3]]",
    '["a", "b"]\n',
    '[{"filePath": "/a.js", "messages": [{"message": "no-undef"}]}]\n',
    '[{"message": 7}]',
    "[{}]",
    "[{} , oops",
    '[{"name": tru',
    '[{"type"',
    "{}",
    "{ set -e; make; }\n",
    '{"level": "info", "msg": "started"}\n{"level": "info", "msg": "ended"}\n',
    '{"message": "started", "type": "out"}\n{"message": "ended", "type": "out"}\n',
    '{"message": "Not Found", "documentation_url": "https://example.com"}\n',
    '{"message": null}',
    '{"a": ' + "[" * 5000,
    '[{"a": ' + "[" * 5000,
    '[{"a": "' + "x" * 100_000,
    '{"message": "' + "x" * 100_000 + '"}\n{"next": 1}',
    "   indented\n",
    "\n",
    "\n\n[x]",
    "\n" * 100_000 + "end",
]


@pytest.mark.parametrize("text", TEXTS, ids=lambda text: text[:30])
def test_plain_text_is_kept_as_it_is(text: str) -> None:
    """A log may begin with a bracket, or consist of JSON of its own."""
    data = text.encode()
    assert every_cut(data, lambda size: []) == text
    assert every_cut(data, lambda size: list(range(1, size, max(1, size // 50)))) == text
    assert every_cut("\ufeff".encode() + data, lambda size: []) == text


@given(st.text(alphabet=st.sampled_from(list('[]{}":,\\ \n1aé')), max_size=40), st.integers(1, 9))
def test_text_with_brackets_is_kept_as_it_is(text: str, step: int) -> None:
    """Without the word `message` no text is a list of messages; only an empty list is."""
    assert every_cut(text.encode(), lambda size: list(range(step, size, step))) == (
        "" if text.split() in (["[]"], ["[", "]"]) else text
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('[{"type": "out", "time": "2026"}, {"message": "a"}]', "a"),
        ('[{"type": "out"}]', ""),
        (' \n[ {\n "future" : {"a": [1, "}"]} , "message" : "a" } ]\n', "a"),
        ('[{"message": "a"}]\nand more [text]\n', "a\nand more [text]\n"),
        ('[{"message": "a"}] [{"message": "b"}]', "ab"),
        ('[{"message": "a"}] [b]', "a [b]"),
        ('{"message": "alone", "type": "err"}\n', "alone"),
    ],
)
def test_messages_have_the_documented_structure(text: str, shown: str) -> None:
    for step in (1, 2, 7, len(text)):
        assert every_cut(text.encode(), lambda size, step=step: list(range(step, size, step))) == shown  # type: ignore[misc]  # bound for each turn of the loop


async def test_output_that_begins_with_a_bracket_is_read(server: ScriptedServer) -> None:
    server.on("GET", BUILD, build(action(0, "failed", output_url=f"{server.url}/out")))
    server.on("GET", "/out", reply(text="[ERROR] COMPILATION ERROR\n[INFO] 1 error\n").dripping(9, pause=0))
    async with client_on(server) as circleci:
        (log,) = await circleci.logs.failed(SLUG, 42)
    assert (log.text, log.is_cut, log.problem) == ("[ERROR] COMPILATION ERROR\n[INFO] 1 error\n", False, None)


@pytest.mark.parametrize(
    ("lines", "text", "kept", "cut"),
    [
        (2, "a\nb\nc\n", "b\nc\n", True),
        (2, "a\nb\nc", "b\nc", True),
        (2, "a\r\nb\r\nc\r\n", "b\nc\n", True),
        (None, "a\r\nb", "a\nb", False),
        (3, "a\nb\nc", "a\nb\nc", False),
        (3, "", "", False),
        (0, "a\nb", "", True),
        (None, "a\nb\nc", "a\nb\nc", False),
    ],
)
def test_tails(lines: int | None, text: str, kept: str, cut: bool) -> None:
    for pieces in ([text], list(text)):
        tail = Tail(lines)
        for piece in pieces:
            tail.add(piece)
        assert (tail.text, tail.cut) == (kept, cut)


def test_a_line_without_an_end_is_bounded() -> None:
    tail = Tail(5)
    for _ in range(40):
        tail.add("x" * 100_000)
    assert (len(tail.text), tail.cut) == (LONGEST_TAIL, True)
    tail = Tail(1000)
    for _ in range(40):
        tail.add("x" * 100_000 + "\n")
    assert len(tail.text) <= LONGEST_TAIL


def test_readable() -> None:
    assert readable("\x1b[1;31mred\x1b[0m\nprogress 10%\rprogress 99%\r\n\x1b]0;title\x07tab\tok\x00") == (
        "red\nprogress 99%\ntab\tok"
    )


# ---- on the fake ----

on_cloud_and_server = pytest.mark.parametrize("on_server", [False, True], ids=["cloud", "server"])


@on_cloud_and_server
async def test_on_the_fake(on_server: bool) -> None:
    fake = FakeCircleCI(server=on_server)
    web = fake.add_project(SLUG)
    steps = [
        FakeStep("Checkout code", "cloned\n"),
        FakeStep("Run tests", "one\ntwo\nthree\n", exit_code=2, stderr="bad\n"),
    ]
    web.will_run(Workflow("build", Job("test", 20, outcome="failed", steps=steps, parallelism=2)))
    async with fake.client() as circleci:
        await (await circleci.runs.start(SLUG, branch="main")).wait()
        listed = [one for one in await circleci.logs.steps(SLUG, 1) if one.index == 0]
        assert [(one.number, one.name, one.status) for one in listed] == [
            (0, "Spin up environment", "success"),
            (101, "Checkout code", "success"),
            (102, "Run tests", "failed"),
        ]
        fake.fail_next("output", expired=True)
        logs = await circleci.logs.failed(SLUG, 1, tail=2)
    assert [(log.step.index, log.step.exit_code, log.text, log.is_cut) for log in logs] == [
        (0, 2, "three\nbad\n", True),
        (1, 2, "three\nbad\n", True),
    ]
    assert {log.step.api for log in logs} == {"v1.1" if on_server else "v3"}
    called = {request.path.split("/")[2] for request in fake.requests if "/output/" not in request.path}
    assert ("v1.1" in called, "v3" in called) == (on_server, not on_server)


@on_cloud_and_server
@pytest.mark.parametrize("outcome", ["timedout", "infrastructure_fail", "canceled"])
async def test_every_kind_of_failure_on_the_fake(outcome: Any, on_server: bool) -> None:
    fake = FakeCircleCI(server=on_server)
    web = fake.add_project(SLUG)
    web.will_run(Workflow("build", Job("test", 20, outcome=outcome, output="so far\n")))
    async with fake.client() as circleci:
        await (await circleci.runs.start(SLUG, branch="main")).wait()
        logs = await circleci.logs.failed(SLUG, 1)
    assert [log.text for log in logs] == ["so far\n"]


@pytest.mark.parametrize("given", ["project", "none"])
async def test_what_v1_alone_serves_stays_readable(given: str) -> None:
    """A token of a project, and none at all for an open project, are refused by v2 and v3."""
    fake = FakeCircleCI()
    web = fake.add_project(SLUG)
    web.will_run(Workflow("build", Job("test", 20, outcome="failed", output="so far\n")))
    async with fake.client() as circleci:
        await (await circleci.runs.start(SLUG, branch="main")).wait()
        token = (await circleci.v1.projects.create_token(SLUG, scope="all", label="x")).token
    web.settings["oss"] = True
    options: dict[str, Any] = {"token": token} if given == "project" else {"auth": "none"}
    async with fake.client(**options) as circleci:
        with pytest.raises(AuthenticationError):
            await circleci.v3.users.list().collect()
        [log] = await circleci.logs.failed(SLUG, 1)
    assert (log.text, log.step.api) == ("so far\n", "v1.1")
