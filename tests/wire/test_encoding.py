"""The server decodes exactly the arguments of the caller, or the call is refused before any request.

For every operation and every string argument, in the path, the query and the body, over a real socket.
"""

from __future__ import annotations

import json
import types
import unicodedata
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin
from urllib.parse import quote, unquote_to_bytes

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr

from circleci_sdk import (
    AsyncCircleCI,
    ByteStream,
    InvalidArgumentError,
    ItemStream,
    StatusError,
    UnknownStr,
    v1,
    v2,
    v3,
)
from circleci_sdk._core.operation import Operation, Parameter, ParameterType
from circleci_sdk._core.serialization.model import Model
from tests.support.calls import put
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import Request, ScriptedServer, reply

Place: TypeAlias = Literal["segment", "slug", "query", "joined", "body"]
Text: TypeAlias = Callable[[Place], str]

OPERATIONS: Final = [*v1.OPERATIONS.values(), *v2.OPERATIONS.values(), *v3.OPERATIONS.values()]
EVERYTHING: Final = st.text(st.characters())  # including surrogates, which `st.text()` omits
NOON: Final = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)

HARD: Final = (
    "../../other",
    "%2e%2e/%2F",
    "a b+c&d=e;f?g#h",
    "".join(map(chr, range(0x21, 0x7F))),
    "SHA256:1VxQm0sV8x+/w==",
    "üñî☃\U0001f600\u202e\u2028\u00a0",
    "e\u0301 is not \u00e9",
    "...",
    "-",
    "{id}",
    "null",
)
"""Valid everywhere, and without a special meaning."""

REFUSED: Final[dict[Place, tuple[str, ...]]] = {
    "segment": ("", ".", "..", "a\nb", "\r", "\0", "\x1f", "\x7f", "\x9f", "\ud800", "a\udfffb"),
    "slug": ("", ".", "..", "a/b", "a\nb", "\0", "\x7f", "\ud800"),
    "query": ("\ud800", "a\udfffb"),
    "joined": ("\ud800", "a,b"),
    "body": ("\ud800", "a\udfffb"),
}


def is_valid(place: Place, text: str) -> bool:
    """The documented rules, implemented independently."""
    kinds = {unicodedata.category(char) for char in text}
    if "Cs" in kinds:
        return False
    if place in ("segment", "slug"):
        return text not in ("", ".", "..") and "Cc" not in kinds and not (place == "slug" and "/" in text)
    return not (place == "joined" and "," in text)


# Calls with a string in each string argument


@dataclass
class Call:
    """The arguments of a call, and the expected values on the server."""

    arguments: dict[str, Any] = field(default_factory=dict[str, Any])
    path: list[str] = field(default_factory=list[str])
    query: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    body: dict[str, Any] = field(default_factory=dict[str, Any])


def calls(operation: Operation[Any], text: Text) -> Iterator[Call]:
    """One call, or several calls to use each of mutually exclusive arguments."""
    exclusive = [rule.names for rule in operation.rules if rule.kind != "needs"]
    for turn in range(max([len(names) for names in exclusive], default=1)):
        left_out = {name for names in exclusive for name in names if name != names[turn % len(names)]}
        for rule in operation.rules:
            if rule.kind == "needs" and left_out.issuperset(rule.names[1:]):
                left_out.add(rule.names[0])
        yield build(operation, left_out, text)


def build(operation: Operation[Any], left_out: set[str], text: Text) -> Call:
    call = Call()
    segments: dict[str, list[str]] = {}
    for parameter in operation.path_parameters:
        given, segments[parameter.wire] = in_path(parameter, text)
        call.arguments[parameter.name] = given
    path = operation.path
    for wire in segments:
        path = path.replace("/".join(f"{{{part}}}" for part in wire.split("/")), f"\n{wire}\n".replace("/", "\r"))
    for segment in (operation.api.base + path)[1:].split("/"):
        call.path += segments[segment.strip("\n").replace("\r", "/")] if segment.startswith("\n") else [segment]
    for parameter in operation.query_parameters:
        if parameter.name in left_out:
            continue
        call.arguments[parameter.name], sent = in_query(parameter, text)
        call.query += [(name, value) for value in sent for name in (parameter.wire, *parameter.also)]
    for parameter in operation.body or ():
        if parameter.name in left_out:
            continue
        call.arguments[parameter.name], ready = in_body(parameter.type, text, operation.api.models)
        for name in (parameter.wire, *parameter.also):
            put(call.body, name.split("."), ready)
    return call


def in_path(parameter: Parameter, text: Text) -> tuple[Any, list[str]]:
    match parameter.type.name:
        case "project-slug" | "org-slug":
            parts = [text("slug") for _ in range(2 if parameter.type.name == "project-slug" else 1)]
            vcs = "github" if parameter.type.long_vcs else "gh"
            return "/".join(["gh", *parts]), [vcs, *parts]
        case "integer":
            return 7, ["7"]
        case "choice" if parameter.type.closed:
            return parameter.type.values[0], [parameter.type.values[0]]
        case "choice":
            value = UnknownStr(text("segment"))
            return value, [value]
        case _:
            value = text("segment")
            return value, [value]


