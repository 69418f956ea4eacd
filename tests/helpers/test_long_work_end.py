"""Long work that ends in the middle: a closed client, the rate limit, cancellation; on asyncio and trio.

Each piece of work has `COUNT` items. Nothing is passed over for what ends it, nothing is half done, and a new loop or
call has the rest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import anyio
import pytest

from circleci_sdk import AsyncCircleCI, CircleCIError, ClientClosedError, RateLimitError
from tests.helpers import test_artifacts, test_cancel_redundant, test_history, test_secrets_audit, test_usage_missing
from tests.helpers.long_work import COUNT, PLACES
from tests.support.clients import SLUG, client_on
from tests.support.clock import FakeClock, run_until_idle
from tests.support.scripted_server import Response, ScriptedServer, hang, reply

MIDDLE: Final = PLACES["middle"]
LIMITED: Final = reply(429, text="Rate limited.", headers={"Retry-After": "9999"})


@dataclass(frozen=True, slots=True)
class Work:
    """One piece of work. `script` sets the response for the item in the middle, by default a good one."""

    path: str
    script: Callable[[Response | None], None]
    start: Callable[[AsyncCircleCI], Any]
    is_loop: bool = False


def history(server: ScriptedServer, folder: Path) -> Work:
    past = test_history.Past(COUNT)
    past.on(server)
    number = COUNT - MIDDLE
    path = f"/api/v2/pipeline/{test_history.name_of(number)}/workflow"

    def script(response: Response | None) -> None:
        server.on("GET", path, response or reply(json=past.response_of(number)))

    return Work(
        path, script, is_loop=True, start=lambda one: one.history.records(SLUG, include={"workflows"}, concurrency=1)
    )


def audit(server: ScriptedServer, folder: Path) -> Work:
    path = test_secrets_audit.context_at(MIDDLE)

    def script(response: Response | None) -> None:
        test_secrets_audit.script(server)
        if response is not None:
            server.on("GET", path, response)

    return Work(
        path, script, is_loop=True, start=lambda one: one.secrets.audit("gh/acme", projects=test_secrets_audit.PROJECTS)
    )


def usage(server: ScriptedServer, folder: Path) -> Work:
    """The files of one window, which are all opened before its first row."""
    files: dict[str, bytes | Response | list[Response]] = {
        str(at): test_usage_missing.packed(f"job-{at},1") for at in range(COUNT)
    }
    test_usage_missing.Organization(server, files)
    good = files[str(MIDDLE)]

    def script(response: Response | None) -> None:
        files[str(MIDDLE)] = good if response is None else response

    def loop(circleci: AsyncCircleCI) -> Any:
        return circleci.usage.rows(test_usage_missing.ORG, *test_usage_missing.ONE_WINDOW, timeout=None, concurrency=1)

    return Work(f"/0/{MIDDLE}", script, is_loop=True, start=loop)


def cancel_redundant(server: ScriptedServer, folder: Path) -> Work:
    path = test_cancel_redundant.workflows_at(MIDDLE)

    def script(response: Response | None) -> None:
        test_cancel_redundant.script(server)
        if response is not None:
            server.on("GET", path, response)

    return Work(path, script, start=lambda one: one.runs.cancel_redundant(SLUG, "main"))


def download(server: ScriptedServer, folder: Path) -> Work:
    path = f"/files/{MIDDLE}"

    def script(response: Response | None) -> None:
        contents = [b"%d" % at for at in range(COUNT)]
        test_artifacts.stores(server, *((0, str(at), content) for at, content in enumerate(contents)))
        if response is not None:
            server.on("GET", path, response)

    return Work(
        path, script, start=lambda one: one.artifacts.download(SLUG, 7, folder, overwrite="skip", concurrency=1)
    )


def latest(server: ScriptedServer, folder: Path) -> Work:
    """The jobs of the run that matches."""
    about = test_artifacts.workflow(10, "build", "success")
    jobs = [test_artifacts.job(number + 1, "test") for number in range(COUNT)]
    path = f"/api/v2/project/{SLUG}/{MIDDLE + 1}/artifacts"

    def script(response: Response | None) -> None:
        server.on("GET", f"/api/v2/project/{SLUG}/pipeline", test_artifacts.page(test_artifacts.pipeline(1)))
        server.on("GET", f"/api/v2/pipeline/{test_artifacts.ID.format(1)}/workflow", test_artifacts.page(about))
        server.on("GET", f"/api/v2/workflow/{test_artifacts.ID.format(10)}/job", test_artifacts.page(*jobs))
        for number in range(COUNT):
            server.on("GET", f"/api/v2/project/{SLUG}/{number + 1}/artifacts", test_artifacts.page())
        if response is not None:
            server.on("GET", path, response)

    return Work(path, script, start=lambda one: one.artifacts.latest(SLUG))


EACH_WORK: Final = pytest.mark.parametrize(
    "kind", [history, audit, usage, cancel_redundant, download, latest], ids=lambda kind: kind.__name__
)
Kind = Callable[[ScriptedServer, Path], Work]
TOTAL: Final[dict[Any, int]] = {history: 2 * COUNT, audit: 2 * COUNT, usage: COUNT}
"""Items of each loop."""


async def go(work: Work, started: Any, found: list[Any]) -> None:
    """To the end, or to the error."""
    if not work.is_loop:
        found.append(await started)
        return
    async for one in started:
        found.append(one)  # noqa: PERF401  # what came before an error counts


async def until_asked(server: ScriptedServer, path: str) -> None:
    with anyio.fail_after(60):
        while not any(one.path == path for one in server.requests):  # noqa: ASYNC110  # it has its own thread
            await anyio.sleep(0.01)


def assert_nothing_is_half_done(server: ScriptedServer, folder: Path) -> None:
    assert not [request for request in server.requests if request.path.endswith("/cancel")]
    assert not list(folder.rglob("*.part"))


async def assert_the_rest_comes(kind: Kind, work: Work, started: Any, found: list[Any], client: AsyncCircleCI) -> None:
    """Each item once, by a new loop; or all by a new call."""
    work.script(None)
    if work.is_loop:
        await go(work, started, found)
        assert len(found) == len(set(map(repr, found))) == TOTAL[kind]
        assert started.skipped == ()
        return
    report = await work.start(client)
    assert report.skipped == ()
    items = getattr(report, "results", None) or getattr(report, "files", None) or report.jobs
    assert len(items) == COUNT


@EACH_WORK
async def test_the_rate_limit_ends_it(server: ScriptedServer, tmp_path: Path, kind: Kind) -> None:
    work = kind(server, tmp_path)
    work.script(LIMITED)
    found: list[Any] = []
    clock = FakeClock()
    async with client_on(server, clock) as client:
        started = work.start(client)
        with pytest.raises(RateLimitError):
            await go(work, started, found)
        clock.now += 10_000
        assert_nothing_is_half_done(server, tmp_path)
        await assert_the_rest_comes(kind, work, started, found, client)


@EACH_WORK
async def test_it_is_canceled(server: ScriptedServer, tmp_path: Path, kind: Kind) -> None:
    work = kind(server, tmp_path)
    work.script(hang())
    found: list[Any] = []
    async with client_on(server, FakeClock()) as client:
        started = work.start(client)
        async with anyio.create_task_group() as group:
            group.start_soon(go, work, started, found)
            await until_asked(server, work.path)
            group.cancel_scope.cancel()
        assert_nothing_is_half_done(server, tmp_path)
        await assert_the_rest_comes(kind, work, started, found, client)


@pytest.mark.parametrize("kind", [history, audit, usage, cancel_redundant, download], ids=lambda kind: kind.__name__)
async def test_the_client_is_closed(server: ScriptedServer, tmp_path: Path, kind: Kind) -> None:
    """With a request in progress. Its response is used; the next request is refused."""
    work = kind(server, tmp_path)
    latch = server.latch()
    work.script(reply(404).held_by(latch))
    client = client_on(server, FakeClock())
    errors: list[CircleCIError] = []

    async def run() -> None:
        try:
            await go(work, work.start(client), [])
        except CircleCIError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        group.start_soon(run)
        await until_asked(server, work.path)
        group.start_soon(client.aclose)
        await run_until_idle()
        latch.open()
    assert [type(error) for error in errors] == [ClientClosedError]
    assert_nothing_is_half_done(server, tmp_path)
