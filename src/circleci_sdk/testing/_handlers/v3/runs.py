"""`v3.runs`: the pipelines of v2."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

from circleci_sdk.testing._handlers.context import RequestContext, handles, millis, present
from circleci_sdk.testing._handlers.runs_v2 import PROVIDERS
from circleci_sdk.testing._store.store import HOSTS

from .envelope import entity, newest, one
from .filters import read_filter
from .phases import progress_of_run, status_of_run

if TYPE_CHECKING:
    from collections.abc import Callable

    from circleci_sdk.testing._store.records import JsonObject
    from circleci_sdk.testing._store.runs import FakePipeline

_FIELDS: Final[dict[str, Callable[[FakePipeline], str | None]]] = {
    "pipeline.git.branch": lambda run: run.branch,
    "pipeline.git.revision": lambda run: run.revision,
    "pipeline.status": status_of_run,
}
"""What a search can compare."""


@handles("v3.runs.list")
def list_(ctx: RequestContext) -> object:
    ctx.own_user()
    phase, outcome = ctx.call.get("phase"), ctx.call.get("current_outcome")
    window = _window(ctx)

    def matches(run: FakePipeline) -> bool:
        now = progress_of_run(run)
        return (
            run.actor is ctx.user
            and ctx.can_see(run.project)
            and ctx.store.is_visible(run)
            and window(run)
            and phase in (None, now.phase)
            and outcome in (None, now.outcome)
        )

    return newest(ctx, list(ctx.store.runs.pipelines.values()), _show, matches)


@handles("v3.runs.get")
def get(ctx: RequestContext) -> object:
    return one(_show(ctx.pipeline("run_id")))


@handles("v3.runs.search")
def search(ctx: RequestContext) -> object:
    terms = read_filter(ctx.call.get("filter_expression", ""), _FIELDS)
    projects = set(ctx.call["project_ids"])
    window = _window(ctx)

    def matches(run: FakePipeline) -> bool:
        return (
            run.project.id in projects
            and ctx.can_see(run.project)
            and ctx.store.is_visible(run)
            and window(run)
            and all(_FIELDS[field](run) == text for field, text in terms)
        )

    return newest(ctx, list(ctx.store.runs.pipelines.values()), _show, matches)


def _window(ctx: RequestContext) -> Callable[[FakePipeline], bool]:
    """Whether a run was created between two times, both included."""
    start, end = (datetime.fromisoformat(ctx.call[name]) if ctx.call.get(name) else None for name in ("from_", "to"))
    return lambda run: (start is None or run.created_at >= start) and (end is None or run.created_at <= end)


def _show(run: FakePipeline) -> JsonObject:
    phase, outcome = progress_of_run(run)
    return entity(
        run.id,
        present(
            phase=phase,
            number=run.number,
            current_outcome=outcome,
            created_at=millis(run.created_at),
            errors=[{"type": kind, "message": message} for kind, message in run.errors] or None,
        ),
        event={"attributes": {"vcs": _vcs(run)}},
        trigger={"attributes": {"event_source": {"type": run.trigger_type}}},
        project=run.project.id,
        user={"id": run.actor.id, "attributes": {"login": run.actor.login}},
    )


def _vcs(run: FakePipeline) -> JsonObject:
    vcs, owner, repository = run.project.slug.split("/")
    address = f"{HOSTS[vcs]}/{owner}/{repository}"
    return present(
        branch=run.branch,
        tag=run.tag,
        revision=run.revision,
        origin_repository_url=address,
        provider_name=PROVIDERS[run.project.organization.vcs_type],
        commit={
            "subject": run.subject,
            "url": f"{address}/commit/{run.revision}",
            "author": {"name": run.actor.name, "login": run.actor.login},
        },
    )
