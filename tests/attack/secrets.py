"""Hostile words of a server: quoted secrets, control characters, and other versions of the API."""

from __future__ import annotations

import logging
import pickle
import random
import traceback
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import SecretStr

from circleci_sdk import AsyncCircleCI, Reply, printable
from circleci_sdk._core.causes import with_causes
from tests.attack.kinds import Broken, Kind, what_happened
from tests.support.clients import SLUG, TOKEN, client_on
from tests.support.scripted_server import Response, ScriptedServer, raw, redirect, reply
from tests.support.spellings import SPELLINGS, mixed

STEERING: Final = "\x00\x07\x08\x0c\x1b\x7f\x80\x85\x9b\u061c\u200e\u200f\u2028\u2029\u202a\u202e\u2066\u2069"
NAMES: Final = ("X-Request-Id", "X-Echo", "Set-Cookie", "WWW-Authenticate", "Location", "Retry-After", "Deprecation")


class _Records(logging.Handler):
    def __init__(self) -> None:
        super().__init__(0)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(logging.Formatter("%(message)s").format(record))


@contextmanager
def _records(*names: str) -> Generator[list[str]]:
    """What these loggers say at DEBUG."""
    handler = _Records()
    loggers = [logging.getLogger(name) for name in names]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
        logger.addHandler(handler)
    try:
        yield handler.texts
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)
            logger.removeHandler(handler)


def _shown(error: BaseException) -> Iterator[str]:
    for one in with_causes(error):
        yield f"{one!s} {one!r} {one.args!r} {vars(one)!r}"
    yield "".join(traceback.format_exception(error))
    yield pickle.dumps(error).decode("latin-1")


def _response(rng: random.Random, text: str) -> Response:
    """The text somewhere in a response."""
    status = rng.choice([200, 200, 201, 302, 400, 401, 403, 404, 409, 422, 429, 500, 503])
    header = text.encode().decode("latin-1")
    match rng.randrange(7):
        case 0:
            return reply(status, json={rng.choice(["message", "error", "detail", "title", "other"]): text})
        case 1:
            return reply(status, json=[{"errors": [{"detail": [text]}]}])
        case 2:
            return reply(status, text=text, content_type=rng.choice(["text/plain", "text/html", "application/json"]))
        case 3:
            return reply(status, json={"message": "No."}, headers={rng.choice(NAMES): header})
        case 4:
            return reply(status, body=text.encode(rng.choice(["utf-8", "utf-16", "utf-32-le"])))
        case 5:
            return raw(
                b"HTTP/1.1 200 OK\r\n" + rng.choice([b"", b" ", b"x: \x01", b"no colon "]) + text.encode() + b"\r\n\r\n"
            )
        case _:
            return raw(rng.choice([b"HTTP/9 200 ", b"ICY ", b""]) + text.encode() + b"\r\n\r\n")  # fmt: skip


async def _call(client: AsyncCircleCI, rng: random.Random, secret: str) -> Any:
    calls: list[Callable[[], Awaitable[Any]]] = [
        lambda: client.v2.projects.set_env_var(SLUG, name="A", value=SecretStr(secret)),
        lambda: client.request("POST", "/api/v2/x", json={"a": [{"b": SecretStr(secret)}]}),
        lambda: client.v2.otel_exporters.create(
            org_id="o", endpoint="x:1", protocol="grpc", headers={"key": SecretStr(secret)}
        ),
        lambda: client.v2.webhooks.create(
            name="n", events=[], url="https://a.test", verify_tls=True, signing_secret=SecretStr(secret),
            scope={"id": "1", "type": "project"},
        ),
    ]  # fmt: skip
    return await rng.choice(calls)()


