"""Each package offers the same names in `__all__`, to type checkers and at run time."""

from __future__ import annotations

import ast
import inspect
import sys
from importlib import import_module
from pathlib import Path
from typing import Final

import pytest
from typing_extensions import is_typeddict

import circleci_sdk
from tests import public_names

PACKAGES: Final = [f"circleci_sdk.{name}".rstrip(".") for name in public_names.PACKAGES]
every_package = pytest.mark.parametrize("package", PACKAGES)


def imports_seen_by_checkers(package: str) -> dict[str, str]:
    """The public names that the source imports, and the module that each comes from."""
    source = Path(inspect.getfile(import_module(package))).read_text(encoding="utf-8")
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and node.module not in {
            "__future__",
            "typing",
            "_public",
            "circleci_sdk._public",
        }:
            module = f"{package}.{node.module}" if node.level else str(node.module)
            found |= {alias.name: module for alias in node.names}
    return found


@every_package
def test_every_name_is_imported_for_checkers_and_at_run_time(package: str) -> None:
    module = import_module(package)
    imported = imports_seen_by_checkers(package)
    assert imported.keys() == set(module.__all__)
    for name, source in imported.items():
        assert getattr(module, name) is getattr(import_module(source), name)


@every_package
def test_names_are_listed_once_and_by_dir(package: str) -> None:
    module = import_module(package)
    assert len(set(module.__all__)) == len(module.__all__)
    assert set(module.__all__) <= set(dir(module))


@every_package
def test_a_name_that_does_not_exist(package: str) -> None:
    with pytest.raises(AttributeError, match=rf"^module '{package}' has no attribute 'Misspelt'$"):
        _ = import_module(package).Misspelt


@every_package
def test_the_module_of_a_class_is_a_public_package(package: str) -> None:
    module = import_module(package)
    values = [getattr(module, name) for name in module.__all__]
    classes = [
        value for value in values if isinstance(value, type) and not is_typeddict(value)
    ]  # they have no instances
    assert not [cls for cls in classes if getattr(sys.modules.get(cls.__module__), cls.__qualname__, None) is not cls]
    assert {cls.__module__ for cls in classes} <= set(PACKAGES)


def test_no_other_package_is_public() -> None:
    root = Path(circleci_sdk.__file__).parent
    lazy = {file.parent for file in root.rglob("__init__.py") if "__getattr__" in file.read_text(encoding="utf-8")}
    assert lazy == {root.parent.joinpath(*name.split(".")) for name in PACKAGES}
