"""Spans of OpenTelemetry: one for each call, with its attempts and nothing that a user or a server wrote."""

from __future__ import annotations

import logging
import sys
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final

import anyio
import httpx
import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from circleci_sdk import AsyncCircleCI, CircleCI, ConfigError, NotFoundError
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.testing import FakeCircleCI
from tests.support.clients import ID, TOKEN, USER, client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import Response, ScriptedServer, drop, hang, reply
from tests.support.spellings import SPELLINGS

SENT: Final = "hunter2-was-sent-to-a-server"
"""In paths, queries, headers, bodies, responses and errors."""
HIDDEN: Final = [SPELLINGS[name](text) for text in (TOKEN, SENT) for name in ("verbatim", "Basic", "hexadecimal")]


class Traces:
    """The spans that have ended, and the provider that makes them."""

    def __init__(self) -> None:
        self._exporter = InMemorySpanExporter()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> list[ReadableSpan]:
        return list(self._exporter.get_finished_spans())

    @property
    def span(self) -> ReadableSpan:
        (span,) = self.spans
        return span


@pytest.fixture
def traces() -> Iterator[Traces]:
    """No span says a secret, and none has text of the user or the server as its name."""
    traces = Traces()
    yield traces
    for span in traces.spans:
        shown = f"{span.to_json()} {span.events!r}".lower()
        assert not [hidden for hidden in HIDDEN if hidden.lower() in shown]
        assert ID not in shown


def attributes_of(item: Any) -> dict[str, Any]:
    return dict(item.attributes or {})


def attempts_of(span: ReadableSpan) -> list[dict[str, Any]]:
    return [attributes_of(event) for event in span.events if event.name == "attempt"]


async def test_a_call_is_one_span(server: ScriptedServer, traces: Traces, anyio_backend: str) -> None:
    server.on("GET", f"/api/v2/workflow/{ID}", reply(json={"id": ID}, headers={"X-Request-Id": "request-1"}))
    current: list[trace.Span] = []

    async def look(message: object) -> None:
        current.append(trace.get_current_span())

    tracer = traces.provider.get_tracer("test")
    async with client_on(server, instrument=traces.provider, on_request=look) as client:
        with tracer.start_as_current_span("of the user") as outer:
            await client.v2.workflows.get(ID)
            assert trace.get_current_span() is outer
    span = traces.spans[0]
    assert [span.context] == [one.get_span_context() for one in current]  # a span of httpx is below it
    assert (span.name, span.kind, span.status.status_code) == (
        "v2.workflows.get",
        trace.SpanKind.CLIENT,
        trace.StatusCode.UNSET,
    )
    assert span.parent == outer.get_span_context()
    assert span.instrumentation_scope is not None
    assert span.instrumentation_scope.name == "circleci_sdk"
    assert attributes_of(span) == {
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "url.template": "/api/v2/workflow/{id}",
        "server.address": "127.0.0.1",
        "server.port": int(server.url.rpartition(":")[2]),
        "circleci.request_id": "request-1",
    }
    attempt = {"circleci.attempt": 1, "http.response.status_code": 200, "circleci.request_id": "request-1"}
    assert attempts_of(span) == [attempt]


async def test_attempts_are_events(server: ScriptedServer, traces: Traces, anyio_backend: str) -> None:
    refused = reply(429, text="slow down", headers={"Retry-After": "3"})
    server.script([reply(503, headers={"X-Request-Id": "request-1"}), refused, drop(), reply(json=USER)])
    async with client_on(server, FakeClock(), instrument=traces.provider, max_retries=3) as client:
        await client.v2.users.me()
    first, second, third, last = attempts_of(traces.span)
    assert 0 <= first.pop("circleci.retry_delay") <= 10
    assert first == {"circleci.attempt": 1, "http.response.status_code": 503, "circleci.request_id": "request-1"}
    assert second.pop("circleci.retry_delay") >= 3
    assert second == {"circleci.attempt": 2, "http.response.status_code": 429}
    assert third["error.type"] == "circleci_sdk.ConnectionFailedError"
    assert third["exception.type"].endswith(".RemoteProtocolError")
    assert last == {"circleci.attempt": 4, "http.response.status_code": 200}
    assert attributes_of(traces.span)["http.request.resend_count"] == 3
    assert traces.span.status.status_code is trace.StatusCode.UNSET


