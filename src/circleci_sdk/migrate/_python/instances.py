"""Which expressions are instances of the classes of other clients."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

from circleci_sdk.migrate._table import CLIENTS

from .module import Binding, Function, Module, Scope, argument_of, defaults_of, last_name, parameters_of

if TYPE_CHECKING:
    from circleci_sdk.migrate._entries import Client, Method


class OfClient(NamedTuple):
    """An instance of a class of another client."""

    package: str
    class_name: str


class OfModule(NamedTuple):
    """An instance of a class of this module."""

    scope: Scope


class Many(NamedTuple):
    """A list, a dict or another container of instances."""

    item: OfClient | OfModule


class ClassOf(NamedTuple):
    """A class itself."""

    instance: OfClient | OfModule


class Imported(NamedTuple):
    """A module."""

    dotted: str


class Called(NamedTuple):
    """A function of this module."""

    scope: Scope


Type: TypeAlias = OfClient | OfModule | Many | ClassOf | Imported | Called

BY_PACKAGE: Final = {client.package: client for client in CLIENTS}
_CLASSES: Final = {dotted: (client.package, name) for client in CLIENTS for dotted, name in client.classes.items()}
_PACKAGES: Final = frozenset(dotted.partition(".")[0] for dotted in _CLASSES)
_DEPTH: Final = 14
_STEPS: Final = 2_000
"""Of one evaluation: names that are bound many times make no more work than this."""
_ALL_STEPS: Final = 150_000
"""Of all evaluations of a module."""
_CONTAINERS: Final = frozenset(
    {"list", "List", "dict", "Dict", "tuple", "Tuple", "set", "Set", "Sequence", "Iterable", "Iterator", "Mapping"}
    | {"Generator", "AsyncIterator", "AsyncGenerator", "AsyncIterable", "Collection", "defaultdict", "MutableMapping"}
)
_ELEMENTS: Final = frozenset({"get", "pop", "values", "items", "setdefault", "popleft"})
_SAME: Final = frozenset(
    {"copy", "deepcopy", "partial", "lru_cache", "cache", "__enter__", "__aenter__", "enter_context"}
)


def method_of(client: Client, class_name: str, name: str) -> Method | None:
    """The method of a class or of its bases."""
    found: str | None = class_name
    while found is not None:
        if name in client.methods[found]:
            return client.methods[found][name]
        found = client.inherits.get(found)
    return None


class Instances:
    """Evaluates expressions of a module to types."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._active: set[tuple[int, int]] = set()
        self._left = _STEPS
        self._total = _ALL_STEPS
        self._known: dict[tuple[int, int], frozenset[Type]] = {}

    def clients_of(self, node: ast.expr, scope: Scope, method: str) -> list[tuple[OfClient, Method]]:
        """The clients that an expression may be an instance of, or the class itself, with their method."""
        found: list[tuple[OfClient, Method]] = []
        for one in self.of(node, scope):
            for each in self._clients(one.instance if isinstance(one, ClassOf) else one, method):
                known = method_of(BY_PACKAGE[each.package], each.class_name, method)
                if known is not None:
                    found.append((each, known))
        return found

    def _clients(self, one: Type, method: str, depth: int = 0) -> list[OfClient]:
        """A class of this module may have a client as its base."""
        if isinstance(one, OfClient):
            return [one]
        if not isinstance(one, OfModule) or method in one.scope.names or depth > _DEPTH:
            return []
        return [found for base in self._bases(one.scope) for found in self._clients(base, method, depth + 1)]

    def _bases(self, scope: Scope) -> list[OfClient | OfModule]:
        bases = scope.node.bases if isinstance(scope.node, ast.ClassDef) else []
        outer = scope.parent or scope
        return [one.instance for each in bases for one in self.of(each, outer) if isinstance(one, ClassOf)]

    def of(self, node: ast.AST | None, scope: Scope, depth: int = 0) -> frozenset[Type]:
        """The types of an expression; empty if none of them matters."""
        key = (id(node), id(scope))
        if key in self._known:
            return self._known[key]
        self._left = _STEPS if depth == 0 else self._left - 1
        self._total -= 1
        if node is None or depth > _DEPTH or key in self._active or self._left < 0 or self._total < 0:
            return frozenset()
        self._active.add(key)
        try:
            found = frozenset(self._of(node, scope, depth + 1))
        finally:
            self._active.discard(key)
        if not self._active:  # what is found inside of a circle is not complete
            self._known[key] = found
        return found

    def _of(self, node: ast.AST, scope: Scope, depth: int) -> list[Type]:
        match node:
            case ast.Name():
                return self._name(node.id, scope, depth)
            case ast.Attribute():
                return [
                    one for base in self.of(node.value, scope, depth) for one in self._member(base, node.attr, depth)
                ]
            case ast.Call():
                return self._call(node, scope, depth)
            case ast.Await() | ast.NamedExpr() | ast.Starred():
                return list(self.of(node.value, scope, depth))
            case ast.IfExp():
                return [*self.of(node.body, scope, depth), *self.of(node.orelse, scope, depth)]
            case ast.BoolOp():
                return [one for each in node.values for one in self.of(each, scope, depth)]
            case ast.List() | ast.Tuple() | ast.Set():
                return _many([one for each in node.elts for one in self.of(each, scope, depth)])
            case ast.Dict():
                return _many([one for each in node.values for one in self.of(each, scope, depth)])
            case ast.ListComp() | ast.SetComp() | ast.GeneratorExp():
                return _many(list(self.of(node.elt, scope, depth)))
            case ast.DictComp():
                return _many(list(self.of(node.value, scope, depth)))
            case ast.Subscript():
                return _elements(self.of(node.value, scope, depth))
            case ast.Lambda():
                return [Called(self._module.scopes[id(node)])]
            case _:
                return []

    def _name(self, name: str, scope: Scope, depth: int) -> list[Type]:
        bindings = scope.find(name)
        if not bindings:
            return [one for module in self._module.stars for one in _imported(f"{module}.{name}")]
        return [one for each in bindings for one in self._binding(each, depth)]

    def _binding(self, binding: Binding, depth: int) -> list[Type]:
        match binding.kind:
            case "import":
                return _imported(binding.dotted)
            case "function" if binding.node is not None:
                return [Called(self._module.scopes[id(binding.node)])]
            case "class" if binding.node is not None:
                return [ClassOf(OfModule(self._module.scopes[id(binding.node)]))]
            case "parameter" if isinstance(binding.node, ast.arg):
                return self._parameter(binding, binding.node, depth)
            case "item":
                return _elements(self.of(binding.node, binding.scope, depth))
            case "with":
                found = self.of(binding.node, binding.scope, depth)
                return [*found, *_elements(found)]
            case _:
                annotated = self._annotation(binding.annotation, binding.scope, depth)
                return [*annotated, *self.of(binding.node, binding.scope, depth)]

    def _parameter(self, binding: Binding, node: ast.arg, depth: int) -> list[Type]:
        scope = binding.scope
        function: Function = scope.node  # type: ignore[assignment]  # the scope of a parameter is a function
        outer = scope.parent or scope
        parameters = parameters_of(function)
        is_method = scope.owner is not None and "staticmethod" not in scope.decorators
        if is_method and scope.owner is not None and parameters[0] is node:
            instance = OfModule(scope.owner)
            return [ClassOf(instance) if "classmethod" in scope.decorators else instance]
        found = self._annotation(node.annotation, outer, depth)
        found += self.of(defaults_of(function).get(node.arg), outer, depth)
        if found:
            return found
        for each in outer.find(node.arg):  # a fixture of the same name
            if each.kind == "function" and "fixture" in self._module.scopes[id(each.node)].decorators:
                found += self._result(self._module.scopes[id(each.node)], depth)
        name = getattr(function, "name", "")
        if name == "__init__" and scope.owner is not None:
            name = scope.owner.node.name if isinstance(scope.owner.node, ast.ClassDef) else name
        for call, where in self._module.calls_of(name) if name else ():
            bound = is_method and (isinstance(call.func, ast.Attribute) or function_name(function) == "__init__")
            found += self.of(argument_of(call, function, node.arg, bound=bound), where, depth)
        for call, where in self._module.calls_with(node.arg) if not found else ():  # `COMMANDS[name](api, ...)`
            given = argument_of(call, function, node.arg, bound=is_method)
            found += self.of(given, where, depth) if last_name(given) == node.arg else []
        return found

    def _annotation(self, node: ast.expr | None, scope: Scope, depth: int) -> list[Type]:
        match node:
            case ast.Constant(value=str() as text):
                try:
                    inner = ast.parse(text, mode="eval").body
                except SyntaxError:
                    return []
                return self._annotation(inner, scope, depth)
            case ast.BinOp():
                return self._annotation(node.left, scope, depth) + self._annotation(node.right, scope, depth)
            case ast.Subscript():
                parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                found = [one for each in parts for one in self._annotation(each, scope, depth)]
                return _many(found) if last_name(node.value) in _CONTAINERS else found
            case ast.Name() | ast.Attribute():
                return [one.instance for one in self.of(node, scope, depth) if isinstance(one, ClassOf)]
            case _:
                return []

    def _member(self, base: Type, name: str, depth: int) -> list[Type]:
        if isinstance(base, Imported):
            return _imported(f"{base.dotted}.{name}")
        owner = base.instance if isinstance(base, ClassOf) else base
        if not isinstance(owner, OfModule):
            return []
        bindings = owner.scope.attributes.get(name, []) + owner.scope.names.get(name, [])
        found: list[Type] = []
        for one in (each for binding in bindings for each in self._binding(binding, depth)):
            is_property = isinstance(one, Called) and any("property" in each for each in one.scope.decorators)
            found += self._result(one.scope, depth) if isinstance(one, Called) and is_property else [one]
        if not bindings and depth < _DEPTH:
            found = [one for each in self._bases(owner.scope) for one in self._member(each, name, depth + 1)]
        return found

    def _call(self, node: ast.Call, scope: Scope, depth: int) -> list[Type]:
        name = last_name(node.func)
        if name == "super":
            return self._super(scope)
        if name in ("import_module", "__import__") and node.args and isinstance(node.args[0], ast.Constant):
            return _imported(str(node.args[0].value))
        if name == "getattr" and len(node.args) > 1 and isinstance(node.args[1], ast.Constant):
            bases = self.of(node.args[0], scope, depth)
            return [one for base in bases for one in self._member(base, str(node.args[1].value), depth)]
        found: list[Type] = []
        for one in self.of(node.func, scope, depth):
            if isinstance(one, ClassOf):
                found.append(one.instance)
            elif isinstance(one, Called):
                found += self._result(one.scope, depth)
        if not found and name == "cast" and len(node.args) > 1:
            found = [*self._annotation(node.args[0], scope, depth), *self.of(node.args[1], scope, depth)]
        elif not found and name in _SAME:
            inner = node.args[0] if node.args else getattr(node.func, "value", None)
            found = list(self.of(inner, scope, depth))
        elif not found and name in _ELEMENTS and isinstance(node.func, ast.Attribute):
            held = self.of(node.func.value, scope, depth)
            found = [one for one in held if isinstance(one, Many)] if name in ("values", "items") else _elements(held)
        elif not found and isinstance(node.func, ast.Call):
            found = [one for one in self.of(node.func, scope, depth) if isinstance(one, OfClient | OfModule)]
        return found

    def _super(self, scope: Scope) -> list[Type]:
        found: Scope | None = scope
        while found is not None and found.owner is None:
            found = found.parent
        return [] if found is None or found.owner is None else list(self._bases(found.owner))

    def _result(self, function: Scope, depth: int) -> list[Type]:
        annotation = getattr(function.node, "returns", None)
        found = self._annotation(annotation, function.parent or function, depth)
        return found + [one for each in function.returns for one in self.of(each, function, depth)]


def function_name(function: Function) -> str:
    """The name of a function; empty for a lambda."""
    return getattr(function, "name", "")


def _imported(dotted: str) -> list[Type]:
    if dotted in _CLASSES:
        return [ClassOf(OfClient(*_CLASSES[dotted]))]
    return [Imported(dotted)] if dotted.partition(".")[0] in _PACKAGES else []


def _many(types: list[Type]) -> list[Type]:
    return [Many(one) if isinstance(one, OfClient | OfModule) else one for one in types]


def _elements(types: frozenset[Type]) -> list[Type]:
    return [one.item for one in types if isinstance(one, Many)]
