"""The example bots as programs of their own: CircleCI calls them over HTTP, and they call CircleCI and the chat."""

from __future__ import annotations

import hashlib
import hmac
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlencode

import httpx
import pytest

from circleci_sdk.testing import Approval, FakeCircleCI, Job, JobTest, Workflow
from tests.support.places import ROOT
from tests.support.scripted_server import ScriptedServer, reply
from tests.support.watched import TIMEOUT, Lines, changes_of

SLUG = "gh/acme/web"
SECRET = "of the webhook"
CHAT_SECRET = "of the chat"


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Bot:
    """A bot, the CircleCI that it serves, and the chat that it talks to."""

    def __init__(self, fake: FakeCircleCI, api: str, chat: ScriptedServer, url: str) -> None:
        self.api = api
        self.fake = fake
        self.project = fake.project(SLUG)
        self.url = url
        self._chat = chat
        self._heard = 0
        self._changes = changes_of(fake)
        chat.on("POST", "/chat", reply(text="ok"))

    def says(self) -> str:
        """The next thing that it says in the chat."""
        self._heard += 1
        text: str = self._chat.wait_for_requests(self._heard, TIMEOUT)[-1].json["text"]
        return text

    @property
    def is_silent(self) -> bool:
        return len(self._chat.requests) == self._heard

    def wait_for_deliveries(self, count: int) -> None:
        """Wait until so many deliveries were taken, each with a 2xx response."""
        self.until(lambda: sum(delivery.delivered for delivery in self.fake.webhooks.deliveries) >= count)

    def until(self, true: Callable[[], bool]) -> None:
        """Wait until this holds of the requests or deliveries of the fake."""
        self._changes.until(true, "the bot did nothing")


@contextmanager
def running(program: str, fake: FakeCircleCI, path: str = "/", **settings: str) -> Iterator[Bot]:
    """Start the program against the fake, and end it as an operator would."""
    port = free_port()
    with fake.serve() as api, ScriptedServer() as chat:
        bot = Bot(fake, api.base_url, chat, f"http://127.0.0.1:{port}")
        names = {
            "CIRCLECI_TOKEN": fake.token,
            "CIRCLECI_BASE_URL": api.base_url,
            "CIRCLECI_WEBHOOK_SECRET": SECRET,
            "CHAT_WEBHOOK_URL": f"{chat.url}/chat",
            "PROJECT": SLUG,
            "PUBLIC_URL": bot.url + path,
            "PORT": str(port),
            **settings,
        }
        inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH", "SYSTEMROOT") if name in os.environ}
        process = subprocess.Popen(
            [sys.executable, "-W", "error::DeprecationWarning:circleci_sdk", ROOT / "examples" / program],
            env=inherited | names,
            stderr=subprocess.PIPE,
            text=True,
        )
        lines = Lines(process, process.stderr)
        try:
            lines.until_written("Uvicorn running on")
            yield bot
        finally:
            process.terminate()
            errors = lines.to_the_end()
            print(errors)
        assert "Application shutdown complete" in errors
        assert "Traceback" not in errors, errors


def fake_with(*workflows: Workflow) -> FakeCircleCI:
    fake = FakeCircleCI()
    fake.add_project(SLUG).will_run(*workflows)
    return fake


def test_the_failure_is_explained_in_the_chat_once() -> None:
    failing = Job(
        "test",
        30,
        outcome="failed",
        output="E   assert 401 == 200\n1 failed\n",
        tests=[JobTest("test_login", "assert 401 == 200")],
    )
    fake = fake_with(Workflow("build", Job("lint", 5), failing))
    with running("bot_failure_explainer.py", fake) as bot:
        assert [hook.secret for hook in bot.project.webhooks.values()] == [SECRET]
        fake.webhooks.duplicates = 2
        bot.project.push(Workflow("fine", Job("lint", 5)))
        bot.project.push()
        fake.clock.run_until_idle()
        said = bot.says()
        assert said.startswith("*build of web failed on main*\nhttps://app.circleci.com/pipelines/github/acme/web/2/")
        assert "test_login" in said
        assert "assert 401 == 200" in said
        assert "lint" not in said
        bot.wait_for_deliveries(2)
        assert bot.is_silent


def job_with(name: str, *outcomes: str) -> Job:
    """A job with one test, which ends like this in each attempt."""

    def fails(attempt: int) -> bool:
        return outcomes[min(attempt, len(outcomes) - 1)] == "failed"

    return Job(
        "test",
        30,
        outcome=outcomes,  # type: ignore[arg-type]  # any str
        tests=lambda attempt: [JobTest(name, "timed out" if fails(attempt) else None)],
    )


