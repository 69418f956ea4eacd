"""What happens on the wire when things go wrong: one scenario a row, and the table `scenarios.md` of all of them.

Each test makes its scenario happen on a real socket and says in words what it saw; the words have to be those of the
table. After a wanted change, `SCENARIOS=write python -m pytest tests/wire/test_scenarios.py` writes the table anew;
read its diff as you would read code.
"""

from __future__ import annotations

import os
import pickle
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
import anyio.to_thread
import pytest

import circleci_sdk.v1
import circleci_sdk.v2
from circleci_sdk import (
    AsyncCircleCI,
    CallError,
    CircleCIError,
    NotFoundError,
    RateLimitError,
    StatusError,
    Timeout,
    UnknownStr,
)
from circleci_sdk.helpers._downloads.download import download_of
from tests.support.clients import CREATED, ID, MESSAGE, SLUG, TOKEN, USER, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Response, ScriptedServer, closed_port, drop, hang, redirect, reply

Call: TypeAlias = Callable[[AsyncCircleCI], Awaitable[Any]]
Observe: TypeAlias = Callable[[ScriptedServer], Awaitable[str]]

TABLE: Final = Path(__file__).with_name("scenarios.md")
WRITE: Final = os.environ.get("SCENARIOS") == "write"
HEAD: Final = """\
# What happens when things go wrong

Written by `test_scenarios.py`, which makes each of these happen on a real socket, on asyncio and on trio, and fails
when it sees anything else. Waits are those that the server named; where it named none they have jitter.
`request_outcome` says whether the request may be sent again: `not_sent`, `rejected`, `unknown` or `processed`.
"""
PIPELINE: Final = {
    "id": ID,
    "errors": [],
    "project_slug": SLUG,
    "number": 7,
    "state": "created",
    "created_at": "2026-01-02T03:04:05Z",
    "trigger": {
        "type": "webhook",
        "received_at": "2026-01-02T03:04:05Z",
        "actor": {"login": "ada", "avatar_url": None},
    },
}
FINGERPRINT: Final = "SHA256:a/b+c="
ACCEPTED: Final = reply(json=MESSAGE)


# Seeing


async def get(client: AsyncCircleCI) -> object:
    return await client.v2.users.me()


async def trigger(client: AsyncCircleCI) -> object:
    return await client.v2.pipelines.trigger(SLUG, branch="main")


async def trigger_run(client: AsyncCircleCI) -> object:
    return await client.v2.pipelines.trigger_run(SLUG)


async def delete(client: AsyncCircleCI) -> object:
    return await client.v2.projects.delete(SLUG)


def times(count: int) -> str:
    return {0: "nothing sent", 1: "sent once", 2: "sent twice"}.get(count, f"sent {count} times")


def named(result: object) -> str:
    return "None" if result is None else type(result).__name__


async def end_of(call: Awaitable[object]) -> str:
    """How a call ended."""
    try:
        return f"returns `{named(await call)}`"
    except CircleCIError as error:
        facts: list[str | None] = []
        if isinstance(error, CallError):
            facts = [error.retry_stop_reason, f"request_outcome {error.request_outcome}"]
        details = ", ".join(fact for fact in facts if fact)
        return f"raises `{named(error)}`" + (f" ({details})" if details else "")
    except Exception as error:
        return f"raises `{named(error)}`"


def meeting(call: Call, *responses: Response, told: bool = False, **options: Any) -> Observe:
    """One call that meets these responses; `told`: the server said how long to wait."""

    async def observe(server: ScriptedServer) -> str:
        clock = FakeClock()
        server.script(responses)
        async with client_on(server, clock, **options) as client:
            end = await end_of(call(client))
        waits = [f"waits {seconds:g} s" for seconds in clock.slept] if told else []
        return ", ".join([times(len(server.requests)), *waits, end])

    return observe


def sending(call: Call, response: Response = ACCEPTED) -> Observe:
    """The requests of one call, and how it ended."""

    async def observe(server: ScriptedServer) -> str:
        server.otherwise(response)
        async with client_on(server, FakeClock()) as client:
            end = await end_of(call(client))
        lines = [f"`{request.method} {request.target}`" for request in server.requests]
        return ", ".join(lines) if lines else f"nothing sent, {end}"

    return observe


def error_of(call: Call, response: Response, show: Callable[[StatusError], object]) -> Observe:
    async def observe(server: ScriptedServer) -> str:
        server.otherwise(response)
        async with client_on(server, FakeClock(), max_retries=0) as client:
            with pytest.raises(StatusError) as caught:
                await call(client)
        return f"`{named(caught.value)}`: {show(caught.value)}"

    return observe


