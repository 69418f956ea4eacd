"""`FakeCircleCI`: a CircleCI on your ctx, to test what talks to it.

    from circleci_sdk.testing import FakeCircleCI, Job, Workflow

    fake = FakeCircleCI()
    web = fake.add_project("gh/acme/web")
    web.will_run(Workflow("build", Job("test", 60, outcome="failed", output="1 failed")))

It returns every operation of v2 and v1.1 out of one state, judges requests by the specs that come with the package,
and runs jobs on a clock that the test moves. It is reached in process (`fake.client()`) or over a port
(`fake.serve()`, which needs `pip install 'circleci-sdk[testing]'`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._clock import FakeClock
    from ._fake import FakeCircleCI
    from ._plans import Approval, Job, JobTest, Step, Workflow
    from ._protocol.recording import RecordedRequest
    from ._servers.deliveries import Delivery, Webhooks
    from ._servers.server import MissingExtraError, ServedFake
    from ._store.entities import FakeContext, FakeOrganization, FakeUser
    from ._store.projects import FakeProject
    from ._store.runs import FakeJob, FakePipeline, FakeWorkflow
else:
    from circleci_sdk._lazy import lazy

    __getattr__, __dir__ = lazy(
        __name__,
        {
            "._clock": "FakeClock",
            "._fake": "FakeCircleCI",
            "._plans": "Approval Job JobTest Step Workflow",
            "._protocol.recording": "RecordedRequest",
            "._servers.deliveries": "Delivery Webhooks",
            "._servers.server": "MissingExtraError ServedFake",
            "._store.entities": "FakeContext FakeOrganization FakeUser",
            "._store.projects": "FakeProject",
            "._store.runs": "FakeJob FakePipeline FakeWorkflow",
        },
    )

__all__ = [
    "Approval",
    "Delivery",
    "FakeCircleCI",
    "FakeClock",
    "FakeContext",
    "FakeJob",
    "FakeOrganization",
    "FakePipeline",
    "FakeProject",
    "FakeUser",
    "FakeWorkflow",
    "Job",
    "JobTest",
    "MissingExtraError",
    "RecordedRequest",
    "ServedFake",
    "Step",
    "Webhooks",
    "Workflow",
]
