"""Every replacement as two functions, for the type checkers and for a test that runs them."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final

from codegen.formatting import formatted
from codegen.render import HEADER

if TYPE_CHECKING:
    from .entries import Migration

PROGRAMS: Final = "typing/replacements.py"

_HEAD: Final = f'''{HEADER.replace("openapi/", "openapi/migration.yaml")}
"""Every replacement of docs/migration, in its async and its sync form."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime

from circleci_sdk import AsyncCircleCI, CircleCI

'''


def program_module(migration: Migration) -> str:
    """The text of the module."""
    functions: list[str] = []
    expressions = migration.expressions()
    for number, expression in enumerate(expressions):
        used = {node.id for node in ast.walk(_tree(expression)) if isinstance(node, ast.Name)}
        taken = [f"{name}: {kind}" for name, kind in migration.names.items() if name in used and name != "circleci"]
        parameters = ", ".join(["circleci: AsyncCircleCI", *taken])
        functions.append(f"async def use_{number}({parameters}) -> None:\n    {expression}\n")
        parameters = ", ".join(["circleci: CircleCI", *taken])
        functions.append(f"def use_{number}_sync({parameters}) -> None:\n    {sync_form(expression)}\n")
    pairs = "".join(f"(use_{number}, use_{number}_sync)," for number in range(len(expressions)))
    table = f"USES: list[tuple[Callable[..., Awaitable[None]], Callable[..., None]]] = [{pairs}]\n"
    return formatted({"replacements.py": _HEAD + "\n".join([*functions, table])}, "circleci_sdk")["replacements.py"]


def sync_form(expression: str) -> str:
    """The expression for the sync client."""
    return expression.replace("await ", "")


def _tree(expression: str) -> ast.AST:
    tree: ast.AST = compile(expression, "", "eval", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    return tree
