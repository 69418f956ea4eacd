"""Reading of the facts, and the checks based on them: each one detects errors."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support import places
from tests.support.calls import CONFLICTS, TOKEN, Call, calls, check_request, compatible
from tests.support.facts import Argument, Field, Operation, Shape, operations
from tests.support.names import Names, snake
from tests.support.responses import (
    DETAILS,
    NOTHING,
    Entries,
    Instance,
    Items,
    Maker,
    MismatchError,
    Same,
    check,
    samples,
)
from tests.support.scripted_server import Request

OPERATIONS = operations(places.facts())
BY_LABEL = {operation.label: operation for operation in OPERATIONS}


def mapping(name: str, values: object) -> object:
    return values


def test_operations_are_complete_and_unique() -> None:
    assert [sum(operation.version == version for operation in OPERATIONS) for version in ("v2", "v1")] == [114 + 3, 40]
    assert len(BY_LABEL) == len({(operation.method, operation.path) for operation in OPERATIONS}) == 157
    assert len({(operation.version, operation.id) for operation in OPERATIONS}) == 157


def test_parameters_are_complete() -> None:
    """The counts of section 5.1 of the table of names; two are not in the facts.

    Four are added, one is dropped, and three operations with 11 parameters are added.
    """
    arguments = [argument for operation in OPERATIONS for argument in operation.arguments]
    wires = sum(max(1, len(argument.parts)) for argument in arguments)
    positional = [argument for argument in arguments if not argument.keyword]
    assert (len(arguments), len(positional), wires - 2) == (413 + 4 - 1 + 11, 185 + 5, 485 + 4 - 1 + 11)


def test_results_match_the_table_of_names() -> None:
    for operation in OPERATIONS:
        found: set[str] = set()
        for success in operation.successes:
            shape = success.shape
            if shape is None:
                found.add("None")
            elif operation.lists:
                found.add(f"Page[{shape.model}]")
            elif success.form == "object":
                found.add(shape.model)
            else:
                found.add({"v2.pipelines.get_values": "PipelineValues"}.get(operation.label, "PolicyBundle"))
        assert found == set(operation.returns), operation.label


def test_slug_is_several_segments() -> None:
    [slug, number] = BY_LABEL["v1.builds.get"].arguments
    assert slug == Argument(
        "project_slug",
        "vcs-type/username/project",
        "path",
        Shape("slug"),
        required=True,
        parts=("vcs-type", "username", "project"),
    )
    assert number == Argument("build_num", "build_num", "path", Shape("integer"), required=True)


def test_differing_names_are_found() -> None:
    names = {
        (operation.label, argument.name): argument.wire
        for operation in OPERATIONS
        for argument in operation.arguments
        if snake(argument.wire) != argument.name and not argument.parts
    }
    assert names["v2.workflows.get", "workflow_id"] == "id"
    assert names["v2.users.get", "user_id"] == "id"
    assert names["v2.policies.get", "policy_context"] == "context"
    assert names["v2.contexts.set_env_var", "name"] == "env_var_name"
    assert names["v1.users.list_repos", "page_size"] == "per-page"
    assert names["v1.builds.list_for_project", "status_filter"] == "filter"
    assert names["v2.pipelines.trigger_run", "pipeline_definition_id"] == "definition_id"


def test_equal_names_are_not_listed() -> None:
    [org, policy, context] = BY_LABEL["v2.policies.get"].arguments
    assert (org.wire, policy.wire, context.default) == ("ownerID", "policyName", "config")


@pytest.mark.parametrize(
    ("wire", "python"),
    [("page-token", "page_token"), ("orgID", "org_id"), ("policyName", "policy_name"), ("org_id", "org_id")],
)
def test_snake(wire: str, python: str) -> None:
    assert snake(wire) == python


def test_table_with_escaped_bars() -> None:
    text = "\n".join(
        (
            "### v2.contexts (1)",
            "",
            "| method and path | operation id | python | returns | paging | note |",
            "|---|---|---|---|---|---|",
            r'| GET `/a/{b}` | getA | `a.get(b, *, c, d=1, e="x", f?)` | One \| None | token* | `c` takes `Two` |',
            "",
            "### 4.2 v2, inline objects",
            "",
            "| name | stands for | note |",
            "|---|---|---|",
            r"| `Zero` | `a.get(b)\|0`, `One.two[]` |  |",
        )
    )
    names = Names(text)
    [row] = names.rows
    assert (row.method, row.path, row.id, row.resource, row.name) == ("GET", "/a/{b}", "getA", "a", "get")
    assert [(p.name, p.keyword, p.required, p.default) for p in row.parameters] == [
        ("b", False, True, None),
        ("c", True, True, None),
        ("d", True, False, 1),
        ("e", True, False, "x"),
        ("f", True, False, None),
    ]
    assert (row.returns, row.paging) == (("One", "None"), "token")
    assert names.model("v2", "a.get(b)|0") == names.model("v2", "One.two[]") == "Zero"
    assert names.model("v2", "a.get(c)") == "Two"
    assert names.model("v2", "One") == "One"
    with pytest.raises(LookupError, match=r"no model is named for v2 One\.three"):
        names.model("v2", "One.three")


# Responses.


def test_values_are_distinct() -> None:
    for operation in OPERATIONS:
        for sample in samples(operation):
            numbers = re.findall(rb"\d+\.5|(?<=: )\d+", sample.body)
            assert len(numbers) == len(set(numbers)), operation.label


THING = Shape(
    "object",
    model="Thing",
    fields=(
        Field("a", ("a",), Shape("integer"), required=True, nullable=False),
        Field("b_c", ("b_c", "b-c"), Shape("string", known=("x",), open=True), required=True, nullable=True),
        Field("d", ("d",), Shape("boolean"), required=True, nullable=False, missing=True),
        Field("e", ("e",), Shape("number"), required=False, nullable=False),
    ),
)


def test_response_variants_differ() -> None:
    maker = Maker()
    made = {detail: maker.value(THING, "", detail) for detail in DETAILS}
    assert {detail: wire for detail, (wire, _) in made.items()} == {
        "full": {"a": 1, "b_c": "x", "d": True, "e": 4.5},
        "other": {"a": 5, "b-c": "unheard-of-6", "d": True, "e": 8.5},
        "null": {"a": 9, "b_c": None, "d": None},
        "bare": {"a": 10, "b-c": None},
    }
    assert made["bare"][1] == Instance("Thing", {"a": Same(10, int), "b_c": NOTHING, "d": NOTHING, "e": NOTHING})


def model(declared: str, *, extra: str = "", **values: object) -> object:
    """An instance of a class `Model` with these declared fields, extra fields and values."""
    known = {"model_fields": dict.fromkeys(declared.split()), "model_extra": dict.fromkeys(extra.split())}
    return type("Model", (), {"__module__": __name__, **known, **values})()


class UnknownStr(str):
    __slots__ = ()


NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MODEL = Instance("Model", {"a": Same(1, int)})


@pytest.mark.parametrize(
    ("expected", "actual"),
    [
        (Same(1, int), 1),
        (Same("a", str), "a"),
        (Same("a", str, unknown=True), UnknownStr("a")),
        (Same(NOON, datetime), NOON),
        (NOTHING, None),
        (Same({"any": [1]}), {"any": [1]}),
        (Items([Same(1, int), NOTHING]), [1, None]),
        (Entries({"k": Same(1, int)}), {"k": 1}),
        (MODEL, model("a", a=1)),
    ],
)
def test_expected_values_pass(expected: Any, actual: object) -> None:
    check(expected, actual, "place", __name__)


@pytest.mark.parametrize(
    ("expected", "actual", "words"),
    [
        (Same(1, int), 2, "place: expected int 1, not int 2"),
        (Same(1, int), "1", "place: expected int 1, not str '1'"),
        (Same(1, int), 1.0, "not float 1.0"),
        (Same(1, int), True, "not bool True"),
        (Same(1.0, float), 1, "not int 1"),
        (Same("a", str), UnknownStr("a"), "'a' is marked as unknown"),
        (Same("a", str, unknown=True), "a", "'a' is not marked as unknown"),
        (Same(NOON, datetime), "2026-01-01T12:00:00Z", "expected datetime"),
        (Same(NOON, datetime), NOON.replace(tzinfo=None), "expected datetime"),
        (NOTHING, "", "expected NoneType None"),
        (Items([NOTHING]), (None,), "expected a list of 1"),
        (Items([NOTHING]), [], "expected a list of 1"),
        (Items([Items([Same(1, int)])]), [[2]], "place[0][0]: expected int 1"),
        (Entries({"k": NOTHING}), {}, "expected a dict with ['k']"),
        (Entries({"k": NOTHING}), {"k": 1}, "place['k']: expected NoneType"),
        (MODEL, object(), f"expected {__name__}.Model, not builtins.object"),
        (MODEL, model("b", a=1), "Model declares no field a"),
        (MODEL, model("a", a=2), "place.a: expected int 1, not int 2"),
        (MODEL, model("a", extra="b", a=1), "Model does not declare ['b']"),
    ],
)
def test_unexpected_values_fail(expected: Any, actual: object, words: str) -> None:
    with pytest.raises(MismatchError) as failure:
        check(expected, actual, "place", __name__)
    assert words in str(failure.value)


# Calls.


def test_every_argument_is_passed_and_omitted() -> None:
    for operation in OPERATIONS:
        made = calls(operation, mapping)
        positional = [argument.name for argument in operation.arguments if not argument.keyword]
        names = {argument.name for argument in operation.arguments}
        required = {argument.name for argument in operation.arguments if argument.required}
        given = [{*positional[: len(call.positional)], *call.keywords} for call in made]
        assert set[str]().union(*given) == names, operation.label
        assert given[1] - {"owner_slug", "policy_context"} == required, operation.label
        assert (len(made[0].positional), made[1].positional) == (len(positional), ())
        assert all(not {one, other} <= set(call.keywords) for call in made for one, other in CONFLICTS), operation.label


def test_exclusive_arguments_are_in_separate_calls() -> None:
    assert compatible(["a", "b", "c"], [("a", "b")]) == [{"a", "c"}, {"b", "c"}]
    assert compatible(["a", "b"], []) == [{"a", "b"}]
    assert compatible([], []) == [set()]


def test_all_variants_of_a_body_are_sent() -> None:
    sent = [call.body["owner"] for call in calls(BY_LABEL["v2.contexts.create"], mapping)]
    assert [set(owner) for owner in sent] == [{"id", "type"}, {"slug"}, {"id", "type"}]
    models: list[str] = []
    calls(BY_LABEL["v2.pipeline_definitions.create"], lambda name, _: models.append(name))
    assert set(models) == {"RepoConfigSourceInput", "RepoRefInput", "CheckoutSourceInput"}


RUN = BY_LABEL["v2.pipelines.trigger_run"]


def request_of(operation: Operation, call: Call, **changes: object) -> Request:
    good = Request(
        method=operation.method,
        target="",
        path="/".join(call.segments),
        query=tuple((name, str(value)) for name, value in call.query),
        raw_headers=(
            ("Accept", "application/json"),
            ("Circle-Token", TOKEN),
            ("User-Agent", "circleci-sdk/1.0"),
            ("Content-Type", "application/json"),
        ),
        body=json.dumps(call.body).encode() if call.body else b"",
        connection=1,
        at=0.0,
    )
    return replace(good, **changes)  # type: ignore[arg-type]  # any field


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"method": "PUT"}, "v2.pipelines.trigger_run method: expected 'POST', not 'PUT'"),
        ({"path": "/api/v2/project/gh/acme.1"}, "v2.pipelines.trigger_run path: expected"),
        ({"path": "/api/v2/project/gh%2Facme.1/web/pipeline/run"}, "path: expected"),
        ({"path": "/api/v2/a b"}, "is not encoded"),
        ({"query": (("a", "1"),)}, "v2.pipelines.trigger_run query: expected []"),
        ({"body": b"{}"}, "v2.pipelines.trigger_run body: expected"),
        ({"raw_headers": ()}, "v2.pipelines.trigger_run header Content-Type"),
        ({"raw_headers": (("Content-Type", "application/json"),)}, "header Accept"),
    ],
)
def test_different_request_fails(changes: dict[str, object], words: str) -> None:
    [call, *_] = calls(RUN, mapping)
    check_request(RUN, call, request_of(RUN, call))
    with pytest.raises(MismatchError) as failure:
        check_request(RUN, call, request_of(RUN, call, **changes))
    assert words in str(failure.value)


def test_swapped_value_fails() -> None:
    [call, *_] = calls(RUN, mapping)
    swapped = {**call.body, "config": call.body["checkout"], "checkout": call.body["config"]}
    with pytest.raises(MismatchError, match="body"):
        check_request(RUN, call, request_of(RUN, call, body=json.dumps(swapped).encode()))


def test_one_differs_from_true() -> None:
    operation = BY_LABEL["v2.policies.update_settings"]
    [call, *_] = calls(operation, mapping)
    with pytest.raises(MismatchError, match="body"):
        check_request(operation, call, request_of(operation, call, body=b'{"enabled": 1}'))


def test_date_is_sent_in_utc() -> None:
    [call, *_] = calls(BY_LABEL["v2.usage_exports.create"], mapping)
    given = call.keywords["start"]
    assert given.utcoffset() == timedelta(hours=2)
    assert datetime.fromisoformat(call.body["start"]) == given
    assert call.body["start"].endswith("Z")
