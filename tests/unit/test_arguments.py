"""Arguments are encoded for the wire, or refused with an error that names the argument."""

from __future__ import annotations

import json
from collections import UserString
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum, IntEnum, StrEnum
from types import MappingProxyType
from typing import Any
from uuid import UUID

import pytest
from pydantic import SecretBytes, SecretStr

from circleci_sdk import UNSET, InvalidArgumentError, ProjectSlug, UnknownStr
from circleci_sdk._core.messages import build_url
from circleci_sdk._core.operation import ANY, LONG_ORG_SLUG, LONG_PROJECT_SLUG, Api, Operation, Parameter, Rule
from circleci_sdk._core.serialization.arguments import checked
from circleci_sdk._core.serialization.encode import check_rules, encode_body, encode_path, encode_query, sent_secrets
from tests.support.handmade import CREATE, FIND

NOON = datetime(2026, 1, 2, 12, 0, tzinfo=UTC)
ONE = UUID("5034460f-c7c4-4c43-9457-de07e2029e7b")
PATH: dict[str, object] = {"project_slug": "gh/acme/web", "owner": "o", "text": "t", "number": 1, "org_slug": "gh/acme"}


class Text(StrEnum):
    BLUE = "blue"


class OldText(str, Enum):  # noqa: UP042  # its `str()` is its own name, not its value
    BLUE = "blue"


class Number(IntEnum):
    TWO = 2


class OldNumber(int, Enum):
    TWO = 2


class LoudFloat(float):
    def __repr__(self) -> str:
        return "LoudFloat"


def path(**values: object) -> str:
    return encode_path(FIND, {**PATH, **values})


def query(**values: object) -> list[tuple[str, str]]:
    pairs = encode_query(FIND, values)
    assert pairs.pop() == ("fixed", "always")
    return pairs


def body(**values: object) -> Any:
    sent = encode_body(CREATE, values)
    return None if sent is None else json.loads(sent)


# Paths


@pytest.mark.parametrize(
    ("value", "segment"),
    [
        ("plain", "plain"),
        ("a/b", "a%2Fb"),
        ("../../other", "..%2F..%2Fother"),
        ("%2e%2e", "%252e%252e"),
        ("...", "..."),
        ("a b", "a%20b"),
        ("a+b", "a%2Bb"),
        ("?x=1#y", "%3Fx%3D1%23y"),
        (":@!$&'()*,;=", "%3A%40%21%24%26%27%28%29%2A%2C%3B%3D"),
        ("-._~", "-._~"),
        ("{number}", "%7Bnumber%7D"),
        ("üñ\N{SNOWMAN}\U0001f600", "%C3%BC%C3%B1%E2%98%83%F0%9F%98%80"),
        ("\N{NO-BREAK SPACE}", "%C2%A0"),
        (Text.BLUE, "blue"),
        (OldText.BLUE, "blue"),
    ],
    ids=repr,
)
def test_value_stays_in_its_segment(value: str, segment: str) -> None:
    assert path(text=value) == f"/api/v2/gh/acme/web/o/{segment}/1/gh/acme"


