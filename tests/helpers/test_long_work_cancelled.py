"""Long work in which a hook gets the `CancelledError` of others, or in which it is cancelled itself. Over sockets."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest

from circleci_sdk import CallError
from tests.helpers.test_long_work_end import (
    EACH_WORK,
    Kind,
    assert_nothing_is_half_done,
    assert_the_rest_comes,
    go,
)
from tests.support.clients import client_on
from tests.support.clock import FakeClock
from tests.support.foreign import foreign_cancellation
from tests.support.scripted_server import ScriptedServer


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("hook", ["on_request", "on_response"])
@EACH_WORK
async def test_a_cancellation_of_others_is_a_failure(
    server: ScriptedServer, tmp_path: Path, kind: Kind, hook: str
) -> None:
    """Named in the report, or raised; and the rest comes."""
    work = kind(server, tmp_path)
    work.script(None)
    happened, found, errors = list[str](), list[Any](), list[CallError]()

    async def once(sent: httpx.Request | httpx.Response) -> None:
        request = sent if isinstance(sent, httpx.Request) else sent.request
        if request.url.path == work.path and not happened:
            happened.append(work.path)
            await foreign_cancellation()

    async with client_on(server, FakeClock(), **{hook: once}) as client:
        started = work.start(client)
        with anyio.fail_after(30):
            try:
                await go(work, started, found)
            except CallError as error:
                errors.append(error)
            skipped = started.skipped if work.is_loop else found[0].skipped if found else ()
            errors += [one.error for one in skipped]
            assert happened
            assert [type(error) for error in errors] == [CallError]
            assert "was cancelled" in str(errors[0])


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("times", [1, 3])
@EACH_WORK
async def test_a_task_that_is_cancelled(server: ScriptedServer, tmp_path: Path, kind: Kind, times: int) -> None:
    work = kind(server, tmp_path)
    work.script(None)
    reached, found = anyio.Event(), list[Any]()

    async def stay(request: httpx.Request) -> None:
        if request.url.path == work.path and not reached.is_set():
            reached.set()
            await anyio.sleep_forever()

    async with client_on(server, FakeClock(), on_request=stay) as client:
        started = work.start(client)
        with anyio.fail_after(30):
            task = asyncio.ensure_future(go(work, started, found))
            await reached.wait()
            for _ in range(times):
                task.cancel()
                await anyio.lowlevel.checkpoint()
            await asyncio.wait([task])
            assert task.cancelled()
            assert_nothing_is_half_done(server, tmp_path)
            await assert_the_rest_comes(kind, work, started, found, client)
