"""The scopes of a module, and what their names are bound to."""

from __future__ import annotations

import ast
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

Function: TypeAlias = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
Kind: TypeAlias = Literal["value", "item", "with", "parameter", "import", "function", "class"]

_MOST_BINDINGS: Final = 50
"""Of one name, and calls of one function, that are looked at: more of them are written by a program."""
_FUNCTIONS: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)


@dataclass(slots=True)
class Binding:
    """One way in which a name gets its value. `dotted` is what an import names, `position` a place in a tuple."""

    kind: Kind
    scope: Scope
    node: ast.AST | None = None
    annotation: ast.expr | None = None
    dotted: str = ""
    position: int | None = None


@dataclass(slots=True, eq=False)
class Scope:
    """A module, a class or a function, with the bindings of its names."""

    node: ast.AST
    parent: Scope | None
    names: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    attributes: dict[str, list[Binding]] = field(default_factory=dict[str, list[Binding]])
    """Of instances of a class: what its methods assign to `self`."""
    outer: set[str] = field(default_factory=set[str])
    """Names that are `global` or `nonlocal`."""
    calls: list[tuple[ast.Call, Scope]] = field(default_factory=list[tuple[ast.Call, "Scope"]])
    returns: list[ast.expr] = field(default_factory=list[ast.expr])
    decorators: tuple[str, ...] = ()

    @property
    def is_class(self) -> bool:
        """Whether it is the body of a class."""
        return isinstance(self.node, ast.ClassDef)

    @property
    def owner(self) -> Scope | None:
        """The class of a method."""
        return self.parent if self.parent is not None and self.parent.is_class else None

    def find(self, name: str) -> list[Binding]:
        """The bindings of a name as seen from here; the bodies of classes are not seen by their methods."""
        scope: Scope | None = self
        while scope is not None:
            if (not scope.is_class or scope is self) and name in scope.names:
                return scope.names[name]
            scope = scope.parent
        return []


class Module:
    """A parsed module, with every call and attribute and its scope."""

    def __init__(self, tree: ast.Module) -> None:
        self.top: Final[Scope] = Scope(tree, None)
        self.scopes: Final[dict[int, Scope]] = {id(tree): self.top}
        self.calls: Final[list[tuple[ast.Call, Scope]]] = []
        self.attributes: Final[list[tuple[ast.Attribute, Scope]]] = []
        self.values: Final[list[tuple[ast.expr, Scope, str]]] = []
        """Assigned and returned expressions, with the name that they are assigned to."""
        self.stars: Final[list[str]] = []
        self.called_by: Final[dict[int, ast.Call]] = {}
        """The call of each called expression."""
        _Visitor(self).run(tree)
        self._calls_by_name: dict[str, list[tuple[ast.Call, Scope]]] = {}
        self._calls_with: dict[str, list[tuple[ast.Call, Scope]]] = {}
        for call, scope in self.calls:
            same = self._calls_by_name.setdefault(last_name(call.func), [])
            if len(same) < _MOST_BINDINGS:
                same.append((call, scope))
            if not isinstance(call.func, ast.Name):
                for each in call.args:
                    given = self._calls_with.setdefault(last_name(each), [])
                    if len(given) < _MOST_BINDINGS:
                        given.append((call, scope))

    def calls_of(self, name: str) -> list[tuple[ast.Call, Scope]]:
        """The calls of anything of this name."""
        return self._calls_by_name.get(name, [])

    def calls_with(self, name: str) -> list[tuple[ast.Call, Scope]]:
        """The calls with an argument of this name, of what is no plain name: a function in a dict, for instance."""
        return self._calls_with.get(name, [])


def last_name(node: ast.AST | None) -> str:
    """The last part of a dotted name; empty for other expressions."""
    match node:
        case ast.Attribute():
            return node.attr
        case ast.Name():
            return node.id
        case _:
            return ""


def parameters_of(function: Function) -> list[ast.arg]:
    """The parameters that take one argument, in their order."""
    arguments = function.args
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]


def defaults_of(function: Function) -> dict[str, ast.expr]:
    """The defaults of parameters."""
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = list(zip(reversed(positional), reversed(arguments.defaults), strict=False))
    pairs += [(name, value) for name, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if value]
    return {name.arg: value for name, value in pairs}


def argument_of(call: ast.Call, function: Function, name: str, *, bound: bool) -> ast.expr | None:
    """What a call gives for a parameter; `bound` methods get their first one otherwise."""
    for keyword in call.keywords:
        if keyword.arg == name:
            return keyword.value
    positional = [each.arg for each in (*function.args.posonlyargs, *function.args.args)][bound:]
    if name in positional:
        at = positional.index(name)
        if at < len(call.args) and not any(isinstance(each, ast.Starred) for each in call.args[: at + 1]):
            return call.args[at]
    return None


