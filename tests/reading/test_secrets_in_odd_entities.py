"""Raw values that may be secret are in the dump of an entity that does not fit, and nowhere else.

Every operation of API v3 whose response holds secrets gets bodies in which fields, parts of the envelope and unknown
members are secrets.
"""

from __future__ import annotations

import copy
import json
import logging
from collections.abc import Iterator
from typing import Any, Final, cast

import pytest

from circleci_sdk import AsyncCircleCI, DecodeError
from tests.reading.cases import Responses
from tests.reading.entities import WHOLE, EntityCase, models
from tests.reading.test_secrets_in_odd_responses import SECRET, all_output, holds_secret, odd_object, of_error
from tests.support.calls import put
from tests.support.declared_types import models_in, path_of
from tests.support.mutations import Json

SECRET_CASES: Final = [
    case for case in WHOLE if case.is_secret or any(holds_secret(model) for model in models_in(case.declared))
]


@pytest.fixture(scope="module")
def anyio_backend() -> str:
    return "asyncio"


def bodies(case: EntityCase) -> Iterator[Json]:
    """Bodies in which no field fits, parts are no objects, and unknown members are beside a field that does not fit."""
    [model] = models_in(case.declared)
    good = case.body[case.key][0] if case.operation.lists else case.body[case.key] if case.key else case.body
    yield body_of(case, {**nested(odd_object(model, secret=case.is_secret)), **({"id": "1"} if "id" in good else {})})
    if case.is_secret:
        name, field = next((name, field) for name, field in model.model_fields.items() if name != "id")
        odd = copy.deepcopy(good)
        put(odd, path_of(name, field), 5)
        yield body_of(case, {**odd, "secret_token": SECRET})
        if "attributes" in good:
            yield body_of(case, {**good, "attributes": [SECRET]})
            yield body_of(case, {**odd, "attributes": {**odd["attributes"], "more": {"token": SECRET}}})
        if "references" in good:
            yield body_of(case, {**good, "references": SECRET})


def nested(flat: Json) -> Json:
    """An object with objects in place of keys with dots."""
    if not isinstance(flat, dict):
        return flat
    made: dict[str, Json] = {}
    for key, value in cast(dict[str, Json], flat).items():
        put(made, key.split("."), nested(value))
    return made


def body_of(case: EntityCase, entity: Json) -> Json:
    held = [entity] if case.operation.lists else entity
    return {case.key: held} if case.key else held


@pytest.mark.parametrize("case", SECRET_CASES, ids=str)
async def test_raw_values_are_in_the_dump_only(case: EntityCase, caplog: pytest.LogCaptureFixture) -> None:
    api = Responses()
    caplog.set_level(logging.DEBUG)
    drift: list[object] = []
    async with AsyncCircleCI("token", transport=api, max_retries=0, on_drift=drift.append) as client:
        for body in bodies(case):
            assert SECRET in json.dumps(body)
            api.content = json.dumps(body).encode()
            result: Any = await case.call(client)

            assert result.mismatches
            dumps: list[object] = [model.model_dump(mode="json", by_alias=True) for model in models(result)]
            assert SECRET in json.dumps(dumps)
            output = [*all_output(result), caplog.text, repr(drift)]
            assert [line for line in output if SECRET in line] == []


@pytest.mark.parametrize("case", SECRET_CASES, ids=str)
async def test_no_error_of_a_strict_client_holds_raw_values(case: EntityCase, caplog: pytest.LogCaptureFixture) -> None:
    api = Responses()
    caplog.set_level(logging.DEBUG)
    async with AsyncCircleCI("token", transport=api, max_retries=0, strict=True) as client:
        for body in bodies(case):
            api.content = json.dumps(body).encode()
            with pytest.raises(DecodeError) as failure:
                await case.call(client)
            output = [caplog.text, *of_error(failure.value)]
            assert [line for line in output if SECRET in line] == []


def test_secret_operations_are_found() -> None:
    assert {str(case) for case in SECRET_CASES} == {
        "v3.connections.setup",
        "v3.runner_resource_classes.create_token",
        "v3.runner_resource_classes.list_tokens",
        "v3.runner_tokens.create",
        "v3.runner_tokens.list",
    }
