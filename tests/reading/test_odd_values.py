"""Values that do not fit, for every structure of a field, over sockets on both event loops."""

from __future__ import annotations

import copy
import pickle
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from traceback import TracebackException
from typing import Any, Final

import pytest

from circleci_sdk import AsyncCircleCI, DecodeError, FieldUnavailableError, Mismatch, PaginationError, UnknownStr
from circleci_sdk.v2.models import Policy
from tests.reading.odd_models import Branch, Leaf, Tree, Trees
from tests.support.clients import client_on
from tests.support.scripted_server import ScriptedServer, reply

NOON: Final = "2026-01-02T12:00:00Z"
LEAF: Final = {"name": "l"}

UNFIT: Final[Mapping[str, tuple[Mapping[str, Any], str, str]]] = {
    # name: the fields, the expected type, the received one
    "null for a required string": ({"id": None}, "string", "null"),
    "number for a string": ({"id": 7}, "string", "number"),
    "empty string for an integer": ({"count": ""}, "integer or null", "string"),
    "fraction for an integer": ({"count": 1.5}, "integer or null", "number"),
    "number for a boolean": ({"is_green": 7}, "boolean or null", "number"),
    "string for a number": ({"ratio": "much"}, "number or null", "string"),
    "another word of a closed set": ({"season": "monsoon"}, "one of spring, autumn or null", "string"),
    "number for an open set": ({"colour": 7}, "string or null", "number"),
    "empty string for a date": ({"planted_at": ""}, "timestamp or null", "string"),
    "unreadable date": ({"planted_at": "in spring"}, "timestamp or null", "string"),
    "seconds for a date": ({"planted_at": 1_767_355_200}, "timestamp or null", "number"),
    "blanks for a date or an empty string": ({"felled_at": " "}, "empty string or timestamp or null", "string"),
    "unreadable date in a list": ({"dates": [NOON, "soon"]}, "array or null", "array"),
    "null in a list of dates": ({"dates": [None]}, "array or null", "array"),
    "unreadable date in a map": ({"dates_by_name": {"a": "soon"}}, "object or null", "object"),
    "string in a list of lists": ({"rows": [[1], ["x"]]}, "array or null", "array"),
    "null in a list of strings": ({"names": ["a", None]}, "array or null", "array"),
    "object for a list of strings": ({"names": {"a": 1}}, "array or null", "object"),
    "string for an object": ({"branch": ""}, "object or null", "string"),
    "array for an object": ({"branch": []}, "object or null", "array"),
    "object for a list of objects": ({"branches": {}}, "array or null", "object"),
    "array for a map of objects": ({"branches_by_name": []}, "object or null", "array"),
    "array for an object or a string": ({"leaf_or_name": []}, "object or string or null", "array"),
    "array for two scalars": ({"id_or_count": []}, "integer or string or null", "array"),
    "the same in another order": ({"count_or_id": []}, "integer or string or null", "array"),
}

