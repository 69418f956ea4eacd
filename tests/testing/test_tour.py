"""The tour runs on its own fake, and on a fake in the place of circleci.com."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Final

from circleci_sdk.testing import FakeCircleCI
from tests.support.places import ROOT

TOUR: Final = ROOT / "examples" / "tour.py"
STOPS: Final = (
    "Who am I?",
    "My project",
    "Its pipelines",
    "A job in detail",
    "Its artifacts",
    "How they do",
    "The last builds",
)


def run(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    without = {name: value for name, value in os.environ.items() if not name.startswith(("CIRCLE", "CIRCLECI"))}
    return subprocess.run(
        [sys.executable, str(TOUR), *arguments],
        env={**without, **environment},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_the_tour_on_its_own_fake() -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    for stop in (*STOPS, "Start a pipeline", "build-and-test is success", "Loaded"):
        assert stop in done.stdout


def test_elsewhere_the_tour_only_reads() -> None:
    fake = FakeCircleCI.scenario("demo")
    with fake.serve() as server:
        done = run("gh/acme/web", CIRCLECI_BASE_URL=server.base_url, CIRCLE_TOKEN=fake.token)
    assert done.returncode == 0, done.stderr
    assert all(stop in done.stdout for stop in STOPS)
    assert {request.method for request in fake.requests} == {"GET"}
    assert fake.token not in done.stdout + done.stderr


def test_elsewhere_the_tour_triggers_on_request() -> None:
    fake = FakeCircleCI.scenario("demo", speed=100)
    with fake.serve() as server:
        arguments = ("gh/acme/web", "--trigger", "--branch", "dev", "--parameter", "image-tag=1")
        done = run(*arguments, CIRCLECI_BASE_URL=server.base_url, CIRCLECI_TOKEN=fake.token)
    assert done.returncode == 0, done.stderr
    assert "Project gh/acme/web, branch dev, parameters {'image-tag': '1'}." in done.stdout
    [trigger] = fake.requests.of("v2.pipelines.trigger")
    assert trigger.args["branch"] == "dev"


def test_errors_are_one_sentence() -> None:
    assert "set CIRCLECI_TOKEN" in run("gh/acme/web").stderr
    fake = FakeCircleCI()
    with fake.serve() as server:
        done = run("gh/acme/none", CIRCLECI_BASE_URL=server.base_url, CIRCLECI_TOKEN=fake.token)
    assert done.returncode == 1
    assert "Project not found" in done.stderr
    assert "Traceback" not in done.stderr
