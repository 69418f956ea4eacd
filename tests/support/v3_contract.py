"""The contract of `circleci.v3` with the API: an operation is called over a socket, and checked on both sides."""

from __future__ import annotations

import importlib
import inspect
import json
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from circleci_sdk import UNSET, PaginationError
from tests.support.calls import Call, calls, check_request, put
from tests.support.responses import DETAILS, NOTHING, Expectation, MismatchError, check
from tests.support.scripted_server import Response, ScriptedServer, reply
from tests.support.v3_facts import V3Operation
from tests.support.v3_responses import EntityMaker, beside_items, items_key

MODELS: Final = "circleci_sdk.v3.models"
NEXT: Final = "next page+/="
ENDS: Final[tuple[Mapping[str, Any], ...]] = (
    {},
    {"page": {}},
    {"page": {"next": None, "prev": "back"}},
    {"page": {"next": ""}},
    {"page": None},
)
"""The last pages by the document, and `page` as null."""

CUT: Final = "é".encode()
OUTPUT: Final = b"first\n" + CUT + b" second\r\n\x00last"


async def check_operation(client: Any, server: ScriptedServer, operation: V3Operation) -> None:
    """Call the operation with each set of arguments, and reply with each response allowed by its row."""
    models = importlib.import_module(MODELS)

    def make_model(name: str, values: Mapping[str, Any]) -> object:
        return getattr(models, name)(**values)

    method = getattr(getattr(client.v3, operation.resource), operation.name)
    check_signature(operation, method)
    check_of = _check_list if operation.lists else _check_stream if operation.streams else _check_call
    made = calls(operation, make_model)
    for turn in range(max(len(made), len(DETAILS), len(ENDS) if operation.has_pages else 0)):
        server.clear()
        await check_of(method, server, operation, made[turn % len(made)], turn)


def check_signature(operation: V3Operation, method: Any) -> None:
    """Names and kinds of parameters, required ones, and defaults. The order of keywords is of no interest."""
    if inspect.iscoroutinefunction(method) == (operation.lists or operation.streams):
        raise MismatchError(f"{operation.label}: expected a coroutine function, except for lists and streams")
    expected = {
        argument.name: (
            inspect.Parameter.KEYWORD_ONLY if argument.keyword else inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.empty if argument.required else UNSET if argument.default is None else argument.default,
        )
        for argument in operation.arguments
    }
    actual = {each.name: (each.kind, each.default) for each in inspect.signature(method).parameters.values()}
    if actual != expected:
        raise MismatchError(f"{operation.label} signature: expected {expected}, not {actual}")


def success(operation: V3Operation) -> int:
    """The status of a success, which a row may begin with."""
    told = re.match(r"(?:[a-z]+; )?(20\d)\b", operation.row.notes)
    return int(told[1]) if told else 204 if operation.row.form == "nothing" else 200


async def _check_call(method: Any, server: ScriptedServer, operation: V3Operation, call: Call, turn: int) -> None:
    status, form = success(operation), operation.row.form
    expected: Expectation = NOTHING
    content = ""
    if form == "json":
        wire, expected = EntityMaker(operation.resource).body(operation, DETAILS[turn % len(DETAILS)])
        content = json.dumps(wire)
    elif form == "unread":
        content = ("", "{}", '{"data": {"attributes": {"name": "a"}}}')[turn % 3]
    if form in {"text", "bytes"}:
        server.script([reply(status, body=OUTPUT, content_type="text/plain")])
    else:
        server.script([reply(status, body=content.encode())])
    result = await method(*call.positional, **call.keywords)
    [request] = server.requests
    check_request(operation, call, request)
    if form in {"text", "bytes"}:
        if result != OUTPUT.decode():
            raise MismatchError(f"{operation.label}: expected {OUTPUT!r} as text, not {result!r}")
    else:
        check(expected, result, operation.label, MODELS)


async def _check_stream(method: Any, server: ScriptedServer, operation: V3Operation, call: Call, turn: int) -> None:
    lines = operation.row.form == "lines"
    pieces: list[Any] = []
    if lines:
        assert operation.row.response is not None
        maker = EntityMaker(operation.resource)
        made = [maker.object(operation.row.response, detail) for detail in DETAILS]
        body = b"".join(json.dumps(wire).encode() + b"\n" for wire, _ in made) if turn else b""
    else:
        made, body = [], OUTPUT
    ends = turn % 2 == 0
    headers = {"X-Terminal": "true"} if ends and not lines else {}
    server.script([reply(body=body, headers=headers, content_type="application/octet-stream")])
    stream = method(*call.positional, **call.keywords)
    _check_class(operation, "ItemStream" if lines else "ByteStream", stream)
    async with stream:
        async for piece in stream:
            pieces.append(piece)  # noqa: PERF401  # a stream may end in its middle
    [request] = server.requests
    check_request(operation, call, request)
    if lines:
        for (_, expected), item in zip(made if turn else [], pieces, strict=True):
            check(expected, item, operation.label, MODELS)
        return
    if b"".join(pieces) != OUTPUT or stream.offset != len(OUTPUT):
        raise MismatchError(f"{operation.label}: expected {OUTPUT!r}, not {pieces}")
    if stream.is_terminal != ends:
        raise MismatchError(f"{operation.label}: is_terminal is {stream.is_terminal}")
    if operation.name == "stream_stdout" and request.headers.get("range") != "bytes=0-":
        raise MismatchError(f"{operation.label} header Range: {request.headers.get('range')}")


