"""The comparison of sample bodies with results notices what is lost, changed or invented."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict

from tests.support import places
from tests.support.v3_samples import differences, samples


class User(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    login: str | None = None


class Thing(BaseModel):
    model_config = ConfigDict(extra="allow")

    id: str
    name: str
    at: datetime | None = None
    count: int | None = None
    target: str | None = None
    workflow_id: str
    user: User
    sizes: dict[str, list[int]] | None = None


BODY: dict[str, Any] = {
    "id": "t",
    "attributes": {
        "name": "n",
        "at": "2026-01-02T03:04:05Z",
        "count": 1,
        "target": {"name": "v1"},
        "sizes": {"small": [1]},
        "new": None,
    },
    "references": {"workflow": {"id": "w", "slug": "s"}, "user": {"id": "u", "attributes": {"login": "l"}}},
}


def thing(**changes: Any) -> Thing:
    fields = {
        "id": "t",
        "name": "n",
        "at": datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        "count": 1,
        "target": "v1",
        "workflow_id": "w",
        "user": User(id="u", login="l"),
        "sizes": {"small": [1]},
        "new": None,
        "references.workflow.slug": "s",
    }
    return Thing.model_construct(**{name: value for name, value in {**fields, **changes}.items() if value is not ...})


def test_everything_is_there() -> None:
    assert list(differences(BODY, thing())) == []
    assert list(differences({"data": BODY}, thing())) == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"new": ...}, ".attributes.new: None is lost"),
        ({"references.workflow.slug": ...}, ".references.workflow.slug: 's' is lost"),
        ({"target": ...}, ".attributes.target.name: 'v1' is lost"),
        ({"workflow_id": "t"}, ".references.workflow.id: 'w' is lost"),
        ({"count": True}, ".attributes.count: 1 is lost"),
        ({"at": datetime(2026, 1, 2, 3, 4, 6, tzinfo=UTC)}, ".attributes.at: '2026-01-02T03:04:05Z' is lost"),
        ({"sizes": {"small": [1, 2]}}, ".attributes.sizes.small: [1] is lost"),
        ({"user": User(id="u")}, ".references.user.attributes.login: 'l' is lost"),
        ({"user": User.model_construct(id="u", login="l", more=1)}, ".user: "),
        ({"more": 1}, ".more: 1 from nowhere"),
    ],
)
def test_faults_are_noticed(changes: dict[str, Any], words: str) -> None:
    found = list(differences(BODY, thing(**changes)))

    assert any(line.startswith(words) for line in found), found


def test_every_line_of_the_manifest_is_read() -> None:
    found = samples(places.v3_payloads())

    assert len({sample.number for sample in found}) == len(found) == 227
    resumed = [sample for sample in found if sample.offset]
    assert {sample.key for sample in resumed} == {"GET /jobs/{id}/stdout"}
    assert all(sample.file or sample.status in {204, 410, 416} for sample in found)