NESTED: Final[Mapping[str, tuple[Mapping[str, Any], Mapping[str, tuple[str, str]]]]] = {
    # name: the fields, the mismatches by their places
    "missing in an object": ({"branch": {}}, {"branch.leaf": ("object", "missing")}),
    "missing two objects down": ({"branch": {"leaf": {}}}, {"branch.leaf.name": ("string", "missing")}),
    "date in a list in an object": (
        {"branch": {"leaf": LEAF, "leaves": [LEAF, {"name": "l", "at": "soon"}]}},
        {"branch.leaves.1.at": ("timestamp or null", "string")},
    ),
    "items that are no objects": (
        {"branches": [{"leaf": LEAF}, "odd", None, 7, []]},
        {
            "branches.1": ("object", "string"),
            "branches.2": ("object", "null"),
            "branches.3": ("object", "number"),
            "branches.4": ("object", "array"),
        },
    ),
    "values of a map that are no objects": (
        {"branches_by_name": {"a": {"leaf": LEAF}, "b": "odd"}},
        {"branches_by_name.b": ("object", "string")},
    ),
    "field of a value of a map": (
        {"branches_by_name": {"a.b": {"leaf": {"name": 7}}}},
        {"branches_by_name.a.b.leaf.name": ("string", "number")},
    ),
    "field of a value of a map with an empty key": (
        {"branches_by_name": {"": {"leaf": {"name": 7}}}},
        {"branches_by_name..leaf.name": ("string", "number")},
    ),
    "item of a list in a map": (
        {"leaves_by_name": {"a": [LEAF, {"name": None}]}},
        {"leaves_by_name.a.1.name": ("string", "null")},
    ),
    "object of a union with a string": ({"leaf_or_name": {"name": 7}}, {"leaf_or_name.name": ("string", "number")}),
    "object of a union of objects": (
        {"leaf_or_branch": {"leaf": LEAF, "leaves": ["odd"]}},
        {"leaf_or_branch.leaves.0": ("object", "string")},
    ),
    "items of a union of objects": (
        {"parts": [LEAF, {"leaf": {"name": 7}}]},
        {"parts.1.leaf.name": ("string", "number")},
    ),
    "several at once": (
        {"count": "x", "branch": {"leaf": {"at": 7}}, "names": [7]},
        {
            "count": ("integer or null", "string"),
            "names": ("array or null", "array"),
            "branch.leaf.name": ("string", "missing"),
            "branch.leaf.at": ("timestamp or null", "number"),
        },
    ),
}


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server) as client:
        yield client


async def tree_of(client: AsyncCircleCI, server: ScriptedServer, fields: Mapping[str, Any]) -> Tree:
    """A tree with these fields; every other value fits."""
    server.otherwise(reply(json={"id": "t", "kind": "oak", "count": 3, "new": [1], **fields}))
    return await Trees(client._caller).get()


@pytest.mark.parametrize("name", UNFIT)
async def test_one_field_is_unavailable(client: AsyncCircleCI, server: ScriptedServer, name: str) -> None:
    fields, expected, received = UNFIT[name]
    [(field, raw)] = fields.items()

    tree = await tree_of(client, server, {"id": "t", "season": "spring", **fields})

    assert tree.mismatches == (Mismatch(field, expected, received),)
    assert not hasattr(tree, field)
    assert getattr(tree, field, "default") == "default"
    with pytest.raises(FieldUnavailableError) as failure:
        getattr(tree, field)
    error = failure.value
    facts = (error.operation, error.place, error.expected, error.received)
    assert facts == ("v2.trees.get", field, expected, received)
    assert all(part in str(error) for part in facts)
    others: dict[str, Any] = {"id": "t", "kind": "oak", "count": 3, "season": "spring"}
    for key, value in others.items():
        assert key == field or getattr(tree, key) == value
    assert tree.model_extra is not None
    assert tree.model_extra == {"new": [1], field: raw}
    assert tree.model_dump(mode="json", exclude_unset=True) == {**others, "new": [1], **fields}
    assert tree.model_dump(mode="json")[field] == raw


@pytest.mark.parametrize(
    ("field", "value", "fits"),
    [
        ("count", 2.0, True),
        ("count", 1e30, True),
        ("count", True, False),
        ("count", "12", False),
        ("count", 1.5, False),
        ("ratio", 2, True),
        ("ratio", True, False),
        ("ratio", "1.5", False),
        ("ratio", "NaN", False),
        ("is_green", 1, False),
        ("is_green", "yes", False),
        ("is_green", "true", False),
        ("names", [True], False),
        ("rows", [[True]], False),
    ],
)
async def test_json_types_are_not_converted(
    client: AsyncCircleCI, server: ScriptedServer, field: str, value: Any, fits: bool
) -> None:
    tree = await tree_of(client, server, {field: value})
    assert hasattr(tree, field) == fits
    assert [one.place for one in tree.mismatches] == ([] if fits else [field])
    assert tree.model_dump(mode="json")[field] == value
    assert (field in tree.model_fields_set) == fits
    if fits:
        assert type(getattr(tree, field)) is {"count": int, "ratio": float}[field]


