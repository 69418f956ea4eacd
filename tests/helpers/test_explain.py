"""Why a run failed: gathered at once, whole as far as it can be had, and written down so that nothing breaks out."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import anyio
import pytest

from circleci_sdk import InvalidArgumentError
from circleci_sdk.helpers import Explanation, FailedTest, JobExplanation, RunResult, StepLog
from circleci_sdk.testing import FakeCircleCI, Job, JobTest, Workflow
from circleci_sdk.testing import Step as FakeStep
from tests.support.clients import SLUG


def failing(*, server: bool = False) -> FakeCircleCI:
    """One flaky test, one new failure, one job that timed out, one that never ran."""
    fake = FakeCircleCI(server=server)
    web = fake.add_project(SLUG)
    flaky = JobTest("test_flaky", failure="sometimes", classname="tests.web")
    broken = JobTest("test_broken", failure="assert 1 == 2\nand more", classname="tests.web")
    fine = JobTest("test_flaky", classname="tests.web")
    log = "\x1b[31m" + "".join(f"line {number}\n" for number in range(100)) + "```\nboom\n"
    web.will_run(
        Workflow(
            "build",
            Job(
                "test",
                60,
                outcome="failed",
                parallelism=2,
                steps=[FakeStep("Checkout code", "ok\n"), FakeStep("Run tests", log, exit_code=1)],
                tests=lambda attempt: [fine, broken] if attempt == 0 else [flaky, broken, JobTest("test_fine")],
            ),
            Job("slow", 30, outcome="timedout", output="waiting\n"),
            Job("deploy", 5, requires=["test"]),
        )
    )
    return fake


async def failed_run(fake: FakeCircleCI, circleci: Any) -> RunResult:
    run = await circleci.runs.start(SLUG, branch="main")
    await run.wait()
    await run.rerun()
    result: RunResult = await run.wait()
    return result


@pytest.mark.parametrize("server", [False, True], ids=["cloud", "server"])
async def test_everything_is_gathered(server: bool) -> None:
    fake = failing(server=server)
    async with fake.client() as circleci:
        result = await failed_run(fake, circleci)
        calls = len(fake.requests)
        explanation = await circleci.runs.explain(result, tail=3)
        calls = len(fake.requests) - calls
    jobs = {one.job.name: one for one in explanation.jobs}
    assert set(jobs) == {"test", "slow"}
    assert [(test.name, test.is_flaky) for test in jobs["test"].tests] == [("test_flaky", True), ("test_broken", False)]
    assert [(log.step.name, log.step.index, log.is_cut) for log in jobs["test"].logs] == [
        ("Run tests", 0, True),
        ("Run tests", 1, True),
    ]
    assert all(log.text == "line 99\n```\nboom\n" for log in jobs["test"].logs)
    assert [log.step.timed_out for log in jobs["slow"].logs] == [True]
    assert (explanation.problems, jobs["test"].problems, explanation.flaky_only) == ((), (), False)
    # For each of two failed jobs its steps and its tests, three outputs, and the flaky tests of the project.
    assert calls == 2 * 2 + 3 + 1
    assert any(request.path.startswith("/api/v1.1/") for request in fake.requests) is server
    assert {log.step.api for job in jobs.values() for log in job.logs} == {"v1.1" if server else "v3"}
    text = explanation.markdown()
    assert "### [build / test](https://app.circleci.com/pipelines/github/acme/web/1/workflows/" in text
    assert "`tests.web.test_flaky` (known to be flaky, 1 times): sometimes" in text
    assert "* `tests.web.test_broken`: assert 1 == 2\n" in text
    assert "Step **Run tests**: failed, exit code 1, parallel run 1" in text
    assert "````text\n...\nline 99\n```\nboom\n````" in text
    assert "\x1b" not in text
    assert pickle.loads(pickle.dumps(explanation)) == explanation


async def test_what_cannot_be_had_is_named() -> None:
    fake = failing(server=True)
    async with fake.client(max_retries=0) as circleci:
        result = await failed_run(fake, circleci)
        fake.fail_next("insights.get_flaky_tests", status=403, times=9)
        fake.fail_next("v1.builds.get", status=404, times=1)
        fake.fail_next("v2.jobs.list_tests", status=404, times=1)
        explanation = await circleci.runs.explain(result)
    assert ["flaky" in problem for problem in explanation.problems] == [True]
    # Which of the two jobs it hits is a matter of chance; the other one is whole.
    told = sorted(problem.partition(":")[0] for job in explanation.jobs for problem in job.problems)
    assert told == ["no logs", "no test results"]
    for job in explanation.jobs:
        assert bool(job.logs) is not any("no logs" in problem for problem in job.problems)
    assert "no logs" in explanation.markdown()


@pytest.mark.parametrize("seed", range(5))
async def test_faults_pass(seed: int) -> None:
    fake = failing()
    async with fake.client() as circleci:
        result = await failed_run(fake, circleci)
        whole = await circleci.runs.explain(result)
        fake.chaos({"503": 0.1, "drop": 0.1, "429": 0.1, "truncate": 0.05})
        assert strip(await circleci.runs.explain(result)) == strip(whole)


def strip(explanation: Explanation) -> list[Any]:
    """Without the links, which are signed anew each time."""
    return [
        (one.tests, one.problems, [(replace(log.step, url=None), log.text) for log in one.logs])
        for one in explanation.jobs
    ]


async def test_what_is_late_is_named() -> None:
    fake = failing()
    async with fake.client() as circleci:
        result = await failed_run(fake, circleci)
        fake.fail_next("v3.jobs.get", delay=30, times=9)
        with anyio.fail_after(5):
            explanation = await circleci.runs.explain(result, timeout=1)
    assert all("no logs: not read within 1 s" in job.problems for job in explanation.jobs)
    assert [len(job.tests) for job in explanation.jobs] == [2, 0]


async def test_a_run_that_never_ran_is_explained_by_its_errors() -> None:
    fake = FakeCircleCI()
    fake.add_project(SLUG).will_error("Unknown key *jbos*")
    async with fake.client() as circleci:
        result = await (await circleci.runs.start(SLUG, branch="main")).wait()
        calls = len(fake.requests)
        explanation = await circleci.runs.explain(result)
        assert len(fake.requests) == calls
    assert explanation.markdown() == (
        "## [Run 1 of gh/acme/web](https://app.circleci.com/pipelines/github/acme/web/1): errored\n"
        "* Unknown key \\*jbos\\*\n"
    )


async def test_a_result_that_was_pickled_is_explained_too() -> None:
    fake = failing()
    async with fake.client() as circleci:
        result = await failed_run(fake, circleci)
        pickled = pickle.loads(pickle.dumps(result))
        assert pickled == result
        explanation = await circleci.runs.explain(pickled)
        assert strip(explanation) == strip(await circleci.runs.explain(result))
        for arguments in ({"timeout": 0}, {"concurrency": 0}, {"tail": -1}):
            with pytest.raises(InvalidArgumentError, match=r"runs\.explain"):
                await circleci.runs.explain(result, **arguments)


async def test_a_run_explains_its_own_results() -> None:
    fake = failing()
    async with fake.client() as circleci:
        result = await failed_run(fake, circleci)
        run = circleci.runs.attach(result.pipeline_id)
        assert strip(await run.explain(result)) == strip(await circleci.runs.explain(result))
        with pytest.raises(InvalidArgumentError, match=r"run\.explain: tail"):
            await run.explain(result, tail=-1)
        calls = len(fake.requests)
        with pytest.raises(InvalidArgumentError, match=r"run\.explain: result: .* another"):
            await run.explain(replace(result, pipeline_id="another"))
        assert len(fake.requests) == calls


@pytest.mark.parametrize("limit", [60_000, 3_000, 1_000, 700, 300, 10])
async def test_it_fits_into_a_comment(limit: int) -> None:
    fake = failing()
    async with fake.client() as circleci:
        explanation = await circleci.runs.explain(await failed_run(fake, circleci), tail=200)
    text = explanation.markdown(limit=limit)
    assert len(text) <= limit
    if limit >= 1_000:
        assert text.count("````text") * 2 == text.count("````")
        assert "test_broken" in text
    assert len(explanation.markdown(limit=None)) > 1_700


async def test_names_do_not_break_out() -> None:
    fake = failing()
    async with fake.client() as circleci:
        explanation = await circleci.runs.explain(await failed_run(fake, circleci))
    job, log = explanation.jobs[0].job, explanation.jobs[0].logs[0]
    evil = "](http://evil) <b>`x`\n# big"
    test = FailedTest(evil, evil, None, evil, 0.1, None)
    step = replace(log.step, name=evil)
    hostile = Explanation(
        replace(explanation.result, errors=(evil,)),
        (JobExplanation(replace(job, name=evil), (StepLog(step, "a\n`````\nb"),), (test,), (evil,)),),
    )
    text = hostile.markdown()
    assert "\n# big" not in text
    links = [line for line in text.split("\n") if "](http://evil)" in line.replace("\\](http://evil)", "")]
    assert [line.startswith("* ``](http://evil)") and line.count("``") == 2 for line in links] == [True]
    assert "``````text\na\n`````\nb\n``````" in text
