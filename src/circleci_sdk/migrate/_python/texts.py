"""The texts that an expression may be, and how those of its parts are put together."""

from __future__ import annotations

import ast
import re
from itertools import product
from typing import Final, TypeAlias

from .module import last_name

Texts: TypeAlias = tuple[str, ...]

MOST: Final = 6
"""Texts of one expression."""


def joined(parts: list[Texts], glue: str = "") -> Texts:
    """What the parts of a string may be together."""
    some = [texts[:MOST] or ("{}",) for texts in parts]
    count = 1
    for at, texts in enumerate(some):
        count *= len(texts)
        if count > MOST:
            some[at], count = texts[:1], count // len(texts)
    return tuple(glue.join(each) for each in product(*some))


def urljoin(parts: tuple[str, ...]) -> str:
    """Like the paths of `urljoin` and of `join`: what is absolute replaces what stands before it, but the host."""
    text = parts[0]
    for part in parts[1:]:
        host = re.match(r"[a-z]+://[^/]*", text)
        if part.startswith("/") and host:
            text = (host[0] + part) if part.startswith("/api/") else text.rstrip("/") + part
        else:
            text = f"{text.rstrip('/')}/{part.lstrip('/')}"
    return text


def hole(node: ast.AST | None) -> str:
    """How a part that is not known is written."""
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            name = node.name
        case ast.Constant(value=str() as text):
            name = text
        case _:
            name = last_name(node)
    return f"{{{re.sub(r'[^0-9A-Za-z_]', '', name)}}}"