def in_query(parameter: Parameter, text: Text) -> tuple[Any, list[str]]:
    kind = parameter.type
    if kind.name != "list":
        value, sent = scalar(kind, text, "query")
        return value, [sent if isinstance(sent, str) else json.dumps(sent)]
    assert kind.items is not None
    both = [scalar(kind.items, text, "query" if parameter.exploded else "joined") for _ in range(2)]
    sent = [str(sent) for _, sent in both]
    return [value for value, _ in both], sent if parameter.exploded else [",".join(sent)]


def scalar(kind: ParameterType, text: Text, place: Place) -> tuple[Any, Any]:
    match kind.name:
        case "integer":
            number = kind.maximum or 7
            return number, number
        case "number":
            return 0.5, 0.5
        case "boolean":
            return True, True
        case "date-time":
            return NOON, "2026-01-02T12:00:00Z"
        case "choice" if kind.closed:
            return kind.values[0], kind.values[0]
        case "choice":
            value = UnknownStr(text(place))
            return value, str(value)
        case "secret":
            value = text(place)
            return SecretStr(value), value
        case _:
            value = text(place)
            return value, value


def in_body(kind: ParameterType, text: Text, models: str) -> tuple[Any, Any]:
    match kind.name:
        case "list":
            assert kind.items is not None
            both = [in_body(kind.items, text, models) for _ in range(2)]
            return tuple(value for value, _ in both), [sent for _, sent in both]
        case "map":
            assert kind.items is not None
            key, (value, sent) = text("body"), in_body(kind.items, text, models)
            return {key: value}, {key: sent}
        case "any":
            value = text("body")
            return {"text": [value]}, {"text": [value]}
        case "object":
            return nested(getattr(import_module(models), kind.members[0].name), text)
        case _:
            return scalar(kind, text, "body")


def nested(model: type[Model], text: Text) -> tuple[dict[str, Any], dict[str, Any]]:
    given: dict[str, Any] = {}
    sent: dict[str, Any] = {}
    for name, info in model.model_fields.items():
        given[name], sent[info.alias or name] = in_model(info.annotation, text)
    return given, sent


def in_model(annotation: Any, text: Text) -> tuple[Any, Any]:
    annotation = getattr(annotation, "__value__", annotation)
    kind, parts = get_origin(annotation), get_args(annotation)
    if UnknownStr in parts:
        value = UnknownStr(text("body"))
        return value, str(value)
    if kind in (types.UnionType, Union):
        return in_model(parts[0], text)
    if kind is list:
        value, sent = in_model(parts[0], text)
        return [value], [sent]
    if kind is Literal:
        return parts[0], parts[0]
    if annotation is bool or annotation is int:
        return annotation(1), annotation(1)
    if isinstance(annotation, type) and issubclass(annotation, Model):
        return nested(annotation, text)
    assert annotation in (str, Any), annotation
    value = text("body")
    return value, value


# The server and the client, shared by all operations


@pytest.fixture(scope="module")
def everything() -> Iterator[ScriptedServer]:
    with ScriptedServer() as server:
        server.otherwise(reply(418))
        yield server


@pytest.fixture(scope="module")
async def client(everything: ScriptedServer, anyio_backend: str) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", base_url=everything.url, max_retries=0) as client:
        yield client


async def sends(client: AsyncCircleCI, server: ScriptedServer, operation: Operation[Any], call: Call) -> bool:
    """Whether the call was sent; if so, check the values decoded by the server."""
    resource, _, method = operation.python_name.partition(".")
    bound = getattr(getattr(getattr(client, operation.api.name), resource), method)
    server.requests.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        try:
            await result_of(bound(**call.arguments))
        except InvalidArgumentError:
            assert server.requests == []
            return False
        except StatusError:
            pass
    [request] = server.requests
    assert request.method == operation.method
    assert decoded_path(request) == call.path
    # The encoded value was sent unchanged (httpx normalizes URLs).
    assert request.path == "/" + "/".join(quote(segment, safe="") for segment in call.path)
    query = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in call.query)
    assert request.target == request.path + ("?" + query if query else "")
    assert list(request.query) == call.query
    assert (request.json if request.body else {}) == call.body
    return True


async def result_of(called: Any) -> Any:
    """The result of a call; a stream is entered."""
    if not isinstance(called, ByteStream | ItemStream):
        return await called
    async with called as stream:
        return stream


def decoded_path(request: Request) -> list[str]:
    assert request.path.startswith("/")
    return [unquote_to_bytes(segment).decode() for segment in request.path[1:].split("/")]


def places_of(operation: Operation[Any]) -> list[Place]:
    """The string arguments of an operation, in the order of `calls`."""
    places: list[Place] = []

    def text(place: Place) -> str:
        places.append(place)
        return "x"

    list(calls(operation, text))
    return places


