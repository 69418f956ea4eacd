"""No output of the SDK contains the token, a sent secret, or a secret of a response.

Each failure is tested with each kind of authentication, and all output is searched: values and exceptions as strings,
their attributes, causes, notes and pickles, logs at DEBUG (httpx and httpcore included), warnings, and tracebacks with
the locals of every frame below the public method.
"""

from __future__ import annotations

import base64
import json
import logging
import pickle
import warnings
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any, Final

import anyio
import httpx
import pytest
from pydantic import SecretStr

from circleci_sdk import AsyncCircleCI, CircleCIError, ConfigError, StatusError, Timeout
from circleci_sdk._core.transport.auth import Token
from tests.support.clients import client_on, session_of
from tests.support.handmade import things
from tests.support.output import Said
from tests.support.scripted_server import Response, ScriptedServer, closed_port, drop, hang, raw, redirect, reply

TOKEN: Final = "CCIPAT_0123456789abcdefghijkl_secret"
SENT: Final = "hunter2-was-sent"
SECRET_RETURNED: Final = "hunter3-was-returned"
SECRETS: Final = (
    TOKEN,
    base64.b64encode(f"{TOKEN}:".encode()).decode(),
    SENT,
    SECRET_RETURNED,
)
SLUG: Final = "gh/acme/web"
ENVVAR: Final = "/api/v2/project/gh/acme/web/envvar"
AUTHS: Final = ("circle-token", "bearer", "basic", "callable")


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[Said]:
    caplog.set_level(logging.DEBUG)
    for name in ("circleci_sdk", "httpx", "httpcore"):
        caplog.set_level(logging.DEBUG, name)
    found = Said(SECRETS, __file__)
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        yield found
    records = caplog.get_records("call")
    for record in records:
        found.add(f"log {record.name}", record.getMessage(), record.args, record.exc_info)
    found.add("warning", *(warning.message for warning in warned))
    assert records, "nothing was logged: what was searched?"
    assert found.leaks() == []


@asynccontextmanager
async def client_of(server: ScriptedServer, auth: str, address: str = "", **more: Any) -> AsyncGenerator[AsyncCircleCI]:
    async def source() -> str:
        return TOKEN

    options = (
        {"max_retries": 0, "auth": source} if auth == "callable" else {"max_retries": 0, "auth": auth, "token": TOKEN}
    )
    async with client_on(address or server, **options, **more) as client:
        yield client


async def set_env_var(client: AsyncCircleCI) -> Any:
    return await client.v2.projects.set_env_var(SLUG, name="A", value=SecretStr(SENT))


async def set_env_vars(client: AsyncCircleCI) -> Any:
    """A body larger than the socket buffer, so that sending is interrupted in the middle."""
    return await client.v2.projects.set_env_var(SLUG, name="A", value=SecretStr(SENT + "x" * 20_000_000))


async def create_exporter(client: AsyncCircleCI) -> Any:
    return await client.v2.otel_exporters.create(
        org_id="o", endpoint="x:1", protocol="grpc", headers={"key": SecretStr(SENT)}
    )


async def reveal(client: AsyncCircleCI) -> Any:
    return await things(client).reveal("a")


async def request(client: AsyncCircleCI) -> Any:
    return await client.request("POST", "/api/v2/project/gh/acme/web/envvar", json={"value": SecretStr(SENT)})


# Failures


