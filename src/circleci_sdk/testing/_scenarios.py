"""Ready-made states, by name: for demonstrations, for the tour, for programs in other languages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ._plans import Approval, Job, JobTest, Step, Workflow

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from ._fake import FakeCircleCI
    from ._store.runs import FakePipeline

HOUR: Final = 3600.0


def empty(fake: FakeCircleCI) -> None:
    """Nothing but a user."""


def demo(fake: FakeCircleCI) -> None:
    """A small company: `gh/acme/web` with two weeks of history, `gh/acme/api` with approvals, `gh/acme/mono`."""
    web = fake.add_project("gh/acme/web")
    api = fake.add_project("gh/acme/api")
    mono = fake.add_project("gh/acme/mono")
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
        fake.clock.advance(5 * HOUR)
    web.push(subject="Make the header blue")
    fake.clock.advance(600)


def _web(pipeline: FakePipeline) -> Sequence[Workflow]:
    """Each seventh run fails, a test among others is flaky, and the report names the run."""
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
            "reports/tests.txt": "".join(f"{case.verdict:8} {case.name}\n" for case in tests),
        },
    )
    return [
        Workflow("build-and-test", Job("build", 30, contexts=["docker"]), test, Job("deploy", 25, requires=["test"]))
    ]


def approval(fake: FakeCircleCI) -> None:
    """`gh/acme/api` with one pipeline that waits for an approval."""
    project = fake.add_project("gh/acme/api")
    project.will_run(
        Workflow(
            "build", Job("test", 45), Approval("release?", requires=["test"]), Job("release", 20, requires=["release?"])
        )
    )
    project.push()
    fake.clock.advance(60)


def failing(fake: FakeCircleCI) -> None:
    """`gh/acme/web` whose tests fail the first time and pass when they are run again."""
    project = fake.add_project("gh/acme/web")
    tests = Job(
        "test",
        30,
        outcome=["failed", "success"],
        output="E   assert 401 == 200\n1 failed, 41 passed\n",
        tests=lambda attempt: [JobTest("test_login", None if attempt else "assert 401 == 200")],
    )
    project.will_run(Workflow("build", tests, Job("deploy", 10, requires=["test"])))
    project.push()
    fake.clock.advance(60)


SCENARIOS: Final[dict[str, Callable[[FakeCircleCI], None]]] = {
    "empty": empty,
    "demo": demo,
    "approval": approval,
    "failing": failing,
}
