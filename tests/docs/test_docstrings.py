"""Every public class, method and function says what it is for. The name of an attribute may say enough."""

from __future__ import annotations

import ast

from tests.public_names import Definition, Listing, Module


class _Undocumented(Listing):
    """The names whose definitions have no docstring."""

    def __init__(self) -> None:
        self.names: list[str] = []
        super().__init__()

    def definition(self, path: str, module: Module, node: Definition, *, inside: str) -> None:
        if isinstance(node, ast.ClassDef):
            self._note(path, node)
        super().definition(path, module, node, inside=inside)

    def function(self, path: str, node: ast.FunctionDef | ast.AsyncFunctionDef, *, drop_first: bool) -> None:
        super().function(path, node, drop_first=drop_first)
        if not any(ast.unparse(item) == "overload" for item in node.decorator_list):
            self._note(path, node)

    def _note(self, path: str, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        is_internal = any(part.startswith("_") for part in path.split("."))
        if not is_internal and ast.get_docstring(node) is None:
            self.names.append(path)


def test_every_public_definition_has_a_docstring() -> None:
    assert sorted(set(_Undocumented().names)) == []
