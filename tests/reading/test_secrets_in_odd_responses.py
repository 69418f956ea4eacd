"""Raw values that may be secret are in the dump of a response that does not fit, and nowhere else.

Every operation whose response holds secrets gets a response in which no value fits and each one is a secret.
"""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, get_args, get_origin

import pytest
from pydantic import BaseModel

import circleci_sdk
from circleci_sdk import AsyncCircleCI, DecodeError, FieldUnavailableError, Page
from circleci_sdk._core.serialization.model import SecretText
from tests.reading.cases import METHODS, Method, Responses
from tests.support.declared_types import declared_type, members, models_in, nouns, spellings
from tests.support.expected_reading import Unfit, expected
from tests.support.handmade import things
from tests.support.mutations import Json

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

SECRET: Final = "hunter2-was-returned"
ODD: Final = ({SECRET: [SECRET]}, [{SECRET: SECRET}], SECRET)
"""Values that hold the secret. Each field gets the first one that does not fit its type."""

PACKAGE: Final = str(Path(circleci_sdk.__file__).parent)

PLAIN: Final[Sequence[Json]] = ("x", 7, True, "2026-01-01T00:00:00Z", [], {})


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def odd_object(model: type[BaseModel], *, secret: bool, depth: int = 0) -> dict[str, Json]:
    """An object in which no field fits. Without `secret` all but the secret fields are left out."""
    body: dict[str, Json] = {}
    for number, (name, field) in enumerate(model.model_fields.items()):
        declared, key = declared_type(field), spellings(name, field)[0]
        inner = [one for member in members(declared) for one in nested(member)]
        if inner and depth < 4:
            value = odd_object(inner[0], secret=secret, depth=depth + 1)
            if value:
                body[key] = in_container(declared, value)
        elif secret or SecretText in members(declared):
            unfit = [odd for odd in ODD if isinstance(expected(declared, odd), Unfit)]
            if unfit:
                body[key] = unfit[number % len(unfit)]
    return body


def nested(member: Any) -> list[type[BaseModel]]:
    """The models in a type, directly or as items of a list or a map."""
    if get_origin(member) in {list, dict}:
        return [model for part in members(get_args(member)[-1]) for model in nested(part)]
    return list(models_in(member))


def in_container(declared: Any, value: Json) -> Json:
    """An object, in a list or in a map, as the type demands."""
    types = nouns(declared)
    if "array" in types and not models_in(declared):
        return [value, SECRET]
    return {"key": value} if any(get_origin(member) is dict for member in members(declared)) else value


def readable(model: type[BaseModel]) -> dict[str, Json]:
    """A value for a required field, without which a response of a read is no use."""
    for name, field in model.model_fields.items():
        for plain in PLAIN:
            fits = not isinstance(expected(declared_type(field), plain), Unfit)
            if fits and field.is_required() and SecretText not in members(declared_type(field)):
                return {spellings(name, field)[0]: plain}
    return {}


def holds_secret(model: type[BaseModel], seen: frozenset[type] = frozenset()) -> bool:
    """Whether a model has a field of secret text, or a nested one has."""
    if model in seen:
        return False
    for field in model.model_fields.values():
        declared = declared_type(field)
        if SecretText in members(declared):
            return True
        for member in members(declared):
            if any(holds_secret(inner, seen | {model}) for inner in nested(member)):
                return True
    return False


SECRET_METHODS: Final = [
    method
    for method in METHODS
    if method.models and (method.operation.secret or any(holds_secret(model) for model in method.models))
]


def odd_response(method: Method) -> Json:
    model = method.models[0]
    body = {**odd_object(model, secret=method.operation.secret), **readable(model)}
    if method.operation.paging is None:
        return body
    items = [body, SECRET] if method.operation.secret else [body]
    if method.operation.paging.items is None:
        return items
    return {"items": items, "next_page_token": {SECRET: SECRET} if method.operation.secret else None}


def all_output(value: Any) -> Iterator[str]:
    """Everything that a value shows of itself, its dump apart."""
    yield from (repr(value), str(value), f"{value}", repr(getattr(value, "mismatches", ())))
    pickled = pickle.dumps(value)
    yield pickled.decode("latin-1")
    yield repr(pickle.loads(pickled))
    if isinstance(value, Page):
        for item in value.items:
            yield from all_output(item)
    if isinstance(value, BaseModel):
        yield repr(value.model_copy())
        yield repr(value.model_copy(deep=True))
        for name in type(value).model_fields:
            yield from of_field(value, name)