async def test_representation_shows_what_is_unavailable(client: AsyncCircleCI, server: ScriptedServer) -> None:
    tree = await tree_of(client, server, {"count": "many", "branches": [{"leaf": LEAF}, "odd"]})
    assert "many" not in repr(tree)
    assert "odd" not in repr(tree)
    assert "count=<unavailable>" in repr(tree)
    assert "branches=[Branch(" in repr(tree)
    assert "new=[1]" in str(tree)


async def test_text_of_an_unavailable_field(client: AsyncCircleCI, server: ScriptedServer) -> None:
    """It says where the raw value is, if there is one. Python adds no suggestion of another field."""
    server.otherwise(reply(json={"id": "t", "count": "many"}))
    tree = await Trees(client._caller).get()
    server.otherwise(reply(json={"items": [], "next_page_token": 5}))
    page = await Trees(client._caller).leaves()
    texts: dict[str, str] = {}
    for holder, name in ((tree, "count"), (tree, "kind"), (page, "next")):
        with pytest.raises(FieldUnavailableError) as failure:
            getattr(holder, name)
        assert failure.value.name == ""
        [texts[name]] = TracebackException.from_exception(failure.value).format_exception_only()
    remedy = "getattr() reads the field with a default"
    assert texts == {
        "count": "circleci_sdk.FieldUnavailableError: v2.trees.get: count: expected integer or null, received string. "
        f"{remedy}; its raw value is in model_dump().\n",
        "kind": "circleci_sdk.FieldUnavailableError: v2.trees.get: kind: expected string, received missing. "
        f"{remedy}.\n",
        "next": "circleci_sdk.FieldUnavailableError: v2.leaves.list: next_page_token: expected string or null, "
        f"received number. {remedy}; its raw value is in extras.\n",
    }


@pytest.mark.parametrize("name", NESTED)
async def test_nested_mismatches(client: AsyncCircleCI, server: ScriptedServer, name: str) -> None:
    fields, expected = NESTED[name]

    tree = await tree_of(client, server, fields)

    assert {one.place: (one.expected, one.received) for one in tree.mismatches} == expected
    assert tree.model_dump(mode="json", exclude_unset=True) == {
        "id": "t",
        "kind": "oak",
        "count": 3,
        "new": [1],
        **fields,
    }
    for other in (copy.copy(tree), copy.deepcopy(tree), tree.model_copy(), pickle.loads(pickle.dumps(tree))):
        assert other == tree
        assert other.mismatches == tree.mismatches
        assert other.model_dump(mode="json") == tree.model_dump(mode="json")
    assert await tree_of(client, server, {}) != tree


@pytest.mark.parametrize("name", [*UNFIT, *NESTED])
async def test_strict_client_raises(server: ScriptedServer, name: str) -> None:
    fields = NESTED[name][0] if name in NESTED else UNFIT[name][0]
    places = NESTED[name][1].keys() if name in NESTED else fields.keys()
    async with client_on(server, strict=True) as client:
        with pytest.raises(DecodeError) as failure:
            await tree_of(client, server, fields)

    assert failure.value.field in places
    assert (failure.value.request_outcome, len(server.requests)) == ("processed", 1)


async def test_models_of_items_that_are_no_objects(client: AsyncCircleCI, server: ScriptedServer) -> None:
    tree = await tree_of(client, server, {"branches": ["odd", {"leaf": LEAF}, 7]})

    assert tree.branches is not None
    first, second, third = tree.branches
    assert all(isinstance(branch, Branch) for branch in tree.branches)
    assert second.leaf == Leaf(name="l")
    for index, branch, raw in ((0, first, "odd"), (2, third, 7)):
        dumped: object = branch.model_dump(mode="json")
        assert dumped == raw
        assert branch.mismatches == (Mismatch(f"branches.{index}", "object", "string" if index == 0 else "number"),)
        for field in ("leaf", "leaves"):
            with pytest.raises(FieldUnavailableError) as failure:
                getattr(branch, field)
            assert failure.value.place == f"branches.{index}"
    assert first != third
    assert first != second


