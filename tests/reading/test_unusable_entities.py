"""Responses of API v3 that no call can use raise `DecodeError`; after a write, no JSON object does."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI, DecodeError
from circleci_sdk._core.serialization.model import Model
from circleci_sdk.v3.models import MessageResponse
from tests.reading.cases import Responses
from tests.reading.entities import WHOLE, EntityCase
from tests.reading.test_unusable_responses import NO_JSON, OTHER_TYPES, PAGE
from tests.support.mutations import Json, encoded

LISTS: Final = [case for case in WHOLE if case.operation.lists]
READS: Final = [case for case in WHOLE if not case.operation.lists and case.operation.method == "GET"]
WRITES: Final = [case for case in WHOLE if not case.operation.lists and case.operation.method != "GET"]
CONFIRMING: Final = [case for case in WRITES if case.declared is MessageResponse]
"""Methods that return a confirmation only."""


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


async def decode_error(case: EntityCase, client: AsyncCircleCI, api: Responses, content: bytes) -> DecodeError:
    """The error of a call with this response. It is not sent again."""
    api.content = content
    with pytest.raises(DecodeError) as failure:
        await case.call(client)
    error = failure.value
    assert (error.operation, error.attempts, error.retry_stop_reason) == (str(case), 1, "not_retryable")
    assert (error.field, error.status) == ("", 200)
    return error


@pytest.mark.parametrize("came", NO_JSON)
async def test_no_json(client: AsyncCircleCI, api: Responses, came: str) -> None:
    for case in WHOLE:
        if NO_JSON[came].strip() or case not in CONFIRMING:
            error = await decode_error(case, client, api, NO_JSON[came])
            assert (error.request_outcome, "base_url" in str(error)) == ("unknown", True), case


async def test_a_page_of_a_browser_in_place_of_nothing(client: AsyncCircleCI, api: Responses) -> None:
    api.content = PAGE
    with pytest.raises(DecodeError):
        await client.v3.contexts.delete("5034460f-c7c4-4c43-9457-de07e2029e7b")


@pytest.mark.parametrize("content", [*OTHER_TYPES, b"[]", b'[{"id": "1"}]'], ids=repr)
async def test_another_outer_type(client: AsyncCircleCI, api: Responses, content: bytes) -> None:
    for case in WHOLE:
        error = await decode_error(case, client, api, content)
        assert error.request_outcome == "processed", case


@pytest.mark.parametrize("held", [{}, {"id": "1"}, "none", 7, False], ids=repr)
async def test_list_whose_items_are_no_array(client: AsyncCircleCI, api: Responses, held: Json) -> None:
    for case in LISTS:
        await decode_error(case, client, api, encoded({case.key: held, "page": {"next": "more"}}))
        await decode_error(case, client, api, encoded({"page": {"next": "more"}}))


async def test_list_that_is_null_is_empty(client: AsyncCircleCI, api: Responses) -> None:
    """The search of a client's fake responds so; the older runner routes have no such list."""
    for case in LISTS:
        if case.key == "data":
            api.content = b'{"data": null, "page": {"next": null}}'
            page = await case.call(client)
            assert (page.items, page.next, page.mismatches) == ([], None, ()), case
        else:
            await decode_error(case, client, api, encoded({case.key: None}))


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"message": "Build not found"}, "it says 'Build not found'"),
        ({"error": {"type": "not_found", "title": "Not Found", "detail": "no run"}}, "it says 'Not Found: no run'"),
        ({}, "no field of"),
        ({"data": None}, "no field of"),
        ({"data": {}}, "no field of"),
        ({"data": []}, "no field of"),
        ({"data": {"attributes": {}, "references": {}}}, "no field of"),
        ({"data": {"attributes": "odd", "references": 7}}, "no field of"),
    ],
    ids=str,
)
async def test_no_other_object_passes_for_an_entity(
    client: AsyncCircleCI, api: Responses, body: Json, words: str
) -> None:
    for case in READS:
        error = await decode_error(case, client, api, encoded(body))
        assert error.request_outcome == "processed", case
        assert words in str(error), case


@pytest.mark.parametrize(
    "body",
    [
        {"message": "Accepted."},
        {},
        {"odd": 1},
        {"data": []},
        {"data": "odd"},
        {"data": {}, "message": ["a"]},
        {"data": {"message": "Accepted."}},
        {"data": {"attributes": 7, "references": None}},
    ],
    ids=str,
)
async def test_any_object_after_a_write_returns(client: AsyncCircleCI, api: Responses, body: Json) -> None:
    api.content = encoded(body)
    for case in WRITES:
        result = await case.call(client)

        assert type(result) is case.declared, case
        assert isinstance(result, Model)
        values = [value for value in _values(result.model_dump(exclude_unset=True)) if value is not None]
        assert values == [value for value in _values(body) if value is not None], case
        required = [name for name, field in type(result).model_fields.items() if field.is_required()]
        assert not any(hasattr(result, name) for name in required if name != "message"), case
        assert result.mismatches or case in CONFIRMING, case


def _values(body: Json) -> list[Any]:
    """The values in a body that are no objects."""
    return [one for item in body.values() for one in _values(item)] if isinstance(body, dict) else [body]


async def test_empty_body_in_place_of_a_confirmation(client: AsyncCircleCI, api: Responses) -> None:
    api.content = b""
    assert len(CONFIRMING) == 2
    for case in CONFIRMING:
        result: Any = await case.call(client)
        assert result.model_fields_set == set(), case


def test_every_kind_of_method_is_there() -> None:
    assert len(LISTS) > 25
    assert len(READS) > 15
    assert len(WRITES) > 20
