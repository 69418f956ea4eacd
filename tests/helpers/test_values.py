"""Results are values: each type of result is copied, pickled, made a dict, and read and written by pydantic."""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
import pathlib
import pickle
import typing
from collections.abc import Iterator
from types import UnionType
from typing import Any, Final, Literal, cast

import pydantic
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from circleci_sdk import CircleCIError, FieldUnavailableError, NotFoundError, RequestTimeoutError, UnknownStr, helpers
from circleci_sdk._core.errors import CallFacts
from circleci_sdk.helpers._shared.partial import Partial, try_field, try_known
from circleci_sdk.helpers._shared.schemas import facts_of, hints_of
from circleci_sdk.helpers.runs.facts import is_approval

RESULTS: Final[dict[str, Any]] = {
    name: one
    for name in helpers.__all__
    if isinstance(one := getattr(helpers, name), type) and dataclasses.is_dataclass(one)
}
"""Found by what they are, so that a new type of result is tested too."""
NOW: Final = datetime.datetime(2026, 1, 2, 3, 4, 5, 678900, datetime.UTC)
FACTS: Final = CallFacts("v2.jobs.get", "GET", "/api/v2/project/gh/a/b/job/1", 3, 1.5, "not_retryable", "rejected")
ERRORS: Final = (
    NotFoundError("Job not found.", facts=FACTS, status=404, headers={"X-Request-Id": "r-1"}, body=b"secret body"),
    RequestTimeoutError("v2.jobs.get: too late.", facts=FACTS),
    CircleCIError("plain"),
)


def error_of() -> Any:
    raise FieldUnavailableError("v2.jobs.get: id: expected string, received null.", operation="v2.jobs.get", place="id")


