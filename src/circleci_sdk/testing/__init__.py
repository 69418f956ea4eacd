"""`FakeCircleCI`: an in-memory fake server of the CircleCI API, for tests of programs that call it.

    from circleci_sdk.testing import FakeCircleCI, Job, Workflow

    fake = FakeCircleCI()
    web = fake.add_project("gh/acme/web")
    web.will_run(Workflow("build", Job("test", 60, outcome="failed", output="1 failed")))

It implements all operations of v3, v2 and v1.1 on one state, validates requests against the bundled specs, and runs
jobs on a clock that the test controls. Use it in process (`fake.client()`, `fake.sync_client()`) or on a port
(`fake.serve()`, which needs the extra `testing`).

The package has these layers, each of which imports only those below:

    _fake        the public class
    _servers     transports: httpx, ASGI, a port; a client; deliveries of webhooks
    _protocol    one request: routing, authentication, validation, faults, rate limits, recording
    _handlers    one function per operation: changes the state and returns the response
    _wire        requests and responses as data, the bundled specs
    _store       the state: clock, plans, organizations, projects, runs and their rules
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._fake import FakeCircleCI
    from ._protocol.faults import ChaosFault, DropPoint
    from ._protocol.limits import RateLimitFamily
    from ._protocol.misbehaviour import MisbehaviourKind
    from ._protocol.recording import RecordedRequest, RecordedRequests
    from ._servers.server import MissingExtraError, ServedFake
    from ._servers.webhooks import Delivery, Webhooks
    from ._store.clock import FakeClock
    from ._store.entities import FakeContext, FakeOrganization, ProjectState
    from ._store.plans import Approval, ErrorKind, Job, JobTest, Outcome, Requires, Step, Workflow, WorkflowOutcome
    from ._store.projects import FakeProject
    from ._store.records import (
        DecisionStatus,
        FakeCheckoutKey,
        FakeClaims,
        FakeEnvVar,
        FakeItem,
        FakePolicies,
        FakeProjectToken,
        FakeRestriction,
        FakeUsageExport,
        FakeUser,
    )
    from ._store.runs import FakeJob, FakePipeline, FakeWorkflow, JobState, PipelineState, WorkflowState
else:
    from circleci_sdk._public import lazy

    __getattr__, __dir__ = lazy(
        __name__,
        {
            "._fake": "FakeCircleCI",
            "._protocol.faults": "ChaosFault DropPoint",
            "._protocol.misbehaviour": "MisbehaviourKind",
            "._protocol.limits": "RateLimitFamily",
            "._protocol.recording": "RecordedRequest RecordedRequests",
            "._servers.server": "MissingExtraError ServedFake",
            "._servers.webhooks": "Delivery Webhooks",
            "._store.clock": "FakeClock",
            "._store.entities": "FakeContext FakeOrganization ProjectState",
            "._store.plans": "Approval ErrorKind Job JobTest Outcome Requires Step Workflow WorkflowOutcome",
            "._store.projects": "FakeProject",
            "._store.records": (
                "DecisionStatus FakeCheckoutKey FakeClaims FakeEnvVar FakeItem FakePolicies FakeProjectToken "
                "FakeRestriction FakeUsageExport FakeUser"
            ),
            "._store.runs": "FakeJob FakePipeline FakeWorkflow JobState PipelineState WorkflowState",
        },
    )

__all__ = [
    "Approval",
    "ChaosFault",
    "DecisionStatus",
    "Delivery",
    "DropPoint",
    "ErrorKind",
    "FakeCheckoutKey",
    "FakeCircleCI",
    "FakeClaims",
    "FakeClock",
    "FakeContext",
    "FakeEnvVar",
    "FakeItem",
    "FakeJob",
    "FakeOrganization",
    "FakePipeline",
    "FakePolicies",
    "FakeProject",
    "FakeProjectToken",
    "FakeRestriction",
    "FakeUsageExport",
    "FakeUser",
    "FakeWorkflow",
    "Job",
    "JobState",
    "JobTest",
    "MisbehaviourKind",
    "MissingExtraError",
    "Outcome",
    "PipelineState",
    "ProjectState",
    "RateLimitFamily",
    "RecordedRequest",
    "RecordedRequests",
    "Requires",
    "ServedFake",
    "Step",
    "Webhooks",
    "Workflow",
    "WorkflowOutcome",
    "WorkflowState",
]
