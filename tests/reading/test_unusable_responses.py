"""Responses that no call can use raise `DecodeError`, for every method; after a write, no JSON object does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI, DecodeError
from circleci_sdk._core.serialization.model import Model
from tests.reading.cases import METHODS, Method, Responses, declared
from tests.support.declared_types import declared_type, models_in, spellings
from tests.support.expected_reading import Unfit, expected
from tests.support.mutations import encoded

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

PAGE: Final = b"<!DOCTYPE html><html><head><title>Sign in to Acme</title></head><body>Please.</body></html>"
NO_JSON: Final = {
    "an HTML page": PAGE,
    "text": b"upstream connect error",
    "half a body": b'{"id": "1',
    "an empty body": b"",
    "blanks": b" \n",
    "no UTF-8 outside of a string": b'{"id": \xff}',
    "nested too deep": b"[" * 100_000,
}
OTHER_TYPES: Final = (b"null", b"true", b"7", b'"text"')

READING: Final = [method for method in METHODS if method.operation.response_body.models]
READS: Final = [method for method in READING if method.operation.method == "GET"]
LISTS: Final = [method for method in READS if method.facts.lists]
OBJECTS: Final = [method for method in READS if not method.facts.lists and method.models]
WRITES: Final = [method for method in READING if method.operation.method != "GET"]


@pytest.fixture(scope="module")
def api() -> Responses:
    return Responses()


@pytest.fixture(scope="module")
async def client(api: Responses) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", transport=api) as client:
        yield client


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


async def decode_error(method: Method, client: AsyncCircleCI, api: Responses, content: bytes) -> DecodeError:
    """The error of a call with this response. It is not sent again."""
    api.content = content
    with pytest.raises(DecodeError) as failure:
        await method.call(client)
    error = failure.value
    assert (error.operation, error.attempts, error.retry_stop_reason) == (str(method), 1, "not_retryable")
    assert (error.field, error.status) == ("", 200)
    return error


@pytest.mark.parametrize("came", NO_JSON)
async def test_no_json(client: AsyncCircleCI, api: Responses, came: str) -> None:
    for method in READING:
        if not NO_JSON[came].strip() and _may_be_empty(method):
            continue
        error = await decode_error(method, client, api, NO_JSON[came])
        assert error.request_outcome == "unknown", method
        assert "base_url" in str(error), method
        assert "prox" in str(error), method


def _may_be_empty(method: Method) -> bool:
    """Whether only an acknowledgement is due."""
    names = {name for model in method.models for name in model.model_fields}
    return method.operation.response_body.may_be_empty or (method in WRITES and names <= {"message", "status"})


async def test_html_page_is_described(client: AsyncCircleCI, api: Responses) -> None:
    api.content_type = "text/html"
    method = next(method for method in METHODS if str(method) == "v2.jobs.get")

    error = await decode_error(method, client, api, PAGE)

    assert "an HTML page titled 'Sign in to Acme'" in str(error)
    api.content_type = "application/json"


@pytest.mark.parametrize("content", OTHER_TYPES, ids=repr)
async def test_another_outer_type(client: AsyncCircleCI, api: Responses, content: bytes) -> None:
    for method in READING:
        error = await decode_error(method, client, api, content)
        assert error.request_outcome == "processed", method


async def test_array_for_an_object(client: AsyncCircleCI, api: Responses) -> None:
    for method in (*OBJECTS, *WRITES):
        await decode_error(method, client, api, b'[{"id": "1"}]')


@pytest.mark.parametrize(
    "content",
    [
        b"{}",
        b'{"items": null}',
        b'{"items": {}}',
        b'{"items": "none"}',
        b'{"next_page_token": null}',
        b'{"message": "No"}',
    ],
    ids=repr,
)
async def test_page_without_items(client: AsyncCircleCI, api: Responses, content: bytes) -> None:
    for method in LISTS:
        await decode_error(method, client, api, content)


@pytest.mark.parametrize("message", ["Build not found", "You must log in first."])
async def test_error_page_never_passes_for_an_object(client: AsyncCircleCI, api: Responses, message: str) -> None:
    for method in OBJECTS:
        if any("message" in model.model_fields for model in method.models):
            continue
        error = await decode_error(method, client, api, b'{"message": "%s"}' % message.encode())
        assert error.request_outcome == "processed"
        assert (message in str(error)) is not method.operation.secret, method


async def test_empty_object_is_an_object_without_required_fields(client: AsyncCircleCI, api: Responses) -> None:
    for method in OBJECTS:
        if any(field.is_required() for model in method.models for field in model.model_fields.values()):
            await decode_error(method, client, api, b"{}")
        else:
            api.content = b"{}"
            result: Any = await method.call(client)
            assert (type(result), result.mismatches) == (method.models[0], ())


async def test_declared_field_that_does_not_fit_is_no_other_object(client: AsyncCircleCI, api: Responses) -> None:
    optional = [
        (method, model)
        for method in OBJECTS
        for model in method.models
        if not any(field.is_required() for field in model.model_fields.values())
    ]
    assert optional
    for method, model in optional:
        name, field = next(iter(model.model_fields.items()))
        odd = next(odd for odd in (True, "odd") if isinstance(expected(declared_type(field), odd), Unfit))
        api.content = encoded({spellings(name, field)[0]: odd})
        result: Any = await method.call(client)
        assert [one.place for one in result.mismatches] == [name], method


@pytest.mark.parametrize(
    "content", [b'{"message": "Accepted."}', b"{}", b'{"odd": 1}', b'{"id": null}', b'{"message": ["a"]}'], ids=repr
)
async def test_any_object_after_a_write_returns(client: AsyncCircleCI, api: Responses, content: bytes) -> None:
    api.content = content
    for method in WRITES:
        result = await method.call(client)

        assert isinstance(result, tuple(models_in(declared(method.facts)))), method
        assert isinstance(result, Model)
        dumped = result.model_dump_json(by_alias=True, exclude_unset=True).encode()
        assert dumped.replace(b'":', b'": ') == content, method
        for name in {one.place for one in result.mismatches}:
            assert not hasattr(result, name), method


async def test_empty_body_in_place_of_an_acknowledgement(client: AsyncCircleCI, api: Responses) -> None:
    api.content = b""
    acknowledged = [method for method in WRITES if _may_be_empty(method)]
    assert len(acknowledged) > 15
    for method in acknowledged:
        result: Any = await method.call(client)
        assert result is None or result.model_fields_set == set(), method


def test_every_kind_of_method_is_there() -> None:
    assert len(LISTS) > 20
    assert len(OBJECTS) > 35
    assert len(WRITES) > 50
