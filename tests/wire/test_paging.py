"""Lists are read page by page to their end, for all observed forms of the next page token."""

from __future__ import annotations

import json
import weakref
from collections.abc import AsyncIterable, AsyncIterator, Callable
from typing import Any

import anyio
import anyio.lowlevel
import httpx
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    CallError,
    InvalidArgumentError,
    NotFoundError,
    PaginationError,
    ServerError,
)
from tests.support.clients import client_on
from tests.support.handmade import things
from tests.support.scripted_server import Request, Response, ScriptedServer, redirect, reply

SLUG = "gh/acme/web"
PIPELINES = "/api/v2/project/gh/acme/web/pipeline"
ID = "5034460f-c7c4-4c43-9457-de07e2029e7b"


@pytest.fixture
async def client(server: ScriptedServer) -> AsyncIterator[AsyncCircleCI]:
    async with client_on(server, max_retries=0) as client:
        yield client


def pipeline(number: int) -> dict[str, Any]:
    return {
        "id": f"{number:08}-0000-4000-8000-000000000000",
        "number": number,
        "project_slug": SLUG,
        "state": "created",
        "errors": [],
        "created_at": "2026-01-02T03:04:05Z",
        "trigger": {
            "type": "api",
            "received_at": "2026-01-02T03:04:05Z",
            "actor": {"login": "ada", "avatar_url": None},
        },
    }


def page(*numbers: int, **more: object) -> Response:
    return reply(json={"items": [pipeline(number) for number in numbers], **more})


def serve(server: ScriptedServer, pages: dict[str | None, Response]) -> None:
    """Serve pages by token; None is the first page."""

    def response(request: Request) -> Response:
        return pages[dict(request.query).get("page-token")]

    server.on("GET", PIPELINES, response)


def tokens(server: ScriptedServer) -> list[str | None]:
    return [dict(request.query).get("page-token") for request in server.requests]


def three_pages(server: ScriptedServer) -> None:
    serve(
        server,
        {None: page(1, 2, next_page_token="b"), "b": page(3, 4, next_page_token="c"), "c": page(5, next_page_token="")},
    )


async def numbers_of(items: AsyncIterable[Any], into: list[int] | None = None) -> list[int]:
    """The numbers of the items; `into` contains the items before an error."""
    numbers = [] if into is None else into
    async for item in items:
        numbers.append(item.number)
    return numbers


# Ways of reading: their requests and results


