"""Which strings an expression may be. A part that is not known is written `{name}`."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from itertools import product
from typing import Final, TypeAlias

from .module import Binding, Function, Module, Scope, argument_of, defaults_of, last_name, parameters_of
from .texts import MOST, Texts, hole, joined, urljoin

Given: TypeAlias = Mapping[str, Texts]
"""What a call gives for the parameters of a function."""

_DEPTH: Final = 12
_STEPS: Final = 2_000
"""Of one evaluation: names that are bound many times make no more work than this."""
_ALL_STEPS: Final = 150_000
"""Of all evaluations of a module."""
_CLASS_DEPTH: Final = 5
_PERCENT: Final = re.compile(r"%(?:\((\w+)\))?[-#0 +]*\d*(?:\.\d+)?[sdrif]")
_BRACES: Final = re.compile(r"\{(\w*)(?:[.\[!:][^{}]*)?\}")
_DOLLAR: Final = re.compile(r"\$\{?(\w+)\}?")
_UNCHANGED: Final = frozenset(
    {"rstrip", "lstrip", "strip", "lower", "encode", "decode", "URL", "str", "quote", "quote_plus", "geturl"}
    | {"dedent", "Template", "Url", "furl", "fspath", "removesuffix", "removeprefix", "human_repr", "copy"}
)


class Strings:
    """Evaluates expressions of a module. `seen` collects the nodes that were read."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self.seen: set[int] = set()
        self._active: set[tuple[int, int]] = set()
        self._left = _STEPS
        self._total = _ALL_STEPS

    def of(self, node: ast.AST | None, scope: Scope, given: Given | None = None, depth: int = 0) -> Texts:
        """The strings, at most six; empty for what can be none."""
        key = (id(node), id(scope))
        self._left = _STEPS if depth == 0 else self._left - 1
        self._total -= 1
        if node is None or depth > _DEPTH or key in self._active or self._left < 0 or self._total < 0:
            return (hole(node),)
        self._active.add(key)
        self.seen.add(id(node))
        try:
            return tuple(dict.fromkeys(self._of(node, scope, given or {}, depth + 1)))[:MOST]
        finally:
            self._active.discard(key)

    def _of(self, node: ast.AST, scope: Scope, given: Given, depth: int) -> Texts:
        match node:
            case ast.Constant(value=str() as text):
                return (text,)
            case ast.Constant(value=bytes() as raw):
                return (raw.decode("latin-1"),)
            case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
                return (str(number),)
            case ast.Constant():
                return ()
            case ast.JoinedStr():
                return joined([self.of(each, scope, given, depth) for each in node.values])
            case ast.FormattedValue() | ast.Await() | ast.NamedExpr() | ast.Starred():
                return self.of(node.value, scope, given, depth)
            case ast.BinOp():
                return self._operation(node, scope, given, depth)
            case ast.IfExp():
                return self.of(node.body, scope, given, depth) + self.of(node.orelse, scope, given, depth)
            case ast.BoolOp():
                found = tuple(text for each in node.values for text in self.of(each, scope, given, depth))
                return tuple(text for text in found if text[:1] != "{") or found
            case ast.Name():
                return self._name(node, scope, given, depth)
            case ast.Attribute():
                return self._attribute(node, scope, given, depth)
            case ast.Subscript():
                return self._item(node, scope, given, depth)
            case ast.Call():
                return self._call(node, scope, given, depth)
            case ast.GeneratorExp() | ast.ListComp():
                return self.of(node.generators[0].iter, scope, given, depth)
            case ast.List() | ast.Tuple():
                return joined([self.of(each, scope, given, depth) for each in node.elts], " ")
            case _:
                return (hole(node),)

    def _operation(self, node: ast.BinOp, scope: Scope, given: Given, depth: int) -> Texts:
        if isinstance(node.op, ast.Mod):
            left = self.of(node.left, scope, given, depth)
            return tuple(self._percent(text, node.right, scope, given, depth) for text in left)
        if isinstance(node.op, ast.Div):
            sides = (node.left, node.right)
            return joined([self.of(each, scope, given, depth) for each in sides], "/")
        parts: list[ast.expr] = []
        rest: ast.expr = node
        while isinstance(rest, ast.BinOp) and isinstance(rest.op, ast.Add):
            parts.append(rest.right)
            rest = rest.left
            self.seen.add(id(rest))
        return joined([self.of(each, scope, given, depth) for each in (rest, *reversed(parts))])

    def _percent(self, text: str, right: ast.expr, scope: Scope, given: Given, depth: int) -> str:
        values = list(right.elts) if isinstance(right, ast.Tuple) else [right]
        named: dict[str, ast.expr] = {}
        if isinstance(right, ast.Dict):
            named = {
                str(key.value): value
                for key, value in zip(right.keys, right.values, strict=True)
                if isinstance(key, ast.Constant)
            }
        rest = iter(values)

        def value(match: re.Match[str]) -> str:
            node = named.get(match[1]) if match[1] else next(rest, None)
            return self._one(node, scope, given, depth, match[1] or "")

        return _PERCENT.sub(value, text)

    def _one(self, node: ast.expr | None, scope: Scope, given: Given, depth: int, name: str) -> str:
        texts = () if node is None else self.of(node, scope, given, depth)
        return texts[0] if texts else f"{{{name}}}"

    def _name(self, node: ast.Name, scope: Scope, given: Given, depth: int) -> Texts:
        bindings = scope.find(node.id)
        if node.id in given and all(each.kind == "parameter" for each in bindings):
            return given[node.id]
        before = [each for each in bindings if _line(each) <= node.lineno or each.scope is not scope]
        return self._bound(before or bindings, node, depth, given)

    def _bound(self, bindings: list[Binding], node: ast.AST, depth: int, given: Given) -> Texts:
        texts: list[str] = []
        for each in bindings:
            if each.kind == "value" and each.node is not None:
                texts += self.of(each.node, each.scope, given, depth)
            elif each.kind == "item" and isinstance(each.node, ast.Call):
                texts += self._returned(each.node, each.scope, given, each.position, depth)
            elif each.kind == "item" and each.node is not None:
                texts += self._elements(each.node, each.scope, given, depth)
            elif each.kind == "parameter" and isinstance(each.node, ast.arg) and each.scope.parent is not None:
                function: Function = each.scope.node  # type: ignore[assignment]  # the scope of a parameter is a function
                default = defaults_of(function).get(each.node.arg)
                texts += self.of(default, each.scope.parent, {}, depth) if default else ()
        known = [text for text in texts if text]
        return tuple(known) or (hole(node),)

    def _returned(self, call: ast.Call, scope: Scope, given: Given, position: int | None, depth: int) -> Texts:
        """What a function of this module returns at a place of a tuple."""
        function = self.function_of(call, scope)
        if function is None or position is None:
            return ()
        own = self.given(call, scope, function, given, depth)
        tuples = [each.elts for each in function.returns if isinstance(each, ast.Tuple)]
        values = [each[position] for each in tuples if position < len(each)]
        return tuple(text for each in values for text in self.of(each, function, own, depth))

    def _elements(self, node: ast.AST, scope: Scope, given: Given, depth: int) -> Texts:
        if isinstance(node, ast.List | ast.Tuple | ast.Set):
            return tuple(text for each in node.elts for text in self.of(each, scope, given, depth))
        if isinstance(node, ast.Name):
            values = [each for each in scope.find(node.id) if isinstance(each.node, ast.List | ast.Tuple | ast.Set)]
            return tuple(text for each in values for text in self._elements(each.node, each.scope, given, depth))  # type: ignore[arg-type]  # of a display
        return ()

    def _attribute(self, node: ast.Attribute, scope: Scope, given: Given, depth: int) -> Texts:
        if node.attr in ("value", "url"):
            inner = self.of(node.value, scope, given, depth)
            if any(text[:1] != "{" for text in inner):
                return inner
        for owner in self.classes_of(node.value, scope):
            bindings = owner.attributes.get(node.attr, []) + owner.names.get(node.attr, [])
            functions = [each.node for each in bindings if each.kind == "function"]
            if functions:
                return self.result(self._module.scopes[id(functions[0])], {}, depth)
            if bindings:
                return self._bound(bindings, node, depth, given)
        return (hole(node),)

    def classes_of(self, node: ast.expr, scope: Scope, depth: int = 0) -> list[Scope]:
        """The classes of this module that `self`, `cls`, a class or an instance stands for, with their bases."""
        if depth > _CLASS_DEPTH:
            return []
        found: list[Scope] = []
        if isinstance(node, ast.Call):
            return self.classes_of(node.func, scope, depth + 1)
        if isinstance(node, ast.Name):
            for each in scope.find(node.id):
                if each.kind == "class":
                    found.append(self._module.scopes[id(each.node)])
                elif each.kind == "parameter" and each.scope.owner is not None:
                    function: Function = each.scope.node  # type: ignore[assignment]  # the scope of a parameter is a function
                    if parameters_of(function)[0] is each.node:
                        found.append(each.scope.owner)
                elif each.kind in ("value", "with") and isinstance(each.node, ast.Call):
                    found += self.classes_of(each.node.func, each.scope, depth + 1)
        elif isinstance(node, ast.Attribute):
            for owner in self.classes_of(node.value, scope, depth + 1):
                for each in owner.attributes.get(node.attr, []):
                    if each.kind == "value" and isinstance(each.node, ast.Call):
                        found += self.classes_of(each.node.func, each.scope, depth + 1)
        for one in list(found):
            bases = one.node.bases if isinstance(one.node, ast.ClassDef) else []
            found += [base for each in bases if one.parent for base in self.classes_of(each, one.parent, depth + 1)]
        return list(dict.fromkeys(found))

    def calls_of(self, node: ast.expr | None, scope: Scope) -> list[tuple[ast.Call, Scope]]:
        """The calls that a name or an attribute has its value from."""
        bindings: list[Binding] = []
        if isinstance(node, ast.Name):
            bindings = scope.find(node.id)
        elif isinstance(node, ast.Attribute):
            owners = self.classes_of(node.value, scope)
            bindings = [each for owner in owners for each in owner.attributes.get(node.attr, [])]
        return [(each.node, each.scope) for each in bindings if isinstance(each.node, ast.Call)]

    def _item(self, node: ast.Subscript, scope: Scope, given: Given, depth: int) -> Texts:
        bindings: list[Binding] = []
        if isinstance(node.value, ast.Name):
            bindings = scope.find(node.value.id)
        elif isinstance(node.value, ast.Attribute):
            owners = self.classes_of(node.value.value, scope)
            bindings = [
                each
                for owner in owners
                for each in owner.attributes.get(node.value.attr, []) + owner.names.get(node.value.attr, [])
            ]
        texts: list[str] = []
        for each in bindings:
            if isinstance(each.node, ast.Dict):
                wanted = node.slice.value if isinstance(node.slice, ast.Constant) else None
                for key, value in zip(each.node.keys, each.node.values, strict=True):
                    if wanted is None or (isinstance(key, ast.Constant) and key.value == wanted):
                        texts += self.of(value, each.scope, given, depth)
            elif isinstance(each.node, ast.List | ast.Tuple):
                texts += self._elements(each.node, each.scope, given, depth)
        return tuple(texts) or (hole(node.slice),)

    def _call(self, node: ast.Call, scope: Scope, given: Given, depth: int) -> Texts:
        name, first = last_name(node.func), node.args[0] if node.args else None
        receiver = node.func.value if isinstance(node.func, ast.Attribute) else None
        if name == "format" and receiver is not None:
            return tuple(
                self._format(text, node, scope, given, depth) for text in self.of(receiver, scope, given, depth)
            )
        if name == "join" and receiver is not None and isinstance(first, ast.List | ast.Tuple):
            glue = self.of(receiver, scope, given, depth)
            parts = [self.of(each, scope, given, depth) for each in first.elts]
            return joined(parts, glue[0] if glue and isinstance(receiver, ast.Constant) else "/")
        if name in ("join", "urljoin") and first is not None:
            return tuple(
                urljoin(parts) for parts in product(*(self.of(each, scope, given, depth) for each in node.args))
            )
        if name in ("substitute", "safe_substitute") and receiver is not None:
            texts = [_DOLLAR.sub(r"{\1}", text) for text in self.of(receiver, scope, given, depth)]
            return tuple(self._format(text, node, scope, given, depth) for text in texts)
        if name in ("getenv", "get", "setdefault", "config", "env") and len(node.args) > 1:
            return self.of(node.args[1], scope, given, depth)
        if name == "map" and len(node.args) > 1:
            return self.of(node.args[1], scope, given, depth)
        function = self.function_of(node, scope)
        if function is not None:
            return self.result(function, self.given(node, scope, function, given, depth), depth)
        if name in _UNCHANGED:
            return self.of(
                receiver
                if receiver is not None and name not in ("quote", "quote_plus", "URL", "Url", "furl", "Template")
                else first,
                scope,
                given,
                depth,
            )
        if name in ("replace", "joinpath") and receiver is not None:
            return self.of(receiver, scope, given, depth)
        return (hole(node.func),)

    def _format(self, text: str, node: ast.Call, scope: Scope, given: Given, depth: int) -> str:
        named = {each.arg: each.value for each in node.keywords if each.arg}
        rest = iter(node.args)

        def value(match: re.Match[str]) -> str:
            name = match[1]
            if name.isdigit():
                found = node.args[int(name)] if int(name) < len(node.args) else None
            else:
                found = named.get(name) if name else next(rest, None)
            return self._one(found, scope, given, depth, name)

        return _BRACES.sub(value, text)

    def function_of(self, call: ast.Call, scope: Scope) -> Scope | None:
        """The function or method of this module that is called."""
        bindings: list[Binding] = []
        if isinstance(call.func, ast.Name):
            bindings = scope.find(call.func.id)
        elif isinstance(call.func, ast.Attribute):
            owners = self.classes_of(call.func.value, scope)
            bindings = [each for owner in owners for each in owner.names.get(call.func.attr, [])]
        for each in bindings:
            if each.kind == "function" or isinstance(each.node, ast.Lambda):
                return self._module.scopes[id(each.node)]
        return None

    def given(self, call: ast.Call, scope: Scope, function: Scope, given: Given, depth: int) -> dict[str, Texts]:
        """The strings that a call gives for the parameters of a function."""
        node: Function = function.node  # type: ignore[assignment]  # the scope of a function
        bound = function.owner is not None and "staticmethod" not in function.decorators
        found: dict[str, Texts] = {}
        for parameter in parameters_of(node):
            value = argument_of(call, node, parameter.arg, bound=bound)
            if value is not None:
                found[parameter.arg] = self.of(value, scope, given, depth)
        if node.args.vararg is not None:  # segments of a path, in all clients seen
            rest = call.args[len(node.args.posonlyargs) + len(node.args.args) - bound :]
            found[node.args.vararg.arg] = joined([self.of(each, scope, given, depth) for each in rest], "/")
        return found

    def result(self, function: Scope, given: Given, depth: int) -> Texts:
        """The strings that a function returns."""
        texts = [text for each in function.returns for text in self.of(each, function, given, depth)]
        return tuple(texts) or (hole(function.node),)


def _line(binding: Binding) -> int:
    return getattr(binding.node, "lineno", 0)
