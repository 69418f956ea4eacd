"""The facts about API v3 and the responses made of them."""

from __future__ import annotations

from datetime import UTC, datetime

from tests.support import places, v3_names
from tests.support.calls import calls
from tests.support.responses import NOTHING, Instance, Items, Same
from tests.support.v3_facts import BASE, KNOWN, operations, python_name
from tests.support.v3_responses import EntityMaker
from tests.support.v3_rows import parse_tree, rows

OPERATIONS = operations()
BY_LABEL = {operation.label: operation for operation in OPERATIONS}


def mapping(name: str, values: object) -> object:
    return values


def test_every_signature_is_of_a_row() -> None:
    assert {operation.id for operation in OPERATIONS} == v3_names.SIGNATURES.keys()
    assert {row.key for row in rows() if row.grade == "A"} <= v3_names.SIGNATURES.keys()
    assert len(BY_LABEL) == len({(operation.method, operation.path) for operation in OPERATIONS}) == 97


def test_tables_have_no_name_of_no_use() -> None:
    resources = {operation.resource for operation in OPERATIONS}
    methods = {f"{operation.resource}.{operation.name}" for operation in OPERATIONS}
    assert {resource for resource, _ in v3_names.RENAMED} <= resources
    assert {place.partition("(")[0] for place in v3_names.MODELS} <= methods
    assert {method for method, _ in v3_names.TEXTS} <= methods
    assert v3_names.SIGNATURES.keys() >= v3_names.CIRCLE_TOKEN


def test_known_values_are_those_of_the_document() -> None:
    text = (places.facts() / "api" / "v3.md").read_text(encoding="utf-8")
    section = text.partition("## Known values")[2].partition("\n## ")[0]
    assert [value for values in KNOWN.values() for value in values if value not in section] == []


def test_names_of_query_parameters() -> None:
    names = ("filter[org_id]", "filter[from]", "page[limit]", "page[cursor]", "org-id", "include")
    assert [python_name(name) for name in names] == ["org_id", "from_", "page_size", "page_token", "org_id", "include"]


def test_every_argument_is_passed_and_omitted() -> None:
    for operation in OPERATIONS:
        made = calls(operation, mapping)
        positional = [argument.name for argument in operation.arguments if not argument.keyword]
        names = {argument.name for argument in operation.arguments}
        required = {argument.name for argument in operation.arguments if argument.required}
        given = [{*positional[: len(call.positional)], *call.keywords} for call in made]
        assert len(positional) == operation.path.count("{"), operation.label
        assert set[str]().union(*given) == names, operation.label
        assert given[1] == required | set(operation.needed), operation.label
        assert all(not set(pair) <= chosen for chosen in given for pair in operation.conflicts), operation.label


def test_bodies_have_their_envelopes() -> None:
    every, required = calls(BY_LABEL["v3.pipelines.create"], mapping)[:2]
    assert list(every.body) == ["data"]
    assert {part: set(held) for part, held in every.body["data"].items()} == {
        "attributes": {"name", "description", "config", "checkout"},
        "references": {"project"},
    }
    assert set(required.body["data"]["attributes"]) == {"name", "config", "checkout"}
    _, search = calls(BY_LABEL["v3.runs.search"], mapping)
    assert set(search.body) == {"scope", "filter", "page"}
    assert set(calls(BY_LABEL["v3.triggers.create"], mapping)[1].body["data"]) == {"attributes", "references"}
    _, cancel = calls(BY_LABEL["v3.workflows.cancel"], mapping)
    assert (cancel.body, cancel.segments[:3]) == ({}, tuple(BASE.split("/")))


def test_entities_are_flat() -> None:
    tree = parse_tree(
        "{id:uuid, attributes{name:str, at?:time or null, target_version{name:str}, filter{preset:str}}, "
        "references?{org{id:uuid}, event{id?:str, attributes{type?:str}}, versions[]{id:str}}}"
    )
    maker = EntityMaker("deployments")
    wire, full = maker.object(tree, "full")
    first = "00000001-0000-4000-8000-000000000000"

    assert set(wire["attributes"]) == {"name", "at", "target_version", "filter"}
    assert full.fields.keys() == {"id", "name", "at", "target_version", "filter", "org_id", "event", "versions"}
    assert full.fields["id"] == Same(first, str)
    assert full.fields["target_version"] == Same("name-4 é", str, unknown=None)
    assert full.fields["filter"] == Instance("", {"preset": Same("preset-5 é", str, unknown=None)})
    assert full.fields["event"] == Instance(
        "", {"id": Same("id-7 é", str, unknown=None), "type": Same("type-8 é", str, unknown=None)}
    )
    assert isinstance(full.fields["versions"], Items)
    assert full.fields["at"] == Same(datetime(2026, 1, 2, 6, 4, 5, 678000, tzinfo=UTC), datetime)
    assert wire["attributes"]["at"] == "2026-01-02T06:04:05.678000Z"
    none, bare = (maker.object(tree, detail) for detail in ("null", "bare"))
    assert none[0]["attributes"]["at"] is None
    assert none[1].fields["org_id"] == none[1].fields["event"] == NOTHING
    assert (set(bare[0]), set(bare[0]["attributes"])) == ({"id", "attributes"}, {"name", "target_version", "filter"})
