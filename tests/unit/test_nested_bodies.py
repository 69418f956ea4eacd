"""Bodies of requests of API v3, nested by the paths of their members."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from circleci_sdk import InvalidArgumentError
from circleci_sdk._core.serialization.encode import encode_body
from circleci_sdk.v3 import OPERATIONS
from tests.support.clients import ID


def body_of(operation: str, **arguments: object) -> Any:
    content = encode_body(OPERATIONS[operation], arguments)
    return None if content is None else json.loads(content)


def test_members_are_nested_by_their_paths() -> None:
    assert body_of("createContext", name="ci", org_id=ID) == {
        "data": {"attributes": {"name": "ci"}, "references": {"org": {"id": ID}}}
    }
    assert body_of("renameNamespace", name="a") == {"name": "a"}
    config = {"type": "hosted", "file_path": "a.yml", "hosted": {"provider": "circleci"}}
    assert body_of("createPipeline", name="p", config=config, checkout={}, project_id=ID) == {
        "data": {
            "attributes": {"name": "p", "config": config, "checkout": {}},
            "references": {"project": {"id": ID}},
        }
    }


def test_parts_without_a_member_are_left_out() -> None:
    moment = datetime(2026, 1, 2, tzinfo=UTC)
    assert body_of("compileConfig", config="a") == {"data": {"attributes": {"config": "a"}}}
    assert body_of("createTrigger", is_disabled=False, pipeline_id=ID, checkout_ref="main") == {
        "data": {
            "attributes": {"is_disabled": False, "checkout": {"ref": "main"}},
            "references": {"pipeline": {"id": ID}},
        }
    }
    search = body_of("searchRuns", project_ids=[ID], from_=moment, to=moment)
    assert search == {
        "scope": {"project_ids": [ID], "from": "2026-01-02T00:00:00Z", "to": "2026-01-02T00:00:00Z"},
        "filter": "",
        "page": {"limit": 20},
    }
    assert body_of("searchCharges", analysis="charge.job", project_ids=[ID], page_token="c")["page"] == {
        "limit": 20,
        "cursor": "c",
    }


def test_a_body_that_may_be_missing() -> None:
    assert body_of("rerunWorkflow") is None
    assert body_of("rerunWorkflow", is_from_failed=False) == {"is_from_failed": False}
    assert body_of("cancelWorkflow") is None
    assert body_of("setUpConnection", org_id=ID, provider="github_app", return_url="https://example.com") == {
        "type": "vcs",
        "vcs": {"provider": "github_app"},
        "return_url": "https://example.com",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"name": "ci"}, "org_id: expected str or UUID, got nothing"),
        ({"name": None, "org_id": ID}, "name: expected str, got None"),
        ({"name": "ci", "org_id": {"id": ID}}, "org_id: expected str or UUID, got dict"),
    ],
)
def test_wrong_arguments_are_named_as_in_python(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidArgumentError) as failure:
        body_of("createContext", **arguments)
    assert words in str(failure.value)