async def raise_text(message: object) -> None:
    raise LookupError(SENT)


def fail(request: httpx.Request) -> httpx.Response:
    raise httpx.ConnectError(f"{request.url} {request.headers} {SENT}")


FAILURES: Final[dict[str, tuple[Response, dict[str, Any], dict[str, Any]]]] = {
    "status": (
        reply(404, json={"message": f"{SENT} not found"}),
        {},
        {"error.type": "404", "http.response.status_code": 404, "circleci.request_outcome": "rejected"},
    ),
    "quoted token": (
        reply(401, json={"message": TOKEN}, headers={"X-Request-Id": TOKEN}),
        {},
        {"error.type": "401", "circleci.request_id": "[left out: it repeats a secret]"},
    ),
    "connection": (
        drop(),
        {"max_retries": 1},
        {
            "error.type": "circleci_sdk.ConnectionFailedError",
            "circleci.retry_stop_reason": "attempts_exhausted",
            "http.request.resend_count": 1,
        },
    ),
    "no JSON": (
        reply(text=SENT),
        {},
        {"error.type": "circleci_sdk.DecodeError", "http.response.status_code": 200},
    ),
    "hook": (reply(json=USER), {"on_request": raise_text}, {"error.type": "LookupError"}),
    "timeout": (hang(), {"timeout": 0.2}, {"error.type": "circleci_sdk.RequestTimeoutError"}),
    "transport": (
        reply(json=USER),
        {"transport": httpx.MockTransport(fail), "max_retries": 0},
        {"error.type": "circleci_sdk.ConnectionFailedError", "circleci.request_outcome": "not_sent"},
    ),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_failures(case: str, server: ScriptedServer, traces: Traces, anyio_backend: str) -> None:
    response, options, expected = FAILURES[case]
    server.otherwise(response)
    clock = None if "timeout" in options else FakeClock()
    async with client_on(server, clock, **options, instrument=traces.provider) as client:
        odd = client.with_options(headers={"X-Odd": SENT}, query={"odd": SENT})
        with pytest.raises(Exception) as raised:  # noqa: PT011  # its class is compared below
            await odd.v2.projects.get(f"gh/acme/{SENT}")
    span = traces.span
    assert span.name == "v2.projects.get"
    assert span.status.status_code is trace.StatusCode.ERROR
    assert not span.status.description
    assert expected.items() <= attributes_of(span).items()
    kind = type(raised.value)
    name = kind.__name__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__name__}"
    assert [attributes_of(event) for event in span.events if event.name == "exception"] == [{"exception.type": name}]


async def test_a_body_is_no_part_of_a_span(server: ScriptedServer, traces: Traces, anyio_backend: str) -> None:
    server.otherwise(reply(200, json={"variable": SENT}))
    async with client_on(server, instrument=traces.provider) as client:
        await client.v2.contexts.set_env_var(ID, SENT, value=SENT)
    assert attributes_of(traces.span)["url.template"] == (
        "/api/v2/context/{context_id}/environment-variable/{env_var_name}"
    )


async def test_a_cancelled_call(server: ScriptedServer, traces: Traces, anyio_backend: str) -> None:
    server.otherwise(hang())
    async with client_on(server, instrument=traces.provider) as client:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(client.v2.users.me)
            await server.seen(1)
            tasks.cancel_scope.cancel()
        assert trace.get_current_span() is trace.INVALID_SPAN
    assert attributes_of(traces.span)["error.type"] == "cancelled"
    assert traces.span.status.status_code is trace.StatusCode.ERROR


async def pages(client: AsyncCircleCI) -> object:
    return await client.v2.pipelines.list_for_project("gh/acme/web").collect()


async def raw_request(client: AsyncCircleCI) -> object:
    return await client.request("GET", f"/api/v2/{SENT}")


async def stream(client: AsyncCircleCI) -> object:
    async with client.v3.jobs.stream_stdout(ID, step_num=3, execution=0) as pieces:
        return [piece async for piece in pieces]


async def download(client: AsyncCircleCI) -> object:
    caller = vars(client)["_caller"]
    async with download_of(caller, f"{client.base_url}/x/{SENT}", label="artifacts.download", timeout=5) as file:
        return [piece async for piece in file]


async def raw_response(client: AsyncCircleCI) -> object:
    return await client.raw_response(client.v2.users.me)