Call = Callable[[AsyncCircleCI], Awaitable[Any]]
SHORT: Final = Timeout(total=5, read=0.3, write=0.3)
WAYS: Final[dict[str, tuple[Call, Response, dict[str, Any]]]] = {
    "400": (set_env_var, reply(400, json={"message": "No."}), {}),
    "401": (set_env_var, reply(401, json={"message": "Invalid token provided."}), {}),
    "401 that quotes the token": (set_env_var, reply(401, json={"message": f"{TOKEN} is no token."}), {}),
    "400 that quotes the secret": (set_env_var, reply(400, json={"message": f"{SENT} is too short."}), {}),
    "400 that quotes a secret of a map": (create_exporter, reply(400, text=f"key: {SENT}"), {}),
    "an odd response that quotes the secret": (set_env_var, reply(201, json={"value": SENT}), {"strict": True}),
    "429 with Retry-After": (set_env_var, reply(429, headers={"Retry-After": "3600"}), {}),
    "500": (create_exporter, reply(500), {}),
    "html": (set_env_var, reply(text="<html>", content_type="text/html"), {}),
    "no response": (set_env_var, drop(), {}),
    "reset": (set_env_var, drop(reset=True), {}),
    "half a response": (set_env_var, reply(201, json={"name": "A", "value": "x"}).cut(), {}),
    "garbage": (set_env_var, raw(b"SSH-2.0-OpenSSH_9\r\n\r\n"), {}),
    "a header that is none": (set_env_var, raw(b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n"), {}),
    "broken compression": (set_env_var, reply(body=b"x", headers={"Content-Encoding": "gzip"}), {}),
    "read timeout": (set_env_var, hang(), {"timeout": SHORT}),
    "deadline": (set_env_var, hang(), {"timeout": 0.1}),
    "write timeout": (set_env_vars, hang().reading(10), {"timeout": SHORT}),
    "deadline while writing": (set_env_vars, hang().reading(10), {"timeout": 0.1}),
    "redirect": (set_env_var, redirect("https://example.com/", 307), {}),
    "a secret that does not fit": (reveal, reply(json={"id": 5, "password": SECRET_RETURNED}), {}),
    "a secret in half a document": (reveal, reply(body=f'{{"id": "1", "password": "{SECRET_RETURNED}"'.encode()), {}),
    "a secret in a refusal": (reveal, reply(409, json={"message": f"{SECRET_RETURNED} is taken"}), {}),
    "a secret cut short": (reveal, reply(json={"id": "1", "password": SECRET_RETURNED}).cut(keep=0.99), {}),
    "any path": (request, reply(500), {}),
    "any path without response": (request, drop(), {}),
}
CASES: Final = [
    (way, auth)
    for way in WAYS
    for auth in AUTHS
    if "writ" not in way or auth == "basic"  # a body of 20 MB, which no kind of authentication changes
]


@pytest.mark.parametrize(("way", "auth"), CASES)
async def test_failures(server: ScriptedServer, said: Said, way: str, auth: str) -> None:
    call, response, options = WAYS[way]
    server.otherwise(response)
    async with client_of(server, auth, **options) as client:
        with pytest.raises(CircleCIError) as caught:
            await call(client)
        said.add(
            "client",
            client,
            client.v2,
            client.v2.projects,
            session_of(client),
            session_of(client).credential,
        )
    said.error(caught.value)
    assert len(server.requests) <= (2 if way.startswith("401") and auth == "callable" else 1)


@pytest.mark.parametrize("way", [way for way in WAYS if "quotes" in way and way[:1] == "4"])
async def test_message_with_a_secret_is_replaced_by_a_reason(server: ScriptedServer, way: str) -> None:
    call, response, _ = WAYS[way]
    server.otherwise(response)
    async with client_of(server, "bearer") as client:
        with pytest.raises(StatusError, match="left out, because it repeats a secret") as caught:
            await call(client)
    assert (caught.value.message, caught.value.body) == ("", b"")


async def test_message_without_a_secret_is_kept(server: ScriptedServer) -> None:
    server.otherwise(reply(400, json={"message": "Too short."}))
    async with client_of(server, "bearer") as client:
        with pytest.raises(StatusError, match=r"Too short\.") as caught:
            await set_env_var(client)
    assert caught.value.body == b'{"message": "Too short."}'


@pytest.mark.parametrize("auth", AUTHS)
async def test_connection_refused(server: ScriptedServer, said: Said, auth: str) -> None:
    with closed_port() as address:
        async with client_of(server, auth, address) as client:
            with pytest.raises(CircleCIError) as caught:
                await set_env_var(client)
    said.error(caught.value)


@pytest.mark.parametrize("auth", AUTHS)
@pytest.mark.parametrize("step", ["connecting", "writing", "reading"])
async def test_cancelled(server: ScriptedServer, said: Said, auth: str, step: str) -> None:
    server.otherwise(hang().reading(10) if step == "writing" else hang())
    hold = anyio.Event()

    async def connecting(request: object) -> None:
        hold.set()
        await anyio.sleep_forever()

    hook: dict[str, Any] = {"on_request": connecting} if step == "connecting" else {}
    async with client_of(server, auth, **hook) as client:
        logging.getLogger("circleci_sdk").debug("cancelled while %s", step)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as tasks:

                async def cancel() -> None:
                    await (hold.wait() if step == "connecting" else server.seen(1))
                    scope.cancel()

                tasks.start_soon(cancel)
                try:
                    await (set_env_vars if step == "writing" else set_env_var)(client)
                except anyio.get_cancelled_exc_class() as error:
                    said.error(error)
                    raise


@pytest.mark.parametrize(
    ("value", "shown"), [("on", "Changes on this project need prod rights."), ("prod", "Invalid name 'product'.")]
)
async def test_a_short_value_does_not_hide_the_message(server: ScriptedServer, value: str, shown: str) -> None:
    server.otherwise(reply(400, json={"message": shown}))
    async with client_of(server, "circle-token") as client:
        with pytest.raises(StatusError) as caught:
            await client.v2.projects.set_env_var(SLUG, name="A", value=SecretStr(value))
    assert (caught.value.message, json.loads(caught.value.body)) == (shown, {"message": shown})


@pytest.mark.parametrize("hook", ["on_request", "on_response"])
async def test_failing_hook(server: ScriptedServer, said: Said, hook: str) -> None:
    server.otherwise(reply(json={"id": "1", "password": SECRET_RETURNED}))

    async def fail(message: object) -> None:
        raise TypeError("a bug in the hook")

    hooks: dict[str, Any] = {hook: fail}
    async with client_of(server, "circle-token", **hooks) as client:
        for call in (set_env_var, reveal):
            with pytest.raises(TypeError, match="a bug in the hook") as caught:
                await call(client)
            said.error(caught.value)
        if hook == "on_request":
            logging.getLogger("circleci_sdk").debug("nothing was sent")


async def test_failing_token_callable(server: ScriptedServer, said: Said) -> None:
    async def broken() -> str:
        raise LookupError("no token today")

    async def unfit() -> str:
        return f"{TOKEN}\n"

    logging.getLogger("circleci_sdk").debug("nothing is sent")
    for source, expected in ((broken, LookupError), (unfit, ConfigError)):
        async with AsyncCircleCI(auth=source, base_url=server.url) as client:
            with pytest.raises(expected) as caught:
                await set_env_var(client)
            said.error(caught.value)
    assert server.requests == []


async def test_invalid_arguments(server: ScriptedServer, said: Said) -> None:
    logging.getLogger("circleci_sdk").debug("nothing is sent")
    wrong: Any = 5
    calls: list[Callable[[AsyncCircleCI], Awaitable[Any]]] = [
        lambda c: c.v2.projects.set_env_var("nonsense", name="A", value=SecretStr(SENT)),
        lambda c: c.v2.projects.set_env_var(SLUG, name=wrong, value=SecretStr(SENT)),
        lambda c: c.v2.projects.set_env_var(SLUG, name="A", value=SecretStr(f"{SENT}\ud800")),
        lambda c: c.v2.otel_exporters.create(
            org_id="o", endpoint="x", protocol="grpc", headers={"a": SecretStr(SENT), "b": wrong}
        ),
        lambda c: c.v2.pipelines.continue_(
            continuation_key=SecretStr(SENT), configuration="x", parameters={"a": float("nan")}
        ),
        lambda c: things(c).create(secret=SecretStr(SENT), box={"no": "such key"}),
        lambda c: things(c).create(anything={"a": SecretStr(SENT), "b": object()}),
        lambda c: things(c).create(box={"anything": SecretStr(SENT), "parts": [5]}),
        lambda c: things(c.with_options(query={"x": "y" * 70_000})).create(secret=SecretStr(SENT)),
        lambda c: c.request("POST", "/api/v3/x", json={"a": SecretStr(SENT), "b": object()}),
        lambda c: c.request("POST", "/api/v3/x", json={"a": SecretStr(SENT)}, query={"a": None}),
    ]
    async with client_of(server, "circle-token") as client:
        for call in calls:
            with pytest.raises(ValueError, match=":") as caught:
                await call(client)
            said.error(caught.value)
    assert server.requests == []


async def test_successes(server: ScriptedServer, said: Said) -> None:
    server.on("GET", "/api/v2/thing/a/password", reply(json={"id": "1", "password": SECRET_RETURNED}))
    token = {"id": "1", "label": "l", "scope": "all", "token": SECRET_RETURNED}
    server.on("POST", "/api/v1.1/project/github/acme/web/token", reply(201, json=token))
    async with client_of(server, "circle-token") as client:
        thing = await reveal(client)
        assert thing.password == SECRET_RETURNED
        created = await client.v1.projects.create_token(SLUG, label="l", scope="all")
        assert created.token == SECRET_RETURNED
        looked_at = await client.raw_response(things(client).reveal, "a")
        assert SECRET_RETURNED in looked_at.content.decode()
        said.add("responses", thing, created, looked_at, [thing], {"a": created})


async def test_plain_string_is_visible_in_arguments_only(server: ScriptedServer, said: Said) -> None:
    """A secret passed as `str` is in the frames of the call, and nowhere else."""
    server.script([drop(), reply(400), reply(text="<html>")])
    async with client_of(server, "circle-token") as client:
        for _ in range(3):
            with pytest.raises(CircleCIError) as caught:
                await client.v2.projects.set_env_var(SLUG, name="A", value=SENT)
            said.error(caught.value.with_traceback(None))
        with pytest.raises(CircleCIError) as caught:
            await client.v2.projects.set_env_var("nonsense", name="A", value=SENT)
        said.error(caught.value.with_traceback(None))


async def test_token_is_sent_in_its_header_only(server: ScriptedServer) -> None:
    expected = {
        "circle-token": ("circle-token", TOKEN),
        "callable": ("circle-token", TOKEN),
        "bearer": ("authorization", f"Bearer {TOKEN}"),
        "basic": ("authorization", f"Basic {base64.b64encode(f'{TOKEN}:'.encode()).decode()}"),
    }
    server.otherwise(reply(418))
    for auth, (name, value) in expected.items():
        async with client_of(server, auth) as client:
            with pytest.raises(CircleCIError):
                await set_env_var(client)
        request = server.requests[-1]
        carried = [item for item in request.raw_headers if item[0].lower() in ("circle-token", "authorization")]
        assert [(key.lower(), text) for key, text in carried] == [(name, value)]
        assert TOKEN not in request.target


async def test_no_token_with_auth_none(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CIRCLECI_TOKEN", TOKEN)
    server.otherwise(reply(418))
    async with AsyncCircleCI(auth="none", base_url=server.url) as client:
        with pytest.raises(CircleCIError):
            await set_env_var(client)
    assert not {"circle-token", "authorization"} & set(server.requests[0].headers)


async def test_hooks_do_not_receive_the_token(server: ScriptedServer) -> None:
    server.otherwise(reply(418))
    seen: list[list[tuple[bytes, bytes]]] = []

    async def before(request: httpx.Request) -> None:
        seen.append(request.headers.raw.copy())

    async def after(response: httpx.Response) -> None:
        seen.append(response.request.headers.raw.copy())

    async with client_of(server, "bearer", on_request=before, on_response=after) as client:
        with pytest.raises(CircleCIError):
            await set_env_var(client)
    assert len(seen) == 2
    assert TOKEN not in str(seen)


async def test_redirect_to_another_origin_has_no_token(server: ScriptedServer) -> None:
    with ScriptedServer() as other:
        other.otherwise(reply(json={"id": "stolen"}))
        for location in (f"{other.url}/api/v2/thing/a", f"//{other.host}/x", f"{server.url}@{other.host}/x"):
            server.on("GET", "/api/v2/thing/a", redirect(location))
            async with client_of(server, "circle-token") as client:
                with pytest.raises(CircleCIError):
                    await things(client).get("a")
        assert other.requests == []


async def test_redirect_to_the_same_origin_has_the_token(server: ScriptedServer) -> None:
    server.on("GET", "/api/v2/thing/a", redirect("/api/v2/thing/b"))
    server.on("GET", "/api/v2/thing/b", reply(json={"id": "b"}))
    async with client_of(server, "circle-token") as client:
        assert (await things(client).get("a")).id == "b"
    assert [request.headers["circle-token"] for request in server.requests] == [TOKEN, TOKEN]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_of_a_change_is_not_followed(server: ScriptedServer, status: int) -> None:
    server.on("POST", ENVVAR, redirect("/api/v2/elsewhere", status))
    async with client_of(server, "circle-token") as client:
        with pytest.raises(CircleCIError):
            await set_env_var(client)
    assert [request.path for request in server.requests] == [ENVVAR]


@pytest.mark.parametrize(
    "token",
    [
        "",
        " ",
        f"{TOKEN}\n",
        f"{TOKEN}\r",
        f" {TOKEN}",
        f"{TOKEN} x",
        f"{TOKEN}\0",
        f"{TOKEN}ü",
        f"{TOKEN}\u200b",
        f"{TOKEN}\ud800",
        f"{TOKEN}\x7f",
    ],
    ids=ascii,
)
@pytest.mark.parametrize("where", ["argument", "CIRCLECI_TOKEN", "CIRCLE_TOKEN"])
def test_invalid_token_is_refused_without_quoting(token: str, where: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CIRCLECI_TOKEN", "CIRCLE_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    if where != "argument":
        if "\0" in token or "\ud800" in token:
            return  # not possible in an environment variable
        monkeypatch.setenv(where, token)
    with pytest.raises(ConfigError) as caught:
        AsyncCircleCI(token if where == "argument" else None)
    said = Said(SECRETS, __file__)
    said.error(caught.value)
    assert said.leaks() == []


@pytest.mark.parametrize(
    "wrong",
    [{"base_url": "no url at all"}, {"timeout": -1}, {"max_concurrency": 0}, {"auth": "nonsense"}, {"auth": "none"}],
)
def test_other_config_errors_do_not_contain_the_token(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        AsyncCircleCI(TOKEN, **wrong)
    said = Said(SECRETS, __file__)
    said.error(caught.value)
    assert said.leaks() == []


def test_tokens_are_never_pickled() -> None:
    with pytest.raises(TypeError, match="never pickled"):
        pickle.dumps(Token(TOKEN, "token="))
    client = AsyncCircleCI(TOKEN)
    with pytest.raises(TypeError):
        pickle.dumps(session_of(client).credential)


# The search finds planted secrets


def planted_error(**attributes: object) -> CircleCIError:
    error = CircleCIError("innocent")
    for name, value in attributes.items():
        setattr(error, name, value)
    return error


def with_local() -> CircleCIError:
    frame: dict[str, Any] = {}
    code = compile("def leak(headers):\n    raise ValueError('innocent')", "circleci_sdk/_core/leak.py", "exec")
    exec(code, frame)
    try:
        frame["leak"]({"Circle-Token": TOKEN})
    except ValueError as error:
        return planted_error(__cause__=error)
    raise AssertionError


def with_note() -> CircleCIError:
    error = CircleCIError("innocent")
    error.add_note(SENT)
    return error


def with_request() -> CircleCIError:
    request = httpx.Request("GET", "https://example.com", headers={"Circle-Token": TOKEN})
    return planted_error(__cause__=httpx.ConnectError("innocent", request=request))


@pytest.mark.parametrize(
    "plant",
    [
        lambda: CircleCIError(f"the token {TOKEN} is wrong"),
        lambda: planted_error(headers={"set-cookie": SENT}),
        lambda: planted_error(__cause__=ValueError(SECRET_RETURNED)),
        lambda: planted_error(__context__=ExceptionGroup("g", [ValueError(SENT)])),
        with_local,
        with_note,
        with_request,
    ],
    ids=["message", "attribute", "cause", "context in a group", "local", "note", "request"],
)
def test_planted_leak_is_found(plant: Callable[[], CircleCIError]) -> None:
    said = Said(SECRETS, __file__)
    said.error(planted_error())
    assert said.leaks() == []
    said.error(plant())
    assert said.leaks() != []
