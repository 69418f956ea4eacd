"""The checks of the project, and the release; `nox -l` lists them.

`nox` runs all but `attack`, `bench`, `coverage`, `release` and `slow`.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import nox
from python_discovery import get_interpreter

nox.needs_version = ">=2026.10.20"
nox.options.reuse_venv = "yes"
nox.options.sessions = [
    "lint",
    "types",
    "tests",
    "other_pythons",
    "lowest",
    "httpx2",
    "codegen",
    "docs",
    "tour",
    "build",
]

PROJECT = nox.project.load_toml("pyproject.toml")
DEV = nox.project.dependency_groups(PROJECT, "dev")
TEST = nox.project.dependency_groups(PROJECT, "test")
RELEASE = nox.project.dependency_groups(PROJECT, "release")
LINT = nox.project.dependency_groups(PROJECT, "lint")
TYPES = nox.project.dependency_groups(PROJECT, "types")
COVERAGE = nox.project.dependency_groups(PROJECT, "coverage")
GENERATE = nox.project.dependency_groups(PROJECT, "generate")
DOCS = nox.project.dependency_groups(PROJECT, "docs")
BENCH = nox.project.dependency_groups(PROJECT, "bench")
# pycircleci-async asks for an httpx of 2022, which the other clients do not accept; it works with the current one.
PEERS = [["httpx-aiohttp"], ["openai"], ["pycircleci"], ["githubkit", "hishel<2"], ["--no-deps", "pycircleci-async"]]
PARALLEL = ("-n", "logical")
MOST_KB = 930
"""Of the wheel: a third is docstrings, a tenth the directory of the archive, a sixth the fake server."""
LEAST_COVERAGE = 99
"""Percent of lines and branches. Code in processes that tests start is not measured."""
# These need the generator and the checkers, which the sessions with the package and its tests alone do not have.
WITHOUT_DEV = [
    f"--ignore=tests/{name}"
    for name in ("codegen", "typing", "test_architecture.py", "test_lines_of_code.py", "wire/test_contract_bites.py")
]
EXTRAS = PROJECT["project"]["optional-dependencies"]
BOUNDED = [*PROJECT["project"]["dependencies"], *EXTRAS["testing"], *EXTRAS["redis"], *EXTRAS["tracing"]]


def pythons() -> list[str]:
    """The versions from 3.11 up that run here. A pyenv shim for a version that is switched off does not run."""
    if "PYENV_VERSION" not in os.environ and shutil.which("pyenv"):
        installed = subprocess.run(["pyenv", "versions", "--bare"], capture_output=True, text=True, check=False).stdout
        os.environ["PYENV_VERSION"] = ":".join(re.findall(r"^3\.\d+\.\d+$", installed, re.MULTILINE))
    wanted = [f"3.{minor}" for minor in range(11, 20)]
    return [version for version in wanted if get_interpreter(version)]


PYTHONS = pythons()


@nox.session
def lint(session: nox.Session) -> None:
    """Style, format, the layers of the architecture, and the file of public names."""
    session.install("-e", ".", *LINT)
    session.run("ruff", "check")
    session.run("ruff", "format", "--check")
    session.run("lint-imports", "--no-logo", "--no-cache")
    session.run("python", "-m", "tests.public_names")
    session.run("check-jsonschema", "--builtin-schema", "vendor.circle-ci", ".circleci/config.yml")
    session.run("pre-commit", "validate-config")


@nox.session
def types(session: nox.Session) -> None:
    """Pyright, mypy and pyrefly, all strict; and every public name has a type that each checker infers alike."""
    session.install("-e", ".[testing,redis,tracing]", *TYPES)
    session.run("pyright", "--warnings")
    session.run("mypy")
    session.run("pyrefly", "check")
    # Fails below a score of 100 %.
    session.run("pyright", "--verifytypes", "circleci_sdk", "--ignoreexternal", env={"PYTHONPATH": "src"}, silent=True)


@nox.session(python=PYTHONS[-1:])
def tests(session: nox.Session) -> None:
    """The tests on the newest Python here, in parallel. Arguments go to pytest: `nox -s tests -- -k paging`."""
    session.install("-e", ".[testing,redis,tracing]", *DEV)
    session.run("pytest", *PARALLEL, *session.posargs)


@nox.session(python=PYTHONS[:-1] or None)
def other_pythons(session: nox.Session) -> None:
    """The tests of the package on every other Python here, but for those with thousands of calls.

    On trio too on the oldest one, where it needs most of Python: in the core. On those between it and the newest on
    asyncio alone, without examples and the fake server: what they need of Python is what they need of these two.
    """
    if len(PYTHONS) < 2:
        session.skip("No other Python is installed.")
    session.install("-e", ".[testing,redis,tracing]", *TEST)
    core = ("-k", "not trio or unit or wire")
    few = ("-k", "not trio", "--ignore=tests/examples", "--ignore=tests/testing")
    part = core if session.python == PYTHONS[0] else few
    session.run("pytest", *PARALLEL, *WITHOUT_DEV, "-m", "not load", *part, *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """The tests of the package on the oldest versions that pyproject.toml admits."""
    lowest_versions = [re.sub(r">=([\w.]+).*", r"==\1", requirement) for requirement in BOUNDED]
    session.install("-e", ".[testing,redis,tracing]", *TEST, *lowest_versions)
    # anyio before 4.16 leaves sockets of cancelled connection attempts to the garbage collector, with a warning.
    session.run("pytest", *PARALLEL, *WITHOUT_DEV, "--ignore=tests/attack", *session.posargs)


@nox.session
def httpx2(session: nox.Session) -> None:
    """The tests of the core with httpx2 instead of httpx."""
    session.install("-e", ".[testing,redis,tracing]", *TEST)
    plugin = ("-p", "tests.support.on_httpx2")
    session.run(
        "python", "-m", "pytest", *plugin, *PARALLEL, *WITHOUT_DEV, "tests/unit", "tests/wire", *session.posargs
    )


@nox.session
def slow(session: nox.Session) -> None:
    """The tests that use sockets, with random pauses in all loops. Tests that depend on timing fail here."""
    session.install("-e", ".[testing,redis,tracing]", *TEST)
    plugin = ("-p", "tests.support.on_a_slow_machine")
    directories = [f"tests/{name}" for name in ("support", "helpers", "reading", "sync", "testing", "webhooks", "wire")]
    session.run("python", "-m", "pytest", *plugin, "-n", "4", *WITHOUT_DEV, *directories, *session.posargs)


@nox.session
def coverage(session: nox.Session) -> None:
    """The lines and branches that the tests leave out in all layers below the clients. Arguments go to pytest."""
    session.install("-e", ".[testing,redis,tracing]", *TEST, *COVERAGE)
    names = ("_core", "_engine", "_tracing", "helpers", "limiters", "webhooks")
    packages = [f"--cov=circleci_sdk.{name}" for name in names]
    report = ("--cov-branch", "--cov-report=term-missing:skip-covered", f"--cov-fail-under={LEAST_COVERAGE}")
    # Not those of the examples and of the fake server, which take long.
    directories = [f"tests/{name}" for name in ("unit", "wire", "helpers", "sync", "webhooks", "reading")]
    session.run("pytest", *PARALLEL, *WITHOUT_DEV, "-m", "not load", *packages, *report, *directories, *session.posargs)


@nox.session
def attack(session: nox.Session) -> None:
    """Tens of thousands of hostile tries, at most 20 minutes. `-- --write` writes hostile-conditions.md of the docs."""
    session.install("-e", ".[testing,redis,tracing]", *TEST)
    session.run("python", "-m", "tests.attack", *session.posargs)


@nox.session
def codegen(session: nox.Session) -> None:
    """The generated packages are what codegen makes of the specs."""
    session.install("-e", ".", *GENERATE)
    session.run("python", "-m", "codegen", "--check")


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation site: build/site. A broken link and a public name without a section are errors."""
    session.install(*DOCS)
    session.run("python", "-m", "codegen.reference")
    # The tools print announcements otherwise.
    quiet = {"NO_MKDOCS_2_WARNING": "1", "DISABLE_MKDOCS_2_WARNING": "true"}
    session.run("python", "-m", "mkdocs", "build", env=quiet)
    session.run("python", "-m", "tests.docs.site", "build/site")
    session.run("python", "-m", "tests.docs.blocks")


