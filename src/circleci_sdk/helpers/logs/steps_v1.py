"""The steps of a build of v1.1. No I/O."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final

from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.partial import try_field

from .steps import Step

if TYPE_CHECKING:
    from circleci_sdk.v1.models import BuildAction, BuildDetails, BuildStep

FAILED: Final = frozenset({"failed", "timedout", "canceled", "cancelled", "infrastructure_fail", "terminated-unknown"})


def steps_of_build(build: BuildDetails, project_slug: str, job_number: int) -> list[Step]:
    """The steps of a build, by parallel run, in order. Raises `FieldUnavailableError` for a build without steps."""
    steps = [
        _step_of(step, action, (number, index), project_slug, job_number)
        for number, step in enumerate(build.steps)
        for index, action in enumerate(_actions_of(step))
    ]
    return sorted(steps, key=lambda step: (step.index, step.number))


def same_step(steps: list[Step], wanted: Step, *, with_output: bool = False) -> Step | None:
    """The step that is `wanted`, read at another time or with another version of the API.

    Found by its name and number, else by its name alone. None if no step or several of this name may be it.
    """
    name = if_available(lambda: wanted.name)
    named = [
        one
        for one in steps
        if one.index == wanted.index
        and if_available(lambda it: it.name, one) == name
        and (not with_output or if_available(_url_of, one) is not None)
    ]
    for one in named:
        if one.number == wanted.number:
            return one
    return named[0] if name is not None and len(named) == 1 else None


def _url_of(step: Step) -> str | None:
    return step.url


def _actions_of(step: BuildStep) -> list[Callable[[], BuildAction]]:
    """The parallel runs of a step, each behind a function, which raises if the list is unavailable."""
    known = if_available(lambda: step.actions or [])
    if known is None:
        return [lambda: (step.actions or [])[0]]
    return [partial(_itself, action) for action in known]


def _itself(action: BuildAction) -> BuildAction:
    return action


def _step_of(
    step: BuildStep, action: Callable[[], BuildAction], position: tuple[int, int], project_slug: str, job_number: int
) -> Step:
    """A step. `position` is its place in the lists, in case that its `number` or its `index` is missing."""
    number, index = if_available(lambda: action().step), if_available(lambda: action().index)
    return Step(
        name=try_field(lambda: if_available(lambda: step.name) or action().name),
        number=position[0] if number is None else number,
        index=position[1] if index is None else index,
        status=try_field(lambda: action().status),
        is_failed=_is_failed(action),
        exit_code=try_field(lambda: action().exit_code),
        timed_out=try_field(lambda: action().status == "timedout" or bool(action().timedout)),
        infrastructure_failed=try_field(
            lambda: action().status == "infrastructure_fail" or bool(action().infrastructure_fail)
        ),
        is_background=try_field(lambda: bool(action().background)),
        command=try_field(lambda: action().bash_command),
        started_at=try_field(lambda: action().start_time),
        seconds=try_field(lambda: _seconds(action().run_time_millis)),
        has_output=try_field(lambda: bool(action().output_url)),
        stdout_bytes=None,
        stderr_bytes=None,
        project_slug=project_slug,
        job_number=job_number,
        job_id=None,
        api="v1.1",
        url=try_field(lambda: action().output_url or None),
    )


def _seconds(millis: int | None) -> float | None:
    return None if millis is None else millis / 1000


def _is_failed(action: Callable[[], BuildAction]) -> bool:
    """Whether a step has failed, by what is available. Without a status it counts as failed, never as a success."""
    status, code = if_available(lambda: action().status), if_available(lambda: action().exit_code)
    flagged = (
        if_available(lambda: action().failed),
        if_available(lambda: action().timedout),
        if_available(lambda: action().canceled),
        if_available(lambda: action().infrastructure_fail),
    )
    return status is None or status in FAILED or any(flagged) or (bool(code) and status != "success")