@pytest.mark.parametrize(
    ("fields", "name", "value"),
    [
        ({"colour": "mauve"}, "colour", UnknownStr("mauve")),
        ({"colour": ""}, "colour", UnknownStr("")),
        ({"count": 10**30}, "count", 10**30),
        ({"id_or_count": "x"}, "id_or_count", "x"),
        ({"anything": [None, {}]}, "anything", [None, {}]),
        ({"planted-at": NOON}, "planted_at", datetime(2026, 1, 2, 12, tzinfo=UTC)),
        ({"felled_at": ""}, "felled_at", ""),
        ({"dates": [NOON]}, "dates", [datetime(2026, 1, 2, 12, tzinfo=UTC)]),
        ({"leaf_or_name": "n"}, "leaf_or_name", "n"),
        ({"parts": [LEAF, {"leaf": LEAF}]}, "parts", [Leaf(name="l"), Branch(leaf=Leaf(name="l"))]),
        ({"branches": []}, "branches", []),
    ],
    ids=str,
)
async def test_values_that_fit_beside_one_that_does_not(
    client: AsyncCircleCI, server: ScriptedServer, fields: Mapping[str, Any], name: str, value: object
) -> None:
    tree = await tree_of(client, server, {**fields, "names": [7]})

    assert getattr(tree, name) == value
    assert type(getattr(tree, name)) is type(value)
    assert [one.place for one in tree.mismatches] == ["names"]


@pytest.mark.parametrize("token", [7, True, ["a"], {"a": 1}], ids=repr)
async def test_page_with_a_token_of_another_type(client: AsyncCircleCI, server: ScriptedServer, token: object) -> None:
    server.otherwise(reply(json={"items": [LEAF, {"name": "m"}], "next_page_token": token, "total": 9}))
    pager = Trees(client._caller).leaves()

    page = await pager

    assert [leaf.name for leaf in page] == ["l", "m"]
    assert page.extras == {"total": 9, "next_page_token": token}
    [mismatch] = page.mismatches
    assert (mismatch.place, mismatch.expected) == ("next_page_token", "string or null")
    with pytest.raises(FieldUnavailableError) as failure:
        _ = page.next
    assert (failure.value.place, failure.value.received) == ("next_page_token", mismatch.received)

    names: list[str] = []
    with pytest.raises(PaginationError, match="a page token that cannot be read"):
        async for leaf in Trees(client._caller).leaves():
            names.append(leaf.name)  # noqa: PERF401  # the loop raises at its end
    assert names == ["l", "m"]
    assert pickle.loads(pickle.dumps(page)) == page


@pytest.mark.parametrize(
    ("item", "place", "received"),
    [
        ("odd", "items.1", "string"),
        (None, "items.1", "null"),
        ({}, "items.1.name", "missing"),
        ({"name": "m", "at": ""}, "items.1.at", "string"),
    ],
    ids=repr,
)
async def test_page_with_one_odd_item(
    client: AsyncCircleCI, server: ScriptedServer, item: object, place: str, received: str
) -> None:
    server.otherwise(reply(json={"items": [LEAF, item, {"name": "n"}], "next_page_token": None}))

    page = await Trees(client._caller).leaves()

    assert len(page) == 3
    assert (page.items[0], page.items[2].name, page.next) == (Leaf(name="l"), "n", None)
    assert [(one.place, one.received) for one in page.mismatches] == [(place, received)]
    assert page.items[1].mismatches == page.mismatches
    assert page.items[1].model_dump(mode="json", exclude_unset=True) == item


