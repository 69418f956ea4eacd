# pyright: basic
"""A string that is broken, or an encoding that is not UTF-8, makes no response unreadable."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest

from circleci_sdk import DecodeError, NotFoundError
from circleci_sdk._core.serialization.parsing import parsed, parsed_deep
from tests.support.clients import client_on
from tests.support.scripted_server import ScriptedServer, reply

BODY: Final = '{"id": "1", "login": "ada", "name": "%s", "new \\ud800": ["%s"]}'
BROKEN: Final = {
    "high half": (b"x\\ud800y", "x\ufffdy"),
    "low half": (b"\\uDFFF", "\ufffd"),
    "wrong order": (b"\\udc00\\ud800", "\ufffd\ufffd"),
    "whole pair": (b"\\ud83d\\ude00", "\U0001f600"),
    "encoded half": (b"\xed\xa0\x80", None),
    "latin-1": (b"caf\xe9", "caf\ufffd"),
    "cut off": (b"\xe2\x98", None),
    "not a byte of UTF-8": (b"a\xff\xfeb", "a\ufffd\ufffdb"),
}


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"], ids=["plain", "with a mark"])
@pytest.mark.parametrize("kind", BROKEN)
async def test_broken_string(server: ScriptedServer, kind: str, mark: bytes) -> None:
    text, read = BROKEN[kind]
    body = mark + BODY.encode().replace(b"%s", text)
    server.script([reply(body=body), reply(body=body), reply(404, body=b'{"message": "%s"}' % text)])
    async with client_on(server) as client:
        user = await client.v2.users.me()
        data = (await client.request("GET", "/api/v2/me")).data
        with pytest.raises(NotFoundError) as caught:
            await client.v2.users.me()
    assert (user.id, user.login) == (data["id"], data["login"]) == ("1", "ada")
    assert data["name"] == user.name
    assert read is None or read == user.name
    for shown in (user.name, json.dumps(data, ensure_ascii=False), str(caught.value), user.model_dump_json()):
        shown.encode()


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
async def test_other_encodings(server: ScriptedServer, encoding: str) -> None:
    server.otherwise(reply(body=(BODY % ("\u2603", "\u00e9")).encode(encoding)))
    async with client_on(server) as client:
        assert (await client.v2.users.me()).name == "\u2603"
        assert (await client.request("GET", "/api/v2/me")).data["name"] == "\u2603"


NO_JSON: Final = (b"\xff\xfe", b"\xef\xbb\xbf", b"{", b'{"a": \xff}', b"\0", b"\xed\xa0\x80", b"[" * 100_000)


@pytest.mark.parametrize("body", NO_JSON, ids=range(len(NO_JSON)))
async def test_what_is_no_json(server: ScriptedServer, body: bytes) -> None:
    server.otherwise(reply(body=body))
    async with client_on(server) as client:
        with pytest.raises(DecodeError):
            await client.v2.users.me()
    for read in (parsed, parsed_deep):
        with pytest.raises(ValueError, match=r"\w"):
            read(body)


@pytest.mark.parametrize("value", [{"a": [1.5, None, True, "\u2603", 10**30]}, [], "x", [[[[{}]]]]])
def test_the_same_data(value: Any) -> None:
    content = json.dumps(value).encode()
    assert parsed(content) == parsed_deep(content) == value