LIST: Final = "v2.pipelines.list_for_project", "/api/v2/project/{project-slug}/pipeline"
WAYS: Final[dict[str, tuple[Callable[[AsyncCircleCI], Awaitable[object]], list[tuple[str, str | None]]]]] = {
    "pages": (pages, [LIST, LIST]),
    "raw request": (raw_request, [("client.request", None)]),
    "stream": (stream, [("v3.jobs.stream_stdout", "/api/v3/jobs/{job_id}/stdout")]),
    "download": (download, [("artifacts.download", None)]),
    "raw response": (raw_response, [("v2.users.me", "/api/v2/me")]),
}


@pytest.mark.parametrize("way", WAYS)
async def test_each_request_of_the_api_is_a_span(
    way: str, server: ScriptedServer, traces: Traces, anyio_backend: str
) -> None:
    use, expected = WAYS[way]
    server.script([reply(json={**USER, "items": [], "next_page_token": "b"})])
    server.otherwise(reply(json={"items": []}))
    async with client_on(server, instrument=traces.provider) as client:
        await use(client)
    assert [(span.name, attributes_of(span).get("url.template")) for span in traces.spans] == expected
    assert {attributes_of(span)["http.response.status_code"] for span in traces.spans} == {200}


class Broken(SpanProcessor):
    """As a processor or an exporter may be."""

    def on_start(self, span: Span, parent_context: object = None) -> None:
        if self.at == "start":
            raise RuntimeError("no disk")

    def on_end(self, span: ReadableSpan) -> None:
        raise RuntimeError("no disk")

    def __init__(self, at: str) -> None:
        self.at = at


@pytest.mark.parametrize("at", ["start", "end"])
async def test_no_call_fails_by_its_span(
    at: str, server: ScriptedServer, caplog: pytest.LogCaptureFixture, anyio_backend: str
) -> None:
    server.script([reply(json=USER), reply(json=USER), reply(404)])
    provider = TracerProvider()
    provider.add_span_processor(Broken(at))
    with caplog.at_level(logging.WARNING, "circleci_sdk"):
        async with client_on(server, instrument=provider) as client:
            for _ in range(2):
                assert (await client.v2.users.me()).login == "ada"
            with pytest.raises(NotFoundError):
                await client.v2.users.me()
    assert [record.message for record in caplog.records] == [
        "tracing failed, and is not logged again: RuntimeError: no disk"
    ]


def test_the_sync_client(server: ScriptedServer, traces: Traces) -> None:
    """Its calls run in another thread: their spans are below the current one of the caller all the same."""
    server.otherwise(reply(json={"items": []}))
    tracer = traces.provider.get_tracer("test")
    with CircleCI(TOKEN, base_url=server.url, instrument=traces.provider) as client:
        with tracer.start_as_current_span("of the user") as outer:
            assert not list(client.v2.pipelines.list_for_project("gh/acme/web"))
        assert trace.get_current_span() is trace.INVALID_SPAN
    span = traces.spans[0]
    assert (span.name, span.parent) == ("v2.pipelines.list_for_project", outer.get_span_context())


async def test_the_global_provider(
    server: ScriptedServer, traces: Traces, monkeypatch: pytest.MonkeyPatch, anyio_backend: str
) -> None:
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: traces.provider)
    server.otherwise(reply(json=USER))
    async with client_on(server, instrument=True) as client:
        await client.with_options(timeout=5).v2.users.me()
    assert traces.span.name == "v2.users.me"


def test_clients_of_the_fake(traces: Traces) -> None:
    with FakeCircleCI().sync_client(instrument=traces.provider) as client:
        client.v2.users.me()
    assert attributes_of(traces.span)["server.address"] == "circleci.com"


def test_without_opentelemetry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.delitem(sys.modules, "circleci_sdk._tracing.spans", raising=False)
    with pytest.raises(ConfigError) as raised:
        AsyncCircleCI(TOKEN, instrument=True)
    assert str(raised.value) == "instrument: tracing needs another package: install the extra 'tracing'."


@pytest.mark.parametrize("value", [None, 1, "true", TracerProvider], ids=["None", "1", "str", "class"])
@pytest.mark.parametrize("client", [AsyncCircleCI, CircleCI])
def test_wrong_values(client: Any, value: Any) -> None:
    with pytest.raises(ConfigError, match=r"instrument: expected True, False or a TracerProvider of OpenTelemetry, "):
        client(TOKEN, instrument=value)
