"""Requests to addresses that end: calls of any HTTP library, wrappers in the same module, and commands in strings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final, NamedTuple

from circleci_sdk.migrate._routes import RUNNER, Context, ending_route
from circleci_sdk.migrate._shell import COMMAND, addresses_in, method_of

from .module import Module, Scope, last_name
from .strings import Given, Strings

if TYPE_CHECKING:
    from circleci_sdk.migrate._entries import Route

_VERB: Final = re.compile(r"(?:^|_|(?<=[a-z]))(get|post|put|delete|patch|head)(?=_|$|[A-Z])", re.IGNORECASE)
_VERBS: Final = frozenset({"GET", "POST", "PUT", "DELETE", "PATCH", "HEAD"})
_METHOD_NAMES: Final = ("method", "verb", "http_method", "customrequest")
_BODIES: Final = ("data", "json", "body", "content")
_SILENT: Final = re.compile(
    r"^(?:print|pprint|warn|warning|info|debug|error|exception|critical|log|echo|secho|fail|skip|format_help"
    r"|SystemExit|exit|abort|ArgumentParser|add_argument|option|append_note|assert\w*|startswith|endswith|\w*(?:Error|Exception|Warning))$"
)
_MOCK: Final = re.compile(r"^(?:responses|rsps|respx\w*|\w*mock\w*|httpretty|aioresponses|app|router|blueprint|bp)$")
"""Receivers of calls that describe a server, and send nothing."""
_STRING_CALLS: Final = frozenset({"format", "join", "urljoin", "getenv", "get", "setdefault", "Template"})
_KEEPING: Final = frozenset({"append", "add", "quote", "compile", "match", "search", "sub", "field"})
_STARTS: Final = re.compile(r"trigger|post|start|launch|kick", re.IGNORECASE)
_DEPTH: Final = 4
_MOST_CALLS: Final = 200
"""Of a wrapper that are looked at."""
_LONGEST: Final = 10_000


class Request(NamedTuple):
    """A request that ends."""

    line: int
    column: int
    route: Route


def requests(module: Module, context: Context, source: str) -> Iterator[Request]:
    """Every request of a module that ends: at the call that sends it, or at the address if no call of it is here."""
    yield from _Reader(module, context, source).run()


class _Reader:
    def __init__(self, module: Module, context: Context, source: str) -> None:
        self._module = module
        self._context = context
        self._lines = source.splitlines()
        self._strings = Strings(module)
        self._verbs: dict[int, set[str]] = {}
        """The names such as `Method.POST` in each scope."""
        for each, where in module.attributes:
            if each.attr in _VERBS:
                self._verbs.setdefault(id(where), set()).add(each.attr)
        self._near: dict[int, str | None] = {}
        self._used: set[int] = set()
        """The nodes that the addresses of what was found were read from."""

    def run(self) -> Iterator[Request]:
        direct: set[int] = set()
        silent: set[int] = set()
        for call, _ in self._module.calls:
            if _SILENT.match(last_name(call.func)):
                silent |= {id(node) for each in call.args for node in ast.walk(each)}
        for call, scope in self._module.calls:
            receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
            if id(call) in silent or _SILENT.match(last_name(call.func)) or _MOCK.match(last_name(receiver)):
                continue
            route = self._direct(call, scope, {})
            if route is not None:
                direct.add(id(call))
                yield Request(call.lineno, call.col_offset, route)
        for call, scope in self._module.calls:
            function = self._strings.function_of(call, scope)
            if function is not None and id(call) not in direct:
                route = self._through(call, scope, function, {}, direct, 0)
                if route is not None:
                    yield Request(call.lineno, call.col_offset, route)
        yield from self._alone()

    def _through(
        self, call: ast.Call, scope: Scope, function: Scope, given: Given, direct: set[int], depth: int
    ) -> Route | None:
        """What a wrapper in this module sends for a call, unless it sends the same for every call."""
        known, asked = self._strings.given(call, scope, function, given, 0), self._method(call, scope, given)
        for inner, where in function.calls[:_MOST_CALLS]:
            sent = self._method(inner, where, known)
            if asked and sent and asked != sent:
                continue
            if id(inner) in direct:
                return None
            route = self._direct(inner, where, known)
            deeper = self._strings.function_of(inner, where)
            if route is None and deeper is not None and deeper is not function and depth < _DEPTH:
                route = self._through(inner, where, deeper, known, direct, depth + 1)
            if route is not None:
                return route
        return None

    def _direct(self, call: ast.Call, scope: Scope, given: Given) -> Route | None:
        method = self._method(call, scope, given)
        values = [*call.args[:5], *(each.value for each in call.keywords if each.arg)]
        around = self._text(call)
        bases = self._bases(call, scope) if method else []
        for value in values:
            if isinstance(value, ast.Lambda | ast.Dict | ast.Compare):
                continue
            self._strings.seen = set()
            for text in self._strings.of(value, scope, given):
                route = self._route(text, method, call, scope, around)
                if route is None and "://" not in text and " " not in text:
                    route = next(
                        (
                            found
                            for base in bases
                            if (found := ending_route(base + text.lstrip("/"), method, self._context, around))
                        ),
                        None,
                    )
                if route is not None:
                    self._used |= self._strings.seen
                    return route
        return None

    def _bases(self, call: ast.Call, scope: Scope) -> list[str]:
        """The addresses that the receiver of a call puts before a path."""
        receiver = call.func.value if isinstance(call.func, ast.Attribute) else None
        bases = [
            keyword.value
            for made in self._strings.calls_of(receiver, scope)
            for keyword in made[0].keywords
            if keyword.arg in ("base_url", "prefix_url")
        ]
        texts = [text for each in bases for text in self._strings.of(each, scope)]
        return [f"{text.rstrip('/')}/" for text in texts if "://" in text]

    def _route(self, text: str, method: str | None, call: ast.Call, scope: Scope, around: str) -> Route | None:
        if len(text) > _LONGEST:
            return None
        if COMMAND.search(text) and " " in text:
            sent = method_of(text)
            found = (ending_route(each, sent, self._context, text) for each in addresses_in(text))
            return next((route for route in found if route is not None), None)
        if " " in text.strip():
            return None
        if last_name(call.func) in ("getenv", "setdefault") or (method is None and _is_container(call)):
            return None
        if RUNNER in text.lower() or method is not None:
            return ending_route(text, method, self._context, around)
        if id(scope) not in self._near:
            self._near[id(scope)] = self._method_near(scope)
        return ending_route(text, self._near[id(scope)], self._context, around)

    def _method(self, call: ast.Call, scope: Scope, given: Given) -> str | None:
        name = last_name(call.func)
        for keyword in call.keywords:
            if (keyword.arg or "").lower() in _METHOD_NAMES:
                return self._verb(keyword.value, scope, given)
        for value in call.args[:2]:
            verb = self._verb(value, scope, given)
            if verb is not None:
                return verb
        match = _VERB.search(name)
        if match:
            return match[1].upper()
        if name in ("urlopen", "Request", "urlretrieve"):
            has_body = len(call.args) > 1 or any(each.arg in _BODIES for each in call.keywords)
            return "POST" if has_body else None if name == "Request" else "GET"
        return None

    def _verb(self, node: ast.expr, scope: Scope, given: Given) -> str | None:
        if isinstance(node, ast.Attribute) and node.attr.upper() in _VERBS:
            return node.attr.upper()
        if not isinstance(node, ast.Constant | ast.Name | ast.Attribute):
            return None
        found = [text.upper() for text in self._strings.of(node, scope, given)]
        return found[0] if found and found[0] in _VERBS else None

    def _method_near(self, scope: Scope) -> str | None:
        """The only method that a function sends with, if its other calls say so."""
        names = {name.upper() for call, _ in scope.calls for name in _VERB.findall(last_name(call.func))}
        names |= {
            each.value
            for call, _ in scope.calls
            for each in (*call.args, *(keyword.value for keyword in call.keywords))
            if isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value in _VERBS
        }
        names |= self._verbs.get(id(scope), set())
        return names.pop() if len(names) == 1 else "POST" if "POST" in names and names == {"POST", "GET"} else None

    def _alone(self) -> Iterator[Request]:
        """Addresses that no call here sends to, which another module may import."""
        for value, scope, name in self._module.values:
            if not isinstance(value, ast.Constant | ast.JoinedStr | ast.BinOp | ast.Call):
                continue
            if isinstance(value, ast.Call) and last_name(value.func) not in _STRING_CALLS:
                continue
            if id(value) in self._used:
                continue
            method = "POST" if _STARTS.search(name) else None
            for text in self._strings.of(value, scope):
                is_address = " " not in text.strip() and ("://" in text or text.startswith(("/", "{")))
                route = ending_route(text, method, self._context) if is_address else None
                if route is not None and route.kind != "branches":
                    self._used |= {id(value)}
                    yield Request(value.lineno, value.col_offset, route)
                    break

    def _text(self, node: ast.expr) -> str:
        return "\n".join(self._lines[node.lineno - 1 : node.end_lineno])


def _is_container(call: ast.Call) -> bool:
    """Whether a call only keeps a string: it is sent elsewhere, or never."""
    return last_name(call.func) in _STRING_CALLS | _KEEPING
