"""Objects that belong to a client: they refuse to be copied or pickled."""

from __future__ import annotations

from typing import Any


class Uncopied:
    """Mixin of a client and of what holds one. `copy.copy`, `copy.deepcopy` and `pickle` raise `TypeError`.

    A copy would share connections and a token without a decision who closes them. A subclass that knows how to be
    pickled defines its own `__reduce__`.
    """

    __slots__ = ()

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError(
            f"{type(self).__name__} cannot be copied or pickled: it holds a client with a token and connections. "
            "AsyncCircleCI.with_options() returns a copy of a client that shares them; another process makes its own "
            "client. Results can be copied and pickled."
        )
