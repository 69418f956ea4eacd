"""The public classes and functions of an async module, read from its syntax tree."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef
_KEPT_DECORATORS: Final = ("overload", "deprecated")


@dataclass(frozen=True)
class Class:
    """A public class: `attributes` are the public annotations in its body, `methods` the public functions."""

    name: str
    docstring: str
    attributes: Mapping[str, ast.expr]
    methods: tuple[Function, ...]
    init: ast.FunctionDef | None
    item: ast.expr | None
    """What an async iterator yields."""
    is_block: bool
    is_public: bool
    """Whether it is shown under the name of a public package."""
    type_variables: tuple[str, ...]
    bases: tuple[str, ...] = ()
    generics: tuple[str, ...] = ()
    """The type variables of its base `Generic`."""
    operators: tuple[str, ...] = ()
    """Names of the methods of the language, such as `__len__`, that it defines."""
    assigned: frozenset[str] = frozenset()
    """Public attributes that its methods assign."""


@dataclass(frozen=True)
class Module:
    """A module: classes and functions by name, the modules its names come from, constants with a literal value."""

    name: str
    classes: Mapping[str, Class] = field(default_factory=dict[str, Class])
    functions: Mapping[str, Function] = field(default_factory=dict[str, Function])
    imports: Mapping[str, str] = field(default_factory=dict[str, str])
    """Names by the module that they are imported from, those of its own included; empty for a module."""
    literals: Mapping[str, ast.expr] = field(default_factory=dict[str, ast.expr])
    callbacks: frozenset[str] = frozenset()
    """Type aliases that stand for functions of the user."""


def read_module(name: str, text: str) -> Module:
    """The module `name` with this source."""
    tree = ast.parse(text)
    nodes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)}
    assigned = dict(_assigned(tree))
    variables = {key for key, value in assigned.items() if ast.unparse(value).startswith(("TypeVar(", "ParamSpec("))}
    own = {**nodes, **functions, **assigned}.keys() - variables
    return Module(
        name,
        {key: _class(node, nodes) for key, node in nodes.items()},
        functions,
        {**dict.fromkeys(sorted(own), name), **dict(_imports(tree, name))},
        {key: value for key, value in assigned.items() if _is_literal(value)},
        frozenset(key for key, value in assigned.items() if "Callable[" in ast.unparse(value)),
    )


def decorators(function: Function) -> list[str]:
    """The decorators that the sync form has too."""
    texts = [ast.unparse(node) for node in function.decorator_list]
    return [text for text in texts if text.partition("(")[0] in _KEPT_DECORATORS]


def is_property(function: Function) -> bool:
    """Whether it is a property, cached or not."""
    return any(ast.unparse(node) in ("property", "cached_property") for node in function.decorator_list)


def _class(node: ast.ClassDef, others: Mapping[str, ast.ClassDef]) -> Class:
    bases = [others[base.id] for base in node.bases if isinstance(base, ast.Name) and base.id in others]
    body = [*node.body, *(one for base in bases for one in base.body)]
    functions = [one for one in body if isinstance(one, ast.FunctionDef | ast.AsyncFunctionDef)]
    by_name = {one.name: one for one in functions}
    init = by_name.get("__init__")
    annotated = {
        one.target.id: one.annotation
        for one in node.body
        if isinstance(one, ast.AnnAssign) and isinstance(one.target, ast.Name) and not one.target.id.startswith("_")
    }
    return Class(
        node.name,
        ast.get_docstring(node) or "",
        annotated,
        tuple(one for one in functions if not one.name.startswith("_")),
        init if isinstance(init, ast.FunctionDef) else None,
        _item(node, by_name),
        "__aenter__" in by_name,
        any(ast.unparse(one).startswith("public(") for one in node.decorator_list),
        tuple(
            sorted({one.id for base in node.bases for one in ast.walk(base) if isinstance(one, ast.Name)} & {"T_co"})
        ),
        tuple(ast.unparse(base).partition("[")[0] for base in node.bases),
        tuple(
            one.id
            for base in node.bases
            if isinstance(base, ast.Subscript) and ast.unparse(base.value) == "Generic"
            for one in ast.walk(base.slice)
            if isinstance(one, ast.Name)
        ),
        tuple(name for name in by_name if name.startswith("__") and name.endswith("__")),
        frozenset(
            one.attr
            for function in functions
            for one in ast.walk(function)
            if isinstance(one, ast.Attribute)
            and isinstance(one.ctx, ast.Store)
            and ast.unparse(one.value) == "self"
            and not one.attr.startswith("_")
        ),
    )


def _item(node: ast.ClassDef, functions: Mapping[str, Function]) -> ast.expr | None:
    for base in node.bases:
        if isinstance(base, ast.Subscript) and ast.unparse(base.value) in ("Buffered", "AsyncIterator"):
            return base.slice
    return functions["__anext__"].returns if "__anext__" in functions else None


def _assigned(tree: ast.Module) -> Iterator[tuple[str, ast.expr]]:
    for node in tree.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            yield node.targets[0].id, node.value


def _imports(tree: ast.Module, name: str) -> Iterator[tuple[str, str]]:
    """The names of all imports, those for types included."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom):
            parent = name.rsplit(".", node.level)[0] if node.level else ""
            module = ".".join(part for part in (parent, node.module) if part)
            for alias in node.names:
                yield alias.asname or alias.name, module
        elif isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, ""


def _is_literal(value: ast.expr) -> bool:
    try:
        ast.literal_eval(value)
    except ValueError:
        return False
    return True
