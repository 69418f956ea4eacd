"""The jobs that people do with a CI: the types that `circleci.runs`, `logs`, `artifacts` and their like give and take.

Nothing here is made by hand; open the doors of an `AsyncCircleCI`. Each part is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from .artifacts import Artifacts as Artifacts
    from .artifacts import DownloadedArtifact as DownloadedArtifact
    from .artifacts import JobArtifacts as JobArtifacts
    from .artifacts import LatestArtifacts as LatestArtifacts
    from .history.history import History as History
    from .history.history import Records as Records
    from .history.records import HistoryRecord as HistoryRecord
    from .history.records import JobRecord as JobRecord
    from .history.records import JobTestRecord as JobTestRecord
    from .history.records import PipelineRecord as PipelineRecord
    from .history.records import WorkflowRecord as WorkflowRecord
    from .logs.logs import Logs as Logs
    from .logs.logs import Output as Output
    from .logs.logs import Step as Step
    from .logs.logs import StepLog as StepLog
    from .runs.explain import Explanation as Explanation
    from .runs.explain import FailedTest as FailedTest
    from .runs.explain import JobExplanation as JobExplanation
    from .runs.facts import ApprovalEvent as ApprovalEvent
    from .runs.facts import JobEvent as JobEvent
    from .runs.facts import PipelineEvent as PipelineEvent
    from .runs.facts import RunEvent as RunEvent
    from .runs.facts import RunJob as RunJob
    from .runs.facts import RunPipeline as RunPipeline
    from .runs.facts import RunStatus as RunStatus
    from .runs.facts import RunWorkflow as RunWorkflow
    from .runs.facts import WorkflowEvent as WorkflowEvent
    from .runs.result import RunResult as RunResult
    from .runs.run import Run as Run
    from .runs.run import RunWatch as RunWatch
    from .runs.runs import Cancellation as Cancellation
    from .runs.runs import Runs as Runs
    from .secrets.report import SecretInfo as SecretInfo
    from .secrets.report import SecretReport as SecretReport
    from .secrets.report import SecretResult as SecretResult
    from .secrets.report import SecretTarget as SecretTarget
    from .secrets.secrets import Secrets as Secrets
    from .usage.rows import UsageRow as UsageRow
    from .usage.usage import Usage as Usage
    from .usage.usage import UsageProgress as UsageProgress
    from .usage.usage import UsageRows as UsageRows
    from .usage.usage import UsageWindow as UsageWindow

_HOMES: Final = {
    "runs.explain": ("Explanation", "FailedTest", "JobExplanation"),
    "history.records": ("HistoryRecord", "JobRecord", "PipelineRecord", "JobTestRecord", "WorkflowRecord"),
    "runs.run": ("Run", "RunWatch"),
    "runs.facts": (
        "ApprovalEvent",
        "JobEvent",
        "PipelineEvent",
        "RunEvent",
        "RunJob",
        "RunPipeline",
        "RunStatus",
        "RunWorkflow",
        "WorkflowEvent",
    ),
    "runs.result": ("RunResult",),
    "secrets.report": ("SecretInfo", "SecretReport", "SecretResult", "SecretTarget"),
    "usage.rows": ("UsageRow",),
    "artifacts": ("Artifacts", "DownloadedArtifact", "JobArtifacts", "LatestArtifacts"),
    "history.history": ("History", "Records"),
    "logs.logs": ("Logs", "Output", "Step", "StepLog"),
    "runs.runs": ("Cancellation", "Runs"),
    "secrets.secrets": ("Secrets",),
    "usage.usage": ("Usage", "UsageProgress", "UsageRows", "UsageWindow"),
}
_HOME_OF: Final = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "ApprovalEvent",
    "Artifacts",
    "Cancellation",
    "DownloadedArtifact",
    "Explanation",
    "FailedTest",
    "History",
    "HistoryRecord",
    "JobArtifacts",
    "JobEvent",
    "JobExplanation",
    "JobRecord",
    "JobTestRecord",
    "LatestArtifacts",
    "Logs",
    "Output",
    "PipelineEvent",
    "PipelineRecord",
    "Records",
    "Run",
    "RunEvent",
    "RunJob",
    "RunPipeline",
    "RunResult",
    "RunStatus",
    "RunWatch",
    "RunWorkflow",
    "Runs",
    "SecretInfo",
    "SecretReport",
    "SecretResult",
    "SecretTarget",
    "Secrets",
    "Step",
    "StepLog",
    "Usage",
    "UsageProgress",
    "UsageRow",
    "UsageRows",
    "UsageWindow",
    "WorkflowEvent",
    "WorkflowRecord",
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