@pytest.mark.parametrize(
    ("content", "name"),
    [
        (rb'{"name": "a \ud83d b"}', "a \ufffd b"),
        (rb'{"name": "a \ude00 b"}', "a \ufffd b"),
        (rb'{"name": "\ud83d\ude00 \ude00\ud83d"}', "\U0001f600 \ufffd\ufffd"),
        (rb'{"name": "\\ud83d", "\ud83d": "\ud83d"}', "\\ud83d"),
        (b'\xef\xbb\xbf{"name": "n"}', "n"),
    ],
    ids=repr,
)
async def test_json_that_the_fast_parser_refuses(
    client: AsyncCircleCI, server: ScriptedServer, content: bytes, name: str
) -> None:
    mark = content[: content.index(b"{")]
    page = b'%b{"items": [{"name": "other"}, %b], "next_page_token": "more"}' % (mark, content[len(mark) :])
    server.otherwise(reply(body=page))

    result = await Trees(client._caller).leaves()

    assert [leaf.name for leaf in result] == ["other", name]
    assert (result.mismatches, result.next) == ((), "more")
    assert result.items[1].model_extra == ({"\ufffd": "\ufffd"} if b", " in content else {})
    assert result.items[0] == Leaf(name="other")


@pytest.mark.parametrize("key", ["", ".", "a.b", "1"])
async def test_body_that_is_a_map(client: AsyncCircleCI, server: ScriptedServer, key: str) -> None:
    server.otherwise(reply(json={key: {"name": 7, "content": "package org"}, "other": 5}))
    bundle = await client.v2.policies.get_bundle("5034460f-c7c4-4c43-9457-de07e2029e7b")
    policy, other = bundle[key], bundle["other"]
    assert isinstance(policy, Policy)
    assert policy.content == "package org"
    assert policy.mismatches == (Mismatch(f"{key}.name", "string or null", "number"),)
    with pytest.raises(
        FieldUnavailableError, match=r"v2\.policies\.get_bundle: .*\.name: expected string or null, received number"
    ):
        _ = policy.name
    assert isinstance(other, Policy)
    assert other.model_dump() == 5


@pytest.mark.parametrize(
    ("content", "mismatches"),
    [
        (rb'[{"path": "a\ud83d", "url": "b"}]', ()),
        (rb'[{"path": "a\ud83d", "url": "b"}, {"path": 5, "url": "b"}]', (Mismatch("1.path", "string", "number"),)),
        (rb'["\ud83d", {"path": "a", "url": "b"}]', (Mismatch("0", "object", "string"),)),
        (b'\xef\xbb\xbf[{"path": "a", "url": "b"}]', ()),
    ],
    ids=repr,
)
async def test_array_that_the_fast_parser_refuses(
    client: AsyncCircleCI, server: ScriptedServer, content: bytes, mismatches: tuple[Mismatch, ...]
) -> None:
    server.otherwise(reply(body=content))
    page = await client.v1.builds.list_artifacts("gh/acme/web", 1)
    assert page.mismatches == mismatches
    assert [getattr(one, "url", "b") for one in page] == ["b"] * len(page)


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (b"<html><title>Sign in</title></html>", "unknown"),
        (b"", "unknown"),
        (b"[]", "processed"),
        (b"{}", "processed"),
        (b'{"message": "Tree not found"}', "processed"),
        (b'{"id": null, "kind": 7, "count": 3}', "processed"),
    ],
    ids=repr,
)
async def test_unusable_response_is_not_sent_again(server: ScriptedServer, content: bytes, outcome: str) -> None:
    server.otherwise(reply(body=content))
    async with client_on(server, max_retries=3) as client:
        with pytest.raises(DecodeError) as failure:
            await Trees(client._caller).get()

    error = failure.value
    assert (error.request_outcome, error.retry_stop_reason, len(server.requests)) == (outcome, "not_retryable", 1)


async def test_acknowledgement_in_place_of_an_object_after_a_write(
    client: AsyncCircleCI, server: ScriptedServer
) -> None:
    server.otherwise(reply(202, json={"message": "Accepted."}))

    context = await client.v2.contexts.create(name="ci", owner={"type": "organization", "id": "o"})

    assert (context.model_extra, hasattr(context, "id")) == ({"message": "Accepted."}, False)
    assert {one.received for one in context.mismatches} == {"missing"}
