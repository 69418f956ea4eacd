"""`follow` where one list cannot be read: all other events are returned, and the list is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any, Final, Literal

import anyio
import httpx
import pytest

from circleci_sdk import (
    AsyncCircleCI,
    AuthenticationError,
    CircleCIError,
    ClientClosedError,
    DecodeError,
    FieldUnavailableError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
    StatusError,
    TransportError,
)
from circleci_sdk.webhooks import (
    DeliveriesLostError,
    Follow,
    FollowedEvent,
    JobCompleted,
    Router,
    WorkflowCompleted,
    follow,
    parse,
)
from tests.support.clients import SLUG, TOKEN
from tests.support.clock import FakeClock, clock_of
from tests.support.faces import ON_ASYNCIO
from tests.support.scripted_server import Request, Response, ScriptedServer, drop, reply
from tests.webhooks import deliveries
from tests.webhooks.test_odd_events import PIPELINE, PIPELINES_AT, PROJECT, job, listed

Place = Literal[1, 2, 3]
Reply = Callable[[httpx.Request, Any], httpx.Response]
PROJECT_AT: Final = f"/api/v2/project/{SLUG}"


def pipeline_id(number: int) -> str:
    return deliveries.uuid(3000 + number)


def workflow_id(number: int) -> str:
    return deliveries.uuid(4000 + number)


def workflows_at(number: int) -> str:
    return f"/api/v2/pipeline/{pipeline_id(number)}/workflow"


def jobs_at(number: int) -> str:
    return f"/api/v2/workflow/{workflow_id(number)}/job"


def respond(_request: httpx.Request, body: Any) -> httpx.Response:
    return httpx.Response(200, json=body)


def status(code: int, **headers: str) -> Reply:
    return lambda _request, _body: httpx.Response(code, json={"message": "No."}, headers=headers)


def fails(error: type[httpx.TransportError]) -> Reply:
    def fail(request: httpx.Request, _body: Any) -> httpx.Response:
        raise error("no", request=request)

    return fail


def content(text: str) -> Reply:
    return lambda _request, _body: httpx.Response(200, text=text)


def changed(**fields: Any) -> Reply:
    """The first item with other fields."""

    def change(_request: httpx.Request, body: Any) -> httpx.Response:
        items: list[dict[str, Any]] = body["items"] or [{}]
        return httpx.Response(200, json={**body, "items": [{**items[0], **fields}, *items[1:]]})

    return change


def endless(request: httpx.Request, body: Any) -> httpx.Response:
    return httpx.Response(200, json={**body, "items": body["items"][:0], "next_page_token": "again"})


KINDS: Final[dict[str, tuple[Reply, type[CircleCIError]]]] = {
    "400": (status(400), StatusError),
    "401": (status(401), AuthenticationError),
    "403": (status(403), PermissionDeniedError),
    "404": (status(404), NotFoundError),
    "410": (status(410), StatusError),
    "418": (status(418), StatusError),
    "500": (status(500), ServerError),
    "503": (status(503), ServerError),
    "no connection": (fails(httpx.ConnectError), TransportError),
    "timeout": (fails(httpx.ReadTimeout), TransportError),
    "broken": (fails(httpx.RemoteProtocolError), TransportError),
    "a page of a proxy": (content("<html>Maintenance</html>"), DecodeError),
    "another type": (content("[]"), DecodeError),
    "no items": (content('{"message": "Maintenance."}'), DecodeError),
    "no next page": (endless, PaginationError),
    "no id": (changed(id=None), FieldUnavailableError),
    "strict": (changed(name=5), DecodeError),
}


class Api:
    """Pipelines with one workflow of one job each, all running until `ended`. Some paths have other responses."""

    def __init__(self, count: int = 3, *, strict: bool = False, server: ScriptedServer | None = None) -> None:
        self.count = count
        self.ended = False
        self.odd: dict[str, Reply] = {}
        self.asked: Counter[str] = Counter()
        self.clock = FakeClock()
        url = "https://circleci.com" if server is None else server.url
        http = None
        if server is None:
            http = httpx.AsyncClient(transport=httpx.MockTransport(self._respond))
        else:
            server.otherwise(self._respond_over_a_socket)
        with clock_of(self.clock):
            self.client = AsyncCircleCI(TOKEN, base_url=url, http_client=http, strict=strict, allow_http=True)

    def _respond_over_a_socket(self, request: Request) -> Response:
        try:
            response = self._respond(httpx.Request("GET", f"http://server{request.target}"))
        except httpx.TransportError:
            return drop()
        return reply(response.status_code, body=response.content)

    def _respond(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked[path] += 1
        return self.odd.get(path, respond)(request, self._body(path))

    def _body(self, path: str) -> Any:
        numbers = range(self.count, 0, -1)  # the newest pipeline is first
        if path == PROJECT_AT:
            return PROJECT
        if path == PIPELINES_AT:
            return listed(*({**pipeline(number), "number": number} for number in numbers))
        for number in numbers:
            if path == workflows_at(number):
                return listed(self._workflow(number))
            if path == f"/api/v2/workflow/{workflow_id(number)}":
                return self._workflow(number)
            if path == jobs_at(number):
                return listed(*([job(number, f"job {number}")] if self.ended else []))
        raise AssertionError(path)

    def _workflow(self, number: int) -> dict[str, Any]:
        end = {"status": "success", "stopped_at": "2026-06-01T12:03:00Z"} if self.ended else {"status": "running"}
        about = {"id": workflow_id(number), "name": f"workflow {number}", "pipeline_id": pipeline_id(number)}
        rest = {"project_slug": SLUG, "started_by": deliveries.uuid(900), "pipeline_number": number}
        return {**about, **rest, "created_at": "2026-06-01T12:01:00Z", "stopped_at": None, **end}


def pipeline(number: int) -> dict[str, Any]:
    actor = {"login": "ada", "avatar_url": None}
    return {**PIPELINE, "id": pipeline_id(number), "trigger": {**PIPELINE["trigger"], "actor": actor}}


def name_of(event: FollowedEvent) -> str:
    return (event.job if isinstance(event, JobCompleted) else event.workflow).name


class Reader:
    """Reads a `follow` for so many seconds of its clock."""

    def __init__(self, api: Api, events: Follow) -> None:
        self.api, self.events = api, events
        self.names: list[str] = []

    async def read(self, seconds: float) -> list[str]:
        """The names of the events of the next seconds."""
        self.names = []
        end = self.api.clock.monotonic() + seconds
        with anyio.fail_after(20), anyio.CancelScope() as scope:
            self.api.clock.sleep = self._until(end, scope)  # type: ignore[method-assign]  # ends the reading at a time of the clock
            while True:
                self.names.append(name_of(await anext(self.events)))
        return self.names

    def _until(self, end: float, scope: anyio.CancelScope) -> Any:
        async def sleep(seconds: float) -> None:
            if self.api.clock.now >= end:
                scope.cancel()
            await FakeClock.sleep(self.api.clock, seconds)

        return sleep


async def first_look(api: Api) -> tuple[Follow, Reader]:
    """A `follow` that has polled once, and its reader."""
    events = follow(api.client, SLUG, poll=60)
    reader = Reader(api, events)
    assert await reader.read(60) == []
    return events, reader


def both(*numbers: int) -> list[str]:
    return sorted(f"{what} {number}" for number in numbers for what in ("job", "workflow"))


@ON_ASYNCIO
@pytest.mark.parametrize("place", [1, 2, 3], ids=["first", "middle", "last"])
@pytest.mark.parametrize("of", ["workflows", "jobs"])
@pytest.mark.parametrize("kind", KINDS)
async def test_a_list_that_cannot_be_read_stops_no_other(kind: str, of: str, place: Place) -> None:
    odd, error = KINDS[kind]
    api = Api(strict=kind == "strict")
    async with api.client:
        events, reader = await first_look(api)
        path, operation, item = (
            (workflows_at(place), "v2.pipelines.list_workflows", pipeline_id(place))
            if of == "workflows"
            else (jobs_at(place), "v2.workflows.list_jobs", workflow_id(place))
        )
        api.odd[path] = odd
        api.ended = True
        others = {1, 2, 3} - {place}
        # One poll suffices for the others.
        found = await reader.read(130)
        recovers = of == "workflows" and kind == "no id"  # the workflow that was running is read alone
        assert sorted(found) == both(1, 2, 3) if recovers else sorted(found) == both(*others)
        assert events.skipped == ()
        # Then it is named, and what is known is returned.
        found = await reader.read(600)
        assert found == ([f"workflow {place}"] if of == "jobs" else [])
        (skipped,) = events.skipped
        assert events.skipped_count == 1
        assert (skipped.operation, skipped.id) == (operation, item)
        assert isinstance(skipped.error, error), skipped.error
        # Later polls continue.
        api.count = 4
        assert sorted(await reader.read(130)) == both(4)
        # It is asked for again, and read once it is there.
        del api.odd[path]
        found = list[str]()
        for _ in range(6):  # ten minutes each: at most an hour
            found += await reader.read(600) if events.skipped else []
        missing = [f"job {place}"] if of == "jobs" else [] if recovers else both(place)
        assert sorted(found) == missing
        assert (events.skipped, events.skipped_count) == ((), 0)


@pytest.mark.parametrize("at", [workflows_at(2), jobs_at(2)], ids=["workflows", "jobs"])
@pytest.mark.parametrize("kind", ["401", "500", "broken", "a page of a proxy", "no next page"])
async def test_a_list_that_cannot_be_read_over_a_socket(kind: str, at: str, server: ScriptedServer) -> None:
    odd, error = KINDS[kind]
    api = Api(server=server)
    async with api.client:
        events, reader = await first_look(api)
        api.odd[at] = odd
        api.ended = True
        found = await reader.read(800)
        assert sorted(found) == sorted([*both(1, 3), *(["workflow 2"] if at == jobs_at(2) else [])])
        assert [type(one.error) for one in events.skipped if isinstance(one.error, error)]
        del api.odd[at]
        assert sorted(found + await reader.read(3600)) == both(1, 2, 3)
        assert events.skipped == ()


async def test_an_unreadable_list_costs_one_call_in_a_poll_and_few_once_it_is_given_up() -> None:
    api = Api()
    api.odd[workflows_at(2)] = status(500)
    async with api.client:
        reader = Reader(api, follow(api.client, SLUG, poll=60))
        await reader.read(60)
        before = api.asked.copy()
        await reader.read(60 * 1000)
    calls = api.asked - before
    assert calls[PIPELINES_AT] >= 990
    assert calls[workflows_at(2)] < 40


async def test_a_workflow_that_vanishes_from_the_list_is_read_alone() -> None:
    api = Api()
    async with api.client:
        events = follow(api.client, SLUG, poll=60)
        reader = Reader(api, events)
        await reader.read(60)
        api.odd[workflows_at(2)] = lambda _request, _body: httpx.Response(200, json=listed())
        assert await reader.read(130) == []
        api.ended = True
        assert sorted(await reader.read(130)) == both(1, 2, 3)
        assert events.skipped == ()


async def test_a_workflow_that_vanished_altogether_is_named() -> None:
    api = Api()
    async with api.client:
        events = follow(api.client, SLUG, poll=60)
        reader = Reader(api, events)
        await reader.read(60)
        api.odd[workflows_at(2)] = lambda _request, _body: httpx.Response(200, json=listed())
        api.odd[f"/api/v2/workflow/{workflow_id(2)}"] = status(404)
        api.odd[jobs_at(2)] = status(404)
        api.ended = True
        assert sorted(await reader.read(1000)) == both(1, 3)
        assert [(one.operation, one.id) for one in events.skipped] == [("v2.workflows.get", workflow_id(2))]


# ---- deliveries ----


def delivery(number: int, *, of: Literal["job", "workflow"]) -> Any:
    body = deliveries.job(number) if of == "job" else deliveries.workflow(number)
    body["id"] = deliveries.uuid(number + (100 if of == "job" else 200))
    body["workflow"] |= {"id": workflow_id(number), "name": f"workflow {number}"}
    if of == "job":
        body["job"] |= {"id": job(number, "")["id"], "name": f"job {number}"}
    return parse(deliveries.raw(body), secret=None)


@ON_ASYNCIO
@pytest.mark.parametrize(("place", "poll"), [(1, None), (2, None), (3, None), (2, 60.0)])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "no id"])  # such a list is used
async def test_a_delivery_whose_siblings_cannot_be_listed_is_returned(
    kind: str, place: Place, poll: float | None
) -> None:
    odd, error = KINDS[kind]
    api = Api(strict=kind == "strict")
    router = Router()
    async with api.client:
        events = follow(api.client, SLUG, webhooks=router, poll=poll)
        api.ended = True
        api.odd[jobs_at(place)] = odd
        began = api.clock.now
        for number in (1, 2, 3):
            for of in ("job", "workflow"):
                await router.dispatch(delivery(number, of=of))
        with anyio.fail_after(10):
            found = [name_of(await anext(events)) for _ in range(6)]
        assert found == [f"{of} {number}" for number in (1, 2, 3) for of in ("job", "workflow")]
        assert api.clock.now - began < 60
        (skipped,) = events.skipped
        assert (skipped.operation, skipped.id) == ("v2.workflows.list_jobs", workflow_id(place))
        assert isinstance(skipped.error, error)


async def test_a_job_whose_delivery_was_lost_is_polled_later() -> None:
    api = Api()
    router = Router()
    async with api.client:
        events = follow(api.client, SLUG, webhooks=router)
        reader = Reader(api, events)
        assert await reader.read(1) == []
        api.ended = True
        api.odd[jobs_at(1)] = status(500)
        for number in (1, 2, 3):
            await router.dispatch(delivery(number, of="workflow"))
        with anyio.fail_after(10):
            found = [name_of(await anext(events)) for _ in range(5)]
        assert found == ["workflow 1", "job 2", "workflow 2", "job 3", "workflow 3"]
        assert len(events.skipped) == 1
        del api.odd[jobs_at(1)]
        with anyio.fail_after(10):
            assert name_of(await anext(events)) == "job 1"
        assert events.skipped == ()


# ---- what concerns the whole ----


WHOLE: Final[dict[str, tuple[Reply, type[CircleCIError], float]]] = {
    "500": (status(500), ServerError, 400),
    "no connection": (fails(httpx.ConnectError), TransportError, 400),
    "timeout": (fails(httpx.ReadTimeout), TransportError, 400),
    "a page of a proxy": (content("<html>Maintenance</html>"), DecodeError, 400),
    "no items": (content('{"message": "Maintenance."}'), DecodeError, 400),
    "429": (status(429, **{"Retry-After": "10"}), RateLimitError, 400),
    "429 for long": (status(429, **{"Retry-After": "4000"}), RateLimitError, 70),
    "401": (status(401), AuthenticationError, 80),
    "403": (status(403), PermissionDeniedError, 80),
    "404": (status(404), NotFoundError, 80),
    "400": (status(400), StatusError, 80),
}


@pytest.mark.parametrize("kind", WHOLE)
async def test_a_failure_of_the_whole_is_raised_in_bounded_time(kind: str) -> None:
    odd, error, within = WHOLE[kind]
    api = Api()
    router = Router()
    async with api.client:
        events = follow(api.client, SLUG, webhooks=router)
        assert await Reader(api, events).read(1) == []
        api.odd[PIPELINES_AT] = odd
        for _ in range(2):  # also after it was raised
            began = api.clock.now
            with anyio.fail_after(20), pytest.raises(error):
                await anext(events)
            assert 10 <= api.clock.now - began <= within or within == 70
        # Deliveries are returned meanwhile.
        api.ended = True
        await router.dispatch(delivery(1, of="workflow"))
        with anyio.fail_after(20):
            assert [name_of(await anext(events)) for _ in range(2)] == ["job 1", "workflow 1"]
        # It continues.
        del api.odd[PIPELINES_AT]
        api.clock.now += 4000
        with anyio.fail_after(20):
            assert sorted([name_of(await anext(events)) for _ in range(4)]) == both(2, 3)


@pytest.mark.parametrize("path", [PROJECT_AT, PIPELINES_AT], ids=["project", "pipelines"])
@pytest.mark.parametrize(
    ("code", "error"), [(401, AuthenticationError), (403, PermissionDeniedError), (404, NotFoundError)]
)
async def test_a_refusal_at_the_first_look_is_raised_at_once(path: str, code: int, error: type[CircleCIError]) -> None:
    api = Api()
    api.odd[path] = status(code)
    async with api.client:
        with pytest.raises(error):
            await anext(follow(api.client, SLUG))
    assert api.asked[path] == 1
    assert api.clock.slept == []


@pytest.mark.parametrize("poll", [None, 60.0], ids=["deliveries alone", "with polls"])
async def test_a_project_that_cannot_be_read_is_an_error_in_bounded_time(poll: float | None) -> None:
    api = Api()
    api.odd[PROJECT_AT] = status(500)
    async with api.client:
        events = follow(api.client, SLUG, webhooks=Router(), poll=poll)
        for _ in range(2):
            began = api.clock.now
            with anyio.fail_after(20), pytest.raises(ServerError):
                await anext(events)
            assert api.clock.now - began < 400


async def test_one_refusal_is_passed_over_after_the_first_look() -> None:
    api = Api()
    async with api.client:
        _, reader = await first_look(api)
        replies = iter([status(401), status(403)])
        api.odd[PIPELINES_AT] = lambda request, body: next(replies, respond)(request, body)
        api.ended = True
        assert sorted(await reader.read(130)) == both(1, 2, 3)


async def test_a_closed_client_is_raised_at_once() -> None:
    api = Api()
    events = follow(api.client, SLUG)
    await Reader(api, events).read(60)
    await api.client.aclose()
    with anyio.fail_after(10), pytest.raises(ClientClosedError):
        await anext(events)


async def test_a_token_that_is_refused_for_deliveries_is_raised_after_them() -> None:
    api = Api()
    router = Router()
    async with api.client:
        events = follow(api.client, SLUG, webhooks=router, poll=None)
        api.ended = True
        for number in (1, 2, 3):
            api.odd[jobs_at(number)] = status(401)
            await router.dispatch(delivery(number, of="workflow"))
        with anyio.fail_after(10):
            assert [name_of(await anext(events)) for _ in range(3)] == [f"workflow {number}" for number in (1, 2, 3)]
            with pytest.raises(AuthenticationError):
                await anext(events)


async def test_dropped_deliveries_without_polls_are_an_error() -> None:
    api = Api()
    router = Router()
    async with api.client:
        events = follow(api.client, SLUG, webhooks=router, poll=None)
        subscription = events._subscription  # pyright: ignore[reportPrivateUsage]  # it has no public name
        assert subscription is not None
        subscription._size = 2  # pyright: ignore[reportPrivateUsage]  # a small size, so that it is soon full
        api.ended = True
        for number in (1, 2, 3):
            await router.dispatch(delivery(number, of="workflow"))
        with anyio.fail_after(10):
            with pytest.raises(DeliveriesLostError, match="1 deliver") as caught:
                await anext(events)
            assert caught.value.count == 1
            found = [await anext(events) for _ in range(4)]
        assert [name_of(event) for event in found if isinstance(event, WorkflowCompleted)] == [
            "workflow 1",
            "workflow 2",
        ]


@pytest.mark.parametrize("kind", ["500", "404", "a page of a proxy"])
async def test_a_later_page_that_cannot_be_read_holds_up_no_other(kind: str) -> None:
    """Its pipelines are asked for until it is given up, then it is named."""
    odd, _ = KINDS[kind]
    api = Api(count=1)

    def paged(request: httpx.Request, body: Any) -> httpx.Response:
        if "page-token" in request.url.params:
            return odd(request, body)
        return httpx.Response(200, json={**body, "items": body["items"][:2], "next_page_token": "more"})

    async with api.client:
        events, reader = await first_look(api)
        api.ended, api.count = True, 4
        api.odd[PIPELINES_AT] = paged
        assert sorted(await reader.read(130)) == both(1, 3, 4)
        assert await reader.read(600) == []
        assert [(one.operation, one.id) for one in events.skipped] == [
            ("v2.pipelines.list_for_project", f"{SLUG}?page-token=more")
        ]
        api.count = 5
        assert sorted(await reader.read(130)) == both(5)


async def test_a_pipeline_without_an_id_at_the_first_look_does_not_return_the_history() -> None:
    """What has ended before is ignored, and the older pages are not read."""
    api = Api(count=100)
    api.ended = True

    def paged(request: httpx.Request, body: Any) -> httpx.Response:
        start = int(request.url.params.get("page-token") or 0)
        items = [{**one, "id": None} if one["number"] == 99 else one for one in body["items"][start : start + 20]]
        return httpx.Response(200, json={"items": items, "next_page_token": str(start + 20)})

    api.odd[PIPELINES_AT] = paged
    async with api.client:
        events, reader = await first_look(api)
        assert await reader.read(600) == []
        assert api.asked[PIPELINES_AT] <= 26
        assert [(one.operation, one.id) for one in events.skipped] == [("v2.pipelines.list_for_project", SLUG)]
        api.count = 101
        assert sorted(await reader.read(130)) == both(101)
