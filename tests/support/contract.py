"""The contract of the SDK with the API: an operation is called over a socket, and checked on both sides."""

from __future__ import annotations

import importlib
import inspect
import json
import warnings
from collections.abc import Mapping
from dataclasses import replace
from itertools import zip_longest
from typing import Any, Final

from circleci_sdk import UNSET
from tests.support.calls import Call, calls, check_request
from tests.support.facts import Operation
from tests.support.responses import Items, MismatchError, Sample, check, samples
from tests.support.scripted_server import Response, ScriptedServer, reply

NEXT: Final = "next page+/="
EXTRA: Final = 7


async def check_operation(client: Any, server: ScriptedServer, operation: Operation) -> None:
    """Call the operation with each set of arguments, and reply with each response allowed by the facts."""
    models = importlib.import_module(_models(operation))

    def make_model(name: str, values: Mapping[str, Any]) -> object:
        return getattr(models, name)(**values)

    method = getattr(getattr(getattr(client, operation.version), operation.resource), operation.name)
    _check_signature(operation, method)
    made, responses = calls(operation, make_model), samples(operation)
    for turn, (call, sample) in enumerate(zip_longest(made, responses)):
        call = call or made[turn % len(made)]
        sample = sample or responses[turn % len(responses)]
        server.clear()
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            if operation.lists:
                await _check_list(method, server, operation, call, sample, turn)
            else:
                await _check_call(method, server, operation, call, sample)
        _check_warnings(operation, [warning.category for warning in warned])


def _check_signature(operation: Operation, method: Any) -> None:
    """Names, order and kinds of parameters, required ones, and defaults."""
    if inspect.iscoroutinefunction(method) == operation.lists:
        raise MismatchError(f"{operation.label}: expected a coroutine function, except for lists")
    expected = [
        (
            argument.name,
            inspect.Parameter.KEYWORD_ONLY if argument.keyword else inspect.Parameter.POSITIONAL_OR_KEYWORD,
            inspect.Parameter.empty if argument.required else UNSET if argument.default is None else argument.default,
        )
        for argument in operation.arguments
    ]
    actual = [(each.name, each.kind, each.default) for each in inspect.signature(method).parameters.values()]
    if actual != expected:
        raise MismatchError(f"{operation.label} signature: expected {expected}, not {actual}")


async def _check_call(method: Any, server: ScriptedServer, operation: Operation, call: Call, sample: Sample) -> None:
    server.script([reply(sample.status, body=sample.body)])
    result = await method(*call.positional, **call.keywords)
    [request] = server.requests
    check_request(operation, call, request)
    check(sample.expected, result, operation.label, _models(operation))


async def _check_list(
    method: Any, server: ScriptedServer, operation: Operation, call: Call, sample: Sample, turn: int
) -> None:
    """Even calls read all pages, the second of which is empty and the last; odd calls read only the first.

    Of a truncated list, whose token no parameter accepts, only the first page is read.
    """
    assert isinstance(sample.expected, Items)
    items = json.loads(sample.body)
    server.script([_page(operation, sample.status, items, NEXT), _page(operation, sample.status, [], None)])
    pager = method(*call.positional, **call.keywords)
    _check_class(operation, "AsyncPager", pager)
    if turn % 2 == 0:
        check(sample.expected, await pager.collect(), operation.label, _models(operation))
        if len(server.requests) not in _page_counts(operation, call, len(items)):
            raise MismatchError(f"{operation.label}: {len(server.requests)} requests for all pages")
    else:
        page = await pager
        _check_class(operation, "Page", page)
        check(sample.expected, page.items, operation.label, _models(operation))
        if len(server.requests) != 1:
            raise MismatchError(f"{operation.label}: {len(server.requests)} requests for one page")
        following = {"token": NEXT, "truncated": None}
        if operation.paging in following and page.next != following[operation.paging]:
            raise MismatchError(
                f"{operation.label}: expected next to be {following[operation.paging]!r}, not {page.next!r}"
            )
        if page.is_truncated != (operation.paging == "truncated"):
            raise MismatchError(f"{operation.label}: the page has is_truncated={page.is_truncated}")
        if dict(page.extras) != dict.fromkeys(operation.successes[0].extras, EXTRA):
            raise MismatchError(f"{operation.label}: the page has the extras {page.extras}")
    for number, request in enumerate(server.requests):
        check_request(operation, _moved(operation, call, len(items)) if number else call, request)


def _page(operation: Operation, status: int, items: list[Any], token: str | None) -> Response:
    [success] = operation.successes
    match success.form:
        case "array":
            return reply(status, json=items)
        case "items":
            return reply(status, json={"items": items, **dict.fromkeys(success.extras, EXTRA)})
        case _:
            return reply(
                status, json={"items": items, "next_page_token": token, **dict.fromkeys(success.extras, EXTRA)}
            )


def _page_counts(operation: Operation, call: Call, count: int) -> set[int]:
    """The possible numbers of requests for a page of so many items, followed by an empty one."""
    match operation.paging:
        case "token":
            return {2}
        case "list" | "truncated":
            return {1}
        case _:
            return {2} if count in dict(call.query).values() else {1, 2}


def _moved(operation: Operation, call: Call, count: int) -> Call:
    """The call for the page after a page of so many items."""
    query = dict[str, Any](call.query)
    match operation.paging:
        case "offset":
            query["offset"] = query.get("offset", 0) + count
        case "number":
            query["page"] = query.get("page", 1) + 1
        case _:
            query["page-token"] = NEXT
    return replace(call, query=tuple(query.items()))


def _check_class(operation: Operation, name: str, value: object) -> None:
    if value.__class__.__name__ != name:
        raise MismatchError(f"{operation.label}: expected an instance of {name}, not {value!r}")


def _check_warnings(operation: Operation, categories: list[type[Warning]]) -> None:
    expected = {DeprecationWarning} if operation.deprecated else set[type[Warning]]()
    if set(categories) != expected:
        raise MismatchError(f"{operation.label}: warned of {categories}, not of {expected}")


def _models(operation: Operation) -> str:
    return f"circleci_sdk.{operation.version}.models"
