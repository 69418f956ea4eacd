"""The one sentinel: an argument that was not given.

`UNSET` leaves a field out of the request; `None` sends JSON null.
"""

from __future__ import annotations

from enum import Enum
from typing import Final, Literal, TypeAlias


class _Sentinel(Enum):
    UNSET = "UNSET"

    def __repr__(self) -> str:
        return "UNSET"

    def __bool__(self) -> Literal[False]:
        return False


Unset: TypeAlias = Literal[_Sentinel.UNSET]
"""The type of `UNSET`, for annotations of optional arguments: `str | None | Unset`."""

UNSET: Final = _Sentinel.UNSET
"""Not given: the field is left out of the request."""
