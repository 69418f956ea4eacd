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

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._clock import FakeClock as FakeClock
    from ._fake import FakeCircleCI as FakeCircleCI
    from ._plans import Approval as Approval
    from ._plans import Job as Job
    from ._plans import JobTest as JobTest
    from ._plans import Step as Step
    from ._plans import Workflow as Workflow
    from ._protocol.recording import RecordedRequest as RecordedRequest
    from ._servers.deliveries import Delivery as Delivery
    from ._servers.deliveries import Webhooks as Webhooks
    from ._servers.server import MissingExtraError as MissingExtraError
    from ._servers.server import ServedFake as ServedFake
    from ._store.entities import FakeContext as FakeContext
    from ._store.entities import FakeOrganization as FakeOrganization
    from ._store.entities import FakeUser as FakeUser
    from ._store.projects import FakeProject as FakeProject
    from ._store.runs import FakeJob as FakeJob
    from ._store.runs import FakePipeline as FakePipeline
    from ._store.runs import FakeWorkflow as FakeWorkflow

_HOMES: Final = {
    "_clock": ("FakeClock",),
    "_servers.deliveries": ("Delivery", "Webhooks"),
    "_servers.server": ("MissingExtraError", "ServedFake"),
    "_fake": ("FakeCircleCI",),
    "_plans": ("Approval", "JobTest", "Job", "Step", "Workflow"),
    "_store.projects": ("FakeProject",),
    "_store.runs": ("FakeJob", "FakePipeline", "FakeWorkflow"),
    "_store.entities": ("FakeContext", "FakeOrganization", "FakeUser"),
    "_protocol.recording": ("RecordedRequest",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{home}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