async def quoted_secret(rng: random.Random) -> str:
    """The token or a sent secret, in any spelling, at any place of a response."""
    sent = "".join(rng.choices("abcdefgXYZ0123456789/+-_.~!$", k=rng.randrange(12, 60)))
    secret = rng.choice([TOKEN, sent])
    text = mixed(secret, rng) if rng.random() < 0.3 else SPELLINGS[rng.choice(list(SPELLINGS))](secret)
    hidden = [text, repr(text)[1:-1], repr(text.encode())[2:-1], secret]
    happened = "result"
    with ScriptedServer() as server, _records("circleci_sdk", "httpcore") as said:
        server.otherwise(_response(rng, text))
        async with client_on(server, token=TOKEN, max_retries=0, strict=rng.random() < 0.3) as client:
            try:
                found = await _call(client, rng, sent)
            except Exception as error:  # The documented ones are told from others below.
                happened = what_happened(error)
                shown = list(_shown(error))
            else:
                shown = [repr(found.headers)] if isinstance(found, Reply) else []
    for place in (*shown, *said):
        if any(one in place for one in hidden):
            raise Broken("token shown", f"{text!r} in {place[:300]}")
    return happened


async def control_characters(rng: random.Random) -> str:
    """Characters that steer a terminal, in any text of a response."""
    text = "".join(rng.choice([*STEERING, "a", "b", " ", "%", "\\"]) for _ in range(rng.randrange(1, 30)))
    happened = "result"
    text = text if rng.random() < 0.5 else text.replace("\x00", "")
    shown: list[str] = []
    with ScriptedServer() as server, _records("circleci_sdk") as said:
        server.otherwise(_response(rng, text))
        async with client_on(server, max_retries=0, strict=rng.random() < 0.3) as client:
            try:
                found = await client.v2.users.me()
                shown += [repr(found), str(found), *map(str, found.mismatches)]
            except Exception as error:  # The documented ones are told from others below.
                happened = what_happened(error)
                shown += [str(one) for one in with_causes(error) if type(one).__module__ == "circleci_sdk"] + [
                    repr(error)
                ]
                shown += [str(getattr(error, name, "")) for name in ("message", "request_id")]
    for place in (*shown, *said):
        if printable(place, lines=True) != place:
            raise Broken("wrong result", f"a control character in {place[:300]!r}")
    return happened


async def version_of_the_api(rng: random.Random) -> str:
    """A path of any version, with redirects on the same server and away from it."""
    versions = ["v1.1", "v2", "v3", "V3", "%763", "v3x", "v30", "3"]
    paths = [f"/api/{rng.choice(versions)}{rng.choice(['', '/', '/runs', '/v3/a%2Fb', '/api/v3'])}" for _ in range(3)]
    auth = rng.choice(["circle-token", "bearer", "basic", "none"])
    options: dict[str, Any] = {"auth": auth} if auth == "none" else {"auth": auth, "token": TOKEN}
    with ScriptedServer() as server, ScriptedServer() as other:
        server.script([redirect(path) for path in paths[1:]])
        server.otherwise(rng.choice([reply(204), redirect(f"{other.url}/api/v3/x")]))
        other.otherwise(reply(204))
        async with AsyncCircleCI(base_url=server.url, max_retries=0, **options) as client:
            try:
                await client.request("GET", paths[0])
            except Exception as error:  # The documented ones are told from others below.
                what_happened(error)
        for request in server.requests:
            version = request.path.lower().replace("%76", "v").split("/")[2]
            sent = "circle-token" in request.headers, request.headers.get("authorization", "").partition(" ")[0]
            plain = (False, "Bearer") if version == "v3" else (True, "")
            basic = (False, "Bearer" if version == "v3" else "Basic")
            expected = {"circle-token": plain, "bearer": (False, "Bearer"), "basic": basic}
            if sent != expected.get(auth, (False, "")):
                raise Broken("wrong result", f"{auth}: {request.path} got {sent}")
        if other.requests:
            raise Broken("token shown", f"a redirect from {paths} left the server")
    return f"{auth} as documented"


KINDS: Final = (
    Kind("A secret that the server quotes", quoted_secret, tries=3000, samples=20),
    Kind("Control characters of the server", control_characters, tries=2000, samples=15),
    Kind("The token for a version of the API", version_of_the_api, tries=500, samples=10),
)
