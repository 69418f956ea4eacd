"""Predefined states by name, for demonstrations and for programs in other languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from .plans import Approval, Job, JobTest, Step, Workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from .runs import FakePipeline
    from .store import Store

HOUR: Final = 3600.0


def empty(store: Store) -> None:
    """Only a user."""


def demo(store: Store) -> None:
    """Three projects: `gh/acme/web` with two weeks of history, `gh/acme/api` with approvals, `gh/acme/mono`."""
    web = store.add_project("gh/acme/web")
    api = store.add_project("gh/acme/api")
    mono = store.add_project("gh/acme/mono")
    web.will_run(_web)
    api.will_run(
        Workflow(
            "build", Job("test", 45), Approval("release?", requires=["test"]), Job("release", 20, requires=["release?"])
        )
    )
    mono.will_run(
        Workflow("prepare", Job("find-changes", 8), setup=True),
        Workflow("frontend", Job("build", 40)),
        Workflow("backend", Job("build", 55)),
    )
    subjects = ("Round prices up", "Fix the login page", "Update dependencies", "Write down how to deploy")
    for number in range(63):
        branch = "main" if number % 3 else f"feature-{number // 3}"
        web.push(branch=branch, subject=subjects[number % len(subjects)])
        if number % 8 == 0:
            api.push()
            mono.push()
        store.clock.advance(5 * HOUR)
    web.push(subject="Make the header blue")
    store.clock.advance(600)


def _web(pipeline: FakePipeline) -> Sequence[Workflow]:
    """Every seventh run fails, and one test is flaky. The report contains the number of the pipeline."""
    fails = pipeline.number % 7 == 0
    flaky = pipeline.number % 11 == 0
    image = pipeline.parameters.get("image-tag", "latest")
    tests = [
        JobTest("test_prices_are_rounded", classname="tests.test_prices", file="tests/test_prices.py"),
        JobTest("test_login", "assert 500 == 200" if fails else None, "tests.test_login", "tests/test_login.py", 1.4),
        JobTest("test_upload", "timed out" if flaky else None, "tests.test_upload", "tests/test_upload.py", 3.2),
        JobTest("test_on_windows", None, "tests.test_paths", "tests/test_paths.py", 0.0, "skipped"),
    ]
    test = Job(
        "test",
        60.0 + pipeline.number % 5 * 6,
        requires=["build"],
        outcome="failed" if fails or flaky else "success",
        parallelism=2,
        steps=[Step("Checkout code", "Cloning into '.'...\n"), Step("Run pytest", f"4 tests on node:{image}\n")],
        tests=tests,
        artifacts={
            "reports/coverage.html": f"<h1>Coverage of pipeline {pipeline.number}</h1>\n<p>93 %</p>\n",
            "reports/tests.txt": "".join(f"{test.status:8} {test.name}\n" for test in tests),
        },
    )
    return [
        Workflow("build-and-test", Job("build", 30, contexts=["docker"]), test, Job("deploy", 25, requires=["test"]))
    ]


def approval(store: Store) -> None:
    """`gh/acme/api` with one pipeline on hold for an approval."""
    project = store.add_project("gh/acme/api")
    project.will_run(
        Workflow(
            "build", Job("test", 45), Approval("release?", requires=["test"]), Job("release", 20, requires=["release?"])
        )
    )
    project.push()
    store.clock.advance(60)


def failing(store: Store) -> None:
    """`gh/acme/web` with tests that fail first and succeed in a rerun."""
    project = store.add_project("gh/acme/web")
    tests = Job(
        "test",
        30,
        outcome=["failed", "success"],
        output="E   assert 401 == 200\n1 failed, 41 passed\n",
        tests=lambda attempt: [JobTest("test_login", None if attempt else "assert 401 == 200")],
    )
    project.will_run(Workflow("build", tests, Job("deploy", 10, requires=["test"])))
    project.push()
    store.clock.advance(60)


SCENARIOS: Final[dict[str, Callable[[Store], None]]] = {
    "empty": empty,
    "demo": demo,
    "approval": approval,
    "failing": failing,
}