async def _check_list(method: Any, server: ScriptedServer, operation: V3Operation, call: Call, turn: int) -> None:
    """The pages of a list: a first one alone, all of them with each kind of an end, and a cursor that comes twice."""
    items, expected = EntityMaker(operation.resource).items(operation.row)
    extras = {member.name: {"total_count": 9} for member in beside_items(operation.row)}
    first = _page(operation, items, {"page": {"next": NEXT, "prev": None}} if operation.has_pages else {}, extras)
    following = _moved(operation, call)

    server.script([first])
    pager = method(*call.positional, **call.keywords)
    _check_class(operation, "AsyncPager", pager)
    page = await pager
    _check_class(operation, "Page", page)
    check(expected, page.items, operation.label, MODELS)
    if page.next != (NEXT if operation.has_pages else None):
        raise MismatchError(f"{operation.label}: next is {page.next!r}")
    if page.is_truncated or page.mismatches:
        raise MismatchError(f"{operation.label}: {page!r} is truncated, or does not fit")
    if any(page.extras.get(name, page.extras.get("total_count")) not in (each, 9) for name, each in extras.items()):
        raise MismatchError(f"{operation.label}: the extras are {page.extras}")
    _check_requests(operation, server, [call])

    end = ENDS[turn % len(ENDS)] if operation.has_pages else {}
    server.script([first, _page(operation, items[:1], end, extras)])
    found = await method(*call.positional, **call.keywords).collect()
    count = len(items) + (1 if operation.has_pages else 0)
    if len(found) != count:
        raise MismatchError(f"{operation.label}: expected {count} items of all pages, not {len(found)}")
    _check_requests(operation, server, [call, following] if operation.has_pages else [call])
    server.clear()
    if operation.has_pages:
        server.otherwise(first)
        await _check_repeated(operation, method(*call.positional, **call.keywords), len(items))
        _check_requests(operation, server, [call, following])
    elif items_key(operation.row) == "data":
        server.script([_page(operation, items, {"page": {"next": NEXT}}, extras)])
        if not (await method(*call.positional, **call.keywords)).is_truncated:
            raise MismatchError(f"{operation.label}: a page with a cursor is not truncated, and no parameter takes it")


async def _check_repeated(operation: V3Operation, pager: Any, count: int) -> None:
    """A cursor that comes twice would never end."""
    seen = 0
    try:
        async for _ in pager:
            seen += 1
            if seen > 9 * count:
                break
    except PaginationError:
        if seen != 2 * count:
            raise MismatchError(f"{operation.label}: {seen} items before the cursor came twice") from None
        return
    raise MismatchError(f"{operation.label}: a cursor that comes twice raises no PaginationError")


def _page(operation: V3Operation, items: list[Any], links: Mapping[str, Any], extras: Mapping[str, Any]) -> Response:
    return reply(json={items_key(operation.row): items, **links, **extras})


def _moved(operation: V3Operation, call: Call) -> Call:
    """The call of the page after the first one."""
    token = next((argument for argument in operation.arguments if argument.name == "page_token"), None)
    if token is None:
        return call
    if token.place == "body":
        body = json.loads(json.dumps(call.body))
        put(body, token.wire.split("."), NEXT)
        return replace(call, body=body)
    query = {**dict(call.query), token.wire: NEXT}
    if operation.row.path == "/provider/repositories":  # the cursor carries the size
        query.pop("page[limit]", None)
    return replace(call, query=tuple(query.items()))


def _check_requests(operation: V3Operation, server: ScriptedServer, expected: list[Call]) -> None:
    if len(server.requests) != len(expected):
        raise MismatchError(f"{operation.label}: {len(server.requests)} requests, expected {len(expected)}")
    for call, request in zip(expected, server.requests, strict=True):
        check_request(operation, call, request)
    server.clear()


def _check_class(operation: V3Operation, name: str, value: object) -> None:
    if value.__class__.__name__ != name:
        raise MismatchError(f"{operation.label}: expected an instance of {name}, not {value!r}")
