"""The jobs that people do with a CI: the types that `circleci.runs`, `logs`, `artifacts` and their like give and take.

Nothing here is made by hand; open the doors of an `AsyncCircleCI`. Each part is loaded when it is first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .artifacts import Artifacts, DownloadedArtifact, JobArtifacts, LatestArtifacts
    from .history.history import History, Records
    from .history.records import HistoryRecord, JobRecord, JobTestRecord, PipelineRecord, WorkflowRecord
    from .logs.logs import Logs, Output, Step, StepLog
    from .runs.explain import Explanation, FailedTest, JobExplanation
    from .runs.facts import (
        ApprovalEvent,
        JobEvent,
        PipelineEvent,
        RunEvent,
        RunJob,
        RunPipeline,
        RunStatus,
        RunWorkflow,
        WorkflowEvent,
    )
    from .runs.result import RunResult
    from .runs.run import Run, RunWatch
    from .runs.runs import Cancellation, Runs
    from .secrets.report import SecretInfo, SecretReport, SecretResult, SecretTarget
    from .secrets.secrets import Secrets
    from .usage.rows import UsageRow
    from .usage.usage import Usage, UsageProgress, UsageRows, UsageWindow
else:
    from circleci_sdk._public import lazy

    __getattr__, __dir__ = lazy(
        __name__,
        {
            ".artifacts": "Artifacts DownloadedArtifact JobArtifacts LatestArtifacts",
            ".history.history": "History Records",
            ".history.records": "HistoryRecord JobRecord JobTestRecord PipelineRecord WorkflowRecord",
            ".logs.logs": "Logs Output Step StepLog",
            ".runs.explain": "Explanation FailedTest JobExplanation",
            ".runs.facts": (
                "ApprovalEvent JobEvent PipelineEvent RunEvent RunJob RunPipeline RunStatus RunWorkflow WorkflowEvent"
            ),
            ".runs.result": "RunResult",
            ".runs.run": "Run RunWatch",
            ".runs.runs": "Cancellation Runs",
            ".secrets.report": "SecretInfo SecretReport SecretResult SecretTarget",
            ".secrets.secrets": "Secrets",
            ".usage.rows": "UsageRow",
            ".usage.usage": "Usage UsageProgress UsageRows UsageWindow",
        },
    )

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