async def test_loop_yields_all_items_in_order(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    assert await numbers_of(client.v2.pipelines.list_for_project(SLUG)) == [1, 2, 3, 4, 5]
    assert tokens(server) == [None, "b", "c"]


async def test_await_returns_the_first_page(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    pager = client.v2.pipelines.list_for_project(SLUG)
    first = await pager
    assert ([item.number for item in first], first.next, len(first)) == ([1, 2], "b", 2)
    assert pager.next == "b"
    assert tokens(server) == [None]


async def test_no_request_before_reading(client: AsyncCircleCI, server: ScriptedServer) -> None:
    pager = client.v2.pipelines.list_for_project(SLUG)
    assert repr(pager) == "<AsyncPager of v2.pipelines.list_for_project>"
    assert server.requests == []


async def test_each_loop_restarts(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    pager = client.v2.pipelines.list_for_project(SLUG)
    assert await numbers_of(pager) == await numbers_of(pager) == [1, 2, 3, 4, 5]
    assert [item.number for item in await pager] == [1, 2]


async def test_pages(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    pages = [
        ([item.number for item in page], page.next) async for page in client.v2.pipelines.list_for_project(SLUG).pages()
    ]
    assert pages == [([1, 2], "b"), ([3, 4], "c"), ([5], None)]


@pytest.mark.parametrize(
    ("count", "numbers", "requests"),
    [(0, [], 0), (1, [1], 1), (2, [1, 2], 1), (3, [1, 2, 3], 2), (4, [1, 2, 3, 4], 2), (99, [1, 2, 3, 4, 5], 3)],
)
async def test_take_reads_only_necessary_pages(
    client: AsyncCircleCI, server: ScriptedServer, count: int, numbers: list[int], requests: int
) -> None:
    three_pages(server)
    taken = await client.v2.pipelines.list_for_project(SLUG).take(count)
    assert [item.number for item in taken] == numbers
    assert len(server.requests) == requests


@pytest.mark.parametrize("count", [-1, True, 1.5, "3", None])
async def test_take_and_prefetch_require_a_count(client: AsyncCircleCI, count: Any) -> None:
    pager = client.v2.pipelines.list_for_project(SLUG)
    with pytest.raises(InvalidArgumentError, match="an int of at least"):
        await pager.take(count)
    with pytest.raises(InvalidArgumentError, match="an int of at least"):
        pager.prefetch(count)


async def test_collect(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    collected = await client.v2.pipelines.list_for_project(SLUG).collect()
    assert [item.number for item in collected] == [1, 2, 3, 4, 5]


async def test_start_from_a_token(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    pager = client.v2.pipelines.list_for_project(SLUG)
    await pager
    assert isinstance(pager.next, str)
    later = client.v2.pipelines.list_for_project(SLUG, page_token=pager.next)
    assert later.next == "b"
    assert await numbers_of(later) == [3, 4, 5]
    assert later.next is None
    assert tokens(server) == [None, "b", "c"]


async def test_resume(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    pager = client.v2.pipelines.list_for_project(SLUG, branch="main")
    page = await pager
    later = pager.resume(page.next)
    assert later.next == "b"
    assert await numbers_of(later) == [3, 4, 5]
    assert (pager.next, later.next) == ("b", None)
    assert {dict(request.query)["branch"] for request in server.requests} == {"main"}
    assert await numbers_of(later.resume(later.next)) == [1, 2, 3, 4, 5]


async def test_resume_from_none_forgets_the_given_start(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    pager = client.v2.pipelines.list_for_project(SLUG, page_token="c")
    assert await numbers_of(pager) == [5]
    assert await numbers_of(pager.resume(None)) == [1, 2, 3, 4, 5]


async def test_start_none_is_the_first_page(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    end: Any = None
    assert await numbers_of(client.v2.pipelines.list_for_project(SLUG, page_token=end)) == [1, 2, 3, 4, 5]


async def test_other_parameters_are_repeated(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    await client.with_options(query={"trace": "1"}).v2.pipelines.list_for_project(SLUG, branch="a b&c").collect()
    assert [request.query for request in server.requests] == [
        (("branch", "a b&c"), ("trace", "1")),
        (("branch", "a b&c"), ("page-token", "b"), ("trace", "1")),
        (("branch", "a b&c"), ("page-token", "c"), ("trace", "1")),
    ]


async def test_extra_keys_of_a_page_are_kept(client: AsyncCircleCI, server: ScriptedServer) -> None:
    serve(server, {None: page(1, next_page_token=None, total_count=7)})
    assert (await client.v2.pipelines.list_for_project(SLUG)).extras == {"total_count": 7}


# Forms of the next page token


@pytest.mark.parametrize("token", ["a+b/c==", "a b", "%2F", "&x=1#", "ümlaut", "t" * 4000], ids=lambda token: token[:8])
async def test_token_is_returned_unchanged(client: AsyncCircleCI, server: ScriptedServer, token: str) -> None:
    serve(server, {None: page(1, next_page_token=token), token: page(2)})
    assert await numbers_of(client.v2.pipelines.list_for_project(SLUG)) == [1, 2]


@pytest.mark.parametrize("end", [{}, {"next_page_token": None}, {"next_page_token": ""}])
async def test_forms_of_the_last_page(client: AsyncCircleCI, server: ScriptedServer, end: dict[str, object]) -> None:
    serve(server, {None: page(1, next_page_token="b"), "b": page(2, **end)})
    assert await numbers_of(client.v2.pipelines.list_for_project(SLUG)) == [1, 2]
    assert len(server.requests) == 2


async def test_token_in_kebab_case(client: AsyncCircleCI, server: ScriptedServer) -> None:
    serve(server, {None: page(1, **{"next-page-token": "b"}), "b": page(2)})
    assert await numbers_of(client.v2.pipelines.list_for_project(SLUG)) == [1, 2]


async def test_empty_page_with_a_token_is_not_the_end(client: AsyncCircleCI, server: ScriptedServer) -> None:
    serve(
        server,
        {
            None: page(next_page_token="b"),
            "b": page(1, next_page_token="c"),
            "c": page(next_page_token="d"),
            "d": page(2),
        },
    )
    assert await numbers_of(client.v2.pipelines.list_for_project(SLUG)) == [1, 2]


@pytest.mark.parametrize(
    ("pages", "start", "asked"),
    [
        pytest.param({None: "b", "b": "b"}, None, [None, "b"], id="the same again"),
        pytest.param({None: "b", "b": "c", "c": "b"}, None, [None, "b", "c"], id="in a circle"),
        pytest.param({"a": "b", "b": "a"}, "a", ["a", "b"], id="back to where it was told to start"),
    ],
)
async def test_repeated_token_raises_pagination_error(
    client: AsyncCircleCI,
    server: ScriptedServer,
    pages: dict[str | None, str],
    start: str | None,
    asked: list[str | None],
) -> None:
    serve(server, {token: page(1, next_page_token=following) for token, following in pages.items()})
    list_all = client.v2.pipelines.list_for_project
    pager = list_all(SLUG) if start is None else list_all(SLUG, page_token=start)
    read: list[int] = []
    with pytest.raises(PaginationError, match="a second time") as caught:
        await numbers_of(pager, read)
    error = caught.value
    assert len(read) == len(asked)
    assert tokens(server) == asked
    assert error.next == asked[1 if start is None else 0]
    assert (error.operation, error.method, error.path) == ("v2.pipelines.list_for_project", "GET", PIPELINES)
    assert (error.attempts, error.request_outcome) == (1, "processed")
    assert error.elapsed > 0


async def test_error_in_the_middle_has_the_next_token(client: AsyncCircleCI, server: ScriptedServer) -> None:
    serve(server, {None: page(1, next_page_token="b"), "b": page(2, next_page_token="c"), "c": reply(500)})
    pager = client.v2.pipelines.list_for_project(SLUG)
    read: list[int] = []
    with pytest.raises(ServerError) as caught:
        await numbers_of(pager, read)
    assert (read, caught.value.next, pager.next) == ([1, 2], "c", "c")

    serve(server, {"c": page(3)})
    assert await numbers_of(client.v2.pipelines.list_for_project(SLUG, page_token=str(caught.value.next))) == [3]


async def test_loop_can_be_resumed_after_an_error(client: AsyncCircleCI, server: ScriptedServer) -> None:
    serve(server, {None: page(1, next_page_token="b"), "b": reply(500)})
    pages = client.v2.pipelines.list_for_project(SLUG).pages()
    await anext(pages)
    with pytest.raises(ServerError):
        await anext(pages)
    serve(server, {"b": page(2)})
    assert [item.number for item in await anext(pages)] == [2]
    with pytest.raises(StopAsyncIteration):
        await anext(pages)


async def test_invalid_start_is_refused_locally(client: AsyncCircleCI, server: ScriptedServer) -> None:
    wrong: Any
    for wrong in (5, ["b"], b"b"):
        with pytest.raises(InvalidArgumentError, match="page_token"):
            await client.v2.pipelines.list_for_project(SLUG, page_token=wrong)
    for wrong in ("5", 1.5, True):
        with pytest.raises(InvalidArgumentError, match="offset"):
            await client.v1.builds.list(offset=wrong)
        with pytest.raises(InvalidArgumentError, match="offset"):
            await client.v1.builds.list().resume(wrong)
    assert server.requests == []


# The other styles of paging


def served_by_offset(server: ScriptedServer, total: int, cap: int = 100, default: int = 30) -> None:
    def response(request: Request) -> Response:
        query = dict(request.query)
        start, size = int(query.get("offset", 0)), min(int(query.get("limit", default)), cap)
        return reply(json=[{"id": str(number)} for number in range(start, min(start + size, total))])

    server.on("GET", "/api/v2/by-offset", response)


@pytest.mark.parametrize(
    ("total", "options", "offsets"),
    [
        (0, {}, [None]),
        (29, {}, [None]),
        (30, {}, [None, "30"]),
        (65, {}, [None, "30", "60"]),
        (65, {"page_size": 100}, [None]),
        (5, {"page_size": 2}, [None, "2", "4"]),
        (4, {"page_size": 2}, [None, "2", "4"]),
        (40, {"offset": 35}, ["35"]),
        (40, {"offset": 0}, ["0", "30"]),
    ],
)
async def test_by_offset(
    client: AsyncCircleCI, server: ScriptedServer, total: int, options: dict[str, int], offsets: list[str | None]
) -> None:
    served_by_offset(server, total)
    found = await things(client).list_by_offset(**options).collect()
    assert [int(thing.id) for thing in found] == list(range(options.get("offset", 0), total))
    assert [dict(request.query).get("offset") for request in server.requests] == offsets


async def test_page_size_above_the_maximum_is_refused(client: AsyncCircleCI, server: ScriptedServer) -> None:
    with pytest.raises(InvalidArgumentError, match="page_size: expected at most 100, got 101"):
        await client.v1.builds.list(page_size=101)
    assert server.requests == []


async def test_by_offset_without_a_known_size(client: AsyncCircleCI, server: ScriptedServer) -> None:
    """The page size of decisions is undocumented, so only an empty page is the end."""
    given = {None: 3, "3": 2, "5": 0}

    def response(request: Request) -> Response:
        return reply(json=[{"id": f"{i}"} for i in range(given[dict(request.query).get("offset")])])

    server.on("GET", f"/api/v2/owner/{ID}/context/config/decision", response)
    pager = client.v2.policies.list_decisions(ID)
    assert len(await pager.collect()) == 5
    assert (len(server.requests), pager.next) == (3, None)


async def test_by_page_number(client: AsyncCircleCI, server: ScriptedServer) -> None:
    given = {"1": 2, "2": 2, "3": 1}

    def response(request: Request) -> Response:
        count = given[dict(request.query).get("page", "1")]
        return reply(json=[{"id": f"{i}"} for i in range(count)])

    server.on("GET", "/api/v2/by-number", response)
    pager = things(client).list_by_number(page_size=2)
    assert (await pager).next == 2
    server.requests.clear()
    assert len(await pager.collect()) == 5
    assert [request.query for request in server.requests] == [
        (("per-page", "2"),),
        (("per-page", "2"), ("page", "2")),
        (("per-page", "2"), ("page", "3")),
    ]


async def test_single_page(client: AsyncCircleCI, server: ScriptedServer) -> None:
    item = {"vcs_type": "github", "name": "acme", "avatar_url": "https://example.com/a.png", "slug": "gh/acme"}
    server.on("GET", "/api/v2/me/collaborations", reply(json=[item, item]))
    server.on("GET", f"/api/v2/projects/{ID}/pipeline-definitions", reply(json={"items": []}))
    assert len(await client.v2.users.list_collaborations().collect()) == 2
    assert await client.v2.pipeline_definitions.list(ID).collect() == []
    assert len(server.requests) == 2


# Ten thousand pages


def endless(first_items: int, pages: int) -> Callable[[httpx.Request], httpx.Response]:
    def response(request: httpx.Request) -> httpx.Response:
        number = int(request.url.params.get("page-token", "0"))
        token = str(number + 1) if number + 1 < pages else None
        items = [{"path": "x", "node_index": 0, "url": "https://example.com"}] * first_items
        return httpx.Response(200, content=json.dumps({"items": items, "next_page_token": token}))

    return response


@pytest.mark.load
async def test_ten_thousand_pages_without_recursion_or_leak() -> None:
    alive: weakref.WeakValueDictionary[int, Any] = weakref.WeakValueDictionary()
    count = 0
    async with AsyncCircleCI("token", transport=httpx.MockTransport(endless(1, 10_000)), timeout=None) as client:
        async for artifact in client.v2.jobs.list_artifacts(SLUG, 1):
            count += 1
            alive[count] = artifact
            assert len(alive) <= 2
    assert count == 10_000


# Early exit


async def test_break_stops_requests(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    async for item in client.v2.pipelines.list_for_project(SLUG):
        if item.number == 2:
            break
    async for _ in client.v2.pipelines.list_for_project(SLUG).pages():
        break
    await run_until_idle()
    assert tokens(server) == [None, None]


async def test_cancelled_in_the_middle(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    latch = server.latch()
    serve(server, {None: page(1, next_page_token="b"), "b": page(2).held_by(latch)})
    pager = client.v2.pipelines.list_for_project(SLUG)
    read: list[int] = []

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(numbers_of, pager, read)
        await server.seen(2)
        tasks.cancel_scope.cancel()
    latch.open()
    assert (read, pager.next) == ([1], "b")
    three_pages(server)
    assert await numbers_of(pager) == [1, 2, 3, 4, 5]


async def run_until_idle() -> None:
    """Run background tasks, which should not exist, until they wait for I/O."""
    for _ in range(20):
        await anyio.lowlevel.checkpoint()


# Prefetching


async def test_prefetch_yields_the_same_items_in_order(client: AsyncCircleCI, server: ScriptedServer) -> None:
    three_pages(server)
    pager = client.v2.pipelines.list_for_project(SLUG)
    for ahead in (1, 2, 10):
        async with pager.prefetch(ahead) as items:
            assert [item.number async for item in items] == [1, 2, 3, 4, 5]
        assert pager.next is None


@pytest.mark.parametrize("ahead", [1, 2, 3])
async def test_prefetch_reads_the_given_number_of_pages_ahead(ahead: int) -> None:
    asked: list[str | None] = []
    serve_endless = endless(1, 100)

    def response(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.params.get("page-token"))
        return serve_endless(request)

    async with AsyncCircleCI("token", transport=httpx.MockTransport(response)) as client:
        pager = client.v2.jobs.list_artifacts(SLUG, 1)
        async with pager.prefetch(ahead) as items:
            await anext(items)
            await run_until_idle()
            assert len(asked) == 1 + ahead  # the current page, and the prefetched ones
            assert pager.next == "1"  # the end of the current page, not of the prefetched ones
            await anext(items)
            await run_until_idle()
            assert len(asked) == 2 + ahead
            assert pager.next == "2"
        await run_until_idle()
        assert len(asked) == 2 + ahead


async def test_prefetch_stops_after_early_exit(client: AsyncCircleCI, server: ScriptedServer) -> None:
    latch = server.latch()
    serve(server, {None: page(1, next_page_token="b"), "b": page(2, next_page_token="c").held_by(latch), "c": page(3)})
    async with client.v2.pipelines.list_for_project(SLUG).prefetch() as items:
        async for _ in items:
            break
        await server.seen(2)
    latch.open()
    await run_until_idle()
    assert tokens(server) == [None, "b"]


async def test_prefetch_propagates_an_exception_of_the_block_unwrapped(
    client: AsyncCircleCI, server: ScriptedServer
) -> None:
    three_pages(server)
    with pytest.raises(LookupError, match="mine") as caught:
        async with client.v2.pipelines.list_for_project(SLUG).prefetch(2) as items:
            async for _ in items:
                raise LookupError("mine")
    assert caught.value.__cause__ is None


async def test_prefetch_raises_an_error_after_the_items_before_it(
    client: AsyncCircleCI, server: ScriptedServer
) -> None:
    serve(server, {None: page(1, next_page_token="b"), "b": page(2, next_page_token="c"), "c": reply(404)})
    pager = client.v2.pipelines.list_for_project(SLUG)
    read: list[int] = []
    with pytest.raises(NotFoundError) as caught:
        async with pager.prefetch(5) as items:
            await server.seen(3)
            await numbers_of(items, read)
    assert (read, caught.value.next, pager.next) == ([1, 2], "c", "c")


async def test_prefetch_detects_a_repeated_token(client: AsyncCircleCI, server: ScriptedServer) -> None:
    serve(server, {None: page(1, next_page_token="b"), "b": page(2, next_page_token="b")})
    read: list[int] = []
    with pytest.raises(PaginationError):
        async with client.v2.pipelines.list_for_project(SLUG).prefetch(5) as items:
            await numbers_of(items, read)
    assert read == [1, 2]


@pytest.mark.parametrize("consumer_waits", [True, False], ids=["while waiting for a page", "while working"])
async def test_prefetch_cancelled(client: AsyncCircleCI, server: ScriptedServer, consumer_waits: bool) -> None:
    latch = server.latch()
    serve(server, {None: page(1, next_page_token="b"), "b": page(2).held_by(latch)})
    ended: list[str] = []

    async def read() -> None:
        try:
            async with client.v2.pipelines.list_for_project(SLUG).prefetch() as items:
                await anext(items)
                if consumer_waits:
                    await anext(items)
                else:
                    await anyio.sleep_forever()
        except anyio.get_cancelled_exc_class():
            ended.append("cancelled")
            raise

    async with anyio.create_task_group() as tasks:
        tasks.start_soon(read)
        await server.seen(2)
        tasks.cancel_scope.cancel()
    latch.open()
    assert ended == ["cancelled"]
    three_pages(server)
    assert len(await client.v2.pipelines.list_for_project(SLUG).collect()) == 5


async def test_prefetch_inside_a_timeout_of_the_caller(client: AsyncCircleCI, server: ScriptedServer) -> None:
    latch = server.latch()
    serve(server, {None: page(1, next_page_token="b"), "b": page(2).held_by(latch)})
    with anyio.move_on_after(0.1) as limit:
        async with client.v2.pipelines.list_for_project(SLUG).prefetch() as items:
            async for _ in items:
                pass
    latch.open()
    assert limit.cancelled_caught


async def test_interleaved_loops(client: AsyncCircleCI, server: ScriptedServer) -> None:
    """Interleaved loops are independent, with one pager or two."""
    three_pages(server)
    pager = client.v2.pipelines.list_for_project(SLUG)
    one: AsyncIterator[Any] = aiter(pager)
    two: AsyncIterator[Any] = aiter(pager)
    pairs = [((await anext(one)).number, (await anext(two)).number) for _ in range(5)]
    assert pairs == [(number, number) for number in (1, 2, 3, 4, 5)]


@pytest.mark.parametrize(
    "response",
    [
        reply(json={"message": "none"}),
        reply(json=[]),
        reply(json={"items": None}),
        reply(json={"items": [], "next_page_token": 5}),
        redirect("https://example.com/"),
    ],
)
async def test_response_without_a_list_is_a_decode_error(
    client: AsyncCircleCI, server: ScriptedServer, response: Response
) -> None:
    serve(server, {None: page(1, next_page_token="b"), "b": response})
    with pytest.raises(CallError) as caught:
        await client.v2.pipelines.list_for_project(SLUG).collect()
    assert caught.value.next == "b"
