"""Executes the Python blocks of pages."""

from __future__ import annotations

import ast
import types
from inspect import CO_COROUTINE
from typing import Any

import anyio

from tests.docs.blocks import Block


async def run(block: Block, names: dict[str, Any]) -> None:
    """Execute a block. If it does not await at its top level, it is a program of its own, without an event loop."""
    source = "\n" * (block.line - 1) + block.source  # a traceback names the line of the page
    code = compile(source, block.page, "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    function = types.FunctionType(code, names)
    if code.co_flags & CO_COROUTINE:
        await function()
    else:
        await anyio.to_thread.run_sync(function)
