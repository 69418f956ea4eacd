"""Models: tolerant reading, strict writing, copying and pickling."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from pydantic import BaseModel, SecretStr, TypeAdapter, ValidationError

from circleci_sdk import UNSET, InvalidArgumentError, UnknownStr
from circleci_sdk._core.operation import ParameterType, one_of
from circleci_sdk._core.serialization.arguments import checked
from circleci_sdk._core.serialization.model import Model, SecretText, Timestamp
from circleci_sdk.v2 import OPERATIONS
from circleci_sdk.v2.models import Pipeline, Schedule, Timetable, User, Webhook, Workflow
from tests.support.handmade import BAG, BOX, Bag, Box, Part, Thing

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)


def read(text: str) -> Thing:
    return Thing.model_validate_json(text)


# Timestamps


TIMESTAMP: TypeAdapter[datetime] = TypeAdapter(Timestamp)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T12:00:00Z", NOON),
        ("2026-01-02T12:00:00.000Z", NOON),
        ("2026-01-02T12:00:00.123456789Z", NOON.replace(microsecond=123456)),
        ("2026-01-02T05:00:00-07:00", NOON),
        ("2026-01-02T05:00:00-0700", NOON),
        ("2026-01-02 12:00:00+00:00", NOON),
        ("2026-01-02T12:00:00", NOON),
        ("2026-01-02T12:00:00.5", NOON.replace(microsecond=500000)),
        ("#joda/inst 2026-01-02T12:00:00Z", NOON),
        ('#joda/inst "2026-01-02T12:00:00.000Z"', NOON),
        ("#joda/inst 2026-01-02T08:30:00-0330", NOON),
        ("#joda/inst 2026-01-02T12:00:00", NOON),
        ("2026-01-02 12:00:00 +0000", NOON),
        ("2026-01-02 12:00:00 +0000 UTC", NOON),
        ("2026-01-02 12:00:00.123456789 +0000 UTC", NOON.replace(microsecond=123456)),
        ("2026-01-02 05:00:00 -0700 PDT", NOON),
        ("2026-01-02 05:00:00 -0700 -07", NOON),  # a zone without a name, as Go writes it
        ("2026-01-02 12:00:00.5 +0000 UTC m=+0.012345678", NOON.replace(microsecond=500000)),
        ("2026-01-02T12:00:00 Z", NOON),
        ("2026-01-02T12:00:00+00:00 UTC", NOON),
        ("2026-01-02 12:00:00 UTC", NOON),
        ("2026-01-02T12:00:00GMT", NOON),
        ("2026-01-02T12:00:00Z[UTC]", NOON),
        ("2026-01-02T05:00:00-07:00[America/Phoenix]", NOON),
        ("1767355200", NOON),  # seconds since 1970, as a string only: a number is ambiguous
    ],
)
def test_all_observed_timestamp_formats(text: str, expected: datetime) -> None:
    moment = TIMESTAMP.validate_json(TypeAdapter(str).dump_json(text))
    assert moment == expected
    assert moment.utcoffset() is not None
    assert TIMESTAMP.validate_python(text) == expected


@pytest.mark.parametrize(
    "value",
    [
        1767355200,
        1.5,
        True,
        [],
        {},
        "",
        " ",
        "today",
        "UTC",
        "2026-13-01T00:00:00Z",
        "12:00",
        "2026-01-02 12:00:00 PDT",  # its offset is unknown
        "2026-01-02T12:00:00 and more",
    ],
    ids=repr,
)
def test_invalid_timestamps(value: object) -> None:
    with pytest.raises(ValidationError, match="Input should be a timestamp"):
        TIMESTAMP.validate_json(TypeAdapter(Any).dump_json(value))


def test_offset_is_kept() -> None:
    moment = TIMESTAMP.validate_json('"2026-01-02T05:00:00-07:00"')
    assert moment.utcoffset() == timedelta(hours=-7)


def test_naive_datetimes_from_python_are_utc() -> None:
    assert TIMESTAMP.validate_python(NOON.replace(tzinfo=None)) == NOON


# Open enums


def test_known_value_is_a_plain_string() -> None:
    thing = read('{"id": "1", "colour": "blue"}')
    assert thing.colour == "blue"
    assert type(thing.colour) is str


def test_unknown_value_is_kept_as_unknown_str() -> None:
    thing = read('{"id": "1", "colour": "green"}')
    assert thing.colour == "green"
    assert isinstance(thing.colour, UnknownStr)
    assert repr(thing.colour) == "UnknownStr('green')"
    assert thing.model_dump_json(exclude_unset=True) == '{"id":"1","colour":"green"}'


def test_unknown_str_with_a_known_value_is_a_plain_string() -> None:
    assert type(Thing(id="1", colour=UnknownStr("blue")).colour) is str


@pytest.mark.parametrize("value", ["5", "null", "[]", "true"])
def test_unknown_value_must_be_a_string(value: str) -> None:
    with pytest.raises(ValidationError):
        read(f'{{"id": "1", "colour": {value}}}')


def test_match_over_an_open_enum() -> None:
    def name(thing: Thing) -> str:
        match thing.colour:
            case "red" | "blue":
                return "known"
            case UnknownStr():
                return "new"

    assert name(read('{"id": "1", "colour": "red"}')) == "known"
    assert name(read('{"id": "1", "colour": "green"}')) == "new"


# Keys


@pytest.mark.parametrize("key", ["created_at", "created-at"])
def test_both_spellings_of_a_key(key: str) -> None:
    assert read(f'{{"id": "1", "{key}": "2026-01-02T12:00:00Z"}}').created_at == NOON


def test_both_spellings_of_a_kebab_key_of_the_spec() -> None:
    days = {"hours_of_day": [1], "days_of_week": ["MON"]}
    for table in (
        Timetable.model_validate({"per-hour": 1, "hours-of-day": [1], "days-of-week": ["MON"]}),
        Timetable.model_validate({"per_hour": 1, **days}),
        Timetable(per_hour=1, hours_of_day=[1], days_of_week=["MON"]),
    ):
        assert table.model_dump(exclude_unset=True) == {"per_hour": 1, **days}
        assert table.model_dump(exclude_unset=True, by_alias=True) == {
            "per-hour": 1,
            "hours-of-day": [1],
            "days-of-week": ["MON"],
        }


def test_unknown_fields_are_kept() -> None:
    thing = read('{"id": "1", "new-thing": {"a": [1]}}')
    assert thing.model_extra == {"new-thing": {"a": [1]}}


def test_missing_fields_have_their_defaults() -> None:
    assert read('{"id": "1"}').created_at is None


# Secrets in responses


def test_secret_of_a_response_is_hidden() -> None:
    thing = read('{"id": "1", "password": "hunter2"}')
    assert thing.password == "hunter2"
    assert isinstance(thing.password, SecretText)
    for shown in (repr(thing), str(thing), repr(thing.password), repr([thing]), f"{thing}", f"{thing.password!r}"):
        assert "hunter2" not in shown
    assert repr(thing.password) == "'**********'"


# Copying and pickling


def models() -> list[Model]:
    return [
        read('{"id": "1", "colour": "green", "created_at": "2026-01-02T05:00:00-07:00", "more": 1, "password": "x"}'),
        Thing(id="1", parts=[Part(name="a")]),
        Thing.model_validate({"id": "1", "colour": "green"}),
        User(id="1", login="ada", name="Ada"),
        Timetable(per_hour=1, hours_of_day=[2]),
    ]


KEPT: list[tuple[str, Callable[[Any], Any]]] = [
    *((f"pickle {protocol}", lambda m, p=protocol: pickle.loads(pickle.dumps(m, p))) for protocol in range(6)),
    ("copy", copy.copy),
    ("deepcopy", copy.deepcopy),
    ("model_copy", lambda m: m.model_copy(deep=True)),
    ("json", lambda m: type(m).model_validate_json(m.model_dump_json())),
]


@pytest.mark.parametrize("keep", [keep for _, keep in KEPT], ids=[name for name, _ in KEPT])
@pytest.mark.parametrize("model", models(), ids=repr)
def test_models_survive_copying_and_pickling(model: Any, keep: Callable[[Any], Any]) -> None:
    kept = keep(model)
    assert kept == model
    assert type(kept) is type(model)
    assert kept.model_dump() == model.model_dump()
    if isinstance(model, Thing):
        assert isinstance(kept.colour, UnknownStr) == isinstance(model.colour, UnknownStr)
        assert type(kept.password) is type(model.password)


def test_unknown_str_behaves_like_a_string() -> None:
    value = UnknownStr("x")
    assert {value: 1}["x"] == 1
    assert hash(value) == hash("x")
    for kept in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        assert kept == "x"
        assert type(kept) is UnknownStr


@pytest.mark.parametrize("model", [Schedule, Webhook, Workflow, User])
def test_models_have_their_public_module(model: type[Model]) -> None:
    assert model.__module__ == "circleci_sdk.v2.models"


# Writing


[TIMETABLE] = (p.type for p in OPERATIONS["createSchedule"].body or () if p.name == "timetable")


def sent(value: object, expected: ParameterType = BOX) -> Any:
    return checked(expected, value, "box")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({}, {}),
        (Box(), {}),
        ({"inner_size": "small"}, {"inner_size": "small"}),
        ({"inner-size": "small"}, {"inner_size": "small"}),
        (Box(inner_size="small"), {"inner_size": "small"}),
        (Box(inner_size=None), {"inner_size": None}),
        ({"colour": "red"}, {"colour": "red"}),
        ({"colour": UnknownStr("green")}, {"colour": "green"}),
        (Box(colour=UnknownStr("green")), {"colour": "green"}),
        (Box.model_validate_json('{"colour": "green", "ids": []}'), {"colour": "green", "ids": []}),
        ({"parts": [{"name": "a", "count": 2}]}, {"parts": [{"name": "a", "count": 2}]}),
        ({"parts": ({"name": "a"}, Part(name="b"))}, {"parts": [{"name": "a"}, {"name": "b"}]}),
        (Box(parts=[Part(name="b")]), {"parts": [{"name": "b"}]}),
        ({"labels": {"a_b": "1", "a-b": "2"}}, {"labels": {"a_b": "1", "a-b": "2"}}),
        (
            {"ids": [UUID("5034460f-c7c4-4c43-9457-de07e2029e7b")]},
            {"ids": ["5034460f-c7c4-4c43-9457-de07e2029e7b"]},
        ),
        (
            {"anything": {"at": NOON, "n": [1.5, None, True]}},
            {"anything": {"at": "2026-01-02T12:00:00Z", "n": [1.5, None, True]}},
        ),
        ({"anything": SecretStr("hidden")}, {"anything": "hidden"}),
    ],
    ids=repr,
)
def test_written_values(value: object, expected: Mapping[str, object]) -> None:
    assert sent(value) == expected


def test_wire_names_are_written() -> None:
    for value in ({"per_hour": 1, "hours_of_day": [2]}, Timetable(per_hour=1, hours_of_day=[2])):
        assert checked(TIMETABLE, value, "timetable") == {"per-hour": 1, "hours-of-day": [2]}


def changed(**fields: object) -> Box:
    box = Box()
    for name, value in fields.items():
        setattr(box, name, value)
    return box


def part_changed() -> Box:
    part = Part(name="a")
    part.count = "many"  # type: ignore[assignment]  # like user code without a type checker
    return Box(parts=[part])


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"size": "small"}, "box: Box has no key 'size'. It has inner_size, colour"),
        (Box.model_validate({"size": "small"}), "box: Box has no key 'size'"),
        ({"inner_size": "small", "inner-size": "large"}, "box.inner_size: expected one value, got two spellings"),
        ({"inner_size": "tiny"}, "box.inner_size: expected one of small, large, got 'tiny'."),
        ({"inner_size": UnknownStr("tiny")}, "box.inner_size: expected one of small, large, got 'tiny'."),
        ({"colour": "green"}, "box.colour: expected one of red, blue, got 'green'. Wrap it in UnknownStr"),
        (Box.model_validate({"colour": "green"}), "box.colour: expected one of red, blue, got 'green'"),
        ({"colour": 5}, "box.colour: expected str, got int."),
        ({"parts": [{"name": "a"}, {"name": 5}]}, "box.parts[1].name: expected str, got int."),
        ({"parts": [{"name": "a", "nam": "b"}]}, "box.parts[0]: Part has no key 'nam'. It has name, count."),
        ({"parts": [{}]}, "box.parts[0].name: expected str, got nothing."),
        ({"parts": {"name": "a"}}, "box.parts: expected a list, got dict."),
        ({"parts": "ab"}, "box.parts: expected a list, got str."),
        ({"parts": [{"name": "a", "count": "2"}]}, "box.parts[0].count: expected int, got str."),
        ({"parts": [{"name": "a", "count": True}]}, "box.parts[0].count: expected int, got bool."),
        ({"labels": {"a": 1}}, "box.labels.a: expected str, got int."),
        ({"labels": {1: "a"}}, "box.labels: expected keys of type str, got int."),
        ({"ids": {"a"}}, "box.ids: expected a list, got set."),
        ({"ids": ["\ud800"]}, "box.ids[0]: expected Unicode, got a lone surrogate"),
        ({"anything": {"n": [float("nan")]}}, "box.anything.n[0]: expected a finite number, got nan."),
        (
            {"anything": NOON.replace(tzinfo=None)},
            "box.anything: expected a JSON value, got datetime without a time zone",
        ),
        ({"anything": b"x"}, "box.anything: expected a JSON value, got bytes."),
        ({"anything": ...}, "box.anything: expected a JSON value, got ellipsis."),
        (changed(inner_size=5), "box.inner_size: expected str, got int."),
        (changed(colour="green"), "box.colour: expected one of red, blue, got 'green'"),
        (changed(parts=[{"nam": "a"}]), "box.parts[0]: Part has no key 'nam'"),
        (part_changed(), "box.parts[0].count: expected int, got str."),
        (Part(name="a"), "box: expected Box or a mapping, got Part."),
        (None, "box: expected Box or a mapping, got None."),
        ("small", "box: expected Box or a mapping, got str."),
        ([("inner_size", "small")], "box: expected Box or a mapping, got list."),
    ],
    ids=repr,
)
def test_invalid_values(value: object, sentence: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        sent(value)
    assert sentence in str(caught.value)


def test_location_inside_a_generated_model() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        checked(TIMETABLE, {"per_hour": 1, "hours_of_day": [2], "days-of-week": ["MONDAY"]}, "timetable")
    assert "timetable.days_of_week[0]: expected one of MON, TUE" in str(caught.value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"handles": 2}, {"handles": 2}), (Bag(handles=2), {"handles": 2}), ({"colour": "red"}, {"colour": "red"})],
    ids=repr,
)
def test_one_of_several_models(value: object, expected: Mapping[str, object]) -> None:
    assert sent(value, one_of(BOX, BAG)) == expected


def test_none_of_several_models() -> None:
    with pytest.raises(InvalidArgumentError, match=r"Box has no key 'handles'.*box.handles: expected int, got str"):
        sent({"handles": "2"}, one_of(BOX, BAG))
    with pytest.raises(InvalidArgumentError, match="expected Box or Bag or a mapping, got int"):
        sent(5, one_of(BOX, BAG))
    with pytest.raises(InvalidArgumentError) as caught:
        sent(Bag.model_construct(handles="2"), one_of(BOX, BAG))
    assert "Box" not in str(caught.value)


def test_writing_does_not_modify_its_input() -> None:
    given: dict[str, Any] = {"parts": ({"name": "a"},), "labels": {"a": "b"}}
    before = copy.deepcopy(given)
    sent(given)
    assert given == before


def test_other_pydantic_model_is_no_mapping() -> None:
    class Other(BaseModel):
        inner_size: str = "small"

    with pytest.raises(InvalidArgumentError, match="got Other"):
        sent(Other())


def test_timestamps_are_written_in_utc() -> None:
    offset = timezone(timedelta(hours=2))
    assert sent({"anything": NOON.astimezone(offset)}) == {"anything": "2026-01-02T12:00:00Z"}


def test_none_in_a_model_is_left_out_and_in_a_mapping_is_refused() -> None:
    fields: dict[str, Any] = {"per_hour": 1, "hours_of_day": [2], "months": None}
    assert checked(TIMETABLE, Timetable(**fields), "timetable") == {"per-hour": 1, "hours-of-day": [2]}
    assert checked(TIMETABLE, {**fields, "months": UNSET}, "timetable") == {"per-hour": 1, "hours-of-day": [2]}
    with pytest.raises(InvalidArgumentError, match=r"timetable\.months: expected a list, got None; leave it out"):
        checked(TIMETABLE, fields, "timetable")


def test_bounds_of_nested_integers() -> None:
    for given in ({"per_hour": 61, "hours_of_day": [2]}, Timetable(per_hour=61, hours_of_day=[2])):
        with pytest.raises(InvalidArgumentError, match=r"timetable\.per_hour: expected at most 60, got 61"):
            checked(TIMETABLE, given, "timetable")


@pytest.mark.parametrize(
    ("slug", "url"),
    [
        ("gh/acme/web", "https://app.circleci.com/pipelines/github/acme/web/12"),
        ("bb/acme/web", "https://app.circleci.com/pipelines/bitbucket/acme/web/12"),
        ("circleci/Org/Project", "https://app.circleci.com/pipelines/circleci/Org/Project/12"),
    ],
)
def test_url_of_a_pipeline(slug: str, url: str) -> None:
    document = {"id": "1", "errors": [], "project_slug": slug, "number": 12, "state": "created"}
    trigger = {"type": "api", "received_at": "2026-01-02T03:04:05Z", "actor": {"login": "ada", "avatar_url": None}}
    pipeline = Pipeline.model_validate({**document, "created_at": "2026-01-02T03:04:05Z", "trigger": trigger})
    assert pipeline.url == url
    assert "url" not in pipeline.model_dump()
