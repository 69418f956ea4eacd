"""Entities of API v3 are flat models, read at once: the tolerant reader is for what does not fit."""

from __future__ import annotations

import copy
import json
import pickle
from typing import Any

import pytest
from pydantic import BaseModel

from circleci_sdk._core.serialization.decode import new_decoder
from circleci_sdk.v3 import OPERATIONS, models
from tests.support.work import Work

ORG = "5034460f-c7c4-4c43-9457-de07e2029e7b"
PROJECT = {"id": "p", "attributes": {"name": "web"}, "references": {"org": {"id": ORG}}}
RUN: dict[str, Any] = {
    "id": "r",
    "attributes": {
        "phase": "ended",
        "created_at": "2026-01-02T03:04:05Z",
        "errors": [{"type": "config", "message": "m"}],
    },
    "references": {
        "event": {"attributes": {"type": "push", "vcs": {"branch": "main", "commit": None}}},
        "trigger": {"attributes": {"event_source": {"type": "webhook"}}},
        "project": {"id": "p"},
        "user": {"id": "u", "attributes": {"login": "ada"}},
    },
}


def read_at_once(operation_id: str, body: object) -> Any:
    """What pydantic alone makes of a body. Raises if it does not fit."""
    fresh = new_decoder(OPERATIONS[operation_id])
    return fresh.validate_json(json.dumps(body))


@pytest.mark.parametrize("is_built", [False, True], ids=["before", "after"])
def test_entities_are_read_at_once_before_and_after_their_classes_are_built(is_built: bool) -> None:
    if is_built:
        for name in ("Project", "Run", "RunEvent", "RunUser"):
            getattr(models, name).model_rebuild()
    project = read_at_once("getProject", {"data": PROJECT})
    assert project == models.Project(id="p", name="web", org_id=ORG)
    assert project.model_fields_set == {"id", "name", "org_id"}
    [same] = read_at_once("listProjects", {"data": [PROJECT], "page": {"next": None}}).data
    assert same == project
    run = read_at_once("getRun", {"data": {**RUN, "references": {**RUN["references"], "event": {"attributes": {}}}}})
    assert (run.phase, run.project_id, run.user.login, run.event.vcs) == ("ended", "p", "ada", None)


def test_a_flat_model_is_a_usual_one() -> None:
    body = {
        **PROJECT,
        "attributes": {"name": "web", "new": [1]},
        "links": {},
        "references": {"org": {"id": ORG, "x": 1}},
    }
    project = read_at_once("getProject", {"data": body})
    flat = {"id": "p", "name": "web", "org_id": ORG, "new": [1], "links": {}, "references.org.x": 1}
    assert project.model_dump() == flat
    assert json.loads(project.model_dump_json(by_alias=True)) == flat
    assert models.Project.model_validate_json(project.model_dump_json()) == project
    assert models.Project.model_validate(flat) == project
    for other in (
        copy.copy(project),
        copy.deepcopy(project),
        pickle.loads(pickle.dumps(project)),
        project.model_copy(),
    ):
        assert other == project
    assert project.model_copy(update={"name": "api"}).name == "api"

    class Cached(BaseModel):
        projects: list[models.Project]

    cached = Cached(projects=[project])
    assert Cached.model_validate_json(cached.model_dump_json()) == cached


@pytest.mark.parametrize(
    ("attributes", "references", "unknown"),
    [
        ({"org_id": 5}, {}, {"attributes.org_id": 5}),
        ({"id": 5}, {}, {"attributes.id": 5}),
        ({"user": 1}, {"user": {"id": "u"}}, {"user": 1, "references.user": {"id": "u"}}),
        ({"attributes": 1}, {"references": {"id": "u"}}, {"attributes": 1, "references": {"id": "u"}}),
        ({"org": 1}, {"org_id": 2}, {"org": 1, "references.org_id": 2}),
    ],
)
def test_unknown_members_replace_nothing(
    attributes: dict[str, Any], references: dict[str, Any], unknown: dict[str, Any]
) -> None:
    body = {
        "id": "p",
        "attributes": {"name": "web", **attributes},
        "references": {"org": {"id": ORG}, **references},
    }
    project = read_at_once("getProject", {"data": body})
    assert (project.id, project.name, project.org_id) == ("p", "web", ORG)
    assert project.model_extra == unknown


@pytest.mark.parametrize("unknown", [{}, {"new": 1}], ids=["none", "unknown"])
def test_an_entity_takes_few_function_calls(unknown: dict[str, Any]) -> None:
    """Pydantic reads the members. One call takes them out of the envelope, and one makes the model."""
    project = {**PROJECT, "attributes": {"name": "web", **unknown}}

    def calls(entities: int) -> int:
        body = {"data": [project] * entities, "page": {"next": None}}
        reader = new_decoder(OPERATIONS["listProjects"])
        content = json.dumps(body)
        reader.validate_json(content)
        with Work() as work:
            reader.validate_json(content)
        return work["circleci_sdk"]

    assert calls(20) - calls(10) == 10 * (4 if unknown else 3)
