"""Decoding of deliveries: known types, unknown types, invalid bodies."""

from __future__ import annotations

import json
from typing import Any

import pytest

from circleci_sdk import DecodeError, InvalidArgumentError, SignatureError, UnknownStr
from circleci_sdk.v1.models import Build, BuildDetails
from circleci_sdk.webhooks import (
    JobCompleted,
    Ping,
    UnknownEvent,
    WorkflowCompleted,
    branch_of,
    delivery_id,
    parse,
    project_slug_of,
    status_of,
    tag_of,
)
from tests.support.recordings import differences
from tests.webhooks import deliveries

BUILD: dict[str, Any] = {
    "vcs_url": "https://github.com/acme/web",
    "build_url": "https://circleci.com/gh/acme/web/22",
    "build_num": 22,
    "branch": "main",
    "vcs_revision": "1d231626ba1d2838e599c5c598d28e2306ad4e48",
    "why": "github",
    "lifecycle": "finished",
    "outcome": "failed",
    "status": "failed",
}


def read(body: object, **headers: str) -> Any:
    content = json.dumps(body).encode()
    return parse(content, {**deliveries.headers(content), **headers}, secret=deliveries.SECRET)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (deliveries.workflow(), WorkflowCompleted),
        (deliveries.job(), JobCompleted),
        (deliveries.ping(), Ping),
        (deliveries.workflow(pipeline=deliveries.from_trigger(branch="main", tag="")), WorkflowCompleted),
        (deliveries.workflow(pipeline=deliveries.from_trigger(branch=None, tag="v1.0")), WorkflowCompleted),
        (deliveries.workflow(pipeline=deliveries.on_branch(None)), WorkflowCompleted),
        (deliveries.job(workflow=None), JobCompleted),
        (deliveries.job(pipeline=deliveries.pipeline(vcs=None, trigger_parameters=None)), JobCompleted),
        (deliveries.job(job={**deliveries.job()["job"], "started_at": None, "stopped_at": None}), JobCompleted),
        (
            deliveries.workflow(brand_new={"a": [1, None]}, workflow={**deliveries.workflow()["workflow"], "x": 1}),
            WorkflowCompleted,
        ),
        (deliveries.workflow(status="on_fire"), WorkflowCompleted),
        (deliveries.workflow(pipeline=deliveries.pipeline(trigger={"type": "carrier pigeon"})), WorkflowCompleted),
        (
            deliveries.job(pipeline=deliveries.pipeline(trigger_parameters={"github_app": {"ref": "x"}, "git": None})),
            JobCompleted,
        ),
    ],
)
def test_each_form_is_decoded_without_loss(body: dict[str, Any], kind: type[Any]) -> None:
    event = read(body)
    assert type(event) is kind
    assert list(differences(body, event.model_dump(mode="json", by_alias=True, exclude_unset=True))) == []
    assert delivery_id(event) == body["id"]


def test_a_job_may_have_no_workflow() -> None:
    body = deliveries.job()
    del body["workflow"]
    event = read(body)
    assert isinstance(event, JobCompleted)
    assert event.workflow is None


def test_unknown_values_of_open_enums_are_kept() -> None:
    event = read(deliveries.workflow(status="on_fire"))
    assert event.workflow.status == "on_fire"
    assert isinstance(event.workflow.status, UnknownStr)
    assert read(deliveries.workflow()).workflow.status == "failed"


@pytest.mark.parametrize(
    ("body", "branch", "tag", "status", "slug"),
    [
        (deliveries.workflow(), "main", None, "failed", "gh/acme/web"),
        (deliveries.job(status="success"), "main", None, "success", "gh/acme/web"),
        (deliveries.ping(), None, None, None, None),
        (deliveries.job(workflow=None, project=deliveries.project("bitbucket/a/b")), "main", None, "failed", "bb/a/b"),
        (
            deliveries.job(pipeline=deliveries.from_trigger(branch="main", tag="")),
            "main",
            None,
            "failed",
            "gh/acme/web",
        ),
        (deliveries.job(pipeline=deliveries.from_trigger(branch="", tag="v1")), None, "v1", "failed", "gh/acme/web"),
        (deliveries.job(pipeline=deliveries.on_branch(None)), None, None, "failed", "gh/acme/web"),
        (
            deliveries.job(pipeline=deliveries.pipeline(vcs={"tag": "v2", "branch": None})),
            None,
            "v2",
            "failed",
            "gh/acme/web",
        ),
        (deliveries.job(pipeline=deliveries.pipeline(vcs=None)), None, None, "failed", "gh/acme/web"),
        (
            deliveries.workflow(project=deliveries.project("circleci/A1b/C2d")),
            "main",
            None,
            "failed",
            "circleci/A1b/C2d",
        ),
        ({"payload": BUILD}, "main", None, "failed", "gh/acme/web"),
        ({"payload": {**BUILD, "branch": None, "vcs_tag": "v3"}}, None, "v3", "failed", "gh/acme/web"),
        ({"payload": {**BUILD, "vcs_url": "https://bitbucket.org/a/b"}}, "main", None, "failed", "bb/a/b"),
        ({"type": 5, "payload": BUILD}, "main", None, "failed", "gh/acme/web"),
        ({"payload": {**BUILD, "vcs_url": "https://[x/a"}}, "main", None, "failed", None),
        ({"payload": {**BUILD, "vcs_url": "http://a\u2100b/x\n"}}, "main", None, "failed", None),
        ({"payload": {**BUILD, "vcs_url": "http://a\u2100b/x/y"}}, "main", None, "failed", "gh/x/y"),
        ({"type": "deploy-completed", "status": "x", "project": 5, "pipeline": "y"}, None, None, None, None),
    ],
)
def test_fields_of_events_are_found_in_all_forms(
    body: object, branch: str | None, tag: str | None, status: str | None, slug: str | None
) -> None:
    event = read(body)
    assert (branch_of(event), tag_of(event), status_of(event), project_slug_of(event)) == (branch, tag, status, slug)


