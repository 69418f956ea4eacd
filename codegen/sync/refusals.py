"""What has no sync form yet is refused with a sentence: wrong code would be worse than none."""

from __future__ import annotations

import ast
from collections.abc import Collection, Iterator
from typing import Final

from .source import Class, Function, Module, is_property

_DECORATORS: Final = frozenset({"overload", "deprecated", "property", "cached_property"})
_ASYNC: Final = frozenset({"Awaitable", "Coroutine", "AsyncGenerator", "AsyncIterable", "AbstractAsyncContextManager"})
_WRAPPED_TOO: Final = frozenset({"AsyncIterator", "Prefetch"})
_OPERATORS: Final = frozenset(
    {
        *("__init__", "__repr__", "__del__", "__reduce__", "__getattr__", "__init_subclass__"),
        *("__aiter__", "__anext__", "__aenter__", "__aexit__"),
    }
)
"""Methods of the language that the wrappers have, or that need no sync form."""
_BASES: Final = frozenset({"Uncopied", "Buffered", "AsyncIterator", "Generic", "Resource"})
"""Bases without public methods, and those that make an iterator."""
_FUNCTIONS: Final = frozenset({"Callable", "Hook", "TokenSource"})


class NoSyncFormError(ValueError):
    """An async class or function for which no sync form can be written."""


def check_class(
    module: Module, one: Class, wrapped: Collection[str], known: Collection[str], own: Collection[str]
) -> None:
    """Refuse what a class has that cannot be expressed.

    Args:
        module: its module.
        one: the class.
        wrapped: the names of classes with a sync form that the module uses.
        known: the names that defaults may use: those that the sync module has at run time.
        own: the names of methods that the base of the sync class has.

    Raises:
        NoSyncFormError: with the place and a sentence.
    """
    place = f"{module.name}.{one.name}"
    names = {method.name for method in one.methods}
    for base in one.bases:
        if base not in _BASES and base not in module.classes:
            raise NoSyncFormError(f"{place}: the methods of its base {base}, of another module, are not seen.")
    if unknown := {*one.generics} - {"T_co"}:
        raise NoSyncFormError(f"{place}: its type variable {min(unknown)} has no sync form; name it T_co.")
    for name in one.operators:
        if name not in _OPERATORS and not (name == "__await__" and one.name == "AsyncPager"):
            raise NoSyncFormError(f"{place}.{name}: the operator has no sync form.")
    for name in one.assigned:
        if name not in names and name not in one.attributes:
            raise NoSyncFormError(f"{place}.{name}: declare the public attribute in the body of the class.")
    for name, annotation in one.attributes.items():
        if found := _names(annotation) & {*wrapped, *_ASYNC, *_WRAPPED_TOO, one.name}:
            raise NoSyncFormError(f"{place}.{name}: {min(found)} has a sync form. Make it a property.")
        _check_text(f"{place}.{name}", annotation)
    for method in one.methods:
        if method.name not in own:
            _check_method(f"{place}.{method.name}", module, method, one.name, wrapped, known)
            plain = sum(1 for other in one.methods if other.name == method.name and not _is_overload(other))
            if plain > 1:
                raise NoSyncFormError(f"{place}.{method.name}: it is defined twice, perhaps in a base too.")


def check_constructor(place: str, init: ast.FunctionDef, adapted: Collection[str]) -> None:
    """Refuse functions of the user among the arguments that would be called in the event loop."""
    for argument in _arguments(init):
        if _names(argument.annotation) & _FUNCTIONS and argument.arg not in adapted:
            raise NoSyncFormError(f"{place}: the argument {argument.arg} is a function that has to be adapted.")


def check_function(module: Module, function: Function, known: Collection[str]) -> None:
    """Refuse a function that is no coroutine function with a client as its first argument."""
    place = f"{module.name}.{function.name}"
    if (
        not isinstance(function, ast.AsyncFunctionDef)
        or not function.args.args
        or function.args.args[0].arg != "circleci"
    ):
        raise NoSyncFormError(f"{place}: only async functions whose first argument is `circleci` have a sync form.")
    _check_method(place, module, function, "", (), known)


