"""Public names: loaded when they are first used (PEP 562), and shown under their public path.

A package calls `lazy` under `if not TYPE_CHECKING:`. A module-level `__getattr__` that type checkers can see would turn
every misspelt import into `Any`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, TypeVar

C = TypeVar("C", bound=type)


def lazy(package: str, sources: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """Return `__getattr__` and `__dir__` of a package.

    Args:
        package: the `__name__` of the package.
        sources: the names of each module, separated by spaces. A module is absolute, or relative to the package
            (`.client`).
    """
    source_of = {name: module for module, listed in sources.items() for name in listed.split()}

    def load(name: str) -> Any:
        module = source_of.get(name)
        if module is None:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        value = getattr(import_module(module, package), name)
        setattr(sys.modules[package], name, value)
        return value

    def names() -> list[str]:
        return sorted({*vars(sys.modules[package]), *source_of})

    return load, names


def public(package: str) -> Callable[[C], C]:
    """Show a class as one of `package`: in reprs, tracebacks and pickles, which then survive a move of its module.

    It goes above all other decorators: a dataclass looks up its annotations in the module that defines it.
    """

    def show(cls: C) -> C:
        cls.__module__ = package
        return cls

    return show


class Uncopied:
    """Mixin of a client and of what holds one. `copy.copy`, `copy.deepcopy` and `pickle` raise `TypeError`.

    A copy would share connections and a token without a decision who closes them. A subclass that knows how to be
    pickled defines its own `__reduce__`.
    """

    __slots__ = ()

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError(
            f"{type(self).__name__} cannot be copied or pickled: it holds a client with a token and connections. "
            "with_options() of a client returns a copy of it that shares them; another process makes its own "
            "client. Results can be copied and pickled."
        )
