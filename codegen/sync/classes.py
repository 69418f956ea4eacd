"""Sync classes and functions as Python: signatures and docstrings of the async ones, bodies of one line."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Final

from .refusals import check_class, check_constructor, check_function
from .source import Class, Function, Module, decorators, is_property
from .texts import sync_text

RENAMED: Final = {
    "AsyncCircleCI": "CircleCI",
    "AsyncPager": "Pager",
    "AsyncIterator": "Iterator",
    "Hook": "SyncHook",
    "TokenSource": "SyncTokenSource",
    "aclose": "close",
}
"""Names of the async side that have another one on the sync side."""
_ARGUMENTS: Final = {
    "auth": "in_caller(auth)",
    "rate_limiter": "limiter_in_caller(rate_limiter)",
    "on_drift": "drift_in_caller(on_drift)",
    "on_request": "in_caller(on_request)",
    "on_response": "in_caller(on_response)",
}
"""Arguments of the client that are functions of the user."""
_WRAPPERS: Final = {"AsyncIterator": "IteratorWrapper", "Prefetch": "Prefetch"}
"""The wrappers of what has no sync form of its own, by the name of the async class."""
_IN_BASE: Final = frozenset({"raw_response", "aclose"})
"""Methods that the base class of the client has."""


@dataclass(frozen=True)
class Writer:
    """Writes the sync forms of a module.

    `wrapped` has the module of each sync form by the module and the name of the async class; `here` is the one that is
    written.
    """

    module: Module
    wrapped: Mapping[tuple[str, str], str]
    here: str
    callbacks: frozenset[str]
    """Types of arguments that are functions of the user."""
    known: frozenset[str]
    """Names that the written module has at run time, so that defaults may use them."""

    @property
    def _wrapped_names(self) -> set[str]:
        return {name for name, origin in self.module.imports.items() if (origin, name) in self.wrapped}

    def class_lines(self, one: Class) -> Iterator[str]:
        """A class whose base depends on what the async one is: an iterator, a block, or neither."""
        check_class(self.module, one, self._wrapped_names, self.known, _IN_BASE if one.name == "AsyncCircleCI" else ())
        is_client, is_pager = one.name == "AsyncCircleCI", one.name == "AsyncPager"
        name = _renamed(one.name)
        generic = f"[{', '.join(one.type_variables)}]" if one.type_variables else ""
        twin = f"{_async_name(one.name)}{generic}"
        bases = [f"PagerWrapper[{twin}, T_co]"] if is_pager else []
        bases += [f"IteratorWrapper[{twin}, {self._annotation(one.item)}]"] if one.item is not None else []
        bases += [f"BlockWrapper[{twin}]"] if one.is_block and not is_client else []
        bases += [f"Generic{generic}"] if generic else []
        has_properties = any(_is_cached(method) for method in one.methods)
        if one.is_public:
            yield f'@public("circleci_sdk{"" if is_client or is_pager else ".sync"}")'
        yield f"class {name}({'Client' if is_client else ', '.join(bases) or f'Wrapper[{twin}]'}):"
        yield _docstring(one.docstring or "", 4)
        if not has_properties:
            yield "    __slots__ = ()\n"
        if is_client and one.init is not None:
            check_constructor(f"{self.module.name}.{one.name}", one.init, _ARGUMENTS)
            yield from self._constructor(one.init)
        for attribute, annotation in one.attributes.items():
            yield f"    @property\n    def {attribute}(self) -> {self._annotation(annotation)}:"
            yield f"        return self._async.{attribute}\n"
        for method in one.methods:
            if not (is_client and method.name in _IN_BASE):
                yield from self._method(method, one)

    def protocol_lines(self, one: Class) -> Iterator[str]:
        """A protocol with plain methods, for what users implement."""
        yield f'@public("circleci_sdk.sync")\nclass Sync{one.name}(Protocol):'
        yield _docstring(one.docstring, 4)
        for method in one.methods:
            yield f"    def {method.name}({self._signature(method)}) -> {self._annotation(method.returns)}:"
            yield f"{_docstring(ast.get_docstring(method) or '', 8)}\n        ...\n"

    def function_lines(self, function: Function) -> Iterator[str]:
        """A function whose first argument is a client."""
        check_function(self.module, function, self.known)
        signature = self._signature(function)
        yield f"def {function.name}({signature}) -> {self._annotation(function.returns)}:"
        yield _docstring(ast.get_docstring(function) or "", 4)
        arguments = ", ".join(["circleci", f"async_{function.name}", *self._passed(function)])
        yield f"    return run_with({arguments})\n"

    def _constructor(self, init: ast.FunctionDef) -> Iterator[str]:
        signature = self._signature(init)
        passed = [re.sub(r"(?<==)(\w+)$", _client_argument, one) for one in self._passed(init)]
        yield f"    def __init__({signature}) -> None:"
        yield "        try:"
        yield f"            client = AsyncCircleCI({', '.join(passed)})"
        yield "        finally:"
        yield "            del token  # no frame of ours holds a token while an error passes through it"
        yield "        super().__init__(client)\n"

    def _method(self, method: Function, owner: Class) -> Iterator[str]:
        for decorator in decorators(method):
            yield f"    @{decorator}"
        if is_property(method):
            yield "    @cached_property" if _is_cached(method) else "    @property"
        yield f"    def {_renamed(method.name)}({self._signature(method)}) -> {self._annotation(method.returns)}:"
        yield _docstring(ast.get_docstring(method) or "", 8)
        if any(one.startswith("overload") for one in decorators(method)):
            yield "        ...\n"
            return
        is_overloaded = sum(one.name == method.name for one in owner.methods) > 1
        yield from self._body(method, owner.name, is_overloaded=is_overloaded)

    def _body(self, method: Function, owner: str, *, is_overloaded: bool) -> Iterator[str]:
        returns = ast.unparse(method.returns) if method.returns else "None"
        base = returns.partition("[")[0].removesuffix(" | None")
        attribute = f"self._async.{method.name}"
        if is_property(method):
            call = attribute
        elif isinstance(method, ast.AsyncFunctionDef):
            if is_overloaded:  # type checkers find no overload for arguments of several types
                yield f'        function = cast("Callable[..., Awaitable[{returns}]]", {attribute})'
                attribute = "function"
            call = f"self._run({', '.join([attribute, *self._passed(method)])})"
        else:
            call = f"{attribute}({', '.join(self._passed(method))})"
        name = _renamed(base)
        if base == owner:
            copied = f"self._of({call}, self._dispatcher)" if owner == "AsyncCircleCI" else f"self._same({call})"
            yield f"        return {copied}\n"
        elif (place := self.wrapped.get((self.module.imports.get(base, ""), base))) is not None:
            if place != self.here and not is_imported(place):
                yield f"        from {place} import {name}\n"
            if returns.endswith("| None"):
                yield f"        found = {call}"
                yield f"        return None if found is None else {name}(self._dispatcher, found)\n"
            else:
                yield f"        return {name}(self._dispatcher, {call})\n"
        elif base in _WRAPPERS:
            yield f"        return {_WRAPPERS[base]}(self._dispatcher, {call})\n"
        elif returns == "None":
            yield f"        {call}\n"
        else:
            yield f"        return {call}\n"

    def _signature(self, function: Function) -> str:
        arguments = deepcopy(function.args)
        for argument in _all_arguments(arguments):
            if argument.annotation is not None:
                argument.annotation = ast.parse(self._annotation(argument.annotation), mode="eval").body
                if argument.arg == "rate_limiter":
                    argument.annotation = ast.parse("RateLimiter | SyncRateLimiter | None", mode="eval").body
        arguments.defaults = [self._default(one) for one in arguments.defaults]
        arguments.kw_defaults = [None if one is None else self._default(one) for one in arguments.kw_defaults]
        return ast.unparse(arguments)

    def _default(self, value: ast.expr) -> ast.expr:
        """The value of a private constant in place of its name."""
        return self.module.literals.get(value.id, value) if isinstance(value, ast.Name) else value

    def _annotation(self, annotation: ast.expr | None) -> str:
        text = "None" if annotation is None else ast.unparse(annotation)
        return re.sub(r"\b\w+\b", lambda found: RENAMED.get(found[0], found[0]), text)

    def _passed(self, function: Function) -> list[str]:
        """The arguments of the async function."""
        first = [*function.args.posonlyargs, *function.args.args][1:]
        return [
            *(self._value(one) for one in first),
            *(f"{one.arg}={self._value(one)}" for one in function.args.kwonlyargs),
        ]

    def _value(self, argument: ast.arg) -> str:
        nodes = ast.walk(argument.annotation or argument)
        is_callback = any(isinstance(node, ast.Name) and node.id in self.callbacks for node in nodes)
        return f"in_caller({argument.arg})" if is_callback else argument.arg


def is_imported(place: str) -> bool:
    """Whether the classes of a module of the sync package are imported by the modules that use them, at run time.

    All others are imported where they are first needed.
    """
    return place.endswith((".streams", ".pager"))


def async_import(module: str, name: str) -> str:
    """The import of an async class or function under the name that the sync form refers to."""
    other = _async_name(name) if name[0].isupper() else f"async_{name}"
    return f"from {module} import {name}" + (f" as {other}" if other != name else "")


def _client_argument(found: re.Match[str]) -> str:
    return _ARGUMENTS.get(found[1], found[1])


def _async_name(name: str) -> str:
    return name if name.startswith("Async") else f"Async{name}"


def _renamed(name: str) -> str:
    return RENAMED.get(name, name)


def _is_cached(method: Function) -> bool:
    return any(ast.unparse(node) == "cached_property" for node in method.decorator_list)


def _all_arguments(arguments: ast.arguments) -> Sequence[ast.arg]:
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def _docstring(text: str, indent: int) -> str:
    if not text:
        return ""
    pad = " " * indent
    lines = sync_text(text, indent).replace("\\", "\\\\").splitlines()
    quoted = "\n".join([f'{pad}"""{lines[0]}', *(f"{pad}{line}" if line.strip() else "" for line in lines[1:])])
    return f'{quoted}"""' if len(lines) == 1 else f'{quoted}\n{pad}"""'
