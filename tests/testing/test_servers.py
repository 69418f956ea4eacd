"""The transports, the clock, the command line and the pytest plugin."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import anyio
import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Mount, Route

from circleci_sdk import AsyncCircleCI, ProjectSlug
from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, MissingExtraError, Workflow
from circleci_sdk.testing.__main__ import main
from circleci_sdk.testing._servers.app_transport import AppTransport


def test_a_sync_program_uses_the_port(fake: FakeCircleCI, web: FakeProject) -> None:
    with fake.serve() as server:
        address = server.base_url
        headers = {"Circle-Token": fake.token}
        assert httpx.get(f"{server.base_url}/api/v2/me", headers=headers).json()["login"] == "ada"
        assert httpx.get(f"{server.base_url}/api/v2/me").status_code == 401
        assert httpx.head(f"{server.base_url}/api/v2/me", headers=headers).content == b""
    with pytest.raises(httpx.ConnectError):
        httpx.get(address)
    with pytest.raises(RuntimeError, match="not started"):
        fake.serve().base_url  # noqa: B018  # asking is the test


def test_all_transports_share_one_state(fake: FakeCircleCI, web: FakeProject) -> None:
    async def both() -> None:
        async with (
            fake.serve() as server,
            fake.client() as inside,
            AsyncCircleCI(fake.token, base_url=server.base_url) as outside,
        ):
            await inside.v2.projects.set_env_var("gh/acme/web", name="A", value="1")
            assert (await outside.v2.projects.get_env_var("gh/acme/web", "A")).name == "A"

    anyio.run(both, backend="asyncio")
    anyio.run(both, backend="trio")


def test_one_client_works_in_a_second_loop(fake: FakeCircleCI) -> None:
    client = fake.client()

    async def me() -> str:
        return (await client.v2.users.me()).login

    assert anyio.run(me, backend="asyncio") == "ada"
    assert anyio.run(me, backend="trio") == "ada"
    anyio.run(client.aclose)


async def test_polling_moves_the_clock_and_takes_no_time(
    fake: FakeCircleCI, web: FakeProject, anyio_backend: str
) -> None:
    web.will_run(Workflow("build", Job("test", 3600)))
    started = time.monotonic()
    async with fake.client() as circleci:
        await circleci.v2.pipelines.trigger("gh/acme/web")
        sleep = circleci._session.clock.sleep
        while not web.pipelines[0].ended or not web.pipelines[0].workflows:
            await sleep(30)
    assert time.monotonic() - started < 5
    assert fake.clock.now >= web.pipelines[0].created_at + timedelta(hours=1)


async def test_the_earliest_wait_ends_first(fake: FakeCircleCI, anyio_backend: str) -> None:
    order: list[int] = []
    async with fake.client() as circleci:
        sleep = circleci._session.clock.sleep

        async def wait(seconds: int) -> None:
            await sleep(seconds)
            order.append(seconds)

        async with anyio.create_task_group() as tasks:
            for seconds in (30, 10, 20):
                tasks.start_soon(wait, seconds)
    assert order == [10, 20, 30]
    assert fake.clock.now.timestamp() % 60 == 30


def test_a_running_clock_follows_real_time(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = 0.0
    monkeypatch.setattr("circleci_sdk.testing._store.clock.time", SimpleNamespace(monotonic=lambda: seconds))
    fake = FakeCircleCI(speed=1000)
    web = fake.add_project("gh/acme/web")
    pipeline = web.push(Workflow("build", Job("test", 50)))
    started = fake.clock.now
    seconds = 0.01
    assert fake.clock.now == started + timedelta(seconds=10)
    assert not pipeline.ended
    seconds = 0.1
    assert fake.clock.now == started + timedelta(seconds=100)
    assert pipeline.ended
    fake.clock.run(0)
    seconds = 1.0
    assert fake.clock.now == started + timedelta(seconds=100)


def test_the_clock_rejects_invalid_arguments(fake: FakeCircleCI) -> None:
    with pytest.raises(ValueError, match="expected at least 0"):
        fake.clock.advance(-1)
    with pytest.raises(ValueError, match="expected at least 0"):
        fake.clock.run(-1)
    with pytest.raises(ValueError, match="time zone"):
        FakeCircleCI(start=datetime(2026, 1, 1))  # noqa: DTZ001  # the point
    now = fake.clock.now
    fake.clock.advance_to(now - timedelta(days=1))
    assert fake.clock.now == now


async def test_schedules_start_pipelines(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    async with fake.client() as circleci:
        schedule = await circleci.v2.schedules.create(
            "gh/acme/web",
            name="nightly",
            timetable={"per-hour": 2, "hours-of-day": [3, 4], "days-of-week": ["TUE", "THU"]},
            attribution_actor="system",
            parameters={"branch": "main", "deep": True},
        )
        fake.clock.run_until_idle()  # recurring events do not count
        assert web.pipelines == []
        fake.clock.advance(3 * 86_400)
        assert [pipeline.created_at for pipeline in web.pipelines[:5]] == [
            datetime(2026, 6, day, hour, minute, tzinfo=UTC) for day in (2, 4) for hour in (3, 4) for minute in (0, 30)
        ][:5]
        assert web.pipelines[0].parameters == {"deep": True}
        assert (await circleci.v2.pipelines.get(web.pipelines[0].id)).trigger.type == "scheduled_pipeline"
        await circleci.v2.schedules.delete(schedule.id)
        count = len(web.pipelines)
        fake.clock.advance(7 * 86_400)
        assert len(web.pipelines) == count


async def test_pages(circleci: AsyncCircleCI, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.page_size = 7
    for _ in range(20):
        web.push(Workflow("build", Job("test", 1)))
    pages: list[list[int]] = []
    async for page in circleci.v2.pipelines.list_for_project("gh/acme/web").pages():
        pages.append([pipeline.number for pipeline in page.items])
        web.push(Workflow("build", Job("test", 1)))  # new items do not shift the pages
    assert pages == [[*range(20, 13, -1)], [*range(13, 6, -1)], [*range(6, 0, -1)]]
    fake.clock.advance(1)
    builds = await circleci.v1.builds.list_for_project("gh/acme/web", page_size=9).collect()
    assert [build.build_num for build in builds] == [*range(23, 0, -1)]
    fake.page_size = 1
    for number in range(3):
        await circleci.v2.projects.set_env_var("gh/acme/web", name=f"V{number}", value="x")
    assert [each.name async for each in circleci.v2.projects.list_env_vars("gh/acme/web")] == ["V0", "V1", "V2"]


def test_the_same_seed_gives_the_same_ids() -> None:
    assert [FakeCircleCI(seed=5).user.id, FakeCircleCI(seed=5).user.id].count(FakeCircleCI(seed=6).user.id) == 0
    assert FakeCircleCI(seed=5).user.id == FakeCircleCI(seed=5).user.id


def test_projects_and_organizations_are_found_by_slug_and_id(fake: FakeCircleCI) -> None:
    web = fake.add_project(ProjectSlug("gh", "acme", "web"))
    for project in ("gh/acme/web", "github/acme/web", ProjectSlug("gh", "acme", "web"), web.id, UUID(web.id)):
        assert fake.project(project) is web
    for organization in ("gh/acme", "github/acme", web.organization.id, UUID(web.organization.id)):
        assert fake.organization(organization) is web.organization
    assert fake.add_context("deploy", organization=UUID(web.organization.id)).organization is web.organization
    with pytest.raises(LookupError, match="no organization 'gh/acme/web'"):
        fake.add_context("deploy", organization="gh/acme/web")


def test_unknown_and_existing_names_are_errors(fake: FakeCircleCI, web: FakeProject) -> None:
    with pytest.raises(LookupError):
        fake.project("gh/acme/none")
    with pytest.raises(LookupError):
        fake.organization("gh/none")
    with pytest.raises(LookupError):
        fake.context("none")
    with pytest.raises(ValueError, match="exists already"):
        fake.add_project("github/acme/web")
    with pytest.raises(ValueError, match="gh/acme/web"):
        fake.add_project("acme/web")
    with pytest.raises(ValueError, match="expected one of"):
        FakeCircleCI.scenario("none")
    pipeline = web.push()
    with pytest.raises(LookupError, match="build"):
        pipeline.workflow("none")
    with pytest.raises(LookupError):
        pipeline.job("none")


def test_the_dashboard_shows_projects_and_runs() -> None:
    fake = FakeCircleCI.scenario("demo")
    web = fake.add_project("gh/acme/empty")
    web.push(Workflow("<script>", Job("a & b", 5)))
    with fake.serve() as server:
        page = httpx.get(server.base_url)
    assert page.headers["content-type"].startswith("text/html")
    assert "gh/acme/web" in page.text
    assert "build-and-test: success" in page.text
    assert "<script>" not in page.text
    assert "a &amp; b" in page.text
    assert len(fake.requests) == 0


def test_the_command_line_serves_a_scenario() -> None:
    command = [sys.executable, "-m", "circleci_sdk.testing", "--port", "0", "--scenario", "approval", "--token", "t"]
    command += ["--api-date", "2027-02-01"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            found = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert found is not None, line
            response = httpx.get(f"{found[0]}/api/v2/project/gh/acme/api/pipeline", headers={"Circle-Token": "t"})
            assert len(response.json()["items"]) == 1
            gone = httpx.post(f"{found[0]}/api/v1.1/project/gh/acme/api/build", headers={"Circle-Token": "t"})
            assert gone.status_code == 410
        finally:
            process.terminate()


def test_the_command_line_refuses_other_dates(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--api-date", "tomorrow"])
    assert "--api-date: expected YYYY-MM-DD, got 'tomorrow'" in capsys.readouterr().err


def test_without_uvicorn_the_error_names_the_extra(fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(MissingExtraError, match="install the extra 'testing'"), fake.serve():
        pass


def test_without_starlette_the_error_names_the_extra(fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith(("starlette", "circleci_sdk.testing._servers.asgi"))]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "starlette", None)
    with pytest.raises(MissingExtraError, match="install the extra 'testing'"):
        fake.app  # noqa: B018  # asking is the test
    with pytest.raises(MissingExtraError, match="Starlette"), fake.serve():
        pass


async def test_mounted_into_an_application(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    web.push(Workflow("build", Job("test", 5, artifacts={"out/a b.txt": "hello"})))
    fake.clock.run_until_idle()
    site = Starlette(routes=[Mount("/ci", fake.app), Route("/", lambda request: PlainTextResponse("mine"))])
    headers = {"Circle-Token": fake.token}
    async with httpx.AsyncClient(transport=AppTransport(site), base_url="http://site.test", headers=headers) as http:
        assert (await http.get("/")).text == "mine"
        await http.get("/ci/api/v2/project/gh%2Facme%2Fweb")
        assert fake.requests[-1].path == "/api/v2/project/gh%2Facme%2Fweb"  # as it was sent
        [artifact] = (await http.get("/ci/api/v2/project/gh/acme/web/1/artifacts")).json()["items"]
        assert artifact["url"].startswith("http://site.test/ci/")
        assert (await http.get(artifact["url"])).text == "hello"
        head = await http.head("/ci/api/v2/me")
        assert (head.content, int(head.headers["content-length"]) > 2) == (b"", True)
        assert (await http.request("PURGE", "/ci/api/v2/me")).status_code == 405


async def test_the_asgi_app_handles_every_path_and_method(fake: FakeCircleCI, anyio_backend: str) -> None:
    async with httpx.AsyncClient(transport=AppTransport(fake.app), base_url="http://site.test/api/v2") as http:
        for path in ("/%0A", "/no/such/%2Fpath", "//"):
            assert (await http.get(path)).json() == {"message": "Not found"}
        assert (await http.request("PURGE", "/me")).status_code == 405
    assert fake.requests[0].path == "/api/v2/%0A"


async def test_an_incomplete_request_has_no_effect(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    messages: list[dict[str, Any]] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": b'{"branch": "main"', "more_body": True},
    ]
    sent: list[object] = []

    async def receive() -> dict[str, Any]:
        return messages.pop()

    async def send(message: object) -> None:
        sent.append(message)

    path = "/api/v2/project/gh/acme/web/pipeline"
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": [], "root_path": ""}
    await fake.app(scope, receive, send)  # type: ignore[arg-type]  # `receive` gives plain dicts
    assert sent == []
    assert len(fake.requests) == 0


PLUGGED = """
import sys

