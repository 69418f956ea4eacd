"""`python -m codegen`: reproducible output, complete trees, and nothing written on an error."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from codegen.__main__ import main
from codegen.sync.refusals import NoSyncFormError
from tests.codegen.support import SPECS, spec_folder

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def specs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Specs of all versions."""
    folder = tmp_path_factory.mktemp("openapi")
    shutil.copytree(SPECS / "whole", folder / "v2")
    shutil.copytree(spec_folder("models", tmp_path_factory.mktemp("models")), folder / "v1.1")
    shutil.copytree(spec_folder("responses", tmp_path_factory.mktemp("responses")), folder / "v3")
    return folder


@pytest.fixture
def packages(specs: Path, tmp_path: Path) -> Path:
    """A folder with freshly generated packages."""
    folder = tmp_path / "circleci_sdk"
    assert main(["--specs", str(specs), "--out", str(folder)]) == 0
    return folder


def tree(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def check(specs: Path, packages: Path) -> int:
    return main(["--check", "--specs", str(specs), "--out", str(packages)])


@pytest.mark.parametrize(("seed", "place"), [("0", "repository"), ("1", "elsewhere"), ("4242", "elsewhere")])
def test_output_is_independent_of_hash_seed_and_folder(
    seed: str, place: str, specs: Path, packages: Path, tmp_path: Path
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "pyproject.toml").write_text(
        "[tool.ruff]\nline-length = 40\n[tool.datamodel-codegen]\nsnake-case-field = true\n"
    )
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(REPOSITORY)}
    subprocess.run(
        [sys.executable, "-m", "codegen", "--specs", str(specs), "--out", str(tmp_path / "again")],
        cwd=elsewhere if place == "elsewhere" else REPOSITORY,
        env=environment,
        check=True,
    )
    assert tree(tmp_path / "again") == tree(packages)


def test_files_have_unix_line_endings_and_a_final_newline(packages: Path) -> None:
    for path, content in tree(packages).items():
        assert content.endswith(b"\n"), path
        assert not content.endswith(b"\n\n"), path
        assert b"\r" not in content, path


def test_check_passes_on_a_fresh_tree(specs: Path, packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = tree(packages)
    assert check(specs, packages) == 0
    assert capsys.readouterr() == ("", "")
    assert tree(packages) == before


def test_check_finds_an_edit(specs: Path, packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited = packages / "v2" / "resources" / "jobs.py"
    edited.write_text(edited.read_text().replace('"""Get a job.', '"""Get one job.'))
    assert check(specs, packages) == 1
    told = capsys.readouterr()
    assert "--- v2/resources/jobs.py\n+++ v2/resources/jobs.py\n" in told.out
    assert '-        """Get one job.\n+        """Get a job.\n' in told.out
    assert told.err == "The generated packages are stale. Run `python -m codegen` and commit the result.\n"
    assert "Get one job" in edited.read_text()


def test_check_finds_a_stale_sync_package(specs: Path, packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    edited, missing = packages / "sync" / "v2" / "jobs.py", packages / "sync" / "runs.py"
    edited.write_text(edited.read_text().replace("self._run(self._async.get", "self._run(self._async.got"))
    missing.unlink()
    (packages / "sync" / "v2" / "old.py").write_text("OLD = 1\n")
    assert check(specs, packages) == 1
    said = capsys.readouterr().out
    assert "--- sync/v2/jobs.py\n+++ sync/v2/jobs.py\n" in said
    assert "--- /dev/null\n+++ sync/runs.py\n" in said
    assert "--- sync/v2/old.py\n+++ /dev/null\n" in said


def test_a_change_of_the_specs_makes_the_sync_package_stale(
    specs: Path, packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = tmp_path / "changed"
    shutil.copytree(specs, changed)
    spec = changed / "v2" / "jobs.yaml"
    spec.write_text(spec.read_text().replace("x-python-name: get", "x-python-name: fetch"))
    assert check(changed, packages) == 1
    assert "--- sync/v2/jobs.py\n+++ sync/v2/jobs.py\n" in capsys.readouterr().out


def test_nothing_is_written_when_async_code_has_no_sync_form(
    specs: Path, packages: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*arguments: object) -> None:
        raise NoSyncFormError("circleci_sdk.helpers.runs.run.Run.jobs: a sentence.")

    monkeypatch.setattr("codegen.__main__.sync_files", refuse)
    (packages / "v1" / "_api.py").unlink()
    before = tree(packages)
    assert main(["--specs", str(specs), "--out", str(packages)]) == 2
    assert tree(packages) == before
    assert capsys.readouterr().err == "circleci_sdk.helpers.runs.run.Run.jobs: a sentence.\nNothing was written.\n"


def test_check_finds_an_extra_file(specs: Path, packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (packages / "v1" / "resources" / "old.py").write_text("OLD = 1\n")
    assert check(specs, packages) == 1
    assert "--- v1/resources/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-OLD = 1\n" in capsys.readouterr().out


def test_check_finds_an_extra_empty_file(specs: Path, packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (packages / "v1" / "empty.py").touch()
    assert check(specs, packages) == 1
    assert capsys.readouterr().out == "v1/empty.py is too many\n"


def test_check_finds_a_missing_file(specs: Path, packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (packages / "v2" / "_api.py").unlink()
    assert check(specs, packages) == 1
    assert "--- /dev/null\n+++ v2/_api.py\n" in capsys.readouterr().out


def test_check_finds_other_line_endings(specs: Path, packages: Path, capsys: pytest.CaptureFixture[str]) -> None:
    changed = packages / "v2" / "_api.py"
    changed.write_bytes(changed.read_bytes().replace(b"\n", b"\r\n"))
    assert check(specs, packages) == 1
    assert "v2/_api.py" in capsys.readouterr().out


def test_check_of_an_empty_folder_finds_all_files_missing(specs: Path, tmp_path: Path) -> None:
    assert check(specs, tmp_path / "nowhere") == 1
    assert not (tmp_path / "nowhere").exists()


def test_write_removes_stale_files_and_keeps_unchanged_ones(specs: Path, packages: Path) -> None:
    wanted = tree(packages)
    right = packages / "v2" / "_api.py"
    os.utime(right, (1, 1))
    (packages / "v2" / "resources" / "old.py").write_text("OLD = 1\n")
    (packages / "v2" / "old" / "__pycache__").mkdir(parents=True)
    (packages / "v2" / "old" / "__pycache__" / "old.pyc").touch()
    (packages / "v2" / "openapi.json").unlink()
    assert main(["--specs", str(specs), "--out", str(packages)]) == 0
    assert tree(packages) == wanted
    assert not (packages / "v2" / "old").exists()
    assert right.stat().st_mtime == 1


@pytest.mark.parametrize("option", [[], ["--check"]])
def test_nothing_is_written_on_an_invalid_spec(
    option: list[str], specs: Path, packages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = tmp_path / "bad"
    shutil.copytree(specs, bad)
    spec = bad / "v2" / "jobs.yaml"
    spec.write_text(spec.read_text().replace("x-python-name: get", "x-python-name: import"))
    (packages / "v1" / "_api.py").unlink()
    before = tree(packages)
    assert main([*option, "--specs", str(bad), "--out", str(packages)]) == 2
    assert tree(packages) == before
    told = capsys.readouterr()
    assert told.out == ""
    assert told.err == (
        "v2/jobs.yaml:6: /paths/~1jobs~1{job-id}/get/x-python-name: "
        "`import` is a Python keyword; choose another name, or append an underscore.\n"
        "Nothing was written.\n"
    )
