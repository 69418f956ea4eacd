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
    store.add_context(web.organization, "docker", {"DOCKER_USER": "acme", "DOCKER_PASSWORD": "not-a-real-password"})
    store.add_context(web.organization, "deploy", {"DEPLOY_TOKEN": "not-a-real-token"})
    web.set_env_var("SENTRY_DSN", "https://key@sentry.example/1")
    web.will_run(_web)
    api.will_run(
        Workflow(
            "build",
            Job("test", 45),
            Approval("release?", requires=["test"]),
            Job("release", 20, requires=["release?"], contexts=["deploy"]),
        )
    )
    mono.will_run(
        Workflow("prepare", Job("find-changes", 8), setup=True),
        Workflow("frontend", Job("build", 40)),
        Workflow("backend", Job("build", 55)),
    )
    subjects = ("Round prices up", "Fix the login page", "Update dependencies", "Write down how to deploy")
    for number in range(_PUSHES):
        branch = "main" if number % 3 else f"feature-{number // 3}"
        pushed = web.push(branch=branch, subject=subjects[number % len(subjects)])
        if number % 8 == 0:
            _approve_all(store)
            api.push()
            mono.push()
        store.clock.advance(HOUR)
        if _is_flaky(pushed):
            first = pushed.workflows[0]
            only = [job for job in first.jobs if job.state == "failed"]
            store.engine.rerun(first, store.user, only=only, ssh=False, sparse=False)
        store.clock.advance(4 * HOUR)
    web.push(subject="Make the header blue")
    store.clock.advance(600)


_PUSHES: Final = 63
_DEMO_SECONDS: Final = _PUSHES * 5 * HOUR + 600
_LOG: Final = """\
============================= test session starts ==============================
collected 4 items

tests/test_prices.py .                                                   [ 25%]
tests/test_login.py {login}                                                    [ 50%]
tests/test_upload.py {upload}                                                   [ 75%]
tests/test_paths.py s                                                    [100%]

{end} on node:{image}
"""


def _approve_all(store: Store) -> None:
    """Approve what waits, so that at the end only the newest runs wait."""
    workflows = [each for project in store.projects.values() for run in project.pipelines for each in run.workflows]
    for job in [job for workflow in workflows for job in workflow.jobs]:
        if job.state == "on_hold":
            store.engine.approve(job, store.user)


def _is_flaky(pipeline: FakePipeline) -> bool:
    return pipeline.number % 11 == 0


def _web(pipeline: FakePipeline) -> Sequence[Workflow]:
    """Every seventh run fails. In every eleventh one test fails, which succeeds in a rerun."""
    fails = pipeline.number % 7 == 0
    flaky = _is_flaky(pipeline)
    image = pipeline.parameters.get("image-tag", "latest")
    lines = [
        *(["FAILED tests/test_login.py::test_login - assert 500 == 200"] if fails else []),
        *(["FAILED tests/test_upload.py::test_upload - timed out"] if flaky else []),
        f"{fails + flaky} failed, {3 - fails - flaky} passed, 1 skipped",
    ]
    log = _LOG.format(login="F" if fails else ".", upload="F" if flaky else ".", end="\n".join(lines), image=image)
    shown = _tests(fails=fails, flaky=flaky)
    test = Job(
        "test",
        60.0 + pipeline.number % 5 * 6,
        requires=["build"],
        outcome="failed" if fails else ["failed", "success"] if flaky else "success",
        parallelism=2,
        steps=[Step("Checkout code", "Cloning into '.'...\n"), Step("Run pytest", log)],
        tests=lambda attempt: _tests(fails=fails, flaky=flaky and not attempt),
        artifacts={
            "reports/coverage.html": f"<h1>Coverage of pipeline {pipeline.number}</h1>\n<p>93 %</p>\n",
            "reports/tests.txt": "".join(f"{test.status:8} {test.name}\n" for test in shown),
        },
    )
    deploy = Job("deploy", 25, requires=["test"], contexts=["deploy"])
    return [Workflow("build-and-test", Job("build", 30, contexts=["docker"]), test, deploy)]


def _tests(*, fails: bool, flaky: bool) -> list[JobTest]:
    return [
        JobTest("test_prices_are_rounded", classname="tests.test_prices", file="tests/test_prices.py"),
        JobTest("test_login", "assert 500 == 200" if fails else None, "tests.test_login", "tests/test_login.py", 1.4),
        JobTest("test_upload", "timed out" if flaky else None, "tests.test_upload", "tests/test_upload.py", 3.2),
        JobTest("test_on_windows", None, "tests.test_paths", "tests/test_paths.py", 0.0, "skipped"),
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

SECONDS: Final[dict[str, float]] = {"empty": 0.0, "demo": _DEMO_SECONDS, "approval": 60.0, "failing": 60.0}
"""Seconds of the clock that the creation of each state takes."""