class _Visitor:
    """One walk over the tree, without recursion."""

    def __init__(self, module: Module) -> None:
        self._module = module
        self._todo: list[tuple[ast.AST, Scope]] = []

    def run(self, tree: ast.Module) -> None:
        self._todo = [(node, self._module.top) for node in reversed(tree.body)]
        while self._todo:
            node, scope = self._todo.pop()
            self._visit(node, scope)

    def _visit(self, node: ast.AST, scope: Scope) -> None:
        match node:
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                self._function(node, scope)
                return
            case ast.ClassDef():
                self._bind(scope, node.name, Binding("class", scope, node))
                inner = self._scope(node, scope)
                self._later([*node.bases, *node.decorator_list, *(each.value for each in node.keywords)], scope)
                self._later(node.body, inner)
                return
            case ast.Import() | ast.ImportFrom():
                self._import(node, scope)
            case ast.Assign():
                for target in node.targets:
                    self._assign(target, node.value, scope)
            case ast.AnnAssign():
                self._target(node.target, Binding("value", scope, node.value, node.annotation))
                self._record(node.value, scope, last_name(node.target))
            case ast.AugAssign():
                value = ast.BinOp(node.target, node.op, node.value)
                self._target(node.target, Binding("value", scope, ast.copy_location(value, node)))
            case ast.NamedExpr():
                self._target(node.target, Binding("value", scope, node.value))
            case ast.For() | ast.AsyncFor() | ast.comprehension():
                self._target(node.target, Binding("item", scope, node.iter))
            case ast.withitem():
                if node.optional_vars is not None:
                    self._target(node.optional_vars, Binding("with", scope, node.context_expr))
            case ast.Global() | ast.Nonlocal():
                scope.outer |= set(node.names)
            case ast.Return() | ast.Yield():
                if node.value is not None:
                    scope.returns.append(node.value)
                    self._record(node.value, scope, "")
            case ast.Call():
                self._module.calls.append((node, scope))
                self._module.called_by[id(node.func)] = node
                scope.calls.append((node, scope))
            case ast.Attribute():
                self._module.attributes.append((node, scope))
            case _:
                pass
        self._later(list(ast.iter_child_nodes(node)), scope)

    def _later(self, nodes: list[ast.AST] | list[ast.expr] | list[ast.stmt], scope: Scope) -> None:
        self._todo += [(node, scope) for node in reversed(nodes)]

    def _scope(self, node: ast.AST, parent: Scope) -> Scope:
        scope = self._module.scopes[id(node)] = Scope(node, parent)
        return scope

    def _function(self, node: Function, scope: Scope) -> None:
        inner = self._scope(node, scope)
        if not isinstance(node, ast.Lambda):
            self._bind(scope, node.name, Binding("function", scope, node))
            inner.decorators = tuple(
                last_name(each.func if isinstance(each, ast.Call) else each) for each in node.decorator_list
            )
            self._later(node.decorator_list, scope)
            self._later([each for each in (node.returns,) if each], scope)
        for parameter in parameters_of(node):
            inner.names.setdefault(parameter.arg, []).append(
                Binding("parameter", inner, parameter, parameter.annotation)
            )
        self._later(list(defaults_of(node).values()), scope)
        if isinstance(node, ast.Lambda):
            inner.returns.append(node.body)
            self._later([node.body], inner)
        else:
            self._later(node.body, inner)

    def _import(self, node: ast.Import | ast.ImportFrom, scope: Scope) -> None:
        if isinstance(node, ast.Import):
            for alias in node.names:
                name = alias.asname or alias.name.partition(".")[0]
                dotted = alias.name if alias.asname else name
                self._bind(scope, name, Binding("import", scope, dotted=dotted))
        elif not node.level:
            for alias in node.names:
                if alias.name == "*":
                    self._module.stars.append(node.module or "")
                else:
                    dotted = f"{node.module}.{alias.name}"
                    self._bind(scope, alias.asname or alias.name, Binding("import", scope, dotted=dotted))

    def _assign(self, target: ast.expr, value: ast.expr, scope: Scope) -> None:
        match target, value:
            case (ast.Tuple() | ast.List(), ast.Tuple() | ast.List()) if len(target.elts) == len(value.elts):
                for one, other in zip(target.elts, value.elts, strict=True):
                    self._assign(one, other, scope)
                return
            case _:
                pass
        self._target(target, Binding("value", scope, value))
        self._record(value, scope, last_name(target))

    def _record(self, value: ast.expr | None, scope: Scope, name: str) -> None:
        """Strings, also those in displays of lists and dicts."""
        match value:
            case ast.Dict():
                for key, one in zip(value.keys, value.values, strict=True):
                    self._record(one, scope, str(key.value) if isinstance(key, ast.Constant) else name)
            case ast.List() | ast.Tuple() | ast.Set():
                for one in value.elts:
                    self._record(one, scope, name)
            case None:
                pass
            case _:
                self._module.values.append((value, scope, name))

    def _target(self, target: ast.expr, binding: Binding) -> None:
        match target:
            case ast.Name():
                self._bind(binding.scope, target.id, binding)
            case ast.Tuple() | ast.List():
                for position, each in enumerate(target.elts):
                    at = position if binding.kind == "value" else None
                    self._target(each, Binding("item", binding.scope, binding.node, position=at))
            case ast.Starred():
                self._target(target.value, binding)
            case ast.Attribute(value=ast.Name(id=name)):
                owner = _class_of(binding.scope, name)
                if owner is not None:
                    _add(owner.attributes, target.attr, binding)
            case ast.Subscript():
                self._target(target.value, Binding("value", binding.scope, ast.List([binding.node], ast.Load())))  # type: ignore[list-item]  # an expression
            case _:
                pass

    def _bind(self, scope: Scope, name: str, binding: Binding) -> None:
        if name in scope.outer:
            found = scope.parent
            while found is not None and found.parent is not None and name not in found.names:
                found = found.parent
            scope = found or scope
        _add(scope.names, name, binding)


def _add(names: dict[str, list[Binding]], name: str, binding: Binding) -> None:
    bindings = names.setdefault(name, [])
    if len(bindings) < _MOST_BINDINGS:
        bindings.append(binding)


def _class_of(scope: Scope, name: str) -> Scope | None:
    """The class whose instance, or which itself, is called `name` in a method."""
    found: Scope | None = scope
    while found is not None:
        if found.owner is not None and isinstance(found.node, _FUNCTIONS):
            parameters = parameters_of(found.node)
            if parameters and parameters[0].arg == name:
                return found.owner
        found = found.parent
    return None
