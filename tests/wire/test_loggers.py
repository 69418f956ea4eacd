"""No logger of any library says the token or a secret, at any level and by any way of sending."""

from __future__ import annotations

import json
import logging
import ssl
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import pytest
import trustme
from pydantic import SecretStr

from circleci_sdk import AsyncCircleCI, SignatureError, Timeout
from circleci_sdk._core.messages import Progress
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.webhooks import Router, WebhookApp, WorkflowCompleted, parse
from tests.support.clients import client_on
from tests.support.proxy import Proxy
from tests.support.scripted_server import Response, ScriptedServer, closed_port, drop, hang, raw, redirect, reply
from tests.support.spellings import SPELLINGS

TOKEN: Final = "CCIPAT_loggers_0123456789abcdef"
SENT: Final = "hunter2-was-sent-to-a-server"
SLUG: Final = "gh/acme/web"
PASSWORD: Final = "correct-horse-battery"
HIDDEN: Final = [
    SPELLINGS[name](text)
    for text in (TOKEN, SENT, PASSWORD)
    for name in ("verbatim", "Basic", "Basic with a user", "percent", "hexadecimal")
]


class Everything(logging.Handler):
    """Keeps what each record says, with its arguments."""

    def __init__(self) -> None:
        super().__init__(0)
        self.said: list[tuple[str, str]] = []

    def emit(self, record: logging.LogRecord) -> None:
        text = logging.Formatter("%(message)s").format(record)
        self.said.append((record.name, f"{text} {record.args!r} {record.exc_info!r}"))

    def leaks(self) -> list[tuple[str, str]]:
        return [(name, text) for name, text in self.said if any(hidden.lower() in text.lower() for hidden in HIDDEN)]


@pytest.fixture
def everything() -> Iterator[Everything]:
    """All loggers at their lowest level, those that are made later too."""
    handler = Everything()
    root = logging.getLogger()
    names = ("httpx", "httpcore", "h11", "anyio", "asyncio", "trio", "circleci_sdk", "circleci_sdk.drift")
    known = [root, *map(logging.getLogger, [*names, *(name for name in logging.root.manager.loggerDict if name)])]
    levels = [logger.level for logger in known]
    disabled, logging.root.manager.disable = logging.root.manager.disable, 0
    for logger in known:
        logger.setLevel(1)
    root.addHandler(handler)
    yield handler
    logging.getLogger("test").debug("the end")
    root.removeHandler(handler)
    logging.root.manager.disable = disabled
    for logger, level in zip(known, levels, strict=True):
        logger.setLevel(level)
    assert handler.said, "nothing was logged: what was searched?"
    assert handler.leaks() == []


@pytest.fixture(params=[pytest.param(("asyncio", {"debug": True}), id="asyncio"), "trio"])
def anyio_backend(request: pytest.FixtureRequest) -> Any:
    """asyncio in debug mode, in which it logs slow steps and polls."""
    return request.param


async def set_env_var(client: AsyncCircleCI) -> Any:
    return await client.v2.projects.set_env_var(SLUG, name="A", value=SecretStr(SENT))


async def plain_secret(client: AsyncCircleCI) -> Any:
    return await client.v2.contexts.set_env_var("c", "A", value=SENT)


async def raw_request(client: AsyncCircleCI) -> Any:
    return await client.request("POST", "/api/v3/x", json={"value": SecretStr(SENT)})


async def pages(client: AsyncCircleCI) -> Any:
    return await client.v2.pipelines.list_for_project(SLUG).collect()


async def me(client: AsyncCircleCI) -> Any:
    return await client.v2.users.me()


async def several(client: AsyncCircleCI) -> Any:
    return await client.secrets.set_many({"A": SecretStr(SENT)}, projects=[SLUG])


async def download(client: AsyncCircleCI) -> Any:
    caller = vars(client)["_caller"]
    async with download_of(caller, f"{client.base_url}/output/a", label="artifacts.download", timeout=5) as file:
        return [piece async for piece in file]


Call = Callable[[AsyncCircleCI], Awaitable[Any]]
SHORT: Final = Timeout(total=2, read=0.2, write=0.2)
ECHO: Final = {"X-Echo": TOKEN, "Set-Cookie": f"t={SPELLINGS['Basic'](TOKEN)}", "X-Sent": SENT}
WAYS: Final[dict[str, tuple[Call, list[Response], dict[str, Any]]]] = {
    "call": (me, [reply(json={"id": "1"})], {}),
    "bearer": (me, [reply(json={"id": "1"})], {"auth": "bearer"}),
    "basic": (me, [reply(json={"id": "1"})], {"auth": "basic"}),
    "secret": (set_env_var, [reply(201, json={"name": "A", "value": "xxxx"})], {}),
    "plain secret": (plain_secret, [reply(200, json={"variable": "A"})], {}),
    "raw request": (raw_request, [reply(204)], {}),
    "list": (pages, [reply(json={"items": [], "next_page_token": "b"}), reply(json={"items": []})], {}),
    "redirect": (me, [redirect("/api/v2/you"), reply(json={"id": "1"})], {}),
    "redirect with the token": (me, [redirect(f"/api/v2/you?circle-token={TOKEN}")], {}),
    "redirect elsewhere": (me, [redirect("https://example.com/")], {}),
    "echo in headers": (set_env_var, [reply(201, json={"name": "A", "value": "x"}, headers=ECHO)], {}),
    "echo in a refusal": (set_env_var, [reply(400, json={"message": f"{TOKEN} {SENT}"}, headers=ECHO)], {}),
    "echo in a list": (pages, [reply(json={"items": [], "next_page_token": TOKEN})], {}),
    "unknown field": (me, [reply(json={"id": 5, TOKEN: TOKEN})], {}),
    "retry": (me, [reply(503, headers={"Retry-After": "0"}), reply(json={"id": "1"})], {"max_retries": 2}),
    "too many": (me, [reply(429, headers={"Retry-After": "0"}), reply(json={"id": "1"})], {"max_retries": 2}),
    "dropped": (set_env_var, [drop()], {}),
    "reset": (set_env_var, [drop(reset=True)], {}),
    "cut": (set_env_var, [reply(201, json={"name": "A", "value": "x"}).cut()], {}),
    "read timeout": (set_env_var, [hang()], {"timeout": SHORT}),
    "deadline": (set_env_var, [hang()], {"timeout": 0.1}),
    "no HTTP": (set_env_var, [raw(f"SSH {TOKEN} {SENT}\r\n\r\n".encode())], {}),
    "broken header": (set_env_var, [raw(f"HTTP/1.1 200 OK\r\n{TOKEN} {SENT}\r\n\r\n".encode())], {}),
    "broken header, escaped": (
        me,
        [raw(f"HTTP/1.1 200 OK\r\nx{SPELLINGS['percent'](TOKEN)}\r\n\r\n".encode())],
        {},
    ),
    "several": (several, [reply(200, json={"items": []}), reply(201, json={"name": "A", "value": "x"})], {}),
    "download": (download, [reply(body=b"file")], {}),
    "download with a redirect": (download, [redirect("/output/b"), reply(body=b"file")], {}),
}