@dataclass(frozen=True)
class Scenario:
    name: str
    observe: Observe
    why: str = ""


# Scenarios that take more than one line


async def two_calls(server: ScriptedServer) -> str:
    server.otherwise(reply(json=USER))
    async with client_on(server) as client:
        await get(client)
        await get(client)
    return f"{len(server.requests)} requests on {server.connections} connection"


async def connection_refused(server: ScriptedServer) -> str:
    clock = FakeClock()
    with closed_port() as url:
        async with client_on(url, clock) as client:
            end = await end_of(trigger(client))
    return f"tried {1 + len(clock.slept)} times, {end}"


async def on_trio(server: ScriptedServer) -> str:
    server.script([reply(503), drop(), reply(json=USER)])

    async def there() -> str:
        async with client_on(server, FakeClock()) as client:
            return await end_of(get(client))

    end = await anyio.to_thread.run_sync(lambda: anyio.run(there, backend="trio"))
    return f"{times(len(server.requests))}, {end}"


async def hook_that_fails(server: ScriptedServer) -> str:
    async def hook(request: object) -> None:
        raise TypeError("of the user")

    return await meeting(get, reply(json=USER), on_request=hook)(server)


async def pickled(server: ScriptedServer) -> str:
    server.otherwise(reply(404, json={"message": "Gone."}))
    async with client_on(server) as client:
        with pytest.raises(NotFoundError) as caught:
            await get(client)
    copy = pickle.loads(pickle.dumps(caught.value))
    facts = ("message", "status", "operation", "attempts", "request_outcome")
    same = all(getattr(copy, name) == getattr(caught.value, name) for name in facts)
    return f"`{named(copy)}` with {'the same' if same and str(copy) == str(caught.value) else 'other'} facts and words"


async def shared_pause(server: ScriptedServer) -> str:
    """One task is refused; the next to ask in that rate group waits before it sends."""
    clock = FakeClock()
    server.script([reply(429, headers={"Retry-After": "2"}), reply(json=USER)])
    async with client_on(server, clock) as client:
        with pytest.raises(RateLimitError):
            await get(client.with_options(max_retries=0))
        before = len(server.requests)
        end = await end_of(get(client))
    waited = ", ".join(f"{seconds:g} s" for seconds in clock.slept)
    return f"the other call waits {waited} first, {times(len(server.requests) - before)}, {end}"


async def budget(server: ScriptedServer) -> str:
    headers = {"RateLimit-Limit": "50", "RateLimit-Remaining": "7", "X-RateLimit-Remaining": "9"}
    server.otherwise(reply(json=USER, headers=headers))
    async with client_on(server) as client:
        response = await client.raw_response(client.v2.users.me)
    assert response.rate_limit is not None
    return f"`reply.rate_limit`: limit {response.rate_limit.limit:g}, remaining {response.rate_limit.remaining:g}"


def listing(*pages: dict[str, object]) -> Observe:
    """All items of a list of pipelines that comes in these pages."""

    async def observe(server: ScriptedServer) -> str:
        server.script([reply(json=page) for page in pages])
        names: list[str] = []
        async with client_on(server, FakeClock()) as client:

            async def loop() -> list[str]:
                async for found in client.v2.pipelines.list_for_project(SLUG).pages():
                    names.extend(str(pipeline.number) for pipeline in found)
                return names

            end = await end_of(loop())
        asked = ["&".join("=".join(pair) for pair in request.query) or "-" for request in server.requests]
        return f"asks with {', '.join(f'`{query}`' for query in asked)}; items {', '.join(names) or '-'}; {end}"

    return observe


def page(*numbers: int, **token: object) -> dict[str, object]:
    return {"items": [{**PIPELINE, "number": number} for number in numbers], **token}


async def first_page(server: ScriptedServer) -> str:
    server.otherwise(reply(json=page(1, next_page_token="n")))
    async with client_on(server) as client:
        first = await client.v2.pipelines.list_for_project(SLUG)
    return f"{times(len(server.requests))}, `{named(first)}` with `next` to go on from: `{first.next}`"


