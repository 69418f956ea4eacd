"""Reads the end of an operation: when the API rejects it, and what replaces it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from .nodes import Node

_REPLACEMENT: Final = re.compile(r"v[0-9]+(\.[a-z_]+){2}")


def read_sunset(node: Node) -> date | None:
    """The day from which the API rejects the operation, if it is known."""
    child = node.get("x-sunset")
    if child is None:
        return None
    _need_deprecated(node, child, "x-sunset")
    try:
        return date.fromisoformat(child.text())
    except ValueError:
        raise child.refusal(f"`{child.text()}` is not a date; write it as 2027-02-01.") from None


def read_replacement(node: Node) -> str | None:
    """The method to use instead, if there is one."""
    child = node.get("x-replacement")
    if child is None:
        return None
    _need_deprecated(node, child, "x-replacement")
    if not _REPLACEMENT.fullmatch(child.text()):
        raise child.refusal(f"`{child.text()}` is not a method; write it as v2.pipelines.trigger.")
    return child.text()


def _need_deprecated(node: Node, child: Node, key: str) -> None:
    if not node.flag("deprecated"):
        raise child.refusal(f"`{key}` requires `deprecated: true`; add that, or remove it.")
