"""Iterators of a sync client: one hop to the event loop for each page or buffer, in any number of threads."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import pytest

from circleci_sdk import CircleCI, NotFoundError, Pager, ServerError
from circleci_sdk._engine.calls import Dispatcher
from circleci_sdk.testing import FakeCircleCI, Job, JobTest, Step, Workflow
from tests.support.clients import ID, SLUG
from tests.support.clock import FakeClock
from tests.support.scripted_server import Response, ScriptedServer, reply
from tests.support.sync_clients import InThread, all_at_once, nothing_under_way, sync_client_on
from tests.sync.test_closing import PIPELINES, pages


@contextmanager
def counted(monkeypatch: pytest.MonkeyPatch) -> Generator[list[object]]:
    """The hops to the event loop in this block."""
    hops: list[object] = []
    run = Dispatcher.run

    def run_counted(dispatcher: Dispatcher, function: Any, /, *args: Any, **kwargs: Any) -> Any:
        hops.append(function)
        return run(dispatcher, function, *args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr(Dispatcher, "run", run_counted)
        yield hops


@dataclass
class Case:
    """An iterator, the number of its items, and of the hops, its end included."""

    make: Callable[[FakeCircleCI, CircleCI], Any]
    count: int
    hops: int
    block: bool = False
    server: bool = False


def fake_of_50_runs(*, server: bool) -> FakeCircleCI:
    """Fifty runs of a project, each with two jobs; and variables."""
    fake = FakeCircleCI(server=server)
    web = fake.add_project(SLUG)
    output = [Step("make", "line\n" * 100)]
    for number in range(50):
        jobs = Job("lint", 5, steps=output, tests=[JobTest("one"), JobTest("two")]), Job("test", 10)
        web.push(Workflow("build", *(jobs if number else jobs[:1])), branch="main")
        fake.clock.advance(60)
    for name in "ABC":
        web.set_env_var(name, "value")
    return fake


def first_step(fake: FakeCircleCI, circleci: CircleCI) -> Any:
    return next(step for step in circleci.logs.steps(SLUG, 1) if step.name == "make")


def a_run(fake: FakeCircleCI, circleci: CircleCI) -> Any:
    fake.project(SLUG).will_run(Workflow("build", Job("test", 60)))
    run = circleci.runs.start(SLUG, branch="main")
    fake.clock.advance(1000)
    return run.watch()


def rows(fake: FakeCircleCI, circleci: CircleCI) -> Any:
    start = fake.clock.now
    fake.clock.advance(86400)
    for _ in range(3):
        fake.project(SLUG).push(Workflow("build", Job("lint", 5), Job("test", 10)))
        fake.clock.advance(86400 * 5)
    return circleci.usage.rows(fake.organization("gh/acme").id, start, fake.clock.now)


def job_id(fake: FakeCircleCI) -> str:
    return fake.project(SLUG).pipelines[0].workflows[0].jobs[0].id


def stdout(fake: FakeCircleCI, circleci: CircleCI) -> Any:
    return circleci.v3.jobs.stream_stdout(job_id(fake), step_num=first_step(fake, circleci).number, execution=0)


CASES: Final = {
    "a list": Case(lambda _, c: c.v2.pipelines.list_for_project(SLUG), 50, 4),
    "its pages": Case(lambda _, c: c.v2.pipelines.list_for_project(SLUG).pages(), 3, 4),
    "reading ahead": Case(lambda _, c: c.v2.pipelines.list_for_project(SLUG).prefetch(2), 50, 6, block=True),
    "records": Case(lambda _, c: c.history.records(SLUG), 199, 3),
    "a search": Case(lambda _, c: c.runs.search([SLUG]), 50, 4),
    "a search by v2": Case(lambda _, c: c.runs.search([SLUG]), 50, 5, server=True),
    "an audit": Case(lambda _, c: c.secrets.audit("gh/acme", contexts=[], projects=[SLUG]), 3, 2),
    "usage rows": Case(rows, 6, 4),
    "events": Case(a_run, 3, 2),
    "output": Case(lambda f, c: c.logs.open(first_step(f, c)), 1, 4, block=True),
    "bytes": Case(stdout, 1, 4, block=True),
    "models": Case(lambda f, c: c.v3.jobs.stream_tests(job_id(f)), 2, 5, block=True),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_hop_for_each_page_or_buffer(case: Case, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = fake_of_50_runs(server=case.server)
    with fake.sync_client() as client:
        made = case.make(fake, client)
        with counted(monkeypatch) as hops:
            if case.block:
                with made as entered:
                    items = list(entered)
            else:
                items = list(made)
        assert len(items) == case.count
        assert len(hops) == case.hops
        nothing_under_way(client)


def test_the_cursor_is_true_after_each_item() -> None:
    """A loop that continues at any of them neither repeats a record nor leaves one out."""
    fake = fake_of_50_runs(server=False)
    with fake.sync_client() as client:
        whole = list(client.history.records(SLUG))
        records = client.history.records(SLUG)
        for index, record in enumerate(records):
            assert record == whole[index]
            if index % 20 == 3:
                assert list(client.history.records(SLUG, cursor=records.cursor)) == whole[index + 1 :]


# Leaving early, and errors in the middle.


def test_a_loop_that_is_left_early(server: ScriptedServer) -> None:
    server.on("GET", PIPELINES, pages(2, 2, 2))
    with sync_client_on(server) as client:
        for item in client.v2.pipelines.list():
            assert item.number == 0
            break
        for page in client.v2.pipelines.list(org_slug="gh/acme").pages():
            assert len(page) == 2
            break
        nothing_under_way(client)
    assert len(server.requests) == 2


def test_reading_ahead_that_is_left_early(server: ScriptedServer) -> None:
    hold = server.latch()
    first, second, third = pages(2, 2, 2)
    server.on("GET", PIPELINES, [first, second.held_by(hold), third])
    with sync_client_on(server) as client:
        pager = client.v2.pipelines.list()
        with pager.prefetch() as items:
            assert next(items).number == 0
            server.wait_for_requests(2)
        hold.open()
        assert pager.next == "page-2"
        with pytest.raises(ZeroDivisionError), pager.resume("page-3").prefetch() as items:
            assert next(items).number == 200
            raise ZeroDivisionError
        nothing_under_way(client)
    assert len(server.requests) == 3


def test_take_reads_no_page_too_many(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("GET", PIPELINES, pages(2, 2, 2))
    with sync_client_on(server) as client, counted(monkeypatch) as hops:
        assert [item.number for item in client.v2.pipelines.list().take(3)] == [0, 1, 100]
        assert len(hops) == 1
    assert len(server.requests) == 2


@pytest.mark.parametrize("how", ["a loop", "pages", "prefetch"])
def test_an_error_in_the_middle(server: ScriptedServer, how: str) -> None:
    """It has the start of the page that failed, and the same iterator reads it again."""
    first, second = pages(2, 2)
    server.on("GET", PIPELINES, [first, reply(500), second])
    with sync_client_on(server, FakeClock(), max_retries=0) as client:
        pager = client.v2.pipelines.list()
        numbers: list[int | None] = []
        if how == "prefetch":
            with pytest.raises(ServerError) as caught, pager.prefetch() as ahead:
                numbers.extend(item.number for item in ahead)
            assert caught.value.next == "page-2"
            numbers += [item.number for item in pager.resume(pager.next)]
        else:
            items: Iterator[Any] = iter(pager) if how == "a loop" else pager.pages()
            with pytest.raises(ServerError) as caught:
                for one in items:
                    numbers += [one.number] if how == "a loop" else [item.number for item in one]
            assert (caught.value.next, pager.next) == ("page-2", "page-2")
            for one in items:
                numbers += [one.number] if how == "a loop" else [item.number for item in one]
        assert numbers == [0, 1, 100, 101]
        nothing_under_way(client)


def test_next_and_resume(server: ScriptedServer) -> None:
    server.on("GET", PIPELINES, pages(2, 2))
    with sync_client_on(server) as client:
        pager = client.v2.pipelines.list()
        assert pager.next is None
        assert len(pager.page()) == 2
        assert pager.next == "page-2"
        rest = pager.resume("page-2")
        assert type(rest) is Pager
        assert rest.next == "page-2"
        assert len(rest.collect()) == 2
        assert rest.next is None
    assert dict(server.requests[1].query) == {"page-token": "page-2"}


def test_each_loop_starts_anew(server: ScriptedServer) -> None:
    server.on("GET", PIPELINES, lambda _: pages(2)[0])
    with sync_client_on(server) as client:
        pager = client.v2.pipelines.list()
        assert len(list(pager)) == len(list(pager)) == 2
    assert len(server.requests) == 2


def test_the_end_stays_the_end(server: ScriptedServer) -> None:
    server.on("GET", PIPELINES, pages(1))
    with sync_client_on(server) as client:
        items = iter(client.v2.pipelines.list())
        assert len(list(items)) == 1
        assert list(items) == []
        assert next(items, None) is None
    assert len(server.requests) == 1


@pytest.mark.parametrize("use", [len, lambda pager: pager[0], lambda pager: pager[:3]], ids=["len", "index", "slice"])
def test_a_list_has_no_length_and_no_indices(server: ScriptedServer, use: Callable[[Any], object]) -> None:
    with sync_client_on(server) as client, pytest.raises(TypeError):
        use(client.v2.pipelines.list())


# Several threads.


def _many_pages(request: Any) -> Response:
    number = int(dict(request.query).get("page-token", "page-1").removeprefix("page-"))
    return pages(*[7] * 30)[number - 1]


@pytest.mark.parametrize("how", ["a loop", "pages", "prefetch"])
def test_threads_share_an_iterator(server: ScriptedServer, how: str) -> None:
    """No item is lost, and none is given twice."""
    server.on("GET", PIPELINES, _many_pages)
    with sync_client_on(server) as client:
        pager = client.v2.pipelines.list()

        def shares(items: Iterator[Any]) -> list[Any]:
            return [one for part in all_at_once(4, lambda: list(items)) for one in part]

        if how == "prefetch":
            with pager.prefetch(3) as ahead:
                numbers = [item.number for item in shares(ahead)]
        elif how == "pages":
            numbers = [item.number for page in shares(pager.pages()) for item in page]
        else:
            numbers = [item.number for item in shares(iter(pager))]
        assert sorted(numbers) == sorted(page * 100 + one for page in range(30) for one in range(7))
        nothing_under_way(client)
    assert len(server.requests) == 30


def test_threads_take_turns_at_a_page_that_is_being_read(server: ScriptedServer) -> None:
    """The second thread waits for the first one, and both get items of it."""
    hold = server.latch()
    server.on("GET", PIPELINES, [page.held_by(hold) for page in pages(2)])
    with sync_client_on(server) as client:
        items = iter(client.v2.pipelines.list())
        threads = [InThread(lambda: next(items).number) for _ in range(2)]
        server.wait_for_requests(1)
        hold.open()
        assert sorted(one.result() for one in threads) == [0, 1]
    assert len(server.requests) == 1


# Blocks.


def test_an_exception_in_a_block_passes_through() -> None:
    fake = fake_of_50_runs(server=False)
    with fake.sync_client() as client:
        with pytest.raises(ZeroDivisionError), client.logs.open(first_step(fake, client)):
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), rows(fake, client) as usage:
            next(usage)
            raise ZeroDivisionError
        with pytest.raises(ZeroDivisionError), stdout(fake, client):
            raise ZeroDivisionError
        nothing_under_way(client)


def test_a_block_that_cannot_be_entered(server: ScriptedServer) -> None:
    server.otherwise(reply(404))
    with sync_client_on(server) as client:
        with pytest.raises(NotFoundError), client.v3.jobs.stream_stdout(ID, step_num=3, execution=0):
            raise AssertionError
        nothing_under_way(client)


def test_a_stream_outside_of_its_block(server: ScriptedServer) -> None:
    with sync_client_on(server) as client, pytest.raises(RuntimeError, match="use it inside its `with`"):
        next(client.v3.jobs.stream_stdout(ID, step_num=3, execution=0))
