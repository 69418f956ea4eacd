"""The parser of the tables of `api/v3.md`."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.support.v3_rows import (
    Member,
    NotationError,
    Parameter,
    Row,
    Tree,
    parse_document,
    parse_query,
    parse_tree,
    rows,
)

STRING = Tree("str")
NEXT = Member("next", Tree("str", nullable=True), required=False)
PREV = Member("prev", Tree("str", nullable=True), required=False)
PAGE = Member("page", Tree("object", (NEXT, PREV)), required=False)


def the(key: str) -> Row:
    [row] = [row for row in rows() if row.key == key]
    return row


def test_every_row_of_both_grades_is_read() -> None:
    assert Counter(row.grade for row in rows()) == {"A": 73, "B": 54}
    keys = Counter(row.key for row in rows())
    assert max(keys.values()) == 1, keys.most_common(3)


def test_the_forms_of_the_responses() -> None:
    forms = {key: [row.key for row in rows() if row.form == key] for key in {row.form for row in rows()}}

    assert forms["bytes"] == ["GET /jobs/{id}/stderr", "GET /jobs/{id}/stdout", "GET /jobs/{id}/stdout/condensed"]
    assert forms["lines"] == ["GET /jobs/{id}/tests"]
    assert forms["text"] == ["GET /orb/versions/{id}/source"]
    assert forms["events"] == ["GET /sidecar/commands/{id}/output"]
    assert forms["unread"] == ["POST /contexts/{id}/env-vars/set"]
    assert len(forms["nothing"]) == 14
    assert all(bool(row.response) == (row.form in {"json", "lines"}) for row in rows())


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("{}", Tree("object")),
        ("{...}", Tree("object", open=True)),
        ("{name:str}", Tree("object", (Member("name", STRING, required=True),))),
        ("{name?:str or null}", Tree("object", (Member("name", Tree("str", nullable=True), required=False),))),
        ("{resource_class}", Tree("object", (Member("resource_class", Tree("any"), required=True),))),
        ('{phase:"ended"}', Tree("object", (Member("phase", Tree("constant", value="ended"), required=True),))),
        (
            "{errors:str[] or null}",
            Tree("object", (Member("errors", Tree("list", items=STRING, nullable=True), required=True),)),
        ),
        (
            "{steps?[]{num:int}}",
            Tree(
                "object",
                (
                    Member(
                        "steps",
                        Tree("list", items=Tree("object", (Member("num", Tree("int"), required=True),))),
                        required=False,
                    ),
                ),
            ),
        ),
        (
            "{linux{*}:str[], env?{*}:str}",
            Tree(
                "object",
                (
                    Member("linux", Tree("map", items=Tree("list", items=STRING)), required=True),
                    Member("env", Tree("map", items=STRING), required=False),
                ),
            ),
        ),
        (
            "{url?:str or {Value:str}}",
            Tree(
                "object",
                (
                    Member(
                        "url",
                        Tree(
                            "union",
                            variants=(STRING, Tree("object", (Member("Value", STRING, required=True),))),
                        ),
                        required=False,
                    ),
                ),
            ),
        ),
    ],
)
def test_trees(text: str, tree: Tree) -> None:
    assert parse_tree(text) == tree


@pytest.mark.parametrize(
    "text",
    ["", "{", "{name:str", "{name:number}", "{name:str,other:str}", "{name:str} more", "{a:str, a:str}", '{a:"b}'],
)
def test_unknown_notation_is_refused(text: str) -> None:
    with pytest.raises(NotationError):
        parse_tree(text)


@pytest.mark.parametrize("cell", ["Filter!", "one of a, b", "a,b", "filter[a"])
def test_unknown_notation_of_a_query_is_refused(cell: str) -> None:
    with pytest.raises(NotationError):
        list(parse_query(cell))


def test_unknown_rows_are_refused() -> None:
    with pytest.raises(NotationError):
        list(parse_document("## Operations of grade A\n| PUT | `/x` |  |  |  | x | y |"))
    with pytest.raises(NotationError):
        list(parse_document("## Operations of grade A\n| GET | `/x` |  |  |  | x |"))


def test_queries() -> None:
    assert the("GET /projects").query == (
        Parameter("filter[slug]", required=True, alternatives=("filter[slug]", "filter[org_id]")),
        Parameter("filter[org_id]", required=True, alternatives=("filter[slug]", "filter[org_id]")),
        Parameter("filter[name]", required=False),
        Parameter("order_by", required=False),
        Parameter("page[cursor]", required=False),
        Parameter("page[limit]", required=False),
    )
    three = ("namespace", "org-id", "resource-class")
    assert the("GET /runner").query == tuple(Parameter(name, required=True, alternatives=three) for name in three)
    assert [p.name for p in the("GET /runner/fleets").query if p.alternatives] == [
        "filter[org_id]",
        "filter[namespace]",
        "filter[resource_class]",
        "filter[resource_class_id]",
    ]
    assert the("GET /runner/tasks").query == (Parameter("resource-class", required=True),)


def test_the_envelope_is_part_of_the_response() -> None:
    assert the("POST /workflows/{id}/cancel").response == parse_tree("{data{id:uuid}}")
    organizations = the("GET /orgs").response
    assert organizations
    assert organizations.members[1] == PAGE
    assert organizations["data"] == Tree("list", items=parse_tree("{id:uuid}"))
    pipelines = the("GET /pipelines").response
    assert pipelines
    assert [member.name for member in pipelines.members] == ["data", "meta"]


def test_paths() -> None:
    body = the("POST /signing/configs").body
    assert body
    assert [(place, tree.kind, required) for place, tree, required in body.paths()] == [
        ("data", "object", True),
        ("data.attributes", "object", True),
        ("data.attributes.name", "str", True),
        ("data.attributes.provisioning_profiles", "list", True),
        ("data.attributes.provisioning_profiles[].file_name", "str", True),
        ("data.attributes.provisioning_profiles[].blob", "base64", True),
        ("data.references", "object", True),
        ("data.references.org", "object", True),
        ("data.references.org.id", "uuid", True),
        ("data.references.signing_certificate", "object", True),
        ("data.references.signing_certificate.id", "uuid", True),
    ]
