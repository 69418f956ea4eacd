"""Logs: the output of the steps of a job.

    for log in await circleci.logs.failed("gh/acme/web", 42, tail=50):
        print(log.step.name, log.step.status)
        print(log.text)

    step = (await circleci.logs.steps("gh/acme/web", 42))[-1]
    async with circleci.logs.follow(step) as output:  # until the step ends
        async for text in output:
            print(text, end="")

On the cloud they come from API v3. On a Server, and where v3 refuses the token or does not find the job, they come from
v1.1: it has signed links to a storage provider, which never receives the token. API v2 has no logs.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, overload

from circleci_sdk._core.checks import check, instance
from circleci_sdk._core.errors import CircleCIError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk._public import Uncopied, public
from circleci_sdk.helpers._downloads.addresses import check_url
from circleci_sdk.helpers._downloads.download import download_of
from circleci_sdk.helpers._shared.arguments import check_count, check_timeout
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.concurrency import map_concurrently
from circleci_sdk.helpers._shared.deadline import TimedCaller
from circleci_sdk.helpers._shared.retrying import retry_reads

from .finding import StepReader, check_job
from .following import FollowSource, PollSource
from .output import LinkSource, Output, StreamSource
from .step_output import Tail
from .steps import Step, StepLog
from .steps_v1 import same_step

if TYPE_CHECKING:
    from uuid import UUID

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.helpers._downloads.download import Renew

    from .output import Source


@public("circleci_sdk.helpers")
class Logs(Uncopied):
    """The output of the steps of a job. Available as `circleci.logs`."""

    def __init__(self, caller: Caller, /) -> None:
        self._caller = caller
        self._reader = StepReader(caller)

    def __repr__(self) -> str:
        return "<Logs>"

    @overload
    async def steps(
        self, project_slug: str | ProjectSlug, job_number: int, *, job_id: str | UUID | Unset = UNSET
    ) -> list[Step]: ...
    @overload
    async def steps(self, *, job_id: str | UUID) -> list[Step]: ...
    async def steps(
        self,
        project_slug: str | ProjectSlug | Unset = UNSET,
        job_number: int | Unset = UNSET,
        *,
        job_id: str | UUID | Unset = UNSET,
    ) -> list[Step]:
        """The steps of a job, by parallel run, in the order of execution.

        Args:
            project_slug: the project.
            job_number: the number of the job.
            job_id: the id of the job: a UUID, the same in v2 and v3. It saves two calls. Without the project and the
                number it requires v3.

        Raises:
            NotFoundError: the job does not exist, is an approval, or is hidden from this token.
            InvalidArgumentError: an argument is invalid, or v3 is required and missing.

        With v3 one call for an id, three for a number. With v1.1 one call, after those of v3 that were in vain.
        `Step.api` says which of them it was.
        """
        return await self._reader.steps("logs.steps", check_job("logs.steps", project_slug, job_number, job_id))

    @overload
    async def failed(
        self,
        project_slug: str | ProjectSlug,
        job_number: int,
        *,
        job_id: str | UUID | Unset = UNSET,
        tail: int | None = 200,
        concurrency: int = 8,
        timeout: float | None = 300.0,
    ) -> list[StepLog]: ...
    @overload
    async def failed(
        self,
        *,
        job_id: str | UUID,
        tail: int | None = 200,
        concurrency: int = 8,
        timeout: float | None = 300.0,
    ) -> list[StepLog]: ...
    async def failed(
        self,
        project_slug: str | ProjectSlug | Unset = UNSET,
        job_number: int | Unset = UNSET,
        *,
        job_id: str | UUID | Unset = UNSET,
        tail: int | None = 200,
        concurrency: int = 8,
        timeout: float | None = 300.0,
    ) -> list[StepLog]:
        """The failed steps of a job with the end of their output, parallel runs apart.

        Failed steps are those with `Step.is_failed`. Output that cannot be read raises nothing: `problem` says why.

        Args:
            project_slug: the project.
            job_number: the number of the job.
            job_id: the id of the job, as in `steps`.
            tail: lines to keep of each output, None for all.
            concurrency: the most outputs read at once.
            timeout: seconds for each output, None for no limit.

        Raises:
            NotFoundError: the job does not exist, is an approval, or is hidden from this token.
            InvalidArgumentError: an argument is invalid, or v3 is required and missing.

        The calls of `steps`, and for each failed step one or two with v3, one download with v1.1. Only the tail of the
        stream is kept in memory.
        """
        check_count("logs.failed", "tail", tail, least=0, optional=True)
        check_count("logs.failed", "concurrency", concurrency)
        check_timeout("logs.failed", timeout)
        job = check_job("logs.failed", project_slug, job_number, job_id)
        failed = [step for step in await self._reader.steps("logs.failed", job) if step.is_failed]
        return await map_concurrently(partial(try_to_read, self._caller, tail, timeout), failed, limit=concurrency)

    async def read(self, step: Step, *, tail: int | None = None, timeout: float | None = 300.0) -> StepLog:
        """The output of one step, all of it or its last `tail` lines, within `timeout` seconds.

        A step without output has an empty `text`. With v3 one or two calls, with v1.1 one download. Raises the errors
        of any call.
        """
        check_count("logs.read", "tail", tail, least=0, optional=True)
        check_timeout("logs.read", timeout)
        check("logs.read", step=(step, instance("a Step", Step)))
        kept = Tail(tail)
        async with self.open(step, timeout=timeout) as output:
            async for text in output:
                kept.add(text)
        return StepLog(with_api(step, output), kept.text, kept.cut or output.is_cut)

    def open(self, step: Step, *, timeout: float | None = None) -> Output:
        """A stream of the output of a step, for output larger than memory.

            async with circleci.logs.open(step) as output:
                async for text in output: ...

        `timeout` is in seconds, from the start to the end of the stream; None for no limit. With v3 one or two calls.
        With v1.1 one download, without the token; one more call if the link has expired.
        """
        check_timeout("logs.open", timeout)
        check("logs.open", step=(step, instance("a Step", Step)))
        job_id = if_available(lambda: step.job_id)
        if job_id is None:
            return Output(self._link(step, timeout))

        async def find() -> Source | None:
            other = await self._with_v1(step)
            return None if other is None else self._link(other, timeout)

        is_numbered = if_available(lambda: step.job_number) is not None
        return Output(StreamSource(self._caller, job_id, step, find if is_numbered else None, timeout))

    def follow(self, step: Step, *, timeout: float | None = None) -> Output:
        """A stream of the output of a step that may still run: what it wrote so far, then what it writes, to its end.

            async with circleci.logs.follow(step) as output:
                async for text in output:
                    print(text, end="")

        With v3 it reads standard output by byte offset every 1.5 seconds, and standard error once at the end. A call
        that fails for the moment is repeated, and nothing is lost or given twice. With v1.1 it reads the whole output
        every 5 seconds, and gives what is new; `Output.is_cut` says that the server kept only a part, or that the step
        is not found. `timeout` is in seconds, for all; None for no limit. Other errors are raised.
        """
        check_timeout("logs.follow", timeout)
        check("logs.follow", step=(step, instance("a Step", Step)))
        poll: Source | None = None
        if if_available(lambda: step.job_number) is not None:
            poll = PollSource(
                self._caller,
                lambda: self._with_v1(step, with_output=False),
                lambda one: self._link(one, timeout),
                timeout,
            )
        job_id = if_available(lambda: step.job_id)
        if job_id is not None:
            return Output(FollowSource(self._caller, job_id, step, poll, timeout))
        return Output(poll or LinkSource(None))

    def _link(self, step: Step, timeout: float | None) -> LinkSource:
        url = step.url
        if url is None:
            return LinkSource(None)
        check_url(url, allow_http=self._caller.session.allow_http)
        caller = TimedCaller(self._caller, timeout)  # the time counts from now on
        renew = self._renewal_of(step)
        return LinkSource(
            lambda: download_of(caller, url, label="logs.output", timeout=caller.left, renew=renew, signed=True)
        )

    def _renewal_of(self, step: Step) -> Renew:
        async def renew() -> str:
            assert step.url is not None
            other = await self._with_v1(step)
            return step.url if other is None or other.url is None else other.url

        return renew

    async def _with_v1(self, step: Step, *, with_output: bool = True) -> Step | None:
        """The same step, read with v1.1; None if it is not there, or has no output."""
        assert step.job_number is not None
        steps = await self._reader.steps_v1(step.project_slug, step.job_number)
        return same_step(steps, step, with_output=with_output)


async def try_to_read(caller: Caller, tail: int | None, timeout: float | None, step: Step) -> StepLog:
    """The output of one step, as `Logs.read`; without it, if it cannot be read, the `problem`."""
    try:
        return await retry_reads(caller, lambda: Logs(caller).read(step, tail=tail, timeout=timeout))
    except CircleCIError as error:
        return StepLog(step, "", problem=str(error))


def with_api(step: Step, output: Output) -> Step:
    """The step with the version of the API that has its output."""
    from dataclasses import replace

    return step if if_available(lambda: step.api) == output.api else replace(step, api=output.api)
