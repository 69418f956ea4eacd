"""The HTML page at `/`: projects and the states of their runs."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from circleci_sdk.testing._store.runs import FakeJob, FakePipeline
    from circleci_sdk.testing._store.store import Store

_STYLE = """
:root { color-scheme: light dark; --line: #d0d7de; --soft: #57606a }
@media (prefers-color-scheme: dark) { :root { --line: #3d444d; --soft: #9198a1 } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem }
h1 { font-size: 1.4rem } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem }
p, td.soft { color: var(--soft) }
table { border-collapse: collapse; width: 100% }
th, td { text-align: left; padding: .35rem .8rem .35rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
.state { border-radius: 1rem; padding: .05rem .6rem; font-size: .85rem; color: #fff; background: #57606a;
  white-space: nowrap; display: inline-block; margin: .1rem .3rem .1rem 0 }
.success { background: #1a7f37 } .running, .queued { background: #0969da } .on_hold { background: #8250df }
.failed, .failing, .timedout, .infrastructure_fail, .errored, .unauthorized { background: #cf222e }
"""
_ROWS = 10


def dashboard(store: Store) -> str:
    """The page as HTML."""
    parts = [
        "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>FakeCircleCI</title>",
        "<meta name=viewport content='width=device-width'>",
        f"<style>{_STYLE}</style><h1>FakeCircleCI</h1>",
        f"<p>Clock of the fake: {store.clock.now:%Y-%m-%d %H:%M:%S} UTC.",
    ]
    if not store.projects:
        parts.append("<p>No projects.")
    for project in store.projects.values():
        count = len(project.pipelines)
        parts.append(f"<h2>{escape(project.slug)}</h2><p>{count} pipeline{'' if count == 1 else 's'}")
        if project.pipelines:
            parts.append("<table><tr><th>Pipeline<th>Branch<th>Workflows and jobs")
            parts.extend(_row(pipeline) for pipeline in reversed(project.pipelines[-_ROWS:]))
            parts.append("</table>")
    return "".join(parts)


def _row(pipeline: FakePipeline) -> str:
    cells: list[str] = []
    for workflow in pipeline.workflows:
        jobs = "".join(_job(job) for job in workflow.jobs)
        cells.append(f"<div>{_state(workflow.state, f'{workflow.name}: {workflow.state}')} {jobs}</div>")
    if not cells:
        cells.append(_state(pipeline.state, pipeline.state))
    where = escape(pipeline.branch or pipeline.tag or "")
    return f"<tr><td>#{pipeline.number}<td class=soft>{where}<td>{''.join(cells)}"


def _job(job: FakeJob) -> str:
    """A job. Any state but success is also a word, since not everyone can distinguish the colors."""
    return _state(job.state, job.name if job.state == "success" else f"{job.name}: {job.state}")


def _state(state: str, text: str) -> str:
    return f"<span class='state {escape(state)}' title='{escape(state)}'>{escape(text)}</span>"