def of_field(model: BaseModel, name: str) -> Iterator[str]:
    try:
        value = getattr(model, name)
    except FieldUnavailableError as error:
        yield from of_error(error)
    else:
        if isinstance(value, BaseModel):
            yield from all_output(value)


def of_error(error: BaseException) -> Iterator[str]:
    # `DecodeError.body` is the response itself.
    attributes = {name: value for name, value in vars(error).items() if name != "body"}
    yield from (repr(error), str(error), repr(attributes), "".join(traceback.format_exception(error)))
    yield pickle.dumps(error).decode("latin-1")
    for frame in traceback.TracebackException.from_exception(error, capture_locals=True).stack:
        if frame.filename.startswith(PACKAGE):
            yield f"{frame.filename}:{frame.name}: {frame.locals}"


@pytest.mark.parametrize("method", SECRET_METHODS, ids=str)
async def test_raw_values_are_in_the_dump_only(method: Method, caplog: pytest.LogCaptureFixture) -> None:
    api = Responses()
    body = odd_response(method)
    assert SECRET in json.dumps(body)
    api.content = json.dumps(body).encode()
    caplog.set_level(logging.DEBUG)
    drift: list[object] = []
    async with AsyncCircleCI("token", transport=api, max_retries=0, on_drift=drift.append) as client:
        result = await method.call(client)

        assert result.mismatches
        output = [*all_output(result), caplog.text, repr(drift), repr(client.drift)]
        assert [line for line in output if SECRET in line] == []
        models = result.items if isinstance(result, Page) else [result]
        assert SECRET in json.dumps([model.model_dump(mode="json", by_alias=True) for model in models])
        assert drift


@pytest.mark.parametrize("method", SECRET_METHODS, ids=str)
async def test_no_error_of_a_strict_client_holds_raw_values(method: Method, caplog: pytest.LogCaptureFixture) -> None:
    api = Responses()
    api.content = json.dumps(odd_response(method)).encode()
    caplog.set_level(logging.DEBUG)
    async with AsyncCircleCI("token", transport=api, max_retries=0, strict=True) as client:
        with pytest.raises(DecodeError) as failure:
            await method.call(client)

    output = [caplog.text, *of_error(failure.value)]
    assert [line for line in output if SECRET in line] == []


async def test_secret_field_of_another_operation(caplog: pytest.LogCaptureFixture) -> None:
    """Of an operation that is no secret itself only the secret fields are kept out."""
    api = Responses()
    api.content = json.dumps({"id": "1", "password": {SECRET: [SECRET]}, "colour": ["plain"]}).encode()
    caplog.set_level(logging.DEBUG)
    async with AsyncCircleCI("token", transport=api) as client:
        thing = await things(client).get("1")

    assert [line for line in [*all_output(thing), caplog.text] if SECRET in line] == []
    assert "colour=<unavailable>, password=<unavailable>" in repr(thing)
    assert thing.model_dump(mode="json") == {
        "id": "1",
        "password": {SECRET: [SECRET]},
        "colour": ["plain"],
        "created_at": None,
        "parts": None,
        "labels": None,
    }


async def test_unknown_fields_beside_a_mismatch_in_a_secret_operation(caplog: pytest.LogCaptureFixture) -> None:
    """The token may have come under another name."""
    api = Responses()
    api.content = json.dumps({"id": "1", "label": 5, "scope": "status", "value": SECRET}).encode()
    caplog.set_level(logging.DEBUG)
    async with AsyncCircleCI("token", transport=api) as client:
        token = await client.v1.projects.create_token("gh/acme/web", label="ci", scope="status")

    assert [one.place for one in token.mismatches] == ["label"]
    assert [line for line in [*all_output(token), caplog.text] if SECRET in line] == []
    assert token.model_dump(mode="json")["value"] == SECRET


async def test_second_spelling_of_a_secret_field() -> None:
    api = Responses()
    body = {"username": "acme", "slack_webhook_url": 5, "slack-webhook-url": SECRET}
    api.content = json.dumps(body).encode()
    async with AsyncCircleCI("token", transport=api) as client:
        settings = await client.v1.projects.get_settings("gh/acme/web")

    assert [line for line in all_output(settings) if SECRET in line] == []
    assert settings.model_dump(mode="json", exclude_unset=True)["slack-webhook-url"] == SECRET


def test_secret_operations_are_found() -> None:
    labels = {str(method) for method in SECRET_METHODS}

    assert {"v2.triggers.get", "v1.projects.create_token", "v1.projects.get_settings"} <= labels
