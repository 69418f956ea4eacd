"""The tree of exceptions in the reference is that of the classes. `DOCS_TREE=write` writes it anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Final

import circleci_sdk
from circleci_sdk import CircleCIError, webhooks
from tests.support.places import ROOT

PAGE: Final = ROOT / "docs" / "reference" / "exceptions.md"
BEGIN: Final = "<!-- the tree of the classes -->\n\n"
END: Final = "\n\n## Meaning\n"


def tree(cls: type[Exception], depth: int = 0) -> Iterator[str]:
    """A line for each public class, by name: Python lists subclasses in the order of their imports, which varies."""
    others = [base.__name__ for base in cls.__bases__ if not issubclass(base, CircleCIError) and base is not Exception]
    also = "".join(f", also `{name}`" for name in others)
    yield f"{'    ' * depth}- [`{cls.__name__}`][{cls.__module__}.{cls.__name__}]{also}"
    for below in sorted(children(cls), key=lambda one: one.__name__):
        yield from tree(below, depth + 1)


def children(cls: type[Exception]) -> Iterator[type[Exception]]:
    """The public classes next below this one. What stands between two public classes is left out."""
    for below in cls.__subclasses__():
        if not below.__name__.startswith("_") and below.__module__.startswith("circleci_sdk"):
            yield below
        else:
            yield from children(below)


def test_the_tree_is_that_of_the_classes() -> None:
    for module in (circleci_sdk, webhooks):
        for name in module.__all__:
            getattr(module, name)  # loads it
    before, _, rest = PAGE.read_text(encoding="utf-8").partition(BEGIN)
    written, _, after = rest.partition(END)
    wanted = "\n".join(tree(CircleCIError))
    if os.environ.get("DOCS_TREE") == "write":
        PAGE.write_text(f"{before}{BEGIN}{wanted}{END}{after}", encoding="utf-8")
        return
    assert written == wanted
