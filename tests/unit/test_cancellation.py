"""Whose cancellation it is, and work that finishes in spite of one."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, Final

import anyio
import pytest
import trio

from circleci_sdk import CircleCIError
from circleci_sdk._core.cancellation import _abandoned, as_failure, finish, is_failure
from tests.support.clock import run_until_idle
from tests.support.foreign import foreign_cancellation

failures: list[bool] = []


async def checked(work: Callable[[], Awaitable[object]], **options: bool) -> None:
    try:
        await work()
    except BaseException as error:
        failures.append(is_failure(error, **options))
        raise


@pytest.fixture(autouse=True)
def reset_failures() -> None:
    failures.clear()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("in_child", [False, True])
async def test_the_cancellation_of_others_is_a_failure(in_child: bool) -> None:
    with pytest.raises(asyncio.CancelledError):
        await checked(foreign_cancellation, in_child=in_child)
    with pytest.raises(asyncio.CancelledError), anyio.move_on_after(60), anyio.CancelScope(shield=True):
        await checked(foreign_cancellation, in_child=in_child)
    with anyio.move_on_after(0.001):
        await anyio.sleep_forever()
    with pytest.raises(asyncio.CancelledError):  # an earlier cancellation that is over does not matter
        await checked(foreign_cancellation, in_child=in_child)
    assert failures == [True] * 3


async def test_a_cancelled_scope_is_no_failure() -> None:
    for in_child in (False, True):
        with anyio.move_on_after(0):
            await checked(anyio.sleep_forever, in_child=in_child)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(lambda in_child=in_child: checked(anyio.sleep_forever, in_child=in_child))
            await run_until_idle()
            tasks.cancel_scope.cancel()
    assert failures == [False] * 4


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_cancelled_task_is_no_failure_unless_it_is_a_child() -> None:
    for in_child in (False, True):
        task = asyncio.ensure_future(checked(anyio.sleep_forever, in_child=in_child))
        await run_until_idle()
        task.cancel()
        await asyncio.wait([task])
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.001):
                await checked(anyio.sleep_forever, in_child=in_child)
    assert failures == [False, False, True, True]


@pytest.mark.parametrize("anyio_backend", ["trio"])
async def test_on_trio_the_exception_of_asyncio_is_a_failure() -> None:
    assert is_failure(asyncio.CancelledError())
    kept: list[BaseException] = []
    with trio.move_on_after(0):
        try:
            await trio.sleep_forever()
        except BaseException as error:
            kept.append(error)
            raise
    assert is_failure(kept[0])  # as a cache of results raises it for others


async def test_other_exceptions() -> None:
    assert is_failure(ValueError())
    for ends in (KeyboardInterrupt(), SystemExit(), GeneratorExit()):
        assert not is_failure(ends)
        assert not is_failure(BaseExceptionGroup("", [ValueError(), ends]))
    assert is_failure(BaseExceptionGroup("", [ValueError(), asyncio.CancelledError()]))
    with anyio.move_on_after(0):
        try:
            await anyio.sleep_forever()
        except BaseException as error:
            failures.append(is_failure(BaseExceptionGroup("", [ValueError(), error])))
            raise
    assert failures == [False]


def test_a_failure_is_an_exception() -> None:
    error, cancelled = ValueError(), asyncio.CancelledError()
    assert as_failure(error, "x") is error
    failure = as_failure(cancelled, "x")
    assert isinstance(failure, CircleCIError)
    assert failure.__cause__ is cancelled


async def by_scope(work: Callable[[], Awaitable[object]], reached: anyio.Event, proceed: anyio.Event) -> bool:
    """Cancel the work when `reached` is set, then set `proceed`; whether the cancellation went on."""
    ended = False
    async with anyio.create_task_group() as tasks:

        async def run() -> None:
            nonlocal ended
            await work()
            await anyio.lowlevel.checkpoint()
            ended = True

        tasks.start_soon(run)
        await reached.wait()
        tasks.cancel_scope.cancel()
        with anyio.CancelScope(shield=True):
            await run_until_idle()
            proceed.set()
    return not ended


async def by_task(work: Callable[[], Awaitable[object]], reached: anyio.Event, proceed: anyio.Event) -> bool:
    task = asyncio.ensure_future(work())
    await reached.wait()
    for _ in range(3):
        task.cancel()
        await run_until_idle()
    proceed.set()
    await asyncio.wait([task])
    return task.cancelled()


async def by_timeout(work: Callable[[], Awaitable[object]], reached: anyio.Event, proceed: anyio.Event) -> bool:
    async def limited() -> None:
        async with asyncio.timeout(None) as limit:
            waiting = asyncio.ensure_future(reached.wait())
            waiting.add_done_callback(lambda _: limit.reschedule(0))
            await work()

    task = asyncio.ensure_future(limited())
    await reached.wait()
    await run_until_idle()
    proceed.set()
    await asyncio.wait([task])
    return isinstance(task.exception(), TimeoutError)


ENDS: Final = [
    *(("asyncio", way, end) for way in (by_task, by_timeout) for end in ("a result", "an error", "a cancellation")),
    # An error is raised; the scope cancels what comes after it.
    *((backend, by_scope, "a result") for backend in ("asyncio", "trio")),  # trio has scopes only
]


@pytest.mark.parametrize(("anyio_backend", "way", "end"), ENDS, scope="module")
async def test_work_finishes_and_then_the_cancellation_is_raised(
    way: Any, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    reached, proceed, done = anyio.Event(), anyio.Event(), list[bool]()

    async def work() -> Any:
        reached.set()
        await proceed.wait()
        with anyio.fail_after(5):  # limits inside of the work apply
            await anyio.lowlevel.checkpoint()
        done.append(True)
        if end == "an error":
            raise LookupError
        return end if end == "a result" else await foreign_cancellation()

    with anyio.fail_after(5):
        assert await way(lambda: finish(work), reached, proceed) is True
    assert done == [True]
    gc.collect()
    assert not caplog.records  # of an exception that was never retrieved


async def test_without_a_cancellation_the_result_or_the_error() -> None:
    async def result() -> str:
        return "a result"

    async def error() -> None:
        raise LookupError

    assert await finish(result) == "a result"
    with pytest.raises(LookupError):
        await finish(error)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_the_cancellation_of_others_in_the_work_is_an_error() -> None:
    with pytest.raises(CircleCIError, match="was cancelled"):
        await finish(foreign_cancellation)


async def test_work_is_bounded() -> None:
    with pytest.raises(TimeoutError):
        await finish(anyio.sleep_forever, seconds=0.01)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
@pytest.mark.parametrize("is_cancelled", [False, True])
async def test_work_that_ignores_its_cancellation_is_left_behind(is_cancelled: bool) -> None:
    release, ended = anyio.Event(), anyio.Event()

    async def stubborn() -> None:
        while not release.is_set():
            with suppress(asyncio.CancelledError):
                await release.wait()
        ended.set()
        raise LookupError

    with anyio.fail_after(5):
        task = asyncio.ensure_future(finish(stubborn, seconds=0.01))
        await run_until_idle()
        if is_cancelled:
            task.cancel()
        await asyncio.wait([task])
        assert task.cancelled() if is_cancelled else isinstance(task.exception(), TimeoutError)
        assert len(_abandoned) == 1
        release.set()
        await ended.wait()
        await run_until_idle()
        assert not _abandoned
