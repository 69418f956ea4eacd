"""Functions of a shell: their own names for `$1` and so on, and what their calls give."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import Final, NamedTuple

_SHELLS: Final = frozenset({".sh", ".bash", ".zsh", ".ksh", ""})
_FUNCTION: Final = re.compile(
    r"^[ \t]*(function[ \t]+)?([A-Za-z_][\w-]*)[ \t]*(?(1)(?:\(\))?|\(\))\s*\{"
    r"(?:[^\n]*\}[ \t]*$|.*?(?:^[ \t]*\}|\Z))",
    re.MULTILINE | re.DOTALL,
)
_OWN_NAME: Final = re.compile(r"\b([A-Za-z_]\w*)=[\"']?\$\{?([1-9])\b")
_ARGUMENT: Final = re.compile(r"\"[^\"\n]*\"|'[^'\n]*'|[^\s\"';|&()]+")
_CALL: Final = re.compile(
    rf"(?:^|[;&|(]|\bdo|\bthen)[ \t]*(?:\w+=)?([A-Za-z_][\w-]*)((?:[ \t]+(?:{_ARGUMENT.pattern}))+)", re.MULTILINE
)
_POSITION: Final = re.compile(r"\$\{?([1-9])\}?")
_METHOD: Final = re.compile(r"(?:-X\s*|--request[ =]+)[\"']?\$\{?(\w+)")
_MOST: Final = 50
"""Of one function: names, and calls that are looked at."""

Span = tuple[int, int]


class Function(NamedTuple):
    """A function, with its names for positions: `{branch}` is `$2`."""

    name: str
    start: int
    end: int
    positions: dict[str, str]

    def positional(self, address: str) -> str | None:
        """The address with `$1` for what calls give; None if they give nothing."""
        for name, position in self.positions.items():
            address = address.replace(f"{{{name}}}", position)
        return address if "://" in address and _POSITION.search(address) else None

    def method_argument(self, command: str) -> int | None:
        """The argument, counted from 0, that a command takes its method from."""
        match = _METHOD.search(command)
        position = match and (match[1] if match[1].isdigit() else self.positions.get(match[1], "")[1:])
        return int(position) - 1 if position else None


class Functions:
    """The functions of a file, and their calls in it."""

    def __init__(self, code: str, suffix: str) -> None:
        self._code = code
        self._functions = [_function(match) for match in _FUNCTION.finditer(code)] if suffix in _SHELLS else []
        self._calls: dict[str, list[list[Span]]] = {each.name: [] for each in self._functions}
        for call in _CALL.finditer(code) if self._functions else ():
            calls = self._calls.get(call[1])
            if calls is not None and len(calls) < _MOST:
                calls.append([each.span() for each in _ARGUMENT.finditer(code, call.start(2), call.end(2))])

    def around(self, at: int) -> Function | None:
        """The function around an offset."""
        last = bisect_right(self._functions, at, key=lambda each: each.start) - 1
        function = self._functions[last] if last >= 0 else None
        return function if function and at < function.end else None

    def calls(self, function: Function) -> list[list[Span]]:
        """Where the arguments of each call are, without their quotes."""
        return [[self._unquoted(*span) for span in spans] for spans in self._calls[function.name]]

    def _unquoted(self, start: int, end: int) -> Span:
        return (start + 1, end - 1) if self._code[start] in "\"'" else (start, end)


def filled(address: str, arguments: list[str]) -> str:
    """An address with these arguments in the place of `$1` and so on; with `{}` for what is not given."""
    return _POSITION.sub(lambda match: (arguments[int(match[1]) - 1 :][:1] or ["{}"])[0], address)


def known(address: str) -> str:
    """An address whose arguments are single segments; empty if the last one may be any path."""
    path = address.partition("?")[0]
    return "" if _POSITION.search(path.rpartition("/")[2]) and "/tree/" not in path else filled(address, [])


def _function(match: re.Match[str]) -> Function:
    names = list(_OWN_NAME.finditer(match[0]))[:_MOST]
    return Function(match[2], match.start(), match.end(), {each[1]: f"${each[2]}" for each in names})