def _check_method(
    place: str, module: Module, method: Function, owner: str, wrapped: Collection[str], known: Collection[str]
) -> None:
    for decorator in method.decorator_list:
        if (name := ast.unparse(decorator).partition("(")[0]) not in _DECORATORS:
            raise NoSyncFormError(f"{place}: the decorator {name} has no sync form.")
    if method.args.vararg is not None or method.args.kwarg is not None:
        raise NoSyncFormError(f"{place}: *args and **kwargs are not passed on. Name the arguments.")
    if isinstance(method, ast.AsyncFunctionDef) and any(isinstance(node, ast.Yield) for node in _own_nodes(method)):
        raise NoSyncFormError(
            f"{place}: an async generator is no coroutine. Return an AsyncIterator of a plain method."
        )
    if method.returns is None:
        raise NoSyncFormError(f"{place}: it has no return type.")
    _check_result(place, method.returns, owner, wrapped, is_attribute=is_property(method))
    for argument in _arguments(method)[1:]:
        if argument.annotation is None:
            raise NoSyncFormError(f"{place}: the argument {argument.arg} has no type.")
        found = _names(argument.annotation) & {*wrapped, *_ASYNC, *_WRAPPED_TOO, owner}
        if found and owner:
            raise NoSyncFormError(f"{place}: the argument {argument.arg} takes {min(found)}, which is async.")
        if "Callable" in _names(argument.annotation):
            raise NoSyncFormError(f"{place}: give the functions that {argument.arg} takes a type alias.")
        _check_text(place, argument.annotation)
    for default in (*method.args.defaults, *method.args.kw_defaults):
        has_lambda = default is not None and any(isinstance(node, ast.Lambda) for node in ast.walk(default))
        if default is not None and (has_lambda or _names(default) - {*known, *module.literals, "frozenset"}):
            raise NoSyncFormError(f"{place}: the default {ast.unparse(default)} is no literal value.")


def _check_result(
    place: str, annotation: ast.expr, owner: str, wrapped: Collection[str], *, is_attribute: bool
) -> None:
    """A result is wrapped if it is an object of a class with a sync form, or None, but not inside of other objects."""
    _check_text(place, annotation)
    text = ast.unparse(annotation)
    special = {*wrapped, *_ASYNC, *_WRAPPED_TOO, owner, "Self"}
    base, _, inner = text.removesuffix(" | None").partition("[")
    found = _names(annotation) & special
    if not found:
        return
    inside = (
        _names(annotation) & special
        if base not in special
        else _names(ast.parse(f"x[{inner or '0]'}").body[0]) & special
    )
    if base == "Self":
        raise NoSyncFormError(f"{place}: write the name of the class in place of Self.")
    if base in _ASYNC or inside & _ASYNC:
        raise NoSyncFormError(f"{place}: {min(found & _ASYNC)} as a result has no sync form. Make it an async method.")
    if inside:
        raise NoSyncFormError(f"{place}: {text} has {min(inside)} in it. Return it alone, or with None.")
    if text.endswith(" | None") and (base == owner or base in _WRAPPED_TOO or is_attribute):
        raise NoSyncFormError(f"{place}: {text} may be None, which is not expected here.")


def _check_text(place: str, annotation: ast.expr) -> None:
    literals = (node for node in ast.walk(annotation) if isinstance(node, ast.Subscript))
    allowed = {id(inner) for one in literals if ast.unparse(one.value) == "Literal" for inner in ast.walk(one.slice)}
    for node in ast.walk(annotation):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in allowed:
            raise NoSyncFormError(f"{place}: write the type {node.value} without quotes.")


def _is_overload(method: Function) -> bool:
    return any(ast.unparse(node) == "overload" for node in method.decorator_list)


def _arguments(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _names(node: ast.AST | None) -> set[str]:
    return {one.id for one in ast.walk(node) if isinstance(one, ast.Name)} if node is not None else set()


def _own_nodes(function: Function) -> Iterator[ast.AST]:
    """The nodes of a function, without those of functions in it."""
    waiting: list[ast.AST] = [*function.body]
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
