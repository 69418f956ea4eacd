"""The assessment of a run and what to read next, by tables. No I/O, no sleeping."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, get_args

import pytest

from circleci_sdk import FieldUnavailableError, RateLimit
from circleci_sdk.helpers import ApprovalEvent, JobEvent, RunJob, RunPipeline, RunWorkflow
from circleci_sdk.helpers._shared.partial import try_field, try_known
from circleci_sdk.helpers.runs.assessment import (
    RERUN_WINDOW,
    START_WINDOW,
    WORKFLOW_DELAY,
    Assessment,
    assess,
    next_delay,
    wanted_jobs,
    wants_pipeline,
    wants_workflows,
)
from circleci_sdk.helpers.runs.state import (
    JOB_STATUSES,
    JOBS_WINDOW,
    PIPELINE_STATES,
    WORKFLOW_STATUSES,
    RunState,
    current_workflows,
    mark_final,
    see_jobs,
    see_pipeline,
    see_workflows,
    waiting_approvals,
)
from circleci_sdk.v2.models import JobStatus, PipelineState, WorkflowStatus

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
ENDED = ("success", "not_run", "failed", "error", "canceled", "unauthorized")
ALIVE = ("queued", "running", "failing", "on_hold", "a-word-of-2027")


@pytest.mark.parametrize(
    ("documented", "known"),
    [(JobStatus, JOB_STATUSES), (WorkflowStatus, WORKFLOW_STATUSES), (PipelineState, PIPELINE_STATES)],
    ids=["job", "workflow", "pipeline"],
)
def test_all_statuses_of_the_models_are_known(documented: Any, known: frozenset[str]) -> None:
    """Others are logged as unknown."""
    literals, _ = get_args(documented.__value__)
    assert set(get_args(literals)) == known


def pipeline(state: str = "created", *errors: str) -> RunPipeline:
    return RunPipeline("p", 7, "gh/acme/web", state, errors, "https://app/7", None, None)  # type: ignore[arg-type]  # any str


def workflow(name: str, status: str, at: int = 0, **more: Any) -> RunWorkflow:
    facts: dict[str, Any] = {
        "id": f"{name}-{at}",
        "name": name,
        "status": status,
        "is_setup": name == "setup",
        "created_at": NOON + timedelta(seconds=at),
        "stopped_at": NOON + timedelta(seconds=at + 60) if status in ENDED else None,
        "auto_reruns_left": 0,
        "url": "",
    }
    return RunWorkflow(**{**facts, **more})


def job(name: str, status: str, of: RunWorkflow, **more: Any) -> RunJob:
    facts: dict[str, Any] = {
        "id": f"{of.id}-{name}",
        "name": name,
        "status": status,
        "type": "build",
        "number": 1,
        "workflow_id": of.id,
        "workflow_name": of.name,
        "project_slug": "gh/acme/web",
        "approval_request_id": None,
        "started_at": None,
        "stopped_at": None,
        "url": "",
    }
    return RunJob(**{**facts, **more})


def approval(name: str, status: str, of: RunWorkflow) -> RunJob:
    return job(name, status, of, type="approval", number=None, approval_request_id=f"request-{name}")


def state(of: RunPipeline | None, *workflows: RunWorkflow, jobs: tuple[RunJob, ...] = ()) -> RunState:
    seen = RunState()
    if of is not None:
        seen, _ = see_pipeline(seen, of)
    seen, _ = see_workflows(seen, workflows)
    for one in workflows:
        mine = [each for each in jobs if each.workflow_id == one.id]
        if mine:
            seen, _ = see_jobs(seen, one, mine)
    return seen


build, running = workflow("build", "success"), workflow("b", "running")


@pytest.mark.parametrize(
    ("seen", "idle", "expected"),
    [
        # Nothing is known yet, or only the pipeline: the empty list after the trigger is not the end.
        (state(None), 0.0, Assessment("pending")),
        (state(pipeline("pending")), 0.0, Assessment("pending")),
        (state(pipeline("pending")), WORKFLOW_DELAY * 2, Assessment("pending")),
        (state(pipeline("created")), 0.0, Assessment("pending")),
        (state(pipeline("created")), WORKFLOW_DELAY - 1, Assessment("pending")),
        (state(pipeline("created")), WORKFLOW_DELAY, Assessment("not_run", over=True)),
        (state(pipeline("a-state-of-2027")), 0.0, Assessment("pending")),
        # A pipeline that could not be made is over.
        (state(pipeline("errored", "no config")), 0.0, Assessment("errored", over=True)),
        (state(pipeline("errored"), workflow("setup", "running")), 0.0, Assessment("failing")),
        (state(pipeline("errored"), workflow("setup", "success")), 0.0, Assessment("errored", over=True)),
        # A setup workflow that went well is followed by others, however late they come.
        (state(pipeline("setup"), workflow("setup", "running")), 0.0, Assessment("running")),
        (state(pipeline("setup"), workflow("setup", "success")), 0.0, Assessment("running")),
        (state(pipeline("created"), workflow("setup", "success")), 0.0, Assessment("running")),
        (state(pipeline("created"), workflow("setup", "success")), WORKFLOW_DELAY - 1, Assessment("running")),
        (state(pipeline("created"), workflow("setup", "success")), WORKFLOW_DELAY, Assessment("not_run", over=True)),
        (state(pipeline("setup"), workflow("setup", "failed")), 0.0, Assessment("failed", over=True)),
        (state(pipeline("setup"), workflow("setup", "canceled")), 0.0, Assessment("canceled", over=True)),
        (state(pipeline("created"), workflow("setup", "success"), build), 0.0, Assessment("success", over=True)),
        (state(pipeline("setup"), workflow("setup", "success"), build), 0.0, Assessment("running")),
        # All workflows count, not the first one.
        (state(pipeline(), build, workflow("lint", "running")), 0.0, Assessment("running")),
        (state(pipeline(), build, workflow("lint", "failed")), 0.0, Assessment("failed", over=True)),
        (state(pipeline(), workflow("a", "failed"), workflow("b", "running")), 0.0, Assessment("failing")),
        (state(pipeline(), workflow("a", "canceled"), workflow("b", "failed")), 0.0, Assessment("failed", over=True)),
        (state(pipeline(), workflow("a", "canceled"), build), 0.0, Assessment("canceled", over=True)),
        (state(pipeline(), workflow("a", "not_run"), build), 0.0, Assessment("success", over=True)),
        (state(pipeline(), workflow("a", "not_run")), 0.0, Assessment("not_run", over=True)),
        # `failing` is not the end, nor is a status that this version does not know.
        (state(pipeline(), workflow("build", "failing")), WORKFLOW_DELAY, Assessment("failing")),
        (state(pipeline(), workflow("build", "a-word-of-2027")), WORKFLOW_DELAY, Assessment("running")),
        # A rerun of the same name replaces the first one.
        (state(pipeline(), workflow("build", "failed"), workflow("build", "running", 60)), 0.0, Assessment("running")),
        (
            state(pipeline(), workflow("build", "success", 60), workflow("build", "failed")),
            0.0,
            Assessment("success", over=True),
        ),
        (
            state(pipeline(), workflow("build", "failed"), workflow("build", "running", id="again")),
            0.0,
            Assessment("running"),
        ),
        # One that ends at once may be seen before the others have begun.
        (state(pipeline(), workflow("a", "unauthorized", stopped_at=NOON)), START_WINDOW - 1, Assessment("failing")),
        (
            state(pipeline(), workflow("a", "unauthorized", stopped_at=NOON)),
            START_WINDOW,
            Assessment("unauthorized", over=True),
        ),
        (state(pipeline(), workflow("a", "success", stopped_at=None)), 0.0, Assessment("running")),
        (state(pipeline(), workflow("a", "success", stopped_at=NOON), build), 0.0, Assessment("success", over=True)),
        # What CircleCI will run again by itself has not failed yet.
        (state(pipeline(), workflow("build", "failed", auto_reruns_left=1)), 0.0, Assessment("failing")),
        (
            state(pipeline(), workflow("build", "failed", auto_reruns_left=1)),
            RERUN_WINDOW,
            Assessment("failed", over=True),
        ),
        (state(pipeline(), workflow("build", "canceled", auto_reruns_left=1)), 0.0, Assessment("canceled", over=True)),
    ],
)
def test_assessments(seen: RunState, idle: float, expected: Assessment) -> None:
    assert assess(seen, idle=idle) == expected


@pytest.mark.parametrize(("status", "over"), [*((word, True) for word in ENDED), *((word, False) for word in ALIVE)])
def test_only_known_ends_are_ends(status: str, over: bool) -> None:
    assert assess(state(pipeline(), workflow("build", status)), idle=WORKFLOW_DELAY).over is over


held = workflow("build", "on_hold")
hold = approval("release?", "on_hold", held)
failing = workflow("ci", "failing")
broken, late = job("unit", "failed", failing), approval("deploy?", "on_hold", failing)
waits = job("deploy", "blocked", failing)


@pytest.mark.parametrize(
    ("seen", "approved", "is_held"),
    [
        (state(pipeline(), held, jobs=(hold,)), set[str](), True),
        (state(pipeline(), held), set[str](), False),
        (state(pipeline(), held, jobs=(approval("release?", "blocked", held),)), set[str](), False),
        (state(pipeline(), held, workflow("lint", "running"), jobs=(hold,)), set[str](), False),
        (state(pipeline(), held, workflow("lint", "failing"), jobs=(hold,)), set[str](), False),
        # `failing` says that a job has failed, not that others move.
        (state(pipeline(), failing, jobs=(broken, late, waits)), set[str](), True),
        (state(pipeline(), failing, jobs=(broken, late, job("e2e", "running", failing))), set[str](), False),
        (state(pipeline(), failing, jobs=(broken, late, job("e2e", "queued", failing))), set[str](), False),
        (state(pipeline(), failing, jobs=(broken, late, job("e2e", "a-word-of-2027", failing))), set[str](), False),
        (state(pipeline(), failing, jobs=(broken, waits)), set[str](), False),
        (state(pipeline(), failing, held, jobs=(broken, late, hold)), set[str](), True),
        (state(pipeline(), held, jobs=(hold, job("e2e", "running", held))), set[str](), False),
        (state(pipeline(), held, workflow("lint", "failed"), jobs=(hold,)), set[str](), True),
        # An approval that was given and does not show yet.
        (state(pipeline(), held, jobs=(hold,)), {"request-release?"}, False),
        (state(pipeline(), held, jobs=(hold, approval("again?", "on_hold", held))), {"request-release?"}, True),
    ],
)
def test_held(seen: RunState, approved: set[str], is_held: bool) -> None:
    assessment = assess(seen, idle=0, approved=frozenset(approved))
    assert (assessment.held, assessment.over) == (is_held, False)


def test_an_awaited_rerun_keeps_a_run_from_being_over() -> None:
    seen = state(pipeline(), workflow("build", "failed"))
    assert not assess(seen, idle=0, awaited=frozenset({"build-60"})).over
    assert assess(seen, idle=WORKFLOW_DELAY, awaited=frozenset({"build-60"})).over
    seen, _ = see_workflows(seen, [workflow("build", "success", 60)])
    assert assess(seen, idle=0, awaited=frozenset({"build-60"})) == Assessment("success", over=True)


def test_each_change_is_told_once() -> None:
    seen, events = see_pipeline(RunState(), pipeline("pending"))
    assert [(event.previous, event.status) for event in events] == [(None, "pending")]
    seen, events = see_pipeline(seen, pipeline("pending"))
    assert events == []
    seen, events = see_pipeline(seen, pipeline("created"))
    assert [(event.previous, event.status) for event in events] == [("pending", "created")]
    told: list[tuple[Any, str]] = []
    for status in ("running", "running", "on_hold", "running", "success", "success"):
        seen, events = see_workflows(seen, [workflow("build", status)])
        told += [(event.previous, event.status) for event in events]
    assert told == [(None, "running"), ("running", "on_hold"), ("on_hold", "running"), ("running", "success")]
    told.clear()
    for status in ("blocked", "running", "running", "failed"):
        seen, events = see_jobs(seen, build, [job("test", status, build)])
        assert all(isinstance(event, JobEvent) for event in events)
        told += [(event.previous, event.status) for event in events]
    assert told == [(None, "blocked"), ("blocked", "running"), ("running", "failed")]
    seen, events = see_jobs(seen, build, [approval("release?", "on_hold", build)])
    assert [type(event) for event in events] == [ApprovalEvent]


@pytest.mark.parametrize("older", ["running", "on_hold", "failed"])
def test_what_has_ended_stays_ended(older: str) -> None:
    seen = state(pipeline(), build, jobs=(job("test", "success", build),))
    assert see_workflows(seen, [replace(build, status=older)]) == (seen, [])  # type: ignore[arg-type]  # any str
    again, events = see_jobs(seen, build, [job("test", older, build)])
    assert (again.jobs, events) == (seen.jobs, [])


def test_a_job_that_a_rerun_takes_over_is_told_once() -> None:
    first, second = workflow("build", "failed"), workflow("build", "running", 60)
    seen = state(pipeline(), first, second, jobs=(job("lint", "success", first),))
    taken = replace(job("lint", "success", first), workflow_id=second.id)
    seen, events = see_jobs(seen, second, [taken])
    assert events == []
    assert seen.jobs[second.id] == {taken.id: taken}


def test_the_newest_of_each_name_in_the_order_of_their_names() -> None:
    seen = state(
        pipeline(),
        workflow("deploy", "running", 100),
        workflow("build", "success", 50),
        workflow("build", "failed", 0),
        workflow("lint", "success", 10),
    )
    assert [one.id for one in current_workflows(seen)] == ["build-50", "lint-10", "deploy-100"]


def test_jobs_are_final_when_the_workflow_and_they_have_ended() -> None:
    over = workflow("build", "canceled")
    seen = state(pipeline(), over, jobs=(job("test", "running", over), job("deploy", "blocked", over)))
    assert mark_final(seen, over, idle=0).final == frozenset()
    assert mark_final(seen, over, idle=JOBS_WINDOW).final == {over.id}
    seen, _ = see_jobs(seen, over, [job("test", "canceled", over)])
    assert mark_final(seen, over, idle=0).final == {over.id}
    assert mark_final(seen, workflow("build", "running"), idle=0).final == frozenset()


@pytest.mark.parametrize(
    ("seen", "of_pipeline", "of_each_change", "of_workflows"),
    [
        (state(None), True, True, False),
        (state(pipeline("pending")), True, True, False),
        (state(pipeline("setup-pending")), True, True, False),
        (state(pipeline("setup")), True, True, True),
        (state(pipeline("setup"), workflow("setup", "running")), False, True, True),
        (state(pipeline("created")), True, True, True),
        (state(pipeline("created"), workflow("setup", "running")), False, True, True),
        (state(pipeline("created"), workflow("setup", "success")), True, True, True),
        (state(pipeline("created"), build), False, False, True),
        (state(pipeline("created"), workflow("build", "success")), False, False, True),
        (state(pipeline("setup"), workflow("setup", "success"), running), False, True, True),
        (state(pipeline("setup"), workflow("setup", "success"), workflow("build", "failed")), True, True, True),
        (state(pipeline("errored")), False, False, True),
        (state(pipeline("a-state-of-2027"), running), False, True, True),
        (state(pipeline("pending"), running), False, True, True),  # it has workflows all the same
    ],
)
def test_what_to_ask(seen: RunState, of_pipeline: bool, of_each_change: bool, of_workflows: bool) -> None:
    """The pipeline is read again when all its workflows have ended, or for each change."""
    assert wants_pipeline(seen, each_change=False) == of_pipeline
    assert wants_pipeline(seen, each_change=True) == of_each_change
    assert wants_workflows(seen) == of_workflows


failed = workflow("a", "failed")


@pytest.mark.parametrize(
    ("seen", "every_job", "approvals", "expected"),
    [
        (state(pipeline(), failed, running, build), True, True, ["a-0", "b-0", "build-0"]),
        (state(pipeline(), failed, running, build), False, True, []),
        (state(pipeline(), failed, build), False, False, ["a-0"]),
        (state(pipeline(), build, held), False, False, []),
        (state(pipeline(), workflow("c", "success"), held), False, True, ["build-0"]),
        (state(pipeline(), held, running), False, True, []),
        (state(pipeline(), failing, held), False, True, ["ci-0", "build-0"]),
        (state(pipeline(), failing, held), False, False, []),
        (state(pipeline(), failing, workflow("b", "queued")), False, True, []),
    ],
)
def test_whose_jobs_to_read(seen: RunState, every_job: bool, approvals: bool, expected: list[str]) -> None:
    assessment = assess(seen, idle=0)
    assert [one.id for one in wanted_jobs(seen, assessment, every_job=every_job, approvals=approvals)] == expected
    fresh = frozenset(expected)
    assert wanted_jobs(seen, assessment, every_job=every_job, approvals=approvals, fresh=fresh) == ()


def facts(age: float, **more: Any) -> dict[str, Any]:
    usual = {"calls": 2, "each_call": False, "watched": 1, "rate_limit": None, "retry_after": None, "chance": 0.5}
    return {"age": age, **usual, **more}


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        (facts(0), 1.0),
        (facts(8), 1.0),
        (facts(48), 6.0),
        (facts(76), 9.5),
        (facts(77), 9.5),
        (facts(570), 9.5),
        (facts(600), 10.0),
        (facts(1200), 20.0),
        (facts(2400), 40.0),
        (facts(86400), 60.0),
        (facts(300, chance=0.0), 8.075),
        (facts(300, chance=1.0), 10.925),
        (facts(300, each_call=True), 19.0),
        (facts(0, retry_after=30.0), 30.0),
        (facts(300, retry_after=3.0), 9.5),
        # Ten calls a second are enough for one run, not for 500 of two calls each.
        (facts(0, rate_limit=RateLimit(limit=10, window=1.0)), 1.0),
        (facts(0, rate_limit=RateLimit(limit=10, window=1.0), watched=500), 100.0),
        (facts(0, rate_limit=RateLimit(remaining=1, reset=45.0)), 45.0),
        (facts(0, rate_limit=RateLimit(remaining=2, reset=45.0)), 1.0),
    ],
    ids=lambda value: str(value)[:60] if isinstance(value, float) else "-".join(map(str, value.values())),
)
def test_delays(facts: dict[str, Any], expected: float) -> None:
    assert next_delay(**facts) == pytest.approx(expected)


# ---- unavailable fields ----


def unavailable() -> Any:
    raise FieldUnavailableError("a gap")


GAP: Any = try_field(unavailable)
GAP_TYPE: Any = try_known(unavailable)


def state_of(*workflows: RunWorkflow, of: str = "created") -> RunState:
    state, _ = see_pipeline(RunState(), pipeline(of))
    return see_workflows(state, workflows)[0]


@pytest.mark.parametrize("status", ["success", "failed", "running"])
def test_an_unavailable_status_is_never_the_end(status: str) -> None:
    known, odd = workflow("a", status), workflow("b", "unknown")
    for idle in (0.0, WORKFLOW_DELAY * 2):
        assessment = assess(state_of(known, odd), idle=idle)
        assert (assessment.over, assessment.status == "success") == (False, False)


def test_an_unavailable_status_replaces_no_known_one() -> None:
    state = state_of(workflow("a", "running"))
    assert see_workflows(state, [workflow("a", "unknown")]) == (state, [])
    assert see_pipeline(state, pipeline("unknown")) == (state, [])
    of = workflow("a", "running")
    state, events = see_jobs(state, of, [job("t", "running", of)])
    assert len(events) == 1
    assert see_jobs(state, of, [job("t", "unknown", of)])[1] == []


@pytest.mark.parametrize("gap", ["name", "created_at"])
@pytest.mark.parametrize(("first", "second"), [("failed", "success"), ("success", "failed")])
def test_a_workflow_that_may_be_no_rerun_counts_on_its_own(gap: str, first: str, second: str) -> None:
    state = state_of(workflow("a", first, 0), replace(workflow("a", second, 100), **{gap: GAP}))
    assert len(current_workflows(state)) == 2
    assert assess(state, idle=WORKFLOW_DELAY * 2) == Assessment("failed", over=True)


def test_a_gap_is_filled_by_a_later_response_without_an_event() -> None:
    state = state_of(replace(workflow("a", "running"), name=GAP))
    state, events = see_workflows(state, [workflow("a", "running")])
    assert events == []
    assert state.workflows["a-0"].name == "a"


def test_an_unavailable_number_of_reruns_leaves_time_for_one() -> None:
    state = state_of(workflow("a", "failed", auto_reruns_left=GAP))
    assert not assess(state, idle=RERUN_WINDOW - 1).over
    assert assess(state, idle=RERUN_WINDOW + 1) == Assessment("failed", over=True)


def test_jobs_without_an_id_are_told_apart_by_their_names() -> None:
    of = workflow("a", "running")
    state = state_of(of)
    jobs = [job(name, "running", of, id=GAP) for name in ("one", "two")]
    state, events = see_jobs(state, of, jobs)
    assert [event.job.name for event in events if isinstance(event, JobEvent)] == ["one", "two"]
    assert see_jobs(state, of, jobs)[1] == []
    _, events = see_jobs(state, of, [job("two", "success", of, id=GAP)])
    assert [event.status for event in events] == ["success"]


@pytest.mark.parametrize(("status", "is_over"), [("success", False), ("failed", True)])
def test_an_unavailable_tag_is_no_evidence_of_an_end(status: str, is_over: bool) -> None:
    odd = workflow("a", status, is_setup=GAP)
    assert wants_pipeline(state_of(odd), each_change=False)
    assert assess(state_of(odd), idle=WORKFLOW_DELAY - 1).over == is_over
    end: Any = {"success": "not_run", "failed": "failed"}[status]
    assert assess(state_of(odd), idle=WORKFLOW_DELAY + 1) == Assessment(end, over=True)
    assert assess(state_of(odd, workflow("b", "success", 1)), idle=WORKFLOW_DELAY - 1).over


def test_jobs_without_an_id_and_a_name_are_told_apart_by_number_or_position() -> None:
    of = workflow("a", "running")
    state = state_of(of)
    jobs = [replace(job("x", "running", of), id=GAP, name=GAP, number=number) for number in (1, 2, GAP, GAP)]
    state, events = see_jobs(state, of, jobs[:2])
    assert len(events) == 2
    state, events = see_jobs(state, of, jobs[2:], first=2)
    assert len(events) == 2
    assert see_jobs(state, of, jobs)[1] == []


@pytest.mark.parametrize("gap", ["id", "name", "number", "type", "url"])
def test_a_gap_in_one_response_makes_no_other_job(gap: str) -> None:
    of = workflow("a", "running")
    lacking: dict[str, Any] = {gap: GAP_TYPE if gap == "type" else GAP}
    whole, odd = job("t", "running", of), replace(job("t", "running", of), **lacking)
    ended = [job("t", "success", of), replace(job("t", "success", of), **lacking)]
    for first, second in ((whole, odd), (odd, whole)):
        state, told = see_jobs(state_of(of), of, [job("other", "success", of, number=2), first])
        state, events = see_jobs(state, of, [job("other", "success", of, number=2), second])
        assert (len(told), events) == (2, [])
        assert set(state.jobs[of.id].values()) == {whole, job("other", "success", of, number=2)}
        for end in ended:
            seen, events = see_jobs(state, of, [job("other", "success", of, number=2), end])
            assert [(event.status, event.previous) for event in events] == [("success", "running")]
            assert set(seen.jobs[of.id].values()) == {ended[0], job("other", "success", of, number=2)}


def test_a_job_without_an_id_is_none_of_the_others_of_its_name() -> None:
    of = workflow("a", "running")
    retried, again = job("t", "retried", of, id="1"), job("t", "running", of, id="2", number=2)
    state, _ = see_jobs(state_of(of), of, [retried, again])
    state, events = see_jobs(state, of, [retried, replace(again, status="success", id=GAP)])
    assert [(event.status, event.previous) for event in events] == [("success", "running")]
    assert [one.status for one in state.jobs[of.id].values()] == ["retried", "success"]


@pytest.mark.parametrize("gap", ["id", "type", "name"])
def test_an_approval_is_told_as_one_despite_a_gap(gap: str) -> None:
    of = workflow("a", "on_hold")
    whole = approval("release?", "on_hold", of)
    odd = replace(whole, **{gap: GAP_TYPE if gap == "type" else GAP})
    state, events = see_jobs(state_of(of), of, [odd])
    assert [type(event) for event in events] == [ApprovalEvent]
    state, events = see_jobs(state, of, [whole])
    assert events == []
    assert waiting_approvals(state) == (whole,)


@pytest.mark.parametrize("gap", ["name", "created_at", "is_setup", "url"])
def test_a_known_fact_of_a_workflow_outlasts_a_gap(gap: str) -> None:
    state = state_of(workflow("setup", "running"))
    state, events = see_workflows(state, [replace(workflow("setup", "success"), **{gap: GAP})])
    assert [event.status for event in events] == ["success"]
    assert state.workflows == {"setup-0": workflow("setup", "success")}


def test_a_setup_workflow_stays_one_when_a_response_lacks_its_tag() -> None:
    state = state_of(workflow("setup", "running"))
    state, _ = see_workflows(state, [workflow("setup", "success", is_setup=False)])
    assert state.workflows["setup-0"].is_setup
    state = state_of(workflow("setup", "running", is_setup=False))
    state, _ = see_workflows(state, [workflow("setup", "running")])
    assert state.workflows["setup-0"].is_setup