def download(path: str, response: Response = ACCEPTED, **options: Any) -> Observe:
    """A file on the API's server and, after a redirect, on another one."""

    async def observe(server: ScriptedServer) -> str:
        with ScriptedServer() as storage:
            server.on("GET", "/file", response)
            server.on("GET", "/moved", redirect(storage.url + "/signed?s=1"))
            storage.otherwise(reply(body=b"content"))
            async with client_on(server, FakeClock()) as client:

                async def read() -> bytes:
                    fetched = download_of(
                        client._caller, server.url + path, label="artifacts.download", timeout=5, **options
                    )
                    async with fetched as pieces:
                        return b"".join([piece async for piece in pieces])

                end = await end_of(read())
            seen = [(name, request) for name, at in (("API", server), ("storage", storage)) for request in at.requests]
        hops = [f"{name} {'with' if TOKEN in str(request.raw_headers) else 'without'} token" for name, request in seen]
        return f"{', then '.join(hops)}; {end}"

    return observe


async def tolerant(server: ScriptedServer) -> str:
    odd = {**PIPELINE, "state": "release-pending", "new_field": 1, "trigger": {**PIPELINE["trigger"], "type": "new"}}
    server.otherwise(reply(json=odd))
    async with client_on(server) as client:
        pipeline = await client.v2.pipelines.get(ID)
    assert isinstance(pipeline.state, UnknownStr)
    assert pipeline.model_extra == {"new_field": 1}
    return f"returns `{named(pipeline)}`; the word is an `{named(pipeline.state)}`, the field is kept, `vcs` is None"


async def spellings(server: ScriptedServer) -> str:
    kebab = {name.replace("_", "-"): value for name, value in PIPELINE.items()}
    server.script([reply(json=PIPELINE), reply(json=kebab)])
    async with client_on(server) as client:
        one, other = await client.v2.pipelines.get(ID), await client.v2.pipelines.get(ID)
    return f"returns {'equal' if one == other else 'different'} models"


async def odd_dates(server: ScriptedServer) -> str:
    texts = ("#joda/inst 2023-04-14T21:20:14+0000", "2023-04-14T21:20:14.000Z", "2023-04-14T21:20:14")
    server.script([reply(json={"name": "A", "value": "xxxx", "created-at": text}) for text in texts])
    async with client_on(server) as client:
        found = {str((await client.v2.projects.get_env_var(SLUG, "A")).created_at) for _ in texts}
    return f"`{', '.join(sorted(found))}` for each of {len(texts)} ways to write it"


async def token_shown(server: ScriptedServer) -> str:
    server.otherwise(reply(404, json={"message": "No."}))
    async with client_on(server) as client:
        with pytest.raises(NotFoundError) as caught:
            await get(client)
        said = repr(client) + str(caught.value) + repr(caught.value) + str(vars(caught.value))
    [request] = server.requests
    places = [name for name, value in request.raw_headers if TOKEN in value]
    assert TOKEN not in request.target + request.body.decode() + said
    return f"in the header {', '.join(places)}; nowhere in the address, the client's `repr` or the error"


async def pasted(server: ScriptedServer) -> str:
    server.otherwise(reply(json=USER))
    forms = ("", "/", "/api", "/api/", "/api/v2", "/api/v2/", "/api/v1.1")
    for form in forms:
        async with client_on(server.url + form) as client:
            await get(client)
    [target] = {request.target for request in server.requests}
    return f"`GET {target}` for each of {len(forms)} forms"


async def default_timeout(server: ScriptedServer) -> str:
    default = AsyncCircleCI.__init__.__kwdefaults__["timeout"]
    server.otherwise(hang())
    async with client_on(server, FakeClock(), timeout=Timeout(read=0.5), max_retries=0) as client:
        end = await end_of(get(client))
    return f"{end}; by default a whole call has {default} s"


async def accepts(server: ScriptedServer) -> str:
    server.otherwise(reply(json={}))
    async with client_on(server) as client:
        await client.request("GET", "/api/v1.1/me")
        await client.request("GET", "/api/v2/me")
    return ", ".join(sorted({f"`Accept: {request.headers['accept']}`" for request in server.requests}))


async def covered(server: ScriptedServer) -> str:
    return f"{len(circleci_sdk.v2.OPERATIONS)} operations of v2, {len(circleci_sdk.v1.OPERATIONS)} of v1.1"


def after(value: str, status: int = 429) -> Response:
    return reply(status, headers={"Retry-After": value})


