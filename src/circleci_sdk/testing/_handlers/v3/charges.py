"""`v3.charges`: the credits of jobs that have ended, by job, workflow or pipeline."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from circleci_sdk.testing._handlers.context import RequestContext, handles
from circleci_sdk.testing._wire.messages import ErrorResponse

from .envelope import entity, page
from .filters import read_filter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakeJob

_DEFAULT_PERIOD: Final = timedelta(days=14)
_DEFAULT_ORDER: Final = "credits desc"
_ORDERS: Final = ("name", "credits", "runs", "credits_per_run")

_KEYS: Final[dict[str, Callable[[FakeJob], tuple[str, str]]]] = {
    "charge.job": lambda job: (job.name, job.id),
    "charge.workflow": lambda job: (job.workflow.name, job.workflow.id),
    "charge.pipeline": lambda job: (job.project.name, job.workflow.pipeline.id),
}
"""By kind of analysis the name of the row of a job, and the id of the run of that row."""


@dataclass(slots=True)
class _Charge:
    name: str
    project_id: str
    credits: int = 0
    runs: set[str] = field(default_factory=set[str])

    @property
    def attributes(self) -> JsonObject:
        return {
            "name": self.name,
            "credits": self.credits,
            "runs": len(self.runs),
            "credits_per_run": self.credits / len(self.runs),
        }


@handles("v3.charges.search")
def search(ctx: RequestContext) -> object:
    key_of = _KEYS[ctx.call["analysis"]]
    by, _, direction = ctx.call.get("order_by", _DEFAULT_ORDER).partition(" ")
    if by not in _ORDERS or direction not in ("asc", "desc"):
        raise ErrorResponse(400, f"Order by one of {', '.join(_ORDERS)}, asc or desc.")
    charges: dict[tuple[str, str], _Charge] = {}
    for job in _jobs(ctx):
        name, run = key_of(job)
        charge = charges.setdefault((job.project.id, name), _Charge(name, job.project.id))
        charge.credits += job.credits
        charge.runs.add(run)
    found = sorted(charges.values(), key=lambda each: each.attributes[by], reverse=direction == "desc")
    return page(ctx, found, lambda each: entity(None, each.attributes, project=each.project_id))


def _jobs(ctx: RequestContext) -> Iterator[FakeJob]:
    """The jobs that have ended in the period and match the filter."""
    terms = read_filter(ctx.call.get("filter_expression", ""), ("pipeline.id",))
    start, end = ctx.now - _DEFAULT_PERIOD, ctx.now
    if ctx.call.get("from_"):
        start = datetime.fromisoformat(ctx.call["from_"])
    if ctx.call.get("to"):
        end = datetime.fromisoformat(ctx.call["to"])
    for id in dict.fromkeys(ctx.call["project_ids"]):
        project = ctx.store.projects.get(id)
        for job in project.jobs if project is not None and ctx.can_see(project) else ():
            ended = job.stopped_at is not None and start <= job.stopped_at <= end
            if ended and all(job.workflow.pipeline.id == text for _, text in terms):
                yield job
