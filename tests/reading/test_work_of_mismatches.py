"""The work of reading what does not fit, counted in validations: items that fit are read once more, all at once.

Times would depend on the machine; `benchmarks/decoding.py` measures them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from pydantic import TypeAdapter

from circleci_sdk import AsyncCircleCI
from circleci_sdk._core.serialization import decode
from tests.reading.cases import Responses
from tests.reading.odd_models import Leaf, Trees
from tests.support.mutations import Json, encoded

LEAF: Mapping[str, Json] = {"name": "l", "at": "2026-01-02T12:00:00Z", "colour": "green"}


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def api() -> Responses:
    return Responses()


@pytest.fixture
async def client(api: Responses) -> AsyncIterator[AsyncCircleCI]:
    async with AsyncCircleCI("token", transport=api) as client:
        yield client


@pytest.fixture
def validations(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Grows with each validation."""
    seen: list[object] = []
    for name in ("validate_json", "validate_python"):
        validate = getattr(TypeAdapter, name)

        def counted(adapter: TypeAdapter[Any], *arguments: Any, validate: Any = validate, **named: Any) -> Any:
            seen.append(adapter)
            return validate(adapter, *arguments, **named)

        monkeypatch.setattr(TypeAdapter, name, counted)
    found = decode.decoder

    def decoder(operation: Any) -> Any:
        reader = found(operation)

        def counted(content: bytes) -> Any:
            seen.append(reader)
            return reader.validate_json(content)

        return reader._replace(validate_json=counted)

    monkeypatch.setattr(decode, "decoder", decoder)
    return seen


async def work(client: AsyncCircleCI, api: Responses, validations: list[object], items: int, odd: int) -> int:
    """The validations of a page with this many items, some of them odd."""
    leaves: list[Json] = [{**LEAF, "name": 7 if number < odd else "l"} for number in range(items)]
    api.content = encoded({"items": leaves, "next_page_token": None})
    page = await Trees(client._caller).leaves()
    assert [one.place for one in page.mismatches] == [f"items.{number}.name" for number in range(odd)]
    validations.clear()
    await Trees(client._caller).leaves()
    return len(validations)


async def test_page_that_fits_is_validated_once(
    client: AsyncCircleCI, api: Responses, validations: list[object]
) -> None:
    assert await work(client, api, validations, items=30, odd=0) == 1


async def test_items_that_fit_are_read_all_at_once(
    client: AsyncCircleCI, api: Responses, validations: list[object]
) -> None:
    few, many = [await work(client, api, validations, items, odd=1) for items in (10, 30)]
    assert many == few


async def test_item_that_does_not_fit_is_read_field_by_field(
    client: AsyncCircleCI, api: Responses, validations: list[object]
) -> None:
    one, two = [await work(client, api, validations, items=30, odd=odd) for odd in (1, 2)]
    assert 0 < two - one <= len(Leaf.model_fields)