WITH_TEXT: Final = [operation for operation in OPERATIONS if places_of(operation)]
EACH_OPERATION: Final = pytest.mark.parametrize("operation", WITH_TEXT, ids=lambda operation: operation.label)


def test_few_operations_are_excluded() -> None:
    left_out = [operation for operation in OPERATIONS if operation not in WITH_TEXT]
    assert len(left_out) < 10
    for operation in left_out:
        kinds = {
            parameter.type.name
            for parameter in (*operation.path_parameters, *operation.query_parameters, *(operation.body or ()))
        }
        assert kinds <= {"integer", "number", "boolean", "date-time", "choice"}
    assert sum(len(places_of(operation)) for operation in WITH_TEXT) > 300


@ON_ASYNCIO
@EACH_OPERATION
async def test_special_strings_are_received_unchanged(
    client: AsyncCircleCI, everything: ScriptedServer, operation: Operation[Any]
) -> None:
    for turn in range(len(HARD)):
        count = iter(range(turn, 1_000))

        def text(place: Place, count: Iterator[int] = count) -> str:
            return next(text for index in count if is_valid(place, text := HARD[index % len(HARD)]))

        for call in calls(operation, text):
            assert await sends(client, everything, operation, call)


@ON_ASYNCIO
@EACH_OPERATION
async def test_unencodable_strings_are_refused(
    client: AsyncCircleCI, everything: ScriptedServer, operation: Operation[Any]
) -> None:
    for position, place in enumerate(places_of(operation)):
        for wrong in REFUSED[place]:
            count = iter(range(1_000))

            def text(place: Place, count: Iterator[int] = count, at: int = position, wrong: str = wrong) -> str:
                return wrong if next(count) == at else "x"

            sent = [await sends(client, everything, operation, call) for call in calls(operation, text)]
            assert sent.count(False) == 1, (place, wrong)


@ON_ASYNCIO
@EACH_OPERATION
@settings(max_examples=10, derandomize=True, deadline=None, database=None)
@given(data=st.data())
async def test_any_string_is_received_or_refused(
    client: AsyncCircleCI, everything: ScriptedServer, operation: Operation[Any], data: st.DataObject
) -> None:
    drawn: list[tuple[Place, str]] = []

    def text(place: Place) -> str:
        drawn_text = data.draw(EVERYTHING)
        if place == "slug":  # white space around a slug is left out
            drawn_text = drawn_text.strip(" \t\r\n")
        drawn.append((place, drawn_text))
        return drawn_text

    for call in calls(operation, text):
        assert await sends(client, everything, operation, call) == all(is_valid(*each) for each in drawn)
        drawn.clear()


async def test_white_space_around_a_slug_is_left_out(client: AsyncCircleCI, everything: ScriptedServer) -> None:
    everything.requests.clear()
    with pytest.raises(StatusError):
        await client.v2.projects.get("\t gh/acme/web \r\n")
    assert [request.path for request in everything.requests] == ["/api/v2/project/gh/acme/web"]


async def test_any_string_in_a_raw_request(client: AsyncCircleCI, everything: ScriptedServer) -> None:
    for text in HARD:
        everything.requests.clear()
        with pytest.raises(StatusError):
            await client.with_options(query={"view": text}).request(
                "POST", "/api/v3/x", query={text: [text, "b"]}, json={text: [text]}
            )
        [request] = everything.requests
        assert list(request.query) == [(text, text), (text, "b"), ("view", text)]
        assert request.json == {text: [text]}


@pytest.mark.parametrize(
    "path",
    ["/api/v3/a%2Fb/%E2%98%83", "/api/v3/%2e%2e%2fx", "/api/v2/a:b@c!$&'()*,;=", "/api/v2/x/", "/api/v1.1/me"],
)
async def test_raw_path_is_sent_unchanged(client: AsyncCircleCI, everything: ScriptedServer, path: str) -> None:
    everything.requests.clear()
    with pytest.raises(StatusError):
        await client.request("GET", path)
    assert [request.target for request in everything.requests] == [path]


@pytest.mark.parametrize(
    "path",
    [
        "",
        "api/v2/me",
        "/v2/me",
        "/API/v2/me",
        "https://example.com/api/v2/me",
        "//example.com/api/v2/me",
        "/api//v2/me",
        "/api/../v2/me",
        "/api/v2/../../other",
        "/api/v2/./me",
        "/api/%2E%2e/me",
        "/api/v2/%2e",
        "/api/v2/me?x=1",
        "/api/v2/me#x",
        "/api/v2/a b",
        "/api/v2/\\..",
        "/api/v2/a\n",
        "/api/v2/\x00",
        "/api/v2/\N{SNOWMAN}",
        "/api/v2/a%zz",
        "/api/v2/100%",
        '/api/v2/"<>^`{|}',
        None,
        b"/api/v2/me",
    ],
    ids=repr,
)
async def test_invalid_raw_path_is_refused(client: AsyncCircleCI, everything: ScriptedServer, path: Any) -> None:
    everything.requests.clear()
    with pytest.raises(InvalidArgumentError, match="request: path"):
        await client.request("GET", path)
    assert everything.requests == []
