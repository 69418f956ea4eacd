"""A bot that runs a workflow again, once, when nothing failed but tests that are known to be flaky.

    CIRCLECI_TOKEN=... PROJECT=gh/acme/web PUBLIC_URL=https://bot.example.com/ python examples/bot_rerun_flaky.py

It listens on PORT (default 8000), where PUBLIC_URL has to lead, and registers its webhook by itself. CircleCI knows a
test as flaky that failed and passed on the same commit. That a workflow was run again is seen in its pipeline, so the
bot needs no memory and may be restarted at any time. Needs `pip install uvicorn`.
"""

from __future__ import annotations

import logging
import os

import anyio
import uvicorn

from circleci_sdk import AsyncCircleCI
from circleci_sdk.webhooks import Router, WebhookApp, WorkflowCompleted, new_secret, register

log = logging.getLogger("bot")


def bot(circleci: AsyncCircleCI) -> Router:
    """What it does, without where it runs."""
    router = Router()

    @router.on(WorkflowCompleted, status="failed")
    async def rerun(event: WorkflowCompleted) -> None:
        name = event.workflow.name
        attempts = [
            workflow
            async for workflow in circleci.v2.pipelines.list_workflows(event.pipeline.id)
            if workflow.name == name
        ]
        if len(attempts) > 1:
            log.info("%s of pipeline %s was run again already.", name, event.pipeline.id)
            return
        run = circleci.runs.attach(event.pipeline.id)
        explanation = await run.explain(await run.result(), tail=0)
        jobs = [explained for explained in explanation.jobs if explained.job.workflow_id == event.workflow.id]
        if jobs and all(job.tests and all(test.is_flaky for test in job.tests) for job in jobs):
            await circleci.v2.workflows.rerun(event.workflow.id, from_failed=True)
            log.info("Only flaky tests failed in %s: run again.", event.workflow.id)

    return router


async def main() -> None:
    """Register, and serve until it is told to stop."""
    logging.basicConfig(level=logging.INFO)
    secret = os.environ.get("CIRCLECI_WEBHOOK_SECRET") or new_secret()
    async with AsyncCircleCI() as circleci:
        project, url = os.environ["PROJECT"], os.environ["PUBLIC_URL"]
        await register(
            circleci, project, url=url, secret=secret, name="rerun of flaky tests", events=["workflow-completed"]
        )
        app = WebhookApp(bot(circleci), secret=secret)
        config = uvicorn.Config(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    anyio.run(main)
