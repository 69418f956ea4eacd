"""Uses of the methods of other clients."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import TYPE_CHECKING, NamedTuple

from .instances import BY_PACKAGE, Instances
from .module import Module, Scope, last_name

if TYPE_CHECKING:
    from circleci_sdk.migrate._entries import Client, Method, Variant


class Use(NamedTuple):
    """A method of a client, called or only named."""

    line: int
    column: int
    client: Client
    title: str
    variant: Variant
    call: ast.Call | None


def uses(module: Module) -> Iterator[Use]:
    """Every use of a method, by its name or by `getattr`."""
    instances = Instances(module)
    for node, scope in module.attributes:
        call = module.called_by.get(id(node))
        line, column = node.end_lineno or node.lineno, (node.end_col_offset or 0) - len(node.attr.encode())
        yield from _uses(instances, node.value, node.attr, scope, call, line, column)
    for outer, scope in module.calls:
        if last_name(outer.func) == "getattr" and len(outer.args) > 1 and isinstance(outer.args[1], ast.Constant):
            call, name = module.called_by.get(id(outer)), str(outer.args[1].value)
            yield from _uses(instances, outer.args[0], name, scope, call, outer.lineno, outer.col_offset)


def _uses(
    instances: Instances,
    receiver: ast.expr,
    name: str,
    scope: Scope,
    call: ast.Call | None,
    line: int,
    column: int,
) -> Iterator[Use]:
    for found, method in instances.clients_of(receiver, scope, name)[:1]:
        client = BY_PACKAGE[found.package]
        title = f"{client.package} {client.version}: {found.class_name}.{name}"
        yield Use(line, column, client, title, _variant(method, call), call)


def _variant(method: Method, call: ast.Call | None) -> Variant:
    """The meaning of a call by its arguments."""
    for variant in method.variants[1:] if call is not None else ():
        assert call is not None
        name, _, wanted = (variant.condition or "").partition("=")
        value = _argument(method, call, name)
        if value is None:
            continue
        given = repr(value.value) if isinstance(value, ast.Constant) else ""
        if given == wanted.replace('"', "'") or (not wanted and given != "None"):
            return variant
    return method.variants[0]


def _argument(method: Method, call: ast.Call, name: str) -> ast.expr | None:
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    at = method.takes.index(name)
    if at < len(call.args) and not any(isinstance(each, ast.Starred) for each in call.args[: at + 1]):
        return call.args[at]
    return None