@nox.session
def tour(session: nox.Session) -> None:
    """The tour of the README."""
    session.install("-e", ".[testing]")
    session.run("python", "examples/tour.py")


@nox.session
def bench(session: nox.Session) -> None:
    """Measure it beside other clients: benchmarks/results. `-- --quick` takes six minutes."""
    session.install("-e", ".", *BENCH)
    for peer in PEERS:
        session.install(*peer, success_codes=range(256))  # the tables name those that are not available
    session.run("python", "-m", "benchmarks", *session.posargs)


@nox.session
def build(session: nox.Session) -> None:
    """The wheel has the package and nothing else, the sdist the repository; each works in an empty environment."""
    _build(session, Path(session.create_tmp()).resolve())


@nox.session
def release(session: nox.Session) -> None:
    """Check a tag and build it into dist/: `nox -s release -- v1.2.3`. Without a tag it is a dry run."""
    if session.posargs:
        session.run("python", "-m", "tests.release", *session.posargs)
    _build(session, Path("dist").resolve())


def _build(session: nox.Session, out: Path) -> None:
    session.install(*RELEASE)
    shutil.rmtree(out, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(out), ".")
    wheel, sdist = next(out.glob("*.whl")), next(out.glob("*.tar.gz"))
    session.run("twine", "check", "--strict", str(wheel), str(sdist))

    if wheel.stat().st_size > 1000 * MOST_KB:
        session.error(f"{wheel.name} has {wheel.stat().st_size / 1000:.0f} kB; the budget is {MOST_KB} kB")
    tracked = str(session.run("git", "ls-files", external=True, silent=True) or "").splitlines()
    package = "src/circleci_sdk/"
    with zipfile.ZipFile(wheel) as archive:
        in_wheel = {f"src/{name}" for name in archive.namelist() if not name.startswith("circleci_sdk-")}
    with tarfile.open(sdist) as archive:
        in_sdist = {item.name.partition("/")[2] for item in archive if item.isfile()} - {"PKG-INFO"}
    of_package = {name for name in tracked if name.startswith(package)}
    for artefact, names, expected in ((wheel, in_wheel, of_package), (sdist, in_sdist, set(tracked))):
        if names != expected:
            session.error(f"{artefact.name} and git differ in {', '.join(sorted(names ^ expected))}")

    for artefact in (wheel, sdist):
        with tempfile.TemporaryDirectory() as environment:
            session.run("python", "-m", "venv", environment)
            python = str(Path(environment) / ("Scripts" if os.name == "nt" else "bin") / "python")
            session.run(python, "-m", "pip", "install", "--quiet", str(artefact), external=True)
            session.run(python, "-I", "tests/installed.py", external=True)
            if artefact is wheel:
                session.run(python, "-m", "pip", "install", "--quiet", f"{artefact}[testing]", external=True)
                session.run(python, "-I", "examples/tour.py", external=True)
