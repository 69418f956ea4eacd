"""Behavior of generated packages at run time."""

from __future__ import annotations

import inspect
import json
import pickle
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

import circleci_sdk
from circleci_sdk._core.operation import Api
from circleci_sdk._core.serialization.model import Model, SecretText, UnknownStr
from tests.codegen.support import installed

CASES = ("parameters", "bodies", "paging", "responses", "lifecycle", "models", "deliveries", "whole")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on `sys.path` with a package for each spec."""
    folder = tmp_path_factory.mktemp("site")
    for case in CASES:
        installed(case, folder / case, f"{case}_sdk")
        (folder / case / f"{case}_sdk").rename(folder / f"{case}_sdk")
    sys.path.insert(0, str(folder))
    yield folder
    sys.path.remove(str(folder))


@pytest.fixture(scope="module")
def models(site: Path) -> Any:
    return import_module("models_sdk.v9.models")


THING = {"id": "1", "kind": "big", "state": "done", "stopped_at": None, "nested": {}}


@pytest.mark.parametrize("case", CASES)
def test_every_module_and_public_name_can_be_imported(case: str, site: Path) -> None:
    package = import_module(f"{case}_sdk.v9")
    assert set(package.__all__) == {"OPERATIONS", "V9"} <= set(dir(package))
    models = import_module(f"{case}_sdk.v9.models")
    for name in models.__all__:
        assert name in dir(models)
        model = getattr(models, name)
        if name.endswith("Dict"):
            fields = getattr(models, name.removesuffix("Dict")).model_fields
            assert model.__annotations__.keys() == fields.keys()
            assert model.__required_keys__ == {key for key, field in fields.items() if field.is_required()}
            TypeAdapter(model)
        elif isinstance(model, type):
            assert issubclass(model, BaseModel)
            assert model.model_rebuild() is not False
            assert pickle.loads(pickle.dumps(model)) is model
        else:
            TypeAdapter(model)
    for module in (package, models):
        with pytest.raises(AttributeError, match=r"module '.*' has no attribute 'Missing'"):
            _ = module.Missing


@pytest.mark.parametrize("case", CASES)
def test_every_operation_has_a_method(case: str, site: Path) -> None:
    package = import_module(f"{case}_sdk.v9")
    client = package.V9(None)
    api = Api(name="v9", base="/api/v9", models=f"{case}_sdk.v9.models")
    for name, operation in package.OPERATIONS.items():
        assert operation.id == name
        assert operation.api == api
        resource, _, method = operation.python_name.partition(".")
        function = getattr(getattr(client, resource), method)
        assert inspect.iscoroutinefunction(function) == (operation.paging is None)
        assert function.__doc__
        taken = set(inspect.signature(function).parameters)
        places = (operation.path_parameters, operation.query_parameters, operation.body or ())
        assert taken == {parameter.name for place in places for parameter in place}
    with pytest.raises(TypeError):
        package.OPERATIONS["new"] = None


def test_resource_loads_no_models_and_no_other_resource(site: Path) -> None:
    program = "import sys, whole_sdk.v9.resources.jobs; print(*sorted(name for name in sys.modules if 'whole' in name))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=site, capture_output=True, text=True, check=True
    ).stdout.split()
    assert loaded == [
        "whole_sdk",
        "whole_sdk.v9",
        "whole_sdk.v9._api",
        "whole_sdk.v9.resources",
        "whole_sdk.v9.resources.jobs",
    ]


def test_model_loads_its_own_module_and_the_shared_one(site: Path) -> None:
    program = "import sys, whole_sdk.v9.models as m; m.Job; print(*sorted(n for n in sys.modules if '.models._' in n))"
    loaded = subprocess.run(
        [sys.executable, "-c", program], cwd=site, capture_output=True, text=True, check=True
    ).stdout.split()
    assert loaded == ["whole_sdk.v9.models._jobs", "whole_sdk.v9.models._shared"]


def test_model_has_its_public_module(models: ModuleType) -> None:
    assert models.Thing.__module__ == "models_sdk.v9.models"
    assert models.Thing.__mro__[1] is Model


def test_open_enums_accept_unknown_values_and_closed_ones_do_not(models: Any) -> None:
    thing = models.Thing.model_validate_json(json.dumps({**THING, "kind": "huge", "states": ["running", "waiting"]}))
    assert thing.kind == "huge"
    assert [type(value) for value in (thing.kind, *thing.states)] == [UnknownStr, str, UnknownStr]
    with pytest.raises(ValidationError):
        models.Thing.model_validate({**THING, "exact": "other"})


def test_keys_are_read_by_wire_name_and_by_python_name(models: Any) -> None:
    wire = {"web-url": "u", "projectID": "p", "class": "c", "user?": True, "_id": 3}
    python = {"web_url": "u", "project_id": "p", "class_": "c", "is_user": True, "internal_id": 3}
    thing = models.Thing.model_validate({**THING, **wire})
    assert thing == models.Thing.model_validate({**THING, **python})
    assert {name: getattr(thing, name) for name in python} == python
    assert wire.items() <= thing.model_dump(by_alias=True).items()
    assert models.ThingInput(per_hour=3).model_dump(by_alias=True, exclude_unset=True) == {"per-hour": 3}


def test_required_fields_are_nullable_only_if_declared(models: Any) -> None:
    for name in THING:
        with pytest.raises(ValidationError, match=name):
            models.Thing.model_validate({key: value for key, value in THING.items() if key != name})
    with pytest.raises(ValidationError, match="nested"):
        models.Thing.model_validate({**THING, "nested": None})


def test_unknown_union_member_falls_back_to_the_base(models: Any) -> None:
    thing = models.Thing.model_validate(
        {**THING, "tagged": {"type": "circle"}, "figure": {"type": "line", "length": 2}}
    )
    assert type(thing.tagged) is models.Circle
    assert type(thing.figure) is Model
    assert thing.figure.model_extra == {"type": "line", "length": 2}


def test_request_union_has_no_fallback(models: Any) -> None:
    assert "Model" not in str(models.ThingInput.model_fields["choice"].annotation)


def test_secrets_of_responses_are_masked(models: Any) -> None:
    thing = models.Thing.model_validate({**THING, "token": "abc"})
    assert thing.token == "abc"
    assert type(thing.token) is SecretText
    assert "abc" not in repr(thing)


def test_models_are_extended_and_recursive(models: Any) -> None:
    assert issubclass(models.BigThing, models.Nested)
    assert models.BigThing.model_validate({"size": 1, "name": "n"}).name == "n"
    tree = models.Tree.model_validate({"parent": {}, "children": [{"children": [{}]}]})
    assert type(tree.children[0].children[0]) is models.Tree
    assert pickle.loads(pickle.dumps(tree)) == tree


def test_field_types(models: Any) -> None:
    thing = models.Thing.model_validate_json(
        b'{"id": "1", "kind": "big", "state": "done", "stopped_at": "2026-01-02T03:04:05Z", "nested": {},'
        b' "number_or_text": 3, "by_name": {"a": {"name": "n"}}, "counts": {"a": null},'
        b' "free": {"x": [1]}, "anything": [2], "one_or_many": [{"name": "n"}], "new": 1}'
    )
    assert thing.stopped_at.isoformat() == "2026-01-02T03:04:05+00:00"
    assert thing.number_or_text == 3
    assert type(thing.by_name["a"]) is models.Nested
    assert thing.counts == {"a": None}
    assert (thing.free, thing.anything, thing.model_extra) == ({"x": [1]}, [2], {"new": 1})
    assert [type(item) for item in thing.one_or_many] == [models.Nested]


def test_deprecated_methods_keep_their_signature(site: Path) -> None:
    things = import_module("lifecycle_sdk.v9.resources.things").Things
    assert things.run_old.__deprecated__ == "the API rejects it from 2027-02-01; use v2.things.run"
    assert inspect.iscoroutinefunction(things.run_old)


@pytest.mark.parametrize(
    "checker", [["mypy", "--strict", "--enable-error-code=deprecated"], ["pyright"]], ids=["mypy", "pyright"]
)
def test_generated_code_passes_strict_type_checkers(checker: list[str], site: Path) -> None:
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(Path(circleci_sdk.__file__).parents[1])]}
    (site / "pyrightconfig.json").write_text(json.dumps(settings))
    packages = [f"{case}_sdk" for case in CASES]
    result = subprocess.run(
        [sys.executable, "-m", *checker, *packages], cwd=site, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr
