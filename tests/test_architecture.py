"""The import graph of the package and of codegen, with the imports under `TYPE_CHECKING`, has no circle.

The layers are contracts of import-linter in pyproject.toml.
"""

from __future__ import annotations

from graphlib import TopologicalSorter

import grimp


def test_no_import_circle() -> None:
    graph = grimp.build_graph("circleci_sdk", "codegen", cache_dir=None)
    imports = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    assert "circleci_sdk.client" in imports["circleci_sdk"]  # for type checkers only, and part of the graph
    TopologicalSorter(imports).prepare()  # raises CycleError, which names a circle
