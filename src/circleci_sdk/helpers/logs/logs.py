"""Logs: the output of the steps of a job.

    for log in await circleci.logs.failed("gh/acme/web", 42, tail=50):
        print(log.step.name, log.step.status)
        print(log.text)

API v2 has no logs; v1.1 has signed links to a storage provider, which never receives the token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from circleci_sdk._core.checks import at_least, check, instance
from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._public import Uncopied, public
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.helpers._shared.arguments import check_count, check_project_slug, check_timeout
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.partial import Partial, try_field
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.helpers._shared.values import Value
from circleci_sdk.v1._client import V1

from .step_output import OutputReader, Tail

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.helpers._downloads.download import Download, Renew
    from circleci_sdk.v1.models import BuildAction, BuildDetails, BuildStep

_FAILED: Final = frozenset({"failed", "timedout", "canceled", "cancelled", "infrastructure_fail", "terminated-unknown"})


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Step(Partial):
    """One step in one of the parallel runs of a job.

    Attributes:
        name: its name in the config, or its command.
        number: its position, from 0; the same step has the same number in all parallel runs.
        index: the parallel run, from 0.
        status: such as `success`, `failed`, `running`, `canceled` or `timedout`.
        is_failed: whether it failed, timed out, was canceled, or had an infrastructure failure; also for a step whose
            status is unavailable.
        exit_code: of its command; None without a command and for commands that were terminated.
        timed_out: whether it exceeded its run time or its time without output.
        infrastructure_failed: whether the infrastructure of CircleCI failed; `status` may be `success` all the same.
        is_background: whether the job continued without waiting for it.
        command: the command, None if it has none.
        started_at: the start, None if unknown.
        seconds: its run time, None if unknown.
        has_output: whether there is output to read.
        project_slug: the project of the job.
        job_number: the number of the job.
    """

    name: str
    number: int
    index: int
    status: str
    is_failed: bool
    exit_code: int | None
    timed_out: bool
    infrastructure_failed: bool
    is_background: bool
    command: str | None
    started_at: datetime | None
    seconds: float | None
    has_output: bool
    project_slug: str
    job_number: int
    url: str | None = field(repr=False)
    """The signed link to the output. It is valid for a limited time and gives access without a token."""


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class StepLog(Value):
    """The output of a step, or the end of it.

    `text` is as the step wrote it, control characters included: see `circleci_sdk.printable`. `is_cut`: the beginning
    is left out, or the server kept only a part. `problem`: why the output could not be read.
    """

    step: Step
    text: str
    is_cut: bool = False
    problem: str | None = None


@public("circleci_sdk.helpers")
class Output:
    """A stream of the output of a step: `async with circleci.logs.open(step) as output`, then `async for`.

    Yields strings of any length. `is_cut` reports, at the end, whether the server kept only a part. A broken
    connection is resumed; an expired link is renewed, once.
    """

    def __init__(self, download: Download | None, /) -> None:
        self._download = download
        self._reader = OutputReader()
        self._ended = download is None

    @property
    def is_cut(self) -> bool:
        """Whether the server kept only a part, as far as the output was read."""
        return self._reader.truncated

    async def __aenter__(self) -> Self:
        if self._download is not None:
            await self._download.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended = True
        if self._download is not None:
            await self._download.__aexit__(kind, error, trace)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while not self._ended:
            assert self._download is not None
            try:
                text = self._reader.feed(await self._download.__anext__())
            except StopAsyncIteration:
                self._ended = True
                text = self._reader.feed(b"", last=True)
            if text:
                return text
        raise StopAsyncIteration


@public("circleci_sdk.helpers")
class Logs(Uncopied):
    """The output of the steps of a job. Available as `circleci.logs`."""

    def __init__(self, caller: Caller, /) -> None:
        self._caller = caller
        self._v1 = V1(caller)

    def __repr__(self) -> str:
        return "<Logs>"

    async def steps(self, project_slug: str | ProjectSlug, job_number: int) -> list[Step]:
        """The steps of a job, by parallel run, in the order of execution. One call to v1.1.

        Raises:
            NotFoundError: the job does not exist, is an approval, or is hidden from this token.
        """
        slug = check_project_slug("logs.steps", project_slug)
        check("logs.steps", job_number=(job_number, at_least(1)))
        return steps_of(await self._build(slug, job_number), slug, job_number)

    async def failed(
        self,
        project_slug: str | ProjectSlug,
        job_number: int,
        *,
        tail: int | None = 200,
        concurrency: int = 8,
        timeout: float | None = 300.0,
    ) -> list[StepLog]:
        """The failed steps of a job with the end of their output, parallel runs apart.

        Failed steps are those with `Step.is_failed`. Output that cannot be read raises nothing: `problem` says why.

        Args:
            project_slug: the project.
            job_number: the number of the job.
            tail: lines to keep of each output, None for all.
            concurrency: the most outputs read at once.
            timeout: seconds for each output, None for no limit.

        Raises:
            NotFoundError: the job does not exist, is an approval, or is hidden from this token.

        One call to v1.1, and one download for each failed step; only the tail of the stream is kept in memory.
        """
        check_count("logs.failed", "tail", tail, least=0, optional=True)
        check_count("logs.failed", "concurrency", concurrency)
        check_timeout("logs.failed", timeout)
        slug = check_project_slug("logs.failed", project_slug)
        check("logs.failed", job_number=(job_number, at_least(1)))
        failed = [step for step in steps_of(await self._build(slug, job_number), slug, job_number) if step.is_failed]
        return await map_concurrently(partial(self._try_to_read, tail, timeout), failed, limit=concurrency)

    async def read(self, step: Step, *, tail: int | None = None, timeout: float | None = 300.0) -> StepLog:
        """The output of one step, all of it or its last `tail` lines, within `timeout` seconds. One download.

        A step without output has an empty `text`. Raises the errors of any call.
        """
        check_count("logs.read", "tail", tail, least=0, optional=True)
        check_timeout("logs.read", timeout)
        check("logs.read", step=(step, instance("a Step", Step)))
        kept = Tail(tail)
        async with self.open(step, timeout=timeout) as output:
            async for text in output:
                kept.add(text)
        return StepLog(step, kept.text, kept.cut or output.is_cut)

    def open(self, step: Step, *, timeout: float | None = None) -> Output:
        """A stream of the output of a step, for output larger than memory.

            async with circleci.logs.open(step) as output:
                async for text in output: ...

        `timeout` is in seconds, from the start to the end of the stream; None for no limit. One download, without the
        token; one more call to v1.1 if the link has expired.
        """
        check_timeout("logs.open", timeout)
        check("logs.open", step=(step, instance("a Step", Step)))
        if step.url is None:
            return Output(None)
        download = download_of(
            self._caller,
            step.url,
            label="logs.output",
            timeout=timeout,
            renew=self._renewal_of(step),
            signed=True,
        )
        return Output(download)

    def _renewal_of(self, step: Step) -> Renew:
        async def renew() -> str:
            for other in await self.steps(step.project_slug, step.job_number):
                url = if_available(lambda one: one.url, other)
                if url and _identity(other) == _identity(step):
                    return url
            assert step.url is not None
            return step.url

        return renew

    async def _try_to_read(self, tail: int | None, timeout: float | None, step: Step) -> StepLog:
        try:
            return await retry_reads(self._caller, lambda: self.read(step, tail=tail, timeout=timeout))
        except CircleCIError as error:
            return StepLog(step, "", problem=str(error))

    async def _build(self, project_slug: str, job_number: int) -> BuildDetails:
        return await retry_reads(self._caller, lambda: self._v1.builds.get(project_slug, job_number))


def steps_of(build: BuildDetails, project_slug: str, job_number: int) -> list[Step]:
    """The steps of a build, by parallel run, in order. Raises `FieldUnavailableError` for a build without steps."""
    steps = [
        _step_of(step, action, (number, index), project_slug, job_number)
        for number, step in enumerate(build.steps)
        for index, action in enumerate(_actions_of(step))
    ]
    return sorted(steps, key=lambda step: (step.index, step.number))


def _actions_of(step: BuildStep) -> list[Callable[[], BuildAction]]:
    """The parallel runs of a step, each behind a function, which raises if the list is unavailable."""
    known = if_available(lambda: step.actions or [])
    if known is None:
        return [lambda: (step.actions or [])[0]]
    return [partial(_itself, action) for action in known]


def _itself(action: BuildAction) -> BuildAction:
    return action


def _identity(step: Step) -> tuple[int, int, str | None]:
    return step.number, step.index, if_available(lambda: step.name)


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
        project_slug=project_slug,
        job_number=job_number,
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
    return status is None or status in _FAILED or any(flagged) or (bool(code) and status != "success")
