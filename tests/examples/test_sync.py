"""The sync programs that users copy do what they say, and end with one sentence for wrong input and after Ctrl+C."""

from __future__ import annotations

import csv
import io
import json
import os
import runpy
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

import circleci_sdk
from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, Step, Workflow
from tests.support.places import ROOT
from tests.support.watched import changes_of

SLUG: Final = "gh/acme/web"
FOLDER: Final = ROOT / "examples" / "sync"
PROGRAMS: Final = sorted(path.stem for path in FOLDER.glob("*.py"))
SECRETS: Final = "KEY=first value\nOTHER=a=b\n"


class Ended(NamedTuple):
    """How a program has ended."""

    code: int
    out: str
    err: str


Run = Callable[..., Ended]


@pytest.fixture
def fake() -> FakeCircleCI:
    return FakeCircleCI(start=datetime.now(UTC) - timedelta(days=2))


@pytest.fixture
def web(fake: FakeCircleCI) -> FakeProject:
    return fake.add_project(SLUG)


@pytest.fixture
def run(fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a program of examples/sync in this process, on the fake."""
    monkeypatch.setattr(circleci_sdk, "CircleCI", lambda: fake.sync_client(os.environ["CIRCLECI_TOKEN"]))

    def start(name: str, *words: str, token: str = fake.token, stdin: str = SECRETS) -> Ended:
        monkeypatch.setenv("CIRCLECI_TOKEN", token)
        monkeypatch.setattr("sys.argv", [name, *words])
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        said, code = "", 0
        try:
            runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
        except SystemExit as end:
            code, said = (1, f"{end.code}\n") if isinstance(end.code, str) else (int(end.code or 0), "")
        printed = capsys.readouterr()
        return Ended(code, printed.out, printed.err + said)

    return start


def test_release(run: Run, fake: FakeCircleCI, web: FakeProject) -> None:
    web.will_run(Workflow("build", Job("test", 1800)))
    done = run("release", SLUG, "main", "image-tag=4.8=2", "empty=")
    assert (done.code, done.err) == (0, "")
    assert done.out.splitlines()[0] == "Started https://app.circleci.com/pipelines/github/acme/web/1"
    assert done.out.splitlines()[1].startswith("Run 1 of gh/acme/web: success")
    assert web.pipelines[0].parameters == {"image-tag": "4.8=2", "empty": ""}
    web.will_run(Workflow("build", Job("test", 60, outcome="failed")))
    assert run("release", SLUG, "main").code == 1
    web.will_run(Workflow("build", Job("test", 7200)))
    late = run("release", SLUG, "main")
    assert late.code == 2
    assert "the run continues" in late.err
    count = len(web.pipelines)
    assert run("release", SLUG, "main", "image-tag").err == "Expected parameters such as image-tag=4.8.2.\n"
    assert len(web.pipelines) == count


def test_failed_logs(run: Run, fake: FakeCircleCI, web: FakeProject) -> None:
    steps = [Step("Run tests", "one\nboom \x1b[31mred\n", exit_code=1)]
    web.push(Workflow("build", Job("lint", 5), Job("test", 60, outcome="failed", steps=steps, parallelism=2)))
    fake.clock.run_until_idle()
    done = run("failed_logs", SLUG, "main")
    assert (done.code, done.err) == (1, "")
    assert "\n== test: Run tests, parallel run 0\none\nboom \\x1b[31mred\n" in done.out
    assert "parallel run 1" in done.out
    assert "lint" not in done.out.partition("\n")[2]
    web.push(Workflow("build", Job("test", 60)))
    fake.clock.run_until_idle()
    assert run("failed_logs", SLUG, "main").code == 0
    assert run("failed_logs", SLUG, "none").err == "gh/acme/web has no run on none.\n"


def test_latest_artifacts(run: Run, fake: FakeCircleCI, web: FakeProject, tmp_path: Path) -> None:
    def tree() -> dict[str, bytes]:
        files = [path for path in tmp_path.rglob("*") if path.is_file() and not path.name.startswith(".")]
        return {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in files}

    for content in (b"older", b"newer"):
        package = Job("package", 60, artifacts={"dist/a.whl": content, "log.txt": "a log"})
        web.push(Workflow("build", package))
        fake.clock.run_until_idle()
        done = run("latest_artifacts", SLUG, "main", str(tmp_path), "*.whl")
        assert (done.code, done.err) == (0, "")
        assert tree() == {"package/0/dist/a.whl": content}
    web.push(Workflow("build", Job("package", 60, outcome="failed", artifacts={"dist/a.whl": b"bad"})))
    fake.clock.run_until_idle()
    assert run("latest_artifacts", SLUG, "main", str(tmp_path)).out.endswith("2 files\n")
    assert tree() == {"package/0/dist/a.whl": b"newer", "package/0/log.txt": b"a log"}
    assert run("latest_artifacts", SLUG, "none", str(tmp_path)).err == "gh/acme/web has no successful run on none.\n"
    (tmp_path / "file").touch()
    assert run("latest_artifacts", SLUG, "main", str(tmp_path / "file")).code == 1
    fake.fail_next("artifact", status=404, times=9)
    missing = run("latest_artifacts", SLUG, "main", str(tmp_path))
    assert missing.code == 1
    assert "log.txt" in missing.err


def test_usage_to_csv(run: Run, fake: FakeCircleCI, web: FakeProject, tmp_path: Path) -> None:
    web.push(Workflow("build", Job("test", 60), Job("package", 600)))
    fake.clock.run_until_idle()
    day, file = fake.clock.now.date(), tmp_path / "usage.csv"
    period = str(day - timedelta(days=1)), str(day + timedelta(days=1))
    assert run("usage_to_csv", "gh/acme", *period, str(file)) == Ended(0, "", "")
    rows = list(csv.DictReader(file.read_text().splitlines()))
    assert sorted((row["project_name"], row["workflow_name"], row["job_name"]) for row in rows) == [
        ("web", "build", "package"),
        ("web", "build", "test"),
    ]
    assert all(float(row["total_credits"]) > 0 and datetime.fromisoformat(row["job_run_started_at"]) for row in rows)
    wrong = run("usage_to_csv", "gh/acme", "2026-13-01", str(day), str(file))
    assert (wrong.code, wrong.out) == (1, "")
    assert wrong.err.startswith("Expected dates such as 2026-01-31: ")
    assert "period" in run("usage_to_csv", "gh/acme", str(day), str(day), str(file)).err
    fake.usage_export_fails = True
    assert run("usage_to_csv", "gh/acme", *period, str(file)).code == 1


def test_set_secrets(run: Run, fake: FakeCircleCI, web: FakeProject) -> None:
    deploy = fake.add_context("deploy", organization="gh/acme", env_vars={"KEY": "old"})
    done = run("set_secrets", "gh/acme", "deploy", SLUG)
    assert (done.code, done.err) == (0, "")
    assert {name: variable.value for name, variable in deploy.env_vars.items()} == {
        "KEY": "first value",
        "OTHER": "a=b",
    }
    assert "KEY in context deploy: set" in done.out
    assert "OTHER in project gh/acme/web: set" in done.out
    assert "value" not in done.out
    fake.fail_next("v2.projects.set_env_var", status=403)
    partly = run("set_secrets", "gh/acme", SLUG, "deploy")
    assert partly.code == 1
    assert "1 of 4 secrets were not set" in partly.err
    assert "first value" not in partly.err
    before = len(fake.requests)
    for wrong in ("", "KEY\n", "KEY=a\nsecret"):
        assert run("set_secrets", "gh/acme", "deploy", stdin=wrong) == Ended(
            1, "", "Expected lines such as NAME=value on standard input.\n"
        )
    assert len(fake.requests) == before
    assert "no context" in run("set_secrets", "gh/acme", "none").err


def test_history_to_json(run: Run, fake: FakeCircleCI, web: FakeProject) -> None:
    for _ in range(3):
        web.push(Workflow("build", Job("test", 60)))
        fake.clock.run_until_idle()
    done = run("history_to_json", SLUG, "30")
    assert (done.code, done.err) == (0, "")
    records = [json.loads(line) for line in done.out.splitlines()]
    assert [record["kind"] for record in records] == ["pipeline", "workflow", "job"] * 3
    assert records[2]["job_name"] == "test"
    fake.fail_next("v2.workflows.list_jobs", status=403)
    passed = run("history_to_json", SLUG, "30")
    assert passed.err.startswith("not read: v2.workflows.list_jobs ")
    for wrong in ("many", "nan", "1e99"):
        assert run("history_to_json", SLUG, wrong).err.startswith("Expected a number of days such as 30: ")
    assert "cursor" in run("history_to_json", SLUG, "30", "no cursor").err


def test_history_resumes_after_an_error(run: Run, fake: FakeCircleCI, web: FakeProject) -> None:
    fake.page_size = 2
    for _ in range(5):
        web.push(Workflow("build", Job("test", 60)))
        fake.clock.run_until_idle()
    fake.fail_next("v2.pipelines.list_for_project", delay=0.001)  # as usual, and then:
    fake.fail_next("v2.pipelines.list_for_project", status=403, times=2)  # ahead, and when it is needed
    stopped = run("history_to_json", SLUG, "30")
    reason, resume = stopped.err.splitlines()
    assert stopped.code == 1
    assert "403" in reason
    [*_, cursor] = shlex.split(resume)
    rest = run("history_to_json", SLUG, "30", cursor)
    numbers = [json.loads(line).get("pipeline_number") for line in (stopped.out + rest.out).splitlines()]
    assert {number for number in numbers if number} == {1, 2, 3, 4, 5}
    assert (stopped.out + rest.out).count('"kind": "job"') == 5


ARGUMENTS: Final[dict[str, list[str]]] = {
    "cancel_redundant": [SLUG, "main"],
    "failed_logs": [SLUG, "main"],
    "history_to_json": [SLUG, "30"],
    "latest_artifacts": [SLUG, "main", "no-such-folder"],
    "nightly": [SLUG, "main", "nightly"],
    "release": [SLUG, "main"],
    "set_secrets": ["gh/acme", SLUG],
    "usage_to_csv": ["gh/acme", "2026-01-01", "2026-02-01", "no-such-folder/usage.csv"],
}


def test_each_program_is_known_here_and_short() -> None:
    assert list(ARGUMENTS) == PROGRAMS
    for name in PROGRAMS:
        assert len((FOLDER / f"{name}.py").read_text().splitlines()) <= 40, name
    assert len(PROGRAMS) == 8


@pytest.mark.parametrize("name", PROGRAMS)
def test_without_arguments_it_says_what_it_needs(run: Run, fake: FakeCircleCI, name: str) -> None:
    doc = (FOLDER / f"{name}.py").read_text().split('"""')[1]
    assert run(name) == Ended(1, "", f"{doc}\n")
    assert f"`python {name}.py " in doc
    assert "Needs CIRCLECI_TOKEN." in doc
    assert not fake.requests


@pytest.mark.parametrize("name", PROGRAMS)
@pytest.mark.parametrize("mistake", ["token", "slug", "no slug"])
def test_a_mistake_is_one_sentence(
    run: Run, web: FakeProject, name: str, mistake: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "no-such-folder").mkdir()
    words, options = list(ARGUMENTS[name]), dict[str, str]()
    if mistake == "token":
        options["token"] = "a-wrong-token"
    else:
        of_organization = words[0].count("/") == 1
        words[0] = ("gh/none" if of_organization else "gh/acme/none") if mistake == "slug" else "acme"
        if name == "set_secrets":
            words[1:] = ["deploy"]  # a name in that organization
    done = run(name, *words, **options)
    assert done.code in (1, 2)
    assert done.out == "" or name == "set_secrets"
    [sentence, *more] = done.err.splitlines()
    assert sentence
    assert not more or name in ("set_secrets", "history_to_json")
    assert "Traceback" not in done.err
    assert "a-wrong-token" not in done.err
    assert not web.pipelines


@pytest.mark.parametrize(
    ("name", "operation", "said"),
    [
        ("release", "pipelines.get", "Interrupted. The run continues: http://127.0.0.1:"),
        ("release", "pipelines.trigger", "Interrupted. Look whether there is a run before you retry."),
        ("history_to_json", "pipelines.list_for_project", "Interrupted.\nTo resume, add the argument "),
        ("latest_artifacts", "pipelines.list_for_project", "Interrupted. Complete files stay."),
        ("set_secrets", "projects.set_env_var", "Interrupted. What was set stays; it may be set again."),
        ("usage_to_csv", "usage_exports.create", "Interrupted. The file is not complete."),
    ],
)
def test_interrupted_by_ctrl_c(
    fake: FakeCircleCI, web: FakeProject, name: str, operation: str, said: str, tmp_path: Path
) -> None:
    """A real process, interrupted while it waits to repeat a call that was refused."""
    fake.fail_next(f"v2.{operation}", status=429, headers={"Retry-After": "50"}, times=100)
    changes = changes_of(fake)
    (tmp_path / "no-such-folder").mkdir()
    # A shell lets the programs that it starts in the background ignore Ctrl+C, and so do their children.
    started = "import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler); del sys.argv[0]; "
    command = [sys.executable, "-c", f"{started}runpy.run_path(sys.argv[0], run_name='__main__')"]
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CIRCLE")}
    with fake.serve() as served:
        environment |= {"CIRCLECI_BASE_URL": served.base_url, "CIRCLECI_TOKEN": fake.token}
        options: dict[str, Any] = {"env": environment, "cwd": tmp_path, "text": True}
        with subprocess.Popen(
            [*command, str(FOLDER / f"{name}.py"), *ARGUMENTS[name]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            **options,
        ) as process:
            assert process.stdin is not None
            process.stdin.write("KEY=value\n")
            process.stdin.close()
            process.stdin = None
            changes.until(lambda: len(fake.requests.of(f"v2.{operation}")) == 1, "a request that is refused")
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
    assert errors.startswith(said), errors
    assert "Traceback" not in errors
    assert process.returncode == (2 if name == "release" else 1)
    assert len(fake.requests.of(f"v2.{operation}")) == 1
