"""`FakeCircleCI`: a CircleCI on your desk, to test what talks to it.

    from circleci_sdk.testing import FakeCircleCI, Job, Workflow

    fake = FakeCircleCI()
    web = fake.add_project("gh/acme/web")
    web.will_run(Workflow("build", Job("test", 60, outcome="failed", output="1 failed")))

It answers every operation of v2 and v1.1 out of one state, judges requests by the specs that come with the package,
and runs jobs on a clock that the test moves. It is reached in process (`fake.client()`) or over a port
(`fake.serve()`, which needs `pip install 'circleci-sdk[testing]'`).
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._clock import FakeClock as FakeClock
    from ._doors.deliveries import Delivery as Delivery
    from ._doors.deliveries import Webhooks as Webhooks
    from ._doors.server import MissingExtraError as MissingExtraError
    from ._doors.server import ServedFake as ServedFake
    from ._fake import FakeCircleCI as FakeCircleCI
    from ._plans import Approval as Approval
    from ._plans import Case as Case
    from ._plans import Job as Job
    from ._plans import Step as Step
    from ._plans import Workflow as Workflow
    from ._state.projects import FakeProject as FakeProject
    from ._state.runs import FakeJob as FakeJob
    from ._state.runs import FakePipeline as FakePipeline
    from ._state.runs import FakeWorkflow as FakeWorkflow
    from ._state.things import FakeContext as FakeContext
    from ._state.things import FakeOrganization as FakeOrganization
    from ._state.things import FakeUser as FakeUser
    from ._wire.recording import RecordedRequest as RecordedRequest

_HOMES: Final = {
    "_clock": ("FakeClock",),
    "_doors.deliveries": ("Delivery", "Webhooks"),
    "_doors.server": ("MissingExtraError", "ServedFake"),
    "_fake": ("FakeCircleCI",),
    "_plans": ("Approval", "Case", "Job", "Step", "Workflow"),
    "_state.projects": ("FakeProject",),
    "_state.runs": ("FakeJob", "FakePipeline", "FakeWorkflow"),
    "_state.things": ("FakeContext", "FakeOrganization", "FakeUser"),
    "_wire.recording": ("RecordedRequest",),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "Approval",
    "Case",
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