@pytest.mark.parametrize(
    "value",
    [
        "",
        ".",
        "..",
        "a\nb",
        "\0",
        "\x7f",
        "\x85",
        "a\r",
        "\ud800",
        "a\udfff",
        None,
        UNSET,
        5,
        b"a",
        UserString("a"),
        ["a"],
    ],
    ids=repr,
)
def test_value_that_leaves_its_segment_is_refused(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^text: "):
        path(text=value)


@pytest.mark.parametrize(
    ("value", "segments"),
    [
        ("gh/acme/web", "gh/acme/web"),
        ("gh/a me/w%b", "gh/a%20me/w%25b"),
        (
            "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
            "circleci/9YytKzouJxzu4TjCRFqAoD/44n9wujWcTnVZ2b5S8Fnat",
        ),
        (ProjectSlug("gh", "acme", "web"), "gh/acme/web"),
        (" gh/acme/web\n", "gh/acme/web"),
        (str(ONE), str(ONE)),
        (ONE, str(ONE)),
        ("web", None),
        ("acme/web", None),
        ("gh/acme/web/extra", None),
        ("gh/acme/", None),
        ("/acme/web", None),
        ("gh//web", None),
        ("gh/../web", None),
        ("gh/acme/.", None),
        ("gh/acme/w\nb", None),
        (f"{ONE}/x", None),
        ("----".join("abcdefgh") + "----", None),
        (5, None),
        (None, None),
    ],
    ids=repr,
)
def test_slugs_keep_their_slashes(value: object, segments: str | None) -> None:
    if segments is None:
        with pytest.raises(InvalidArgumentError, match=r"^project_slug: "):
            path(project_slug=value)
    else:
        assert path(project_slug=value) == f"/api/v2/{segments}/o/t/1/gh/acme"


@pytest.mark.parametrize("value", ["acme", "gh/acme/web", "gh/", "gh/..", ONE, 5], ids=repr)
def test_org_slugs_have_two_segments(value: object) -> None:
    with pytest.raises(InvalidArgumentError, match=r"^org_slug: "):
        path(org_slug=value)


def test_numbers_and_ids_in_paths() -> None:
    assert path(owner=ONE, number=2**70) == f"/api/v2/gh/acme/web/{ONE}/t/{2**70}/gh/acme"
    assert path(number=Number.TWO) == path(number=OldNumber.TWO) == path(number=2)
    for wrong in (True, 1.0, "1", None):
        with pytest.raises(InvalidArgumentError, match=r"^number: "):
            path(number=wrong)


@pytest.mark.parametrize(
    ("slug", "sent"),
    [
        ("gh/acme/web", "github/acme/web"),
        ("bb/a/b", "bitbucket/a/b"),
        ("github/a/b", "github/a/b"),
        ("circleci/a/b", "circleci/a/b"),
    ],
)
def test_the_old_api_wants_the_long_name_of_the_vcs(slug: str, sent: str) -> None:
    operation: Operation[None] = Operation(
        api=Api("v1", "/api/v1.1", ""),
        id="x",
        python_name="x.x",
        method="GET",
        path="/project/{vcs-type}/{username}/{project}/x/{vcs}/{org}",
        path_parameters=(
            Parameter("project_slug", "vcs-type/username/project", LONG_PROJECT_SLUG, required=True),
            Parameter("org_slug", "vcs/org", LONG_ORG_SLUG, required=True),
        ),
        replayable=True,
        rate_group="x",
    )
    found = encode_path(operation, {"project_slug": slug, "org_slug": "gh/acme"})
    assert found == f"/api/v1.1/project/{sent}/x/github/acme"
    with pytest.raises(InvalidArgumentError):  # the old API knows no project by its id
        encode_path(operation, {"project_slug": ONE, "org_slug": "gh/acme"})


# Queries


@pytest.mark.parametrize(
    ("values", "pairs"),
    [
        ({}, []),
        ({"text_filter": UNSET}, []),
        ({"text_filter": ""}, [("text-filter", "")]),
        ({"text_filter": "a&b=c\0\n"}, [("text-filter", "a&b=c\0\n")]),
        ({"text_filter": OldText.BLUE}, [("text-filter", "blue")]),
        ({"yes": True}, [("yes", "true")]),
        ({"yes": False}, [("yes", "false")]),
        ({"ratio": 1}, [("ratio", "1")]),
        ({"ratio": 0.1}, [("ratio", "0.1")]),
        ({"ratio": LoudFloat(0.5)}, [("ratio", "0.5")]),
        ({"ratio": 10**400}, [("ratio", str(10**400))]),
        ({"at": NOON}, [("at", "2026-01-02T12:00:00Z")]),
        ({"at": NOON.replace(microsecond=5)}, [("at", "2026-01-02T12:00:00.000005Z")]),
        ({"at": NOON.astimezone(timezone(timedelta(hours=-7)))}, [("at", "2026-01-02T12:00:00Z")]),
        ({"colour": "red"}, [("colour", "red")]),
        ({"colour": OldText.BLUE}, [("colour", "blue")]),
        ({"colour": UnknownStr("green")}, [("colour", "green")]),
        ({"size": "small"}, [("size", "small")]),
        ({"names": ["a", "b,c", "a"]}, [("names", "a"), ("names", "b,c"), ("names", "a")]),
        ({"names": ("a",)}, [("names", "a")]),
        ({"names": []}, []),
        ({"joined": ["a", "b"]}, [("joined", "a,b")]),
        ({"twice": "x"}, [("twice", "x"), ("two-ce", "x")]),
    ],
    ids=repr,
)
def test_queries(values: dict[str, object], pairs: list[tuple[str, str]]) -> None:
    assert query(**values) == pairs


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"text_filter": None}, "text_filter: expected str, got None; leave it out instead."),
        ({"text_filter": 5}, "text_filter: expected str, got int."),
        ({"text_filter": b"x"}, "text_filter: expected str, got bytes."),
        ({"text_filter": "\ud800"}, "text_filter: expected Unicode, got a lone surrogate"),
        ({"yes": 1}, "yes: expected bool, got int."),
        ({"yes": "true"}, "yes: expected bool, got str."),
        ({"ratio": True}, "ratio: expected int or float, got bool."),
        ({"ratio": float("inf")}, "ratio: expected a finite number, got inf."),
        (
            {"at": NOON.replace(tzinfo=None)},
            "at: expected datetime with a time zone, got datetime without a time zone; give it one",
        ),
        ({"at": "2026-01-02T12:00:00Z"}, "at: expected datetime with a time zone, got str."),
        ({"at": date(2026, 1, 2)}, "at: expected datetime with a time zone, got date."),
        (
            {"at": datetime.min.replace(tzinfo=timezone(timedelta(hours=1)))},
            "at: expected a year from 1 to 9999 in UTC",
        ),
        ({"colour": "green"}, "colour: expected one of red, blue, got 'green'. Wrap it in UnknownStr(...)"),
        ({"size": "tiny"}, "size: expected one of small, large, got 'tiny'."),
        ({"size": UnknownStr("tiny")}, "size: expected one of small, large, got 'tiny'."),
        ({"names": "abc"}, "names: expected a list, got str."),
        ({"names": {"a"}}, "names: expected a list, got set."),
        ({"names": {"a": 1}.keys()}, "names: expected a list, got dict_keys."),
        ({"names": ["a", 5]}, "names[1]: expected str, got int."),
        ({"names": ["a", "\ud800"]}, "names[1]: expected Unicode, got a lone surrogate"),
        ({"joined": ["a,b"]}, "joined: expected items without commas"),
        ({"joined": []}, "joined: expected at least one item, got none."),
    ],
    ids=repr,
)
def test_invalid_queries(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        query(**values)
    assert str(caught.value).startswith(sentence)


def test_too_long_url() -> None:
    with pytest.raises(ValueError, match="70047 characters long"):
        build_url("https://circleci.com", "/api/v2/me", [("text-filter", "x" * 70_000), ("a", "b")])


# Bodies


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({}, None),
        ({"name": UNSET}, None),
        ({"name": None}, {"name": None}),
        ({"name": ""}, {"name": ""}),
        ({"name": "\0\n\u2028\U0001f600"}, {"name": "\0\n\u2028\U0001f600"}),
        ({"name": OldText.BLUE}, {"name": "blue"}),
        ({"secret": "s"}, {"the-secret": "s"}),
        ({"secret": SecretStr("s")}, {"the-secret": "s"}),
        ({"secrets": {"a": SecretStr("s"), "b": "t"}}, {"secrets": {"a": "s", "b": "t"}}),
        ({"count": 2**70}, {"count": 2**70}),
        ({"count": OldNumber.TWO}, {"count": 2}),
        ({"ratio": LoudFloat(0.5)}, {"ratio": 0.5}),
        ({"yes": False}, {"yes": False}),
        ({"at": NOON}, {"at": "2026-01-02T12:00:00Z"}),
        ({"owner": ONE}, {"owner": str(ONE)}),
        ({"colour": UnknownStr("green")}, {"colour": "green"}),
        ({"names": ("a", "b")}, {"names": ["a", "b"]}),
        ({"names": []}, {"names": []}),
        ({"parameters": {}}, {"parameters": {}}),
        ({"parameters": MappingProxyType({"a": (1, None)})}, {"parameters": {"a": [1, None]}}),
        ({"parameters": {OldText.BLUE: OldText.BLUE}}, {"parameters": {"blue": "blue"}}),
        (
            {"anything": {"a": [NOON, ONE, SecretStr("s"), UnknownStr("u")]}},
            {"anything": {"a": ["2026-01-02T12:00:00Z", str(ONE), "s", "u"]}},
        ),
        ({"box": {"inner-size": "small"}}, {"box": {"inner_size": "small"}}),
        ({"twice": "x"}, {"twice": "x", "two-ce": "x"}),
    ],
    ids=repr,
)
def test_bodies(values: dict[str, object], expected: object) -> None:
    assert body(**values) == expected


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"count": None}, "count: expected int, got None; leave it out instead."),
        ({"count": True}, "count: expected int, got bool."),
        ({"count": 1.0}, "count: expected int, got float."),
        ({"name": 5}, "name: expected str, got int."),
        ({"name": "\udfff"}, "name: expected Unicode, got a lone surrogate"),
        ({"secret": 5}, "secret: expected str or SecretStr, got int."),
        ({"secret": SecretBytes(b"s")}, "secret: expected str or SecretStr, got bytes."),
        ({"secrets": {"a": 5}}, "secrets.a: expected str or SecretStr, got int."),
        ({"secrets": {5: "a"}}, "secrets: expected keys of type str, got int."),
        ({"secrets": [("a", "b")]}, "secrets: expected a mapping, got list."),
        ({"owner": 5}, "owner: expected str or UUID, got int."),
        ({"names": "abc"}, "names: expected a list, got str."),
        ({"names": [None]}, "names[0]: expected str, got None."),
        ({"parameters": {"a": {"b": [...]}}}, "parameters.a.b[0]: expected a JSON value, got ellipsis."),
        ({"parameters": {"a": {1: 2}}}, "parameters.a: expected keys of type str, got int."),
        ({"parameters": {"\ud800": 1}}, "parameters: expected Unicode, got a lone surrogate"),
        ({"parameters": {"a": float("nan")}}, "parameters.a: expected a finite number, got nan."),
        (
            {"parameters": {"a": NOON.replace(tzinfo=None)}},
            "parameters.a: expected a JSON value, got datetime without a time zone",
        ),
        ({"anything": {1, 2}}, "anything: expected a JSON value, got set."),
        ({"box": {"size": 1}}, "box: Box has no key 'size'. It has inner_size, colour"),
        ({"box": None}, "box: expected Box or a mapping, got None; leave it out instead."),
    ],
    ids=repr,
)
def test_invalid_bodies(values: dict[str, object], sentence: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        body(**values)
    assert str(caught.value).startswith(sentence)


def test_required_body_is_sent_even_if_empty() -> None:
    from dataclasses import replace

    assert encode_body(replace(CREATE, body_required=True), {}) == b"{}"
    assert encode_body(replace(CREATE, body=None), {}) is None


@pytest.mark.parametrize("place", ["query_parameters", "body"])
def test_missing_required_argument(place: str) -> None:
    from dataclasses import replace

    from circleci_sdk._core.operation import STRING, many

    required = (Parameter("name", "the-name", STRING, required=True),)
    operation = replace(CREATE, query_parameters=(), body=())
    encode = encode_query if place == "query_parameters" else encode_body
    with pytest.raises(InvalidArgumentError, match="name: expected str, got nothing"):
        encode(replace(operation, **{place: required}), {})  # type: ignore[operator]  # either of two functions
    listed = replace(operation, query_parameters=(Parameter("names", "names", many(STRING), required=True),))
    with pytest.raises(InvalidArgumentError, match="names: expected at least one item, got none"):
        encode_query(listed, {"names": []})


@pytest.mark.parametrize("value", [None, True, 0, -1.5, "", "a", [], {}, {"a": [{"b": None}]}], ids=repr)
def test_json_is_unchanged(value: object) -> None:
    assert checked(ANY, value, "json") == value


# Combinations


RULES = (Rule("exactly_one", ("a", "b")), Rule("at_most_one", ("c", "d", "e")), Rule("needs", ("f", "g", "h")))


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ("a", None),
        ("b", None),
        ("ac", None),
        ("afg", None),
        ("afh", None),
        ("ag", None),
        ("", "a and b: expected exactly one of them, got 0."),
        ("ab", "a and b: expected exactly one of them, got 2."),
        ("acd", "c and d: expected at most one of them, got 2."),
        ("acde", "c and d and e: expected at most one of them, got 3."),
        ("af", "f: expected g or h with it, got none."),
    ],
)
def test_forbidden_combinations(given: str, sentence: str | None) -> None:
    from dataclasses import replace

    operation = replace(CREATE, rules=RULES)
    if sentence is None:
        check_rules(operation, dict.fromkeys(given, 1))
        return
    with pytest.raises(InvalidArgumentError) as caught:
        check_rules(operation, dict.fromkeys(given, 1))
    assert str(caught.value).startswith(sentence)


def test_any_mapping_is_accepted() -> None:
    class Own(Mapping[str, object]):
        def __getitem__(self, key: str) -> object:
            return {"a": 1}[key]

        def __iter__(self) -> Any:
            return iter(["a"])

        def __len__(self) -> int:
            return 1

    assert body(parameters=Own()) == {"parameters": {"a": 1}}


def test_arguments_that_are_left_out_hold_no_secret() -> None:
    assert list(sent_secrets(CREATE, {})) == []
