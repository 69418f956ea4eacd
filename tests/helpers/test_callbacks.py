"""Functions that users pass to helpers: plain ones, and those that return an awaitable; on asyncio and trio."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, TypeAlias

import anyio
import pytest

from circleci_sdk import AsyncCircleCI, CircleCIError, InvalidArgumentError
from circleci_sdk.testing import FakeCircleCI, Job, Workflow
from tests.support.clients import SLUG

ORG: Final = "gh/acme"
Callback: TypeAlias = Callable[..., Any]


async def download(fake: FakeCircleCI, circleci: AsyncCircleCI, dest: Path, **callback: Any) -> object:
    report = await circleci.artifacts.download(SLUG, 1, dest, concurrency=1, **callback)
    return [file.path.name for file in report.files], report.skipped


async def download_latest(fake: FakeCircleCI, circleci: AsyncCircleCI, dest: Path, **callback: Any) -> object:
    report = await circleci.artifacts.download_latest(SLUG, dest, concurrency=1, **callback)
    assert report is not None
    return [file.path.name for file in report.files], report.skipped


async def set_many(fake: FakeCircleCI, circleci: AsyncCircleCI, dest: Path, **callback: Any) -> object:
    values = {"A": "1", "B": "2"}
    report = await circleci.secrets.set_many(values, projects=[SLUG, "gh/acme/none"], concurrency=1, **callback)
    return [(one.variable, one.outcome) for one in report.results]


async def rotate(fake: FakeCircleCI, circleci: AsyncCircleCI, dest: Path, **callback: Any) -> object:
    report = await circleci.secrets.rotate("KEY", "new", projects=[SLUG], **callback)
    return [(one.variable, one.outcome) for one in report.results]


async def audit(fake: FakeCircleCI, circleci: AsyncCircleCI, dest: Path, **callback: Any) -> object:
    found = circleci.secrets.audit(ORG, contexts=[], projects=["gh/acme/none", SLUG], **callback)
    return [one.variable async for one in found], [one.id for one in found.skipped]


async def usage_rows(fake: FakeCircleCI, circleci: AsyncCircleCI, dest: Path, **callback: Any) -> object:
    rows = circleci.usage.rows(ORG, fake.clock.now - timedelta(days=40), fake.clock.now, **callback)
    return [one.job_name async for one in rows], [str(one.error) for one in rows.skipped]


async def usage_download(fake: FakeCircleCI, circleci: AsyncCircleCI, dest: Path, **callback: Any) -> object:
    start = fake.clock.now - timedelta(days=40)
    report = await circleci.usage.download(ORG, start, fake.clock.now, dest, **callback)
    return [path.name for path in report], [str(one.error) for one in report.skipped]


CASES: Final = [
    pytest.param(download, "match", id="match of download"),
    pytest.param(download, "on_file", id="on_file of download"),
    pytest.param(download_latest, "match", id="match of download_latest"),
    pytest.param(download_latest, "on_file", id="on_file of download_latest"),
    pytest.param(set_many, "on_result", id="on_result of set_many"),
    pytest.param(rotate, "on_result", id="on_result of rotate"),
    pytest.param(audit, "on_error", id="on_error of audit"),
    pytest.param(usage_rows, "on_progress", id="on_progress of rows"),
    pytest.param(usage_download, "on_progress", id="on_progress of download"),
]
EACH_CALLBACK: Final = pytest.mark.parametrize(("helper", "name"), CASES)
Helper: TypeAlias = Callable[..., Awaitable[object]]


async def result_of(helper: Helper, dest: Path, **callback: Any) -> Any:
    """What a helper returns on a new fake, or its error."""
    fake = FakeCircleCI()
    web = fake.add_project(SLUG)
    web.set_env_var("KEY", "value")
    web.push(Workflow("build", Job("test", 5, artifacts={"a.txt": "a", "b.txt": "b", "c.xml": "c"})))
    fake.clock.advance(86400)
    async with fake.client() as circleci:
        try:
            return await helper(fake, circleci, dest, **callback)
        except (CircleCIError, ValueError) as error:
            return type(error), str(error)


def in_a_coroutine(function: Callback) -> Callback:
    """A plain function that returns a coroutine, which calls the function later."""

    def adapter(*args: Any) -> Awaitable[Any]:
        async def call() -> Any:
            await anyio.lowlevel.checkpoint()
            return function(*args)

        return call()

    return adapter


class _Later:
    """An awaitable that is no coroutine."""

    def __init__(self, function: Callback, args: tuple[Any, ...]) -> None:
        self._function, self._args = function, args

    def __await__(self) -> Generator[Any, Any, Any]:
        yield from anyio.lowlevel.checkpoint().__await__()
        return self._function(*self._args)


def in_an_object(function: Callback) -> Callback:
    return lambda *args: _Later(function, args)


EACH_ADAPTER: Final = pytest.mark.parametrize("adapter", [in_a_coroutine, in_an_object])


@EACH_ADAPTER
@EACH_CALLBACK
async def test_what_a_callback_returns_is_awaited(
    helper: Helper, name: str, adapter: Callable[[Callback], Callback], tmp_path: Path
) -> None:
    async def seen(adapt: Callable[[Callback], Callback], dest: Path) -> tuple[object, list[str]]:
        calls: list[str] = []

        def callback(*args: Any) -> Any:
            shown = [str(one).replace(str(dest), "") for one in args]
            calls.append(" ".join(shown))
            return "c.xml" not in shown[0]

        return await result_of(helper, dest, **{name: adapt(callback)}), calls

    plain, calls = await seen(lambda function: function, tmp_path / "plain")
    assert calls
    assert await seen(adapter, tmp_path / "later") == (plain, calls)
    if name == "match":
        assert plain == (["a.txt", "b.txt"], ())


@pytest.mark.parametrize("error", [ValueError, CircleCIError])
@EACH_ADAPTER
@EACH_CALLBACK
async def test_an_error_does_the_same_inline_and_awaited(
    helper: Helper, name: str, adapter: Callable[[Callback], Callback], error: type[Exception], tmp_path: Path
) -> None:
    def fail(*args: Any) -> Any:
        raise error("of the callback")

    inline = await result_of(helper, tmp_path / "inline", **{name: fail})
    assert "of the callback" in str(inline)
    assert await result_of(helper, tmp_path / "later", **{name: adapter(fail)}) == inline


@EACH_CALLBACK
async def test_an_async_function_is_refused(helper: Helper, name: str, tmp_path: Path) -> None:
    async def callback(*args: Any) -> None:
        pytest.fail("it is called")

    kind, text = await result_of(helper, tmp_path, **{name: callback})
    assert kind is InvalidArgumentError
    assert f": {name}: expected a " in text
    assert "got an async function" in text
