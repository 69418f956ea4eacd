"""Reads the steps of a job with the best version of the API that serves this client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from circleci_sdk._core.checks import Accepted, at_least, check
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.unset import UNSET, Unset
from circleci_sdk.helpers._shared.arguments import check_project_slug, is_id
from circleci_sdk.helpers._shared.available import if_available
from circleci_sdk.helpers._shared.retrying import retry_reads
from circleci_sdk.helpers._shared.versions import NOT_SERVED, has_v3, note_fallback
from circleci_sdk.v1._client import V1
from circleci_sdk.v2._client import V2
from circleci_sdk.v3._client import V3

from .steps_v1 import steps_of_build
from .steps_v3 import steps_of_job

if TYPE_CHECKING:
    from uuid import UUID

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.errors import CircleCIError
    from circleci_sdk._core.serialization.slugs import ProjectSlug
    from circleci_sdk.v3.models import JobDetails

    from .steps import Step

_JOB_ID: Final = Accepted("the id of a job, a UUID", is_id)


class JobKey(NamedTuple):
    """What is known of a job: its project and number, its id, or both."""

    project_slug: str | None
    number: int | None
    job_id: str | None


def check_job(
    method: str, project_slug: str | ProjectSlug | Unset, job_number: int | Unset, job_id: str | UUID | Unset
) -> JobKey:
    """The key of a job, from the arguments of a method."""
    if job_id is not UNSET:
        check(method, job_id=(job_id, _JOB_ID))
    slug = None if project_slug is UNSET else check_project_slug(method, project_slug)
    if job_number is not UNSET:
        check(method, job_number=(job_number, at_least(1)))
    number = job_number if isinstance(job_number, int) else None
    if (slug is None) != (number is None) or (slug is None and job_id is UNSET):
        raise InvalidArgumentError(f"{method}: expected project_slug and job_number, job_id, or all three.")
    return JobKey(slug, number, None if job_id is UNSET else str(job_id))


class StepReader:
    """The steps of jobs, from v3 or from v1.1."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller
        self._v1 = V1(caller)
        self._v2 = V2(caller)
        self._v3 = V3(caller)

    async def steps(self, method: str, job: JobKey) -> list[Step]:
        """The steps of a job. With v1.1 for a Server, a client that v3 refuses, and a job that v3 does not find."""
        reason: CircleCIError | str = "a Server has no v3"
        if has_v3(self._caller):
            try:
                steps = await self.steps_v3(job)
            except NOT_SERVED as error:
                if job.number is None:
                    raise
                steps, reason = None, error
            else:
                reason = "v3 has no steps of this job"
            if steps is not None:
                return steps
        if job.project_slug is None or job.number is None:
            raise InvalidArgumentError(f"{method}: job_id: {reason}; pass project_slug and job_number too.")
        note_fallback(method, "v1.1", reason)
        return await self.steps_v1(job.project_slug, job.number)

    async def steps_v1(self, project_slug: str, job_number: int) -> list[Step]:
        """The steps of a job, from v1.1: one call."""
        build = await retry_reads(self._caller, lambda: self._v1.builds.get(project_slug, job_number))
        return steps_of_build(build, project_slug, job_number)

    async def steps_v3(self, job: JobKey) -> list[Step] | None:
        """The steps of a job, from v3: one call, and two more to find its id. None if it or its steps are not there."""
        identity = job.job_id or await self._id_of(job)
        if identity is None:
            return None
        details = await self.job(identity)
        return steps_of_job(details, job.project_slug, job.number)

    async def job(self, job_id: str) -> JobDetails:
        """A job of v3."""
        return await retry_reads(self._caller, lambda: self._v3.jobs.get(job_id))

    async def _id_of(self, job: JobKey) -> str | None:
        slug, number = job.project_slug, job.number
        assert slug is not None
        assert number is not None
        details = await retry_reads(self._caller, lambda: self._v2.jobs.get(slug, number))
        workflow_id = if_available(lambda: details.latest_workflow.id)
        if workflow_id is None:
            return None

        async def find() -> str | None:
            async for one in self._v3.jobs.list(workflow_id=workflow_id):
                if if_available(lambda it: it.number, one) == number:
                    return if_available(lambda it: it.id, one)
            return None

        return await retry_reads(self._caller, find)
