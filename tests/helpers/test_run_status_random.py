"""The status of random runs, against an oracle written from the table of statuses; in any order of the responses."""

from __future__ import annotations

from typing import Final

from hypothesis import given, settings
from hypothesis import strategies as st

from circleci_sdk.helpers.runs.assessment import assess
from circleci_sdk.helpers.runs.state import RunState, mark_gone, see_jobs, see_pipeline, see_workflows
from tests.helpers.test_run_status_table import Row, facts_of, state_of

ENDED: Final = ("success", "failed", "error", "canceled", "unauthorized", "not_run")
STATUSES: Final = (*ENDED, "queued", "running", "failing", "on_hold", "novel", "unknown")
FAILED_JOBS: Final = ("failed", "timedout", "infrastructure_fail", "terminated-unknown", "unauthorized", "canceled")
JOBS: Final = ("success", "skipped", "not_run", "retried", "running", "novel", *FAILED_JOBS)
PIPELINES: Final = (
    *("created", "created", "created", "created errors", "created unread errors", "errored errors"),
    *("pending", "setup-pending", "setup", "novel", "novel errors"),
)


@st.composite
def runs(draw: st.DrawFn) -> Row:
    """Up to three workflows, one of them a setup workflow perhaps, and up to three jobs of the first."""
    workflows: list[str] = []
    for number in range(draw(st.integers(0, 3))):
        status = draw(st.sampled_from(STATUSES))
        about = ["", "", "", "brief", "tag unread", "reruns"] + ["setup"] * (number == 0) + ["gone"]
        chosen = draw(st.sampled_from(about))
        if chosen == "gone" and status in ENDED:
            chosen = ""
        workflows.append(f"{chosen} {status}".strip())
    jobs = draw(st.lists(st.sampled_from(JOBS), max_size=3)) if workflows else []
    return Row(draw(st.sampled_from(PIPELINES)), tuple(workflows), tuple(jobs), "", None, "")


def expected_status(row: Row, idle: float) -> tuple[str, bool]:
    """The status by the page, and whether the run is over."""
    pipeline, _, errors = row.pipeline.partition(" ")
    parts = [(words.rpartition(" ")[0], words.rpartition(" ")[2]) for words in row.workflows]
    statuses = ["failed" if about == "gone" else status for about, status in parts]
    # A job has failed whose workflow says nothing of it.
    hidden = statuses[:1] in (["success"], ["not_run"]) and bool(set(row.jobs) & {*FAILED_JOBS})
    against = (
        errors == "errors"
        or pipeline == "errored"
        or hidden
        or any(status in ("failed", "error", "canceled", "unauthorized", "failing") for status in statuses)
    )
    alive = [status for status in statuses if status not in ENDED]
    meanwhile = "failing" if against else "on_hold" if set(alive) == {"on_hold"} else "running" if parts else "pending"
    if not parts:
        meanwhile = "pending"
    if alive or idle < quiet(pipeline, parts):
        return meanwhile, False
    final = last(pipeline, errors, parts, statuses, hidden=hidden)
    is_unclear = pipeline == "novel" or (errors == "unread errors" and pipeline != "errored")
    if is_unclear and final in ("success", "not_run"):
        return ("running" if parts else "pending"), False
    return final, True


def quiet(pipeline: str, parts: list[tuple[str, str]]) -> float:
    """The seconds under "quiet"."""
    least = 30.0 if ("reruns", "failed") in parts else 0.0
    if pipeline == "errored":
        return 0.0
    if pipeline in ("pending", "setup-pending"):
        return 3600.0
    if any(about == "setup" and status != "success" for about, status in parts):
        return least
    if pipeline != "created" or not any(_is_more_than_setup(*part) for part in parts):
        return 600.0
    if is_brief(parts):
        least = max(least, 5.0)
    return least


def _is_more_than_setup(about: str, status: str) -> bool:
    """Whether it is known to be more than a setup workflow that has succeeded."""
    return status != "success" or about not in ("setup", "tag unread")


def is_brief(parts: list[tuple[str, str]]) -> bool:
    """Whether the last workflow was created just before the last end: others may follow."""
    if any(about == "brief" for about, _ in parts):
        return True
    return all(status not in ENDED for _, status in parts)  # gone: the end is not known


def last(pipeline: str, errors: str, parts: list[tuple[str, str]], statuses: list[str], *, hidden: bool) -> str:
    """The status under "final"."""
    if pipeline == "errored":
        return "errored"
    ran = any(status == "success" and _is_more_than_setup(about, status) for about, status in parts)
    for status in ("failed", "error", "unauthorized", "canceled"):
        if status in statuses:
            return "failed" if status == "error" else status
    if hidden:
        return "failed"
    if errors == "errors":
        return "failed" if ran else "errored"
    if not ran:
        return "not_run"
    return "failed" if pipeline in ("pending", "setup-pending") else "success"


@settings(max_examples=1500, deadline=None)
@given(runs(), st.sampled_from([0.0, 4.0, 5.0, 29.0, 30.0, 599.0, 600.0, 3599.0, 3600.0, 1e8]))
def test_a_random_run_has_the_status_of_the_page(row: Row, idle: float) -> None:
    found = assess(state_of(row), idle=idle)
    assert (found.status, found.over) == expected_status(row, idle)


@settings(max_examples=500, deadline=None)
@given(runs(), st.data())
def test_the_status_does_not_depend_on_the_order_and_pages_of_the_responses(row: Row, data: st.DataObject) -> None:
    """Each response comes once or twice, in any order, each list in pages of any size."""
    pipeline, workflows, jobs = facts_of(row)
    state, _ = see_pipeline(RunState(), pipeline)
    listed = data.draw(st.permutations(workflows))
    pages = [listed[: (cut := data.draw(st.integers(0, len(listed))))], listed[cut:]]
    for page in data.draw(st.permutations(pages + pages)):
        state, _ = see_workflows(state, page)
    for one in [*jobs, *data.draw(st.permutations(jobs))]:
        state, _ = see_jobs(state, workflows[0], [one], int(one.id[1:]) - 1)
    state, events = see_pipeline(state, pipeline)
    assert not events
    for words, one in zip(row.workflows, workflows, strict=True):
        if "gone" in words:
            state = mark_gone(state, one.id)
    expected = state_of(row)
    for idle in (0.0, 10.0, 100.0, 1000.0, 1e8):
        assert assess(state, idle=idle) == assess(expected, idle=idle)
