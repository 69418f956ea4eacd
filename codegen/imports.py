"""The imports of a generated module, derived from the names in its code."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Collection, Mapping
from typing import Final

_CORE: Final = "circleci_sdk._core"

_AT_RUN_TIME: Final = {
    "typing": ("Any", "Final", "Literal"),
    "datetime": ("date",),
    "typing_extensions": ("NotRequired", "TypedDict", "deprecated"),
    f"{_CORE}.operation": (
        *("ANY", "BOOLEAN", "DATE_TIME", "ID", "INTEGER", "LONG_ORG_SLUG", "LONG_PROJECT_SLUG", "NUMBER"),
        *("ORG_SLUG", "PROJECT_SLUG", "SECRET", "STRING"),
        *("Operation", "Paging", "Parameter", "ResponseBody", "Rule"),
        *("choice", "integer", "many", "mapping", "model", "nullable", "one_of"),
    ),
    f"{_CORE}.resource": ("Resource",),
    "circleci_sdk._streams.streams": ("ByteStream", "ItemStream"),
    f"{_CORE}.unset": ("UNSET",),
}
_FOR_TYPES: Final = {
    "collections.abc": ("Mapping", "Sequence"),
    "datetime": ("datetime",),
    "uuid": ("UUID",),
    "pydantic": ("SecretStr",),
    f"{_CORE}.serialization.model": ("UnknownStr",),
    f"{_CORE}.pagination": ("AsyncPager",),
    f"{_CORE}.serialization.slugs": ("ProjectSlug",),
    f"{_CORE}.unset": ("Unset",),
}

TAKEN_NAMES: Final = frozenset(
    {"API", "TYPE_CHECKING", "Model", "Timestamp", "SecretText", "Annotated", "Field", "TypeAliasType", "Optional"}
    | {name for table in (_AT_RUN_TIME, _FOR_TYPES) for names in table.values() for name in names}
    | set(dir(builtins))
)
"""Names reserved by modules, which models cannot have."""


def run_time_imports(code: str, modules: Mapping[str, str]) -> str:
    """The import statements of a module of models; `modules` are the modules of models by name."""
    used = _names(code)
    models = {f".{module}": [name for name in modules if modules[name] == module] for module in modules.values()}
    return "\n".join((*_statements(_AT_RUN_TIME, used), *_statements(_FOR_TYPES, used), *_statements(models, used)))


def import_lines(code: str, package: str, models: Collection[str]) -> str:
    """The import statements of `code`; typing-only imports are separate."""
    used = _names(code)
    at_run_time = _statements({**_AT_RUN_TIME, f"{package}._api": ("API",)}, used)
    for_types = _statements({**_FOR_TYPES, package: ("models",), f"{package}.models": models}, used)
    if not for_types:
        return "\n".join(at_run_time)
    guarded = [f"    {statement}" for statement in for_types]
    return "\n".join(["from typing import TYPE_CHECKING", *at_run_time, "if TYPE_CHECKING:", *guarded])


def _names(code: str) -> set[str]:
    return {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}


def _statements(table: Mapping[str, Collection[str]], used: Collection[str]) -> list[str]:
    return [
        f"from {module} import {', '.join(found)}"
        for module, names in table.items()
        if (found := [name for name in sorted(names) if name in used])
    ]
