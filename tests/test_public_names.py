"""The listing of public names sees what users see, and lets no change of it pass in silence."""

from __future__ import annotations

import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

from tests import public_names

SOURCES = {
    "__init__.py": """
        from typing import TYPE_CHECKING
        from ._version import __version__ as __version__
        if TYPE_CHECKING:
            from .client import Client as Client
            from ._core.errors import Broken as Broken
            from ._core.unset import UNSET as UNSET
        __all__ = [*sorted(_LAZY), "__version__"]
        """,
    "_version.py": '__version__ = "1.2.3"',
    "_core/__init__.py": "",
    "_core/unset.py": "UNSET: Final = _Sentinel.UNSET",
    "_core/errors.py": """
        class _Base(Exception):
            body: bytes = b""
        class Broken(_Base):
            def __init__(self, message: str, *, status: int = 0) -> None:
                self.status = status
                self._hidden = 1
        """,
    "client.py": """
        class Client:
            @cached_property
            def v2(self) -> V2:
                from .v2 import V2
                return V2(self)
            async def __aenter__(self) -> Self: ...
            def _private(self) -> None: ...
            @classmethod
            def of(cls, text: str) -> Self: ...
        """,
    "v2/__init__.py": """
        if TYPE_CHECKING:
            from ._client import V2
        __all__ = ["V2"]
        """,
    "v2/_client.py": """
        class V2:
            @cached_property
            def jobs(self) -> Jobs:
                from .resources.jobs import Jobs
                return Jobs(self)
        """,
    "v2/resources/jobs.py": """
        class Jobs:
            async def get(self, project_slug: str, /, job_number: int) -> "Job": ...
            @deprecated("no", category=None)
            def list(self, *, page_token: str | Unset = UNSET) -> AsyncPager[Job]: ...
        """,
    "v2/models/__init__.py": """
        from ._jobs import Job, Status
        __all__ = ["Job", "Status"]
        """,
    "v2/models/_jobs.py": """
        Status = TypeAliasType("Status", Literal["a"] | UnknownStr)
        class Job(Model):
            status: Status | None = None
        """,
}

LINES = """\
class Broken(_Base)
Broken.__init__(message: str, *, status: int=0) -> None
Broken.status: int
class Client
property Client.v2: V2
async Client.__aenter__() -> Self
classmethod Client.of(text: str) -> Self
UNSET: Final = _Sentinel.UNSET
__version__
class v2.V2
property v2.jobs: Jobs
async v2.jobs.get(project_slug: str, /, job_number: int) -> 'Job'
deprecated v2.jobs.list(*, page_token: str | Unset=UNSET) -> AsyncPager[Job]
class v2.models.Job(Model)
v2.models.Job.status: Status | None = None
v2.models.Status = TypeAliasType('Status', Literal['a'] | UnknownStr)
class _core.errors._Base(Exception)
_core.errors._Base.body: bytes = b''
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in SOURCES.items():
        file = tmp_path / "src" / "circleci_sdk" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(dedent(text), encoding="utf-8")
    (tmp_path / "tests").mkdir()
    (tmp_path / "CHANGELOG.md").write_text("# Changelog\n\n## [Unreleased]\n\n- All is new.\n", encoding="utf-8")
    monkeypatch.setattr(public_names, "ROOT", tmp_path)
    monkeypatch.setattr(public_names, "SOURCE", tmp_path / "src")
    monkeypatch.setattr(public_names, "FILE", tmp_path / "tests" / "public_names.txt")
    monkeypatch.setattr(public_names, "CHANGELOG", tmp_path / "CHANGELOG.md")
    public_names.load.cache_clear()
    return tmp_path


def write() -> None:
    public_names.load.cache_clear()
    public_names.FILE.write_text(public_names.listing(), encoding="utf-8")


def complaints() -> str:
    public_names.load.cache_clear()
    return "\n".join(public_names.complaints(public_names.listing()))


def git(project: Path, *arguments: str) -> None:
    who = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *arguments], cwd=project, check=True, capture_output=True)


def commit(project: Path) -> None:
    git(project, "add", "--all")
    git(project, "commit", "--message", "A step")


def rename_a_method(project: Path) -> None:
    file = project / "src" / "circleci_sdk" / "v2" / "resources" / "jobs.py"
    file.write_text(file.read_text(encoding="utf-8").replace("def get(", "def fetch("), encoding="utf-8")


def explain(project: Path, sentence: str) -> None:
    file = project / "CHANGELOG.md"
    head, line, rest = file.read_text(encoding="utf-8").partition("## [Unreleased]\n")
    file.write_text(f"{head}{line}\n- {sentence}\n{rest}", encoding="utf-8")


@pytest.mark.usefixtures("project")
def test_lists_what_users_see_and_nothing_else() -> None:
    assert public_names.listing() == public_names.HEADER + LINES


def test_a_change_that_is_not_written_down_fails_with_the_lines_and_the_remedy(project: Path) -> None:
    write()
    assert not complaints()
    rename_a_method(project)
    said = complaints()
    assert "-async v2.jobs.get(project_slug: str, /, job_number: int) -> 'Job'" in said
    assert "+async v2.jobs.fetch(project_slug: str, /, job_number: int) -> 'Job'" in said
    assert "python -m tests.public_names --write" in said


def test_a_change_without_a_word_in_the_changelog_fails_before_and_after_its_commit(project: Path) -> None:
    git(project, "init", "--quiet")
    write()
    commit(project)
    assert not complaints()
    rename_a_method(project)
    write()
    assert "CHANGELOG.md has not been touched since" in complaints()
    commit(project)
    assert "CHANGELOG.md has not been touched since" in complaints()
    explain(project, "The jobs changed.")
    assert not complaints()
    commit(project)
    assert not complaints()


@pytest.mark.parametrize("name", ["v2.jobs.get", "v2.jobs"])
def test_after_a_release_the_changelog_must_name_what_changed(project: Path, name: str) -> None:
    git(project, "init", "--quiet")
    write()
    explain(project, "`v2.jobs` is new.\n\n## [1.0.0]")
    commit(project)
    git(project, "tag", "v1.0.0")
    (project / "CHANGELOG.md").write_text(
        "# Changelog\n\n## [Unreleased]\n\n## [1.0.0]\n\n- `v2.jobs` is new.\n", encoding="utf-8"
    )
    rename_a_method(project)
    write()
    said = complaints()
    assert "Changed since v1.0.0" in said
    assert "v2.jobs.fetch\n  v2.jobs.get" in said
    explain(project, f"`{name}` is gone, call `v2.jobs.fetch()`.")
    assert not complaints()
