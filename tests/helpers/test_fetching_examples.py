"""The programs that users copy do what they say: artifacts, secrets and credits, on the fake."""

from __future__ import annotations

import csv
import importlib.util
import io
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from circleci_sdk import AsyncCircleCI
from circleci_sdk.testing import FakeCircleCI, Job, Workflow

EXAMPLES = Path(__file__).parents[2] / "examples"


def example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"examples_{name}", EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeCircleCI:
    fake = FakeCircleCI()
    monkeypatch.setenv("CIRCLECI_TOKEN", fake.token)
    return fake


async def run_once(fake: FakeCircleCI) -> None:
    """One run on main, in which a job stores artifacts."""
    web = fake.add_project("gh/acme/web")
    package = Job("package", 600, artifacts={"dist/a.whl": b"wheel", "log.txt": "log"})
    web.will_run(Workflow("build", package, Job("test", 30)))
    async with fake.client() as circleci:
        await circleci.v2.pipelines.trigger("gh/acme/web", branch="main")
    fake.clock.advance(3600)


async def run_again(fake: FakeCircleCI) -> None:
    """A newer run on main, with another content under the same path."""
    package = Job("package", 600, artifacts={"dist/a.whl": b"newer wheel"})
    fake.project("gh/acme/web").will_run(Workflow("build", package))
    async with fake.client() as circleci:
        await circleci.v2.pipelines.trigger("gh/acme/web", branch="main")
    fake.clock.advance(3600)


def tree(folder: Path) -> dict[str, bytes]:
    """All files but hidden ones."""
    files = [path for path in folder.rglob("*") if path.is_file() and not path.name.startswith(".")]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


async def test_fetch_artifacts(
    fake: FakeCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    await run_once(fake)
    program = example("fetch_artifacts")
    async with fake.serve() as served:
        monkeypatch.setenv("CIRCLECI_BASE_URL", served.base_url)
        asked = ["gh/acme/web", str(tmp_path), "--branch", "main", "--job", "package", "--match", "*.whl"]
        await program.main(asked)
        first = tree(tmp_path)
        assert {name.partition("/")[2] for name in first} == {"0/dist/a.whl"}
        assert set(first.values()) == {b"wheel"}
        await program.main(asked[:-2])
        assert {name.partition("/")[2] for name in tree(tmp_path)} == {"0/log.txt", "0/dist/a.whl"}
        said = capsys.readouterr().out
        assert "exists already" in said
        await run_again(fake)
        await program.main(asked)
        assert sorted(tree(tmp_path).values()) == [
            b"log",
            b"newer wheel",
            b"wheel",
        ]  # the older file does not pass for it
        with pytest.raises(SystemExit, match="no run"):
            await program.main(["gh/acme/web", str(tmp_path), "--branch", "none"])
        with pytest.raises(SystemExit, match="404"):
            await program.main(["gh/acme/web", str(tmp_path), "--number", "4711"])


@pytest.mark.parametrize("end", ["\n", "\r\n", ""])
async def test_rotate_secret(
    fake: FakeCircleCI, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], end: str
) -> None:
    fake.add_project("gh/acme/web")
    async with fake.client() as circleci:
        owner: Any = {"id": fake.organization("gh/acme").id, "type": "organization"}
        context = await circleci.v2.contexts.create(name="deploy", owner=owner)
        await circleci.v2.contexts.set_env_var(context.id, "KEY", value="old")
    program = example("rotate_secret")
    async with fake.serve() as served:
        monkeypatch.setenv("CIRCLECI_BASE_URL", served.base_url)
        await program.main(["KEY", "--org", "gh/acme", "--dry-run"])
        assert fake.context("deploy").env_vars["KEY"].value == "old"
        monkeypatch.setattr("sys.stdin", io.StringIO(f"new value{end}"))
        await program.main(["KEY", "--org", "gh/acme"])
        assert fake.context("deploy").env_vars["KEY"].value == "new value"
        monkeypatch.setattr("sys.stdin", io.StringIO("newer value"))
        with pytest.raises(SystemExit, match="KEY in project gh/acme/web: missing"):
            await program.main(["KEY", "--org", "gh/acme", "--context", "deploy", "--project", "gh/acme/web"])
        assert fake.context("deploy").env_vars["KEY"].value == "newer value"
    said = capsys.readouterr().out
    assert "KEY in context deploy: would_set" in said
    assert "KEY in context deploy: set" in said
    assert "value" not in said


async def test_credit_report(fake: FakeCircleCI, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    await run_once(fake)
    program = example("credit_report")
    client = fake.client()
    monkeypatch.setattr(program, "AsyncCircleCI", lambda: client)
    assert isinstance(client, AsyncCircleCI)
    day = fake.clock.now.date()
    org = fake.organization("gh/acme").id
    await program.main([org, str(day.replace(day=1)), str(day.replace(year=day.year + 1)), str(tmp_path / "c.csv")])
    lines = list(csv.DictReader((tmp_path / "c.csv").read_text().splitlines()))
    assert [(line["project"], line["job"], line["runs"]) for line in lines] == [
        ("web", "package", "1"),
        ("web", "test", "1"),
    ]
    assert float(lines[0]["credits"]) > float(lines[1]["credits"]) > 0


def test_every_type_of_a_task_can_be_imported() -> None:
    from circleci_sdk import helpers as tasks

    for name in tasks.__all__:
        assert getattr(tasks, name) is not None
