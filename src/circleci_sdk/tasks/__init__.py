"""The jobs that people do with a CI: the types that `circleci.runs`, `logs`, `artifacts` and their like give and take.

Nothing here is made by hand; open the doors of an `AsyncCircleCI`. Each part is loaded when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from ._explain import Explanation as Explanation
    from ._explain import FailedTest as FailedTest
    from ._explain import JobExplanation as JobExplanation
    from ._history_records import HistoryRecord as HistoryRecord
    from ._history_records import JobRecord as JobRecord
    from ._history_records import JobTestRecord as JobTestRecord
    from ._history_records import PipelineRecord as PipelineRecord
    from ._history_records import WorkflowRecord as WorkflowRecord
    from ._run import Run as Run
    from ._run import RunWatch as RunWatch
    from ._run_facts import ApprovalEvent as ApprovalEvent
    from ._run_facts import JobEvent as JobEvent
    from ._run_facts import PipelineEvent as PipelineEvent
    from ._run_facts import RunEvent as RunEvent
    from ._run_facts import RunJob as RunJob
    from ._run_facts import RunPipeline as RunPipeline
    from ._run_facts import RunStatus as RunStatus
    from ._run_facts import RunWorkflow as RunWorkflow
    from ._run_facts import WorkflowEvent as WorkflowEvent
    from ._run_result import RunResult as RunResult
    from ._secret_report import SecretInfo as SecretInfo
    from ._secret_report import SecretReport as SecretReport
    from ._secret_report import SecretResult as SecretResult
    from ._secret_report import SecretTarget as SecretTarget
    from ._usage_rows import UsageRow as UsageRow
    from .artifacts import Artifacts as Artifacts
    from .artifacts import DownloadedArtifact as DownloadedArtifact
    from .artifacts import JobArtifacts as JobArtifacts
    from .artifacts import LatestArtifacts as LatestArtifacts
    from .history import History as History
    from .history import Records as Records
    from .logs import Logs as Logs
    from .logs import Output as Output
    from .logs import Step as Step
    from .logs import StepLog as StepLog
    from .runs import Cancellation as Cancellation
    from .runs import Runs as Runs
    from .secrets import Secrets as Secrets
    from .usage import Usage as Usage
    from .usage import UsageProgress as UsageProgress
    from .usage import UsageRows as UsageRows
    from .usage import UsageWindow as UsageWindow

_HOMES: Final = {
    "_explain": ("Explanation", "FailedTest", "JobExplanation"),
    "_history_records": ("HistoryRecord", "JobRecord", "PipelineRecord", "JobTestRecord", "WorkflowRecord"),
    "_run": ("Run", "RunWatch"),
    "_run_facts": (
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
    "_run_result": ("RunResult",),
    "_secret_report": ("SecretInfo", "SecretReport", "SecretResult", "SecretTarget"),
    "_usage_rows": ("UsageRow",),
    "artifacts": ("Artifacts", "DownloadedArtifact", "JobArtifacts", "LatestArtifacts"),
    "history": ("History", "Records"),
    "logs": ("Logs", "Output", "Step", "StepLog"),
    "runs": ("Cancellation", "Runs"),
    "secrets": ("Secrets",),
    "usage": ("Usage", "UsageProgress", "UsageRows", "UsageWindow"),
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