def values_of(hint: Any, *, gaps: bool) -> st.SearchStrategy[Any]:
    """Values of an annotation."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hasattr(hint, "__value__"):
        return values_of(hint.__value__, gaps=gaps)
    if origin is typing.Annotated:
        return values_of(arguments[0], gaps=gaps)
    if origin in (typing.Union, UnionType):
        return st.one_of([values_of(one, gaps=gaps) for one in arguments])
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is list:
        return st.lists(values_of(arguments[0], gaps=gaps), max_size=1)
    if origin is dict:
        return st.just({})
    if origin is tuple:
        return st.lists(values_of(arguments[0], gaps=gaps), max_size=2).map(tuple)
    if dataclasses.is_dataclass(hint):
        return results(hint, gaps=gaps)
    if isinstance(hint, type) and issubclass(hint, pydantic.BaseModel):
        needed = {name: one.annotation for name, one in hint.model_fields.items() if one.is_required()}
        fields = {name: values_of(one, gaps=gaps) for name, one in needed.items()}
        return st.fixed_dictionaries(fields).map(hint.model_validate)
    if isinstance(hint, type) and issubclass(hint, BaseException):
        return st.sampled_from([one for one in ERRORS if isinstance(one, hint)])
    return SIMPLE[hint]


SIMPLE: Final[dict[Any, st.SearchStrategy[Any]]] = {
    str: st.text(st.characters(codec="utf-8"), max_size=5),
    UnknownStr: st.sampled_from([UnknownStr("new"), UnknownStr("unknown")]),
    int: st.integers(0, 99),
    float: st.floats(0, 99),
    bool: st.booleans(),
    type(None): st.none(),
    datetime.datetime: st.just(NOW),
    datetime.timedelta: st.just(datetime.timedelta(hours=25)),
    pathlib.Path: st.just(pathlib.Path("a/b.txt")),
    Any: st.none(),
}


def _is_open(hint: Any) -> bool:
    """Whether it is an open set of values, where an unavailable one has a substitute."""
    return UnknownStr in typing.get_args(getattr(hint, "__value__", hint))


def results(kind: Any, *, gaps: bool) -> st.SearchStrategy[Any]:
    """Results of a type; with gaps in some fields of those that may have some."""
    hints = hints_of(kind)
    given = {name: values_of(hint, gaps=gaps) for name, hint in hints.items()}
    if gaps and issubclass(kind, Partial):
        gap, known = st.builds(lambda: try_field(error_of)), st.builds(lambda: try_known(error_of))
        given = {name: st.one_of(one, known if _is_open(hints[name]) else gap) for name, one in given.items()}
    made: st.SearchStrategy[Any] = st.builds(kind, **given)
    # An approval is in an `ApprovalEvent`.
    return made.filter(lambda event: not is_approval(event.job)) if kind is helpers.JobEvent else made


def inside(value: Any) -> Iterator[Any]:
    """All results in a result, itself included."""
    if dataclasses.is_dataclass(value):
        yield value
        for one in dataclasses.fields(value):
            yield from inside(getattr(value, one.name))
    elif isinstance(value, tuple):
        for one in cast("tuple[Any, ...]", value):
            yield from inside(one)


def gaps_in(value: Any) -> list[tuple[str, list[str]]]:
    return [
        (
            type(one).__name__,
            [name.name for name in dataclasses.fields(cast("Any", type(one))) if not hasattr(one, name.name)],
        )
        for one in inside(value)
    ]


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "gaps"])
@pytest.mark.parametrize("name", RESULTS)
@settings(max_examples=6, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_every_result_is_a_value(name: str, gaps: bool, data: st.DataObject) -> None:
    kind = RESULTS[name]
    value = data.draw(results(kind, gaps=gaps))
    adapter = pydantic.TypeAdapter(kind)
    plain = dataclasses.asdict(value)
    assert json.loads(adapter.dump_json(value)).keys() == plain.keys()
    assert adapter.validate_python(value) is value
    kept = {
        "copy": copy.copy(value),
        "deepcopy": copy.deepcopy(value),
        "replace": dataclasses.replace(value),
        "pickle": pickle.loads(pickle.dumps(value)),
        "json": adapter.validate_json(adapter.dump_json(value)),
        "python": adapter.validate_python(adapter.dump_python(value)),
    }
    for how, other in kept.items():
        assert (type(other), other) == (kind, value), how
        assert gaps_in(other) == gaps_in(value), how
        assert repr(dataclasses.asdict(other).keys()) == repr(plain.keys()), how
        if isinstance(value, Partial):
            assert other.is_complete is value.is_complete, how


@pytest.mark.parametrize("name", RESULTS)
def test_every_result_has_a_json_schema_and_is_a_field_of_a_model(name: str) -> None:
    model = pydantic.create_model("Holder", result=RESULTS[name])
    for mode in ("validation", "serialization"):
        schema = model.model_json_schema(mode=cast("Any", mode))
        assert schema["properties"]["result"]


def test_the_table_has_all_kinds() -> None:
    assert {"RunResult", "Explanation", "RunJob", "SecretReport", "Skipped", "JobRecord", "StepLog"} <= set(RESULTS)


@pytest.mark.parametrize("error", [*ERRORS, OSError("disk full"), UnicodeDecodeError("utf-8", b"", 0, 1, "bad")])
def test_an_error_is_dumped_without_secrets_and_read_again(error: Exception) -> None:
    adapter = pydantic.TypeAdapter(helpers.Skipped)
    text = adapter.dump_json(helpers.Skipped("v2.jobs.get", "1", error))
    assert b"secret" not in text
    read = adapter.validate_json(text).error
    assert str(read) == str(error)
    if isinstance(error, CircleCIError):
        assert type(read) is type(error)
        assert facts_of(read) == facts_of(error)
        assert str(pickle.loads(pickle.dumps(read))) == str(error)


@pytest.mark.parametrize("name", ["eval", "SystemExit", "AsyncCircleCI", "FutureError", "ExceptionGroup"])
def test_data_makes_no_other_class(name: str) -> None:
    adapter = pydantic.TypeAdapter(helpers.Skipped)
    skipped = adapter.validate_python({"operation": "a", "id": "b", "error": {"type": name, "message": "text"}})
    assert (type(skipped.error), str(skipped.error)) == (Exception, "text")


def test_what_is_no_result_is_refused() -> None:
    for wrong in ({}, {"operation": 1, "id": "b", "error": None}, "text", None):
        with pytest.raises(pydantic.ValidationError):
            pydantic.TypeAdapter(helpers.Skipped).validate_python(wrong)


@pytest.mark.parametrize("gaps", [False, True], ids=["complete", "gaps"])
@settings(max_examples=60, deadline=None, phases=[Phase.generate])
@given(data=st.data())
def test_an_event_stays_the_event_that_it_is_as_one_of_several_types(gaps: bool, data: st.DataObject) -> None:
    """Events of jobs and of approvals have the same fields."""
    adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(helpers.RunEvent)
    kind = data.draw(
        st.sampled_from([helpers.PipelineEvent, helpers.WorkflowEvent, helpers.JobEvent, helpers.ApprovalEvent])
    )
    event = data.draw(results(kind, gaps=gaps))
    if isinstance(event, helpers.JobEvent | helpers.ApprovalEvent):
        kind = helpers.ApprovalEvent if is_approval(event.job) else helpers.JobEvent
        event = kind(event.job, event.previous)
    assert adapter.validate_python(event) is event
    for other in (
        adapter.validate_json(adapter.dump_json(event)),
        adapter.validate_python(adapter.dump_python(event)),
        pydantic.TypeAdapter(list[helpers.RunEvent]).validate_json(b"[" + adapter.dump_json(event) + b"]")[0],
    ):
        assert (type(other), other) == (kind, event)