async def attempt(call: Call, client: AsyncCircleCI) -> None:
    try:
        await call(client)
    except Exception as error:  # whatever comes of it: the loggers are searched
        logging.getLogger("test").debug("%s", type(error).__name__)


@pytest.mark.parametrize("way", WAYS)
async def test_every_way_of_sending(server: ScriptedServer, everything: Everything, way: str) -> None:
    call, responses, options = WAYS[way]
    server.script(responses[:-1])
    server.otherwise(responses[-1])
    given: dict[str, Any] = {"max_retries": 0, **options}
    async with client_on(server, token=TOKEN, **given) as client:
        await attempt(call, client)
        for seconds in (1, 5, 25):
            if way == "deadline" and not server.requests:  # the time ran out before
                await attempt(call, client.with_options(timeout=seconds))
    assert len(server.requests) >= 1
    assert any(name.startswith("httpcore") for name, _ in everything.said)


async def test_no_connection(everything: Everything) -> None:
    with closed_port() as address:
        async with client_on(address, token=TOKEN, max_retries=0) as client:
            await attempt(set_env_var, client)


AUTHORITY: Final = trustme.CA()


@pytest.fixture
def secure() -> Iterator[ScriptedServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("localhost").configure_cert(context)  # pyright: ignore[reportUnknownMemberType]  # trustme has no types for pyOpenSSL
    with ScriptedServer(tls=context) as server:
        server.otherwise(reply(400, json={"message": f"{TOKEN} {SENT}"}, headers=ECHO))
        yield server


@pytest.mark.parametrize("trusts", [True, False])
@pytest.mark.parametrize("way", ["direct", "proxy", "refusing proxy", "breaking proxy"])
async def test_tls_and_proxies(secure: ScriptedServer, everything: Everything, way: str, trusts: bool) -> None:
    trusting = ssl.create_default_context()
    if trusts:
        AUTHORITY.configure_trust(trusting)  # pyright: ignore[reportUnknownMemberType]  # trustme has no types for pyOpenSSL
    with Proxy() as proxy:
        proxy.refuses = 407 if way == "refusing proxy" else None
        proxy.breaks = way == "breaking proxy"
        address = None if way == "direct" else proxy.url.replace("://", f"://ada:{PASSWORD}@")
        async with client_on(secure, token=TOKEN, verify=trusting, proxy=address, max_retries=0) as client:
            await attempt(set_env_var, client)
            await attempt(me, client)
    assert len(secure.requests) == (2 if trusts and way in ("direct", "proxy") else 0)


async def test_plain_http_by_a_proxy(everything: Everything) -> None:
    with Proxy() as proxy:
        proxy.otherwise(reply(400, json={"message": TOKEN}, headers=ECHO))
        address = proxy.url.replace("://", f"://ada:{PASSWORD}@")
        async with client_on("http://circleci.test", token=TOKEN, allow_http=True, proxy=address) as client:
            await attempt(set_env_var, client)
        assert len(proxy.requests) == 1


async def test_credentials_for_a_socks_proxy() -> None:
    """httpcore logs the arguments of this step."""
    info: dict[str, Any] = {"host": "circleci.com", "auth": (b"ada", PASSWORD.encode())}
    await Progress().trace("socks.setup_socks5_connection.started", info)
    assert PASSWORD not in repr(info)
    user, password = info["auth"]
    assert (user, password) == (b"ada", PASSWORD.encode())


async def test_webhooks(everything: Everything) -> None:
    router = Router()

    @router.on(WorkflowCompleted)
    async def fails(event: WorkflowCompleted) -> None:
        raise ValueError("no")

    body = json.dumps({"type": "workflow-completed", "id": "1"}).encode()
    for headers in ({}, {"circleci-signature": f"v1={SENT}"}, {"circleci-signature": "v1=" + "0" * 64}):
        with pytest.raises(SignatureError):
            parse(body, headers, secret=SENT)
    assert SENT not in repr(WebhookApp(router, secret=SENT))
    await router.handle(parse(body, secret=None))


async def test_fake(everything: Everything) -> None:
    fake = FakeCircleCI()
    fake.add_project(SLUG)
    async with fake.serve() as served, AsyncCircleCI(fake.token, base_url=served.base_url) as client:
        await attempt(set_env_var, client)
        await attempt(me, client)
    assert fake.token not in str(everything.said)
