"""The high-level API: the types of `circleci.runs`, `logs`, `history`, `artifacts`, `secrets` and `usage`.

Instances come from the attributes and methods of an `AsyncCircleCI`. Those of a `CircleCI` with methods that wait, such
as `Run`, are in `circleci_sdk.sync`; results and errors are the same. Each module is loaded on first use.

A field that a response lacks, or has in another type, is unavailable in a result too: it raises `FieldUnavailableError`
where it is read, and `is_complete` is False. `getattr(job, "name", "a job")` reads it with a default. Statuses are the
exception: an unavailable one is `UnknownStr("unknown")`, which is neither final nor a success.

Results are values: `dataclasses.asdict`, `dataclasses.replace`, `copy`, `pickle` and pydantic's `TypeAdapter` work on
all of them. `asdict` and pydantic leave an unavailable field out; it is unavailable again in a result that pydantic
reads from such data. pydantic dumps an error as its type, its message and the facts of its call, without body and
headers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._shared.skipped import Skipped
    from .artifacts.artifacts import Artifacts
    from .artifacts.report import DownloadedArtifact, DownloadReport, JobArtifacts, LatestArtifacts
    from .artifacts.selection import Match
    from .artifacts.work import OnFile, Overwrite
    from .history.history import History, Records
    from .history.query import Include
    from .history.records import HistoryRecord, JobRecord, JobTestRecord, PipelineRecord, WorkflowRecord
    from .logs.logs import Logs
    from .logs.output import Output
    from .logs.steps import Step, StepLog
    from .runs.explain import FailedTest, JobExplanation
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
    from .runs.redundant import Cancellation, CancelOutcome, CancelReport
    from .runs.result import Explanation, RunResult
    from .runs.run import OnHold, Run
    from .runs.runs import Runs
    from .runs.search import RunSearch
    from .runs.search_query import FoundRun, SearchStatus
    from .runs.watch import RunWatch
    from .secrets.audit import OnError, SecretAudit
    from .secrets.report import SecretInfo, SecretKind, SecretOutcome, SecretReport, SecretResult, SecretTarget
    from .secrets.secrets import Secrets
    from .secrets.work import OnResult
    from .usage.exports import OnProgress, UsageProgress
    from .usage.missing import UsageDownload
    from .usage.rows import UsageRow
    from .usage.usage import Usage, UsageRows
    from .usage.windows import UsageWindow
else:
    from circleci_sdk._public import lazy

    __getattr__, __dir__ = lazy(
        __name__,
        {
            "._shared.skipped": "Skipped",
            ".artifacts.artifacts": "Artifacts",
            ".artifacts.report": "DownloadReport DownloadedArtifact JobArtifacts LatestArtifacts",
            ".artifacts.selection": "Match",
            ".artifacts.work": "OnFile Overwrite",
            ".history.history": "History Records",
            ".history.query": "Include",
            ".history.records": "HistoryRecord JobRecord JobTestRecord PipelineRecord WorkflowRecord",
            ".logs.logs": "Logs",
            ".logs.output": "Output",
            ".logs.steps": "Step StepLog",
            ".runs.explain": "FailedTest JobExplanation",
            ".runs.facts": (
                "ApprovalEvent JobEvent PipelineEvent RunEvent RunJob RunPipeline RunStatus RunWorkflow WorkflowEvent"
            ),
            ".runs.redundant": "CancelOutcome CancelReport Cancellation",
            ".runs.result": "Explanation RunResult",
            ".runs.run": "OnHold Run",
            ".runs.runs": "Runs",
            ".runs.search": "RunSearch",
            ".runs.search_query": "FoundRun SearchStatus",
            ".runs.watch": "RunWatch",
            ".secrets.audit": "OnError SecretAudit",
            ".secrets.report": "SecretInfo SecretKind SecretOutcome SecretReport SecretResult SecretTarget",
            ".secrets.secrets": "Secrets",
            ".secrets.work": "OnResult",
            ".usage.missing": "UsageDownload",
            ".usage.rows": "UsageRow",
            ".usage.exports": "OnProgress UsageProgress",
            ".usage.usage": "Usage UsageRows",
            ".usage.windows": "UsageWindow",
        },
    )

__all__ = [
    "ApprovalEvent",
    "Artifacts",
    "CancelOutcome",
    "CancelReport",
    "Cancellation",
    "DownloadReport",
    "DownloadedArtifact",
    "Explanation",
    "FailedTest",
    "FoundRun",
    "History",
    "HistoryRecord",
    "Include",
    "JobArtifacts",
    "JobEvent",
    "JobExplanation",
    "JobRecord",
    "JobTestRecord",
    "LatestArtifacts",
    "Logs",
    "Match",
    "OnError",
    "OnFile",
    "OnHold",
    "OnProgress",
    "OnResult",
    "Output",
    "Overwrite",
    "PipelineEvent",
    "PipelineRecord",
    "Records",
    "Run",
    "RunEvent",
    "RunJob",
    "RunPipeline",
    "RunResult",
    "RunSearch",
    "RunStatus",
    "RunWatch",
    "RunWorkflow",
    "Runs",
    "SearchStatus",
    "SecretAudit",
    "SecretInfo",
    "SecretKind",
    "SecretOutcome",
    "SecretReport",
    "SecretResult",
    "SecretTarget",
    "Secrets",
    "Skipped",
    "Step",
    "StepLog",
    "Usage",
    "UsageDownload",
    "UsageProgress",
    "UsageRow",
    "UsageRows",
    "UsageWindow",
    "WorkflowEvent",
    "WorkflowRecord",
]