import pytest

def test_nothing_is_loaded():
    assert "circleci_sdk.client" not in sys.modules
    assert not [name for name in sys.modules if name.startswith("circleci_sdk.testing._")]

async def test_in_process(fake_circleci, circleci):
    fake_circleci.add_project("gh/acme/web")
    await circleci.v2.pipelines.trigger("gh/acme/web")
    assert fake_circleci.requests.of("pipelines.trigger")

async def test_the_client_is_strict(fake_circleci, circleci):
    from circleci_sdk import DecodeError
    fake_circleci.fail_next("v2.users.me", status=200, body={"id": 1, "login": "ada"})
    with pytest.raises(DecodeError):
        await circleci.v2.users.me()

def test_without_await(fake_circleci, circleci_sync):
    fake_circleci.add_project("gh/acme/web")
    assert circleci_sync.runs.start("gh/acme/web").wait().is_success
    assert fake_circleci.requests.of("pipelines.trigger")

def test_on_a_port(fake_circleci, circleci_server):
    import httpx
    response = httpx.get(circleci_server.base_url + "/api/v2/me", headers={"Circle-Token": fake_circleci.token})
    assert response.status_code == 200

def test_without_the_extra(monkeypatch, request):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    request.getfixturevalue("circleci_server")
"""


def test_the_pytest_plugin(tmp_path: Path) -> None:
    (tmp_path / "test_plugged.py").write_text(PLUGGED)
    (tmp_path / "conftest.py").write_text(
        "import pytest\n\n@pytest.fixture(params=['asyncio', 'trio'])\n"
        "def anyio_backend(request):\n    return request.param\n"
    )
    (tmp_path / "pytest.ini").write_text("[pytest]\nanyio_mode = auto\n")
    # No `-p` for the plugin: the installed package is enough.
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert "1 failed, 7 passed" in done.stdout, done.stdout + done.stderr
    assert "skipped" not in done.stdout
    assert "install the extra 'testing'" in done.stdout


async def test_a_response_does_not_wait_for_an_acknowledgement(fake: FakeCircleCI, anyio_backend: str) -> None:
    async with fake.serve() as server, AsyncCircleCI(fake.token, base_url=server.base_url) as circleci:
        took: list[float] = []
        for _ in range(20):
            started = time.perf_counter()
            await circleci.v2.users.me()
            took.append(time.perf_counter() - started)
    assert min(took[1:]) < 0.03  # a delayed acknowledgement takes 40 ms


def test_ten_thousand_pipelines_do_not_slow_down_a_page(web: FakeProject, fake: FakeCircleCI) -> None:
    async def page() -> float:
        async with fake.client() as circleci:
            await circleci.v2.pipelines.list_for_project("gh/acme/web", branch="b1")
            started = time.process_time()
            for _ in range(20):
                assert len((await circleci.v2.pipelines.list_for_project("gh/acme/web")).items) == 20
                assert (await circleci.v2.pipelines.list_for_project("gh/acme/web", branch="b1")).items
            return time.process_time() - started

    def grow(count: int) -> None:
        for number in range(count):
            web.push(branch=f"b{number % 50}")
        fake.clock.run_until_idle()

    grow(1000)
    few = min(anyio.run(page) for _ in range(5))
    grow(9000)
    many = min(anyio.run(page) for _ in range(5))
    assert many < 3 * few  # reading all of them would take ten times as long


async def test_workflows_may_depend_on_parameters(fake: FakeCircleCI, web: FakeProject, anyio_backend: str) -> None:
    web.will_run(lambda pipeline: [Workflow("deploy" if pipeline.parameters.get("deploy") else "test", Job("only", 1))])
    async with fake.client() as circleci:
        await circleci.v2.pipelines.trigger("gh/acme/web", parameters={"deploy": True})
        await circleci.v2.pipelines.trigger("gh/acme/web")
    fake.clock.run_until_idle()
    assert [workflow.name for pipeline in web.pipelines for workflow in pipeline.workflows] == ["deploy", "test"]


def test_state_can_be_created_without_calls(fake: FakeCircleCI, web: FakeProject) -> None:
    web.set_env_var("TOKEN", "secret")
    context = fake.add_context("deploy", organization="gh/acme", env_vars={"KEY": "value"})
    assert fake.context("deploy") is context
    assert (context.env_vars["KEY"].value, web.env_vars["TOKEN"].value) == ("value", "secret")
    assert len(fake.requests) == 0