@pytest.mark.parametrize(
    ("body", "announced", "kind", "identity"),
    [
        ({"type": "deploy-completed", "id": "1", "x": [1]}, None, "deploy-completed", "1"),
        ({"type": "deploy-completed", "id": 5, "happened_at": "never"}, None, "deploy-completed", None),
        ({"type": ""}, "workflow-completed", "workflow-completed", None),
        ({"type": 5}, "workflow-completed", "workflow-completed", None),
        ({"type": ["ping"]}, None, "", None),
        ({}, None, "", None),
        ({}, "deploy-completed", "deploy-completed", None),
        ({"payload": None}, None, "", None),
        ({"payload": {"no": "build"}}, None, "", None),
        ({"payload": [1]}, None, "", None),
        ({"type": "new", "payload": BUILD}, None, "new", None),
    ],
)
def test_unknown_types_are_unknown_events(
    body: dict[str, Any], announced: str | None, kind: str, identity: str | None
) -> None:
    event = read(body, **({"circleci-event-type": announced} if announced else {}))
    assert event == UnknownEvent(kind, identity, body)
    assert delivery_id(event) == (
        identity or delivery_id(read(body, **({"circleci-event-type": announced} if announced else {})))
    )


def test_the_id_of_a_delivery_without_one_is_a_hash() -> None:
    one, same, other = read({"a": 1, "b": 2}), read({"b": 2, "a": 1}), read({"a": 1, "b": 3})
    assert delivery_id(one) == delivery_id(same) != delivery_id(other)
    assert delivery_id(one).startswith("sha256:")
    build, again, later = (
        read({"payload": BUILD}),
        read({"payload": BUILD}),
        read({"payload": {**BUILD, "build_num": 23}}),
    )
    assert delivery_id(build) == delivery_id(again) != delivery_id(later)


def test_the_header_gives_the_type_of_a_body_without_one() -> None:
    body = deliveries.ping()
    del body["type"]
    assert type(read(body, **{"CircleCI-Event-Type": "ping"})) is Ping
    assert type(read(body)) is UnknownEvent
    assert type(read(deliveries.ping(), **{"circleci-event-type": "job-completed"})) is Ping


@pytest.mark.parametrize("odd", [5, None, "", ["job-completed"]], ids=str)
def test_the_header_gives_the_type_of_a_body_with_an_odd_one(odd: Any) -> None:
    body = deliveries.job() | {"type": odd}
    event = read(body, **{"circleci-event-type": "job-completed"})
    assert isinstance(event, JobCompleted)
    assert [one.place for one in event.mismatches] == ["type"]
    assert event.job.name == body["job"]["name"]
    assert event.model_dump(mode="json", by_alias=True)["type"] == odd
    assert not hasattr(event, "type")


def test_a_notification_of_circleci_1_is_a_build() -> None:
    event = read({"payload": BUILD})
    assert type(event) is Build
    assert (event.username, event.reponame, event.build_num, event.status) == ("acme", "web", 22, "failed")
    assert type(read({"payload": {**BUILD, "steps": []}})) is BuildDetails
    own = {**BUILD, "username": "Acme", "reponame": "Web", "committer_date": "", "author_date": "1381826832"}
    event = read({"payload": {**own, "all_commit_details": [{"commit": "a", "commit_url": "b", "author_date": ""}]}})
    assert (event.username, event.reponame, event.committer_date) == ("Acme", "Web", "")
    assert event.author_date.isoformat() == "2013-10-15T08:47:12+00:00"


@pytest.mark.parametrize(
    ("content", "part", "field"),
    [
        (b"", "is not JSON", ""),
        (b"{", "is not JSON", ""),
        (b"\xff\xfe", "is not JSON", ""),
        (b"payload=%7B%7D", "is not JSON", ""),
        (b"[" * 100_000, "is not JSON", ""),
        (b"[]", "not an object", ""),
        (b"null", "not an object", ""),
        (b'"ping"', "not an object", ""),
    ],
)
def test_an_invalid_body_is_a_decode_error(content: bytes, part: str, field: str) -> None:
    with pytest.raises(DecodeError, match=part) as failure:
        parse(content, secret=None)
    assert (failure.value.field, failure.value.body) == (field, content)


def test_half_a_pair_of_surrogates_is_replaced() -> None:
    body = deliveries.job(pipeline=deliveries.pipeline(vcs={"commit": {"subject": "A smile: \ud83d"}}))
    event = parse(json.dumps(body).encode(), secret=None)
    assert isinstance(event, JobCompleted)
    assert event.mismatches == ()
    assert event.pipeline.vcs is not None
    assert event.pipeline.vcs.commit is not None
    assert event.pipeline.vcs.commit.subject == "A smile: \N{REPLACEMENT CHARACTER}"


def test_parse_verifies_first() -> None:
    content = json.dumps(deliveries.ping()).encode()
    with pytest.raises(SignatureError, match="is wrong"):
        parse(content, deliveries.headers(content), secret="another")
    with pytest.raises(SignatureError, match="has no"):
        parse(b"no JSON at all", secret="another")
    with pytest.raises(SignatureError, match="more than the limit of 10"):
        parse(content, deliveries.headers(content), secret=None, max_body=10)
    with pytest.raises(InvalidArgumentError, match="got an empty one"):
        parse(content, deliveries.headers(content), secret="")
