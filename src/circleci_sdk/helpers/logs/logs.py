"""Logs: what the steps of a job printed.

    for log in await circleci.logs.failed("gh/acme/web", 42, tail=50):
        print(log.step.name, log.step.status)
        print(log.text)

API v2 does not have them; v1.1 has, as signed links to a storage provider. The token does not go there.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Final, Self

from circleci_sdk._core.errors import CircleCIError, InvalidArgumentError
from circleci_sdk._core.options import is_count
from circleci_sdk._public import public
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.helpers._shared.concurrency import together
from circleci_sdk.helpers._shared.retrying import caller_of, patiently

from .step_output import OutputReader, Tail

if TYPE_CHECKING:
    from datetime import datetime
    from types import TracebackType

    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.client import AsyncCircleCI
    from circleci_sdk.helpers._downloads.download import Download, Renew
    from circleci_sdk.v1.models import BuildAction, BuildDetails

_FAILED: Final = frozenset({"failed", "timedout", "canceled", "cancelled", "infrastructure_fail", "terminated-unknown"})


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class Step:
    """What one step did in one of the parallel runs of a job.

    Attributes:
        name: its name in the config, or its command.
        number: counted from 0; steps that belong together in several parallel runs have the same.
        index: the parallel run, counted from 0.
        status: such as `success`, `failed`, `running`, `canceled` or `timedout`.
        is_failed: whether it failed, timed out, was canceled, or its machine broke.
        exit_code: of its command; None without a command, and for commands that were ended from outside.
        timed_out: whether it was ended because it took too long or printed nothing for too long.
        infrastructure_failed: whether CircleCI is to blame. Its `status` may say `success` all the same.
        is_background: whether the job went on without waiting for it.
        command: the command, if it is one.
        seconds: how long it took.
        has_output: whether it printed something that can be read.
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
    url: str | None = field(default=None, repr=False)
    """The signed link to the output. It works for a while, for anyone who has it."""


@public("circleci_sdk.helpers")
@dataclass(frozen=True, slots=True)
class StepLog:
    """The output of a step, or the end of it.

    `is_cut` says that something is missing at its beginning, or that the server kept only a part. `problem` says why
    there is no output, if it could not be had.
    """

    step: Step
    text: str
    is_cut: bool = False
    problem: str | None = None


@public("circleci_sdk.helpers")
class Output:
    """The output of a step as it streams in: `async with circleci.logs.open(step) as output`, then `async for`.

    Gives text in pieces of any size. `is_cut` says, at the end, whether the server kept only a part. A broken
    connection is taken up where it broke; a link that has expired is asked for again, once.
    """

    def __init__(self, download: Download | None) -> None:
        self._download = download
        self._reader = OutputReader()
        self._ended = download is None

    @property
    def is_cut(self) -> bool:
        """Whether the server kept only a part, as far as was read."""
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
class Logs:
    """The output of the steps of a job. Reached as `circleci.logs`."""

    def __init__(self, circleci: AsyncCircleCI) -> None:
        self._circleci = circleci

    def __repr__(self) -> str:
        return "<Logs>"

    async def steps(self, project_slug: str | ProjectSlug, job_number: int) -> list[Step]:
        """The steps of a job, of each parallel run in the order in which they ran. One call, to v1.1.

        Raises:
            NotFoundError: the job is missing, or hidden from this token.
        """
        return steps_of(await self._build(project_slug, job_number), str(project_slug))

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

        Steps count as failed when they failed, timed out, were canceled, or their machine broke. Output that cannot be
        had makes no error: its `problem` says why.

        Args:
            project_slug: the project.
            job_number: the number of the job.
            tail: lines to keep of each output; None keeps all of it.
            concurrency: outputs read at once.
            timeout: seconds for each output; None waits on.

        Raises:
            NotFoundError: the job is missing, or hidden from this token.

        One call to v1.1, and one download for each failed step; output is read as it comes, and only the tail is kept.
        """
        _check_tail(tail)
        build = await self._build(project_slug, job_number)
        failed = [step for step in steps_of(build, str(project_slug)) if step.is_failed]
        return await together(partial(self._try_to_read, tail, timeout), failed, limit=concurrency)

    async def read(self, step: Step, *, tail: int | None = None, timeout: float | None = 300.0) -> StepLog:
        """The output of one step, all of it or its last `tail` lines, within `timeout` seconds. One download.

        A step without output gives an empty text. Raises what any call raises.
        """
        _check_tail(tail)
        kept = Tail(tail)
        async with self.open(step, timeout=timeout) as output:
            async for text in output:
                kept.add(text)
        return StepLog(step, kept.text, kept.cut or output.is_cut)

    def open(self, step: Step, *, timeout: float | None = None) -> Output:
        """The output of a step piece by piece, for output too large to keep.

            async with circleci.logs.open(step) as output:
                async for text in output: ...

        `timeout` is in seconds, from opening to the last piece; None sets no limit. One download, without the token;
        one call to v1.1 more if the link has expired.
        """
        if step.url is None:
            return Output(None)
        download = download_of(
            caller_of(self._circleci),
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
                if (other.number, other.index, other.name) == (step.number, step.index, step.name) and other.url:
                    return other.url
            assert step.url is not None
            return step.url

        return renew

    async def _try_to_read(self, tail: int | None, timeout: float | None, step: Step) -> StepLog:
        try:
            return await patiently(self._circleci, lambda: self.read(step, tail=tail, timeout=timeout))
        except CircleCIError as error:
            return StepLog(step, "", problem=str(error))

    async def _build(self, project_slug: str | ProjectSlug, job_number: int) -> BuildDetails:
        return await patiently(self._circleci, lambda: self._circleci.v1.builds.get(project_slug, job_number))


def steps_of(build: BuildDetails, project_slug: str) -> list[Step]:
    """The steps of a build; of each parallel run in order."""
    steps = [
        _step_of(action, step.name, project_slug, build.build_num)
        for step in build.steps
        for action in step.actions or ()
    ]
    return sorted(steps, key=lambda step: (step.index, step.number))


def _step_of(action: BuildAction, name: str | None, project_slug: str, job_number: int) -> Step:
    flagged = (action.failed, action.timedout, action.canceled, action.infrastructure_fail)
    code = action.exit_code
    return Step(
        name=name or action.name,
        number=action.step,
        index=action.index,
        status=action.status,
        is_failed=action.status in _FAILED or any(flagged) or (bool(code) and action.status != "success"),
        exit_code=code,
        timed_out=action.status == "timedout" or bool(action.timedout),
        infrastructure_failed=action.status == "infrastructure_fail" or bool(action.infrastructure_fail),
        is_background=bool(action.background),
        command=action.bash_command,
        started_at=action.start_time,
        seconds=None if action.run_time_millis is None else action.run_time_millis / 1000,
        has_output=bool(action.output_url),
        project_slug=project_slug,
        job_number=job_number,
        url=action.output_url or None,
    )


def _check_tail(tail: int | None) -> None:
    if tail is not None and not is_count(tail, least=0):
        raise InvalidArgumentError(f"tail: it takes a whole number of lines from 0 up, or None, not {tail!r}.")
