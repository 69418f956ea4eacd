"""Deliveries and polls in any order: each event once, jobs in the order of their ends, the workflow last."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from circleci_sdk.webhooks import JobCompleted, WorkflowCompleted, parse
from circleci_sdk.webhooks.merging import JOBS, MAX_POLL_DELAY, WORKFLOWS, Merge, next_poll
from tests.webhooks import deliveries
from tests.webhooks.deliveries import uuid

START = datetime(2025, 6, 15, 15, 0, tzinfo=UTC)


def moment(number: int) -> str:
    return (START + timedelta(seconds=number)).isoformat()


def job(number: int, workflow: int = 1) -> JobCompleted:
    """Job `number` stops at second `number`."""
    body = deliveries.job(number)
    body["job"] |= {"id": uuid(number), "stopped_at": moment(number)}
    body["workflow"]["id"] = uuid(900_000 + workflow)
    return read(body)


def end(number: int, workflow: int = 1) -> WorkflowCompleted:
    body = deliveries.workflow(number)
    body["workflow"] |= {"id": uuid(900_000 + workflow), "stopped_at": moment(number)}
    return read(body)


def read(body: Any) -> Any:
    return parse(json.dumps(body).encode(), secret=None)


def names(merge: Merge) -> list[Any]:
    given = [event.job.id if event.type == JOBS else event.workflow.id for event in merge.ready]
    merge.ready.clear()
    return [int(name[-12:]) for name in given]


BOTH = frozenset({JOBS, WORKFLOWS})
W = 900_001


def test_a_delivery_emits_the_jobs_that_stopped_before_it() -> None:
    merge = Merge(BOTH)
    merge.delivered(job(2), [job(1), job(2), job(3)])
    assert names(merge) == [1, 2]
    merge.delivered(end(5), [job(3), job(1), job(4), job(2)])
    assert names(merge) == [3, 4, W]
    for late in (job(4), end(5)):
        assert not merge.is_new(late)
        merge.delivered(late, [job(1)])
    merge.polled([job(1), job(2)], end(5))
    assert names(merge) == []


def test_an_ended_workflow_is_ignored_until_a_delivery() -> None:
    merge = Merge(BOTH)
    merge.ignore(uuid(W))
    assert merge.is_done(uuid(W))
    merge.delivered(end(5), [job(1)])
    assert names(merge) == [1, W]
    merge.ignore(uuid(W))
    assert not merge.is_new(end(5))
    merge.ignore(uuid(900_003))
    merge.delivered(job(31, 3), [job(30, 3), job(32, 3)])
    assert names(merge) == [30, 31]
    assert not merge.is_done(uuid(900_003))
    assert not merge.is_done(uuid(900_002))


def test_only_selected_events_are_emitted() -> None:
    jobs = Merge(frozenset({JOBS}))
    assert jobs.needs_jobs
    jobs.delivered(end(5), [job(1)])
    jobs.polled([job(2)], end(6, 2))
    assert names(jobs) == [1, 2]
    assert jobs.is_done(uuid(900_002))
    workflows = Merge(frozenset({WORKFLOWS}))
    assert not workflows.needs_jobs
    workflows.delivered(job(1), [])
    workflows.polled([], end(6, 2))
    assert names(workflows) == [900_002]


def test_a_job_of_an_unknown_workflow_is_emitted_at_once() -> None:
    merge = Merge(BOTH)
    body = deliveries.job(3, workflow=None)
    body["job"]["id"] = uuid(3)
    merge.delivered(read(body), [])
    merge.polled([job(3), job(4)], None)
    assert names(merge) == [3, 4]


def test_the_memory_is_bounded() -> None:
    merge = Merge(BOTH, size=3)
    for number in range(1, 6):
        merge.delivered(job(number), [])
    assert names(merge) == [1, 2, 3, 4, 5]
    assert [merge.is_new(job(number)) for number in range(1, 6)] == [True, True, False, False, False]


@given(data=some.data())
def test_any_interleaving_emits_each_event_once_and_in_order(data: some.DataObject) -> None:
    """Runs progress in order; deliveries are late, duplicated or lost; polls read the current state."""
    merge = Merge(BOTH)
    jobs = {
        flow: [job(10 * flow + number, flow) for number in range(data.draw(some.integers(0, 4)))] for flow in (1, 2)
    }
    happened = {1: 0, 2: 0}
    under_way: list[Any] = []
    given: list[Any] = []

    def seen(flow: int) -> list[JobCompleted]:
        return jobs[flow][: happened[flow]]

    def over(flow: int) -> WorkflowCompleted | None:
        return end(500 + flow, flow) if happened[flow] > len(jobs[flow]) else None

    def poll(flow: int) -> None:
        if not merge.is_done(uuid(900_000 + flow)):
            merge.polled(data.draw(some.permutations(seen(flow))), over(flow))

    def deliver(event: Any) -> None:
        flow = int(event.workflow.id[-12:]) - 900_000
        if merge.is_new(event):
            merge.delivered(event, data.draw(some.permutations(seen(flow))))

    for _ in range(data.draw(some.integers(0, 25))):
        flow = data.draw(some.sampled_from([1, 2]))
        match data.draw(some.sampled_from(["happen", "deliver", "poll"])):
            case "happen" if happened[flow] <= len(jobs[flow]):
                happened[flow] += 1
                event = over(flow) or jobs[flow][happened[flow] - 1]
                under_way += [event] * data.draw(some.sampled_from([0, 1, 2]))
            case "deliver" if under_way:
                deliver(under_way.pop(data.draw(some.integers(0, len(under_way) - 1))))
            case "poll":
                poll(flow)
            case _:
                pass
        given += names(merge)
    for flow in (1, 2):
        poll(flow)
    given += names(merge)

    for flow in (1, 2):
        mine = [name for name in given if name == 900_000 + flow or name // 10 == flow]
        expected = [10 * flow + number for number in range(min(happened[flow], len(jobs[flow])))]
        assert mine == [*expected, *([900_000 + flow] if over(flow) else [])]
    assert len(given) == len(set(given))


@pytest.mark.parametrize(
    ("polled", "delivered", "due"),
    [
        (100.0, None, 160.0),
        (100.0, 90.0, 160.0),
        (100.0, 130.0, 190.0),
        (100.0, 100.0 + 60 * MAX_POLL_DELAY, 100.0 + 60 * MAX_POLL_DELAY),
    ],
)
def test_deliveries_delay_polls_up_to_a_limit(polled: float, delivered: float | None, due: float) -> None:
    assert next_poll(polled, delivered, 60.0) == due