GOOD: Final = reply(json=USER)
STARTED: Final = reply(201, json=CREATED)
IN_3_SECONDS: Final = "Sun, 15 Jun 2025 15:06:43 GMT"  # by the clock of the tests
BUDGET: Final = {"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "2"}


async def branch(client: AsyncCircleCI) -> object:
    return await client.v2.pipelines.list_for_project(SLUG, branch="a b#c?d&e/f")


async def climbing(client: AsyncCircleCI) -> object:
    return await client.v2.projects.get_env_var(SLUG, "../../other")


async def climbing_slug(client: AsyncCircleCI) -> object:
    return await client.v2.projects.get("gh/../other")


async def fingerprint(client: AsyncCircleCI) -> object:
    return await client.v2.projects.get_checkout_key(SLUG, FINGERPRINT)


async def workflow_name(client: AsyncCircleCI) -> object:
    return await client.v2.insights.get_workflow_summary(SLUG, "build & test #1")


async def app_slug(client: AsyncCircleCI) -> object:
    return await client.v2.projects.get("circleci/org-id/project-id")


async def v1_slug(client: AsyncCircleCI) -> object:
    return await client.v1.builds.get("bb/acme/web", 42)


async def v1_app_slug(client: AsyncCircleCI) -> object:
    return await client.v1.builds.get("circleci/org-id/project-id", 42)


async def other_api(client: AsyncCircleCI) -> object:
    return await client.request("GET", "/api/v3/runner")


SECTIONS: Final[dict[str, list[Scenario]]] = {
    "Connections, retries and waits": [
        Scenario("A second call", two_calls),
        Scenario("429 with `Retry-After: 2`", meeting(get, after("2"), GOOD, told=True)),
        Scenario("429 with an HTTP date in 3 s", meeting(get, after(IN_3_SECONDS), GOOD, told=True)),
        Scenario("429 without a hint", meeting(get, reply(429), GOOD)),
        Scenario("429 with `X-RateLimit-Reset: 2`", meeting(get, reply(429, headers=BUDGET), GOOD, told=True)),
        Scenario(
            "429 with `Retry-After: 3600`",
            meeting(get, after("3600"), told=True),
            "nobody wants to sleep for an hour unasked; `max_retry_after` raises the limit",
        ),
        Scenario("429 as plain text, for ever", meeting(get, *[reply(429, text="Rate limited.")] * 3)),
        Scenario("429 to one task, then another asks", shared_pause),
        Scenario("What is left of the budget; two headers differ", budget, "the lower number is the safe one"),
        Scenario("GET: 503, 503, 200", meeting(get, reply(503), reply(503), GOOD)),
        Scenario("GET: connection dropped, then 200", meeting(get, drop(), GOOD)),
        Scenario("GET: no response for ever", default_timeout),
        Scenario(
            "Trigger: 502", meeting(trigger, reply(502)), "it may have started a pipeline; a second one costs money"
        ),
        Scenario("Trigger: 503", meeting(trigger, reply(503)), "the same"),
        Scenario("Trigger: `Retry-After: 2` on 503", meeting(trigger, after("2", 503)), "the same"),
        Scenario("Trigger: connection dropped after the body was read", meeting(trigger, drop()), "the same"),
        Scenario("Trigger: no response in time", meeting(trigger, hang(), timeout=Timeout(read=0.5)), "the same"),
        Scenario("Trigger: 429, 201", meeting(trigger, reply(429), STARTED), "the server refused it, so it is safe"),
        Scenario("Trigger: connection refused", connection_refused, "it never left, so it is safe"),
        Scenario("503, a dropped connection and 200 on trio", on_trio),
    ],
    "Responses": [
        Scenario("200 with HTML", meeting(get, reply(text="<html>Sign in</html>", content_type="text/html"))),
        Scenario("200 with a list in place of an object", meeting(get, reply(json=[]))),
        Scenario("201 with the pipeline", meeting(trigger, STARTED)),
        Scenario("200 with a message: nothing was started", meeting(trigger, reply(json={"message": "Skipped."}))),
        Scenario("202 with a message", meeting(delete, reply(202, json=MESSAGE))),
        Scenario("204", meeting(delete, reply(204))),
        Scenario("200 with an empty body, where one may be missing", meeting(delete, reply())),
        Scenario(
            "201 with an empty body, where a pipeline is expected",
            meeting(trigger, reply(201)),
            "there is no id to return; `done` says that the pipeline was started",
        ),
        Scenario("An unknown word, a new field, a missing object", tolerant),
        Scenario("Names in kebab-case and in snake_case", spellings),
        Scenario("Dates as `#joda/inst`, in ISO 8601 and without a zone", odd_dates),
    ],
    "Errors": [
        Scenario(
            "The server's words",
            error_of(
                get,
                reply(404, json={"message": "Project not found"}),
                lambda error: f"`{error.message}` of `{error.status} {error.method} {error.path}`, `{error.operation}`",
            ),
        ),
        Scenario(
            "502 with HTML", error_of(get, reply(502, text="<html>no</html>"), lambda error: f"status {error.status}")
        ),
        Scenario(
            "404",
            error_of(get, reply(404), lambda error: str(error).rpartition(") ")[2]),
            "`users.me()` works with any good token, so it tells the two apart",
        ),
        Scenario("401 from v2", error_of(get, reply(401), lambda error: str(error).rpartition(") ")[2])),
        Scenario("A hook of the user raises `TypeError`", hook_that_fails, "it is the user's error, not ours"),
        Scenario("An error after `pickle`", pickled),
    ],
    "Requests": [
        Scenario("An environment variable named `../../other`", sending(climbing)),
        Scenario("A project named `gh/../other`", sending(climbing_slug)),
        Scenario("A branch `a b#c?d&e/f`", sending(branch)),
        Scenario("A workflow `build & test #1`", sending(workflow_name)),
        Scenario(f"A key `{FINGERPRINT}`", sending(fingerprint)),
        Scenario("A project of the GitHub App on v2", sending(app_slug)),
        Scenario("`bb/acme/web` on v1.1", sending(v1_slug)),
        Scenario(
            "A project of the GitHub App on v1.1",
            sending(v1_app_slug),
            "v1.1 accepts such slugs for some calls, so the server decides",
        ),
        Scenario("A trigger of a project on GitHub OAuth", sending(trigger, STARTED)),
        Scenario(
            "A trigger of a project of the GitHub App",
            sending(trigger_run, STARTED),
            "the API has two doors; there is a method for each, and its docstring names the other",
        ),
        Scenario("A list without filters", sending(lambda client: client.v2.pipelines.list_for_project(SLUG))),
        Scenario(
            "A filter that is None",
            sending(lambda client: client.v2.pipelines.list_for_project(SLUG, branch=None)),
            "None is JSON null and no query can say it; leave a filter out instead",
        ),
        Scenario("`Accept` on v1.1 and v2", accepts),
        Scenario("The token", token_shown),
        Scenario("Server addresses as people paste them", pasted),
        Scenario(
            "An API that has no methods here",
            sending(other_api),
            "the door to all else on the same server; for another one make a client with its `base_url`",
        ),
        Scenario("Methods", covered, "the path of each is compared with the documents by `test_contract.py`"),
    ],
    "Lists and files": [
        Scenario(
            "A list of three pages", listing(page(1, next_page_token="a+/="), page(2, next_page_token="b"), page(3))
        ),
        Scenario("Only the first page", first_page, "only when asked for by `await`; a loop reads all"),
        Scenario("A token that is null", listing(page(1, next_page_token=None))),
        Scenario("A token that is empty", listing(page(1, next_page_token=""))),
        Scenario(
            "An empty page in the middle", listing(page(1, next_page_token="a"), page(next_page_token="b"), page(2))
        ),
        Scenario("A token that comes twice", listing(page(1, next_page_token="a"), page(2, next_page_token="a"))),
        Scenario("A file of the API", download("/file")),
        Scenario("A file behind a redirect to storage", download("/moved")),
        Scenario(
            "A link that carries its own signature", download("/moved", signed=True), "storage refuses a second key"
        ),
        Scenario("A file that is not there", download("/file", reply(404, text="none"))),
    ],
}
SCENARIOS: Final = [scenario for section in SECTIONS.values() for scenario in section]


# The table


def rendered(seen: dict[str, str]) -> str:
    lines = [HEAD]
    for title, scenarios in SECTIONS.items():
        lines += [f"## {title}", "", "| scenario | what happens | why so |", "|---|---|---|"]
        lines += [f"| {one.name} | {seen.get(one.name)} | {one.why} |" for one in scenarios]
        lines += [""]
    return "\n".join(lines)


def committed() -> dict[str, str]:
    rows = [line[2:-2].split(" | ") for line in TABLE.read_text(encoding="utf-8").splitlines() if line[:2] == "| "]
    return {row[0]: row[1] for row in rows}


SEEN: Final = {} if WRITE else committed()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.name.replace("`", "")[:60])
async def test_scenario(server: ScriptedServer, scenario: Scenario) -> None:
    seen = await scenario.observe(server)
    assert SEEN.setdefault(scenario.name, seen) == seen


def test_the_table_is_of_these_scenarios() -> None:
    assert len({scenario.name for scenario in SCENARIOS}) == len(SCENARIOS)
    if WRITE:
        TABLE.write_text(rendered(SEEN), encoding="utf-8")
    assert TABLE.read_text(encoding="utf-8") == rendered(SEEN)
