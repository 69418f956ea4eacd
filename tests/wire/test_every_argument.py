"""Every argument of the public API of a wrong type or value is refused at once: documented, named, nothing sent.

The callables and their parameters are found by introspection, so that a new argument without a check fails here.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Final

import anyio
import pytest

from tests.support.clients import client_on
from tests.support.every_argument import AREAS, Target, admits, is_refusal, outcome, targets, wrong_values
from tests.support.faces import NOT_ON_TRIO
from tests.support.scripted_server import ScriptedServer

LIMIT: Final = 5.0
"""Seconds for a call that should have been refused."""


async def faults_of(target: Target, server: ScriptedServer) -> list[str]:
    """The wrong values of one callable that are not refused as documented."""
    faults: list[str] = []
    for name, annotation in target.parameters.items():
        for kind, value in wrong_values().items():
            if admits(annotation, value):
                continue
            before = len(server.requests)
            with anyio.move_on_after(LIMIT):
                found = await outcome(lambda name=name, value=value: target.with_value(name, value))
                sent = len(server.requests) - before
                if is_refusal(found, name) and not sent:
                    continue
                faults.append(f"{target}: {name}: {kind}: {found!r}, {sent} requests")
                continue
            faults.append(f"{target}: {name}: {kind}: no end")
    return faults


@NOT_ON_TRIO
@pytest.mark.parametrize("area", AREAS)
async def test_wrong_types_are_refused(server: ScriptedServer, tmp_path: Path, area: str) -> None:
    faults: list[str] = []
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        async with client_on(server, max_retries=0) as client:
            for target in targets(client, tmp_path, area):
                faults += await faults_of(target, server)
                count += 1
    faults += [f"wrote {path}" async for path in anyio.Path(tmp_path).iterdir()]
    assert not faults, f"{len(faults)} faults:\n" + "\n".join(faults[:30])
    assert count