async def known_as_flaky(fake: FakeCircleCI, name: str) -> None:
    """The history in which a test failed and passed on one commit."""
    pipeline = fake.project(SLUG).push(Workflow("build", job_with(name, "failed", "success")))
    fake.clock.run_until_idle()
    async with fake.client() as client:
        await client.v2.workflows.rerun(pipeline.workflows[0].id, from_failed=True)
    fake.clock.run_until_idle()


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_flaky_failures_are_run_again_once() -> None:
    fake = FakeCircleCI()
    web = fake.add_project(SLUG)
    await known_as_flaky(fake, "test_upload")
    before = sum(request.operation == "v2.workflows.rerun" for request in fake.requests)

    def reruns() -> int:
        return sum(request.operation == "v2.workflows.rerun" for request in fake.requests) - before

    with running("bot_rerun_flaky.py", fake) as bot:
        passes = web.push(Workflow("build", job_with("test_upload", "failed", "success")))
        fake.clock.run_until_idle()
        bot.until(lambda: reruns() == 1)
        fake.clock.run_until_idle()
        assert [workflow.state for workflow in passes.workflows] == ["failed", "success"]
        bot.wait_for_deliveries(2)

        stubborn = web.push(Workflow("build", job_with("test_upload", "failed")))
        fake.clock.run_until_idle()
        bot.until(lambda: reruns() == 2)
        fake.clock.run_until_idle()
        other = web.push(Workflow("build", job_with("test_login", "failed")))
        fake.clock.run_until_idle()
        bot.wait_for_deliveries(5)
    # The bot has finished what it had taken when it was ended.
    assert reruns() == 2
    assert [len(pipeline.workflows) for pipeline in (stubborn, other)] == [2, 1]


def command(bot: Bot, text: str, user: str = "U1", *, secret: str = CHAT_SECRET, age: int = 0) -> httpx.Response:
    """What Slack sends for a slash command."""
    body = urlencode({"command": "/approve", "text": text, "user_id": user}).encode()
    sent = str(int(time.time()) - age)
    signature = hmac.new(secret.encode(), f"v0:{sent}:".encode() + body, hashlib.sha256).hexdigest()
    headers = {
        "content-type": "application/x-www-form-urlencoded",
        "x-slack-request-timestamp": sent,
        "x-slack-signature": f"v0={signature}",
    }
    return httpx.post(f"{bot.url}/chat", content=body, headers=headers, timeout=TIMEOUT, trust_env=False)


def test_only_those_on_the_list_approve_from_the_chat() -> None:
    fake = fake_with(
        Workflow(
            "build", Job("test", 10), Approval("release?", requires=["test"]), Job("ship", 5, requires=["release?"])
        )
    )
    web = fake.project(SLUG)
    settings = {"MAY_APPROVE": "U1,U2", "CHAT_SIGNING_SECRET": CHAT_SECRET}
    with running("bot_approve_from_chat.py", fake, **settings) as bot:
        hook = {"name": "bot", "url": f"{bot.url}/circleci", "events": ["job-completed"], "verify-tls": False}
        made = httpx.post(
            f"{bot.api}/api/v2/webhook",
            json={**hook, "signing-secret": SECRET, "scope": {"id": web.id, "type": "project"}},
            headers={"circle-token": fake.token},
            trust_env=False,
        )
        assert made.status_code == 201
        pipeline = web.push()
        fake.clock.advance(60)
        said = bot.says()
        assert "`release?` waits in" in said
        assert said.endswith("`/approve 1 release?`")

        def approved() -> int:
            return sum(request.operation == "v2.workflows.approve" for request in fake.requests)

        assert command(bot, "1", secret="guessed").status_code == 401
        assert command(bot, "1", age=301).status_code == 401
        assert httpx.post(f"{bot.url}/chat", trust_env=False).status_code == 401
        assert command(bot, "1", "U3").text.startswith("You are not allowed")
        assert command(bot, "now").text == "Usage: /approve 128"
        assert command(bot, "7").text.startswith("Not approved: v2.pipelines.get_by_number: 404")
        assert command(bot, "1 deploy?").text.startswith("Not approved: ")
        assert approved() == 0
        assert command(bot, "1 release?", "U2").text == "Approved release? in pipeline 1."
        fake.clock.run_until_idle()
        assert (approved(), pipeline.workflows[0].state) == (1, "success")
        bot.wait_for_deliveries(2)
        assert bot.is_silent


@pytest.mark.parametrize("program", sorted(path.name for path in (ROOT / "examples").glob("bot_*.py")))
def test_a_bot_is_short(program: str) -> None:
    assert len((ROOT / "examples" / program).read_text(encoding="utf-8").splitlines()) < 80
