"""`v3.jobs`: the output of a step, by byte ranges while it grows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from circleci_sdk.testing._handlers.context import RequestContext, handles
from circleci_sdk.testing._store.step_runs import step_run
from circleci_sdk.testing._wire.messages import BYTES, TEXT, ErrorResponse, Response

if TYPE_CHECKING:
    from circleci_sdk.testing._store.step_runs import StepRun, Write

_RANGE: Final = re.compile(r"bytes=([0-9]{1,18})-([0-9]{0,18})")
"""The ranges that count. Any other header is passed over, as HTTP permits."""

_TERMINAL: Final = {"X-Terminal": "true"}
_CONDENSED_LINES: Final = 20


@handles("v3.jobs.stream_stdout")
def stream_stdout(ctx: RequestContext) -> object:
    step = _step(ctx)
    content = _content(step.stdout)
    if not content:
        raise ErrorResponse(404, "No output.")
    ended = step.ended_at is not None
    asked = _RANGE.fullmatch(ctx.call.request.headers.get("range", "").strip())
    if asked is None:
        return Response(200, content, _TERMINAL if ended else {}, BYTES)
    start, end = int(asked[1]), len(content) if not asked[2] else min(int(asked[2]) + 1, len(content))
    if start >= len(content):
        if ended:
            return Response(200, b"", _TERMINAL, BYTES)
        raise ErrorResponse(416, "No output at this offset.", headers={"Content-Range": f"bytes */{len(content)}"})
    if end <= start:
        return Response(200, content, _TERMINAL if ended else {}, BYTES)
    headers = {"Content-Range": f"bytes {start}-{end - 1}/{len(content) if ended else '*'}"}
    if ended and end == len(content):
        headers |= _TERMINAL
    return Response(206, content[start:end], headers, BYTES)


@handles("v3.jobs.stream_stderr")
def stream_stderr(ctx: RequestContext) -> object:
    content = _content(_step(ctx).stderr)
    if not content:
        raise ErrorResponse(404, "No output.")
    return Response(200, content, media_type=BYTES)


@handles("v3.jobs.get_condensed_stdout")
def get_condensed_stdout(ctx: RequestContext) -> object:
    """The last lines, with a line about those before."""
    lines = _content(_step(ctx).stdout).decode(errors="replace").splitlines(keepends=True)
    if not lines:
        raise ErrorResponse(404, "No output.")
    left_out = len(lines) - _CONDENSED_LINES
    head = [f"... {left_out} lines left out ...\n"] if left_out > 0 else []
    return Response(200, "".join(head + lines[-_CONDENSED_LINES:]), media_type=TEXT)


def _step(ctx: RequestContext) -> StepRun:
    job = ctx.job_by_id()
    step = step_run(job, ctx.call["step_num"], ctx.now)
    if step is None or not 0 <= ctx.call.get("execution", 0) < job.parallelism:
        raise ErrorResponse(404, "Step not found.")
    return step


def _content(writes: tuple[Write, ...]) -> bytes:
    return b"".join(write.content for write in writes)
