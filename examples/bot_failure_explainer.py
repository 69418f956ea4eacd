"""A bot that notifies a chat why a workflow failed: failed jobs, failing tests and the end of their output.

    CIRCLECI_TOKEN=... CHAT_WEBHOOK_URL=https://hooks.slack.com/services/... PROJECT=gh/acme/web \
    PUBLIC_URL=https://bot.example.com/ python examples/bot_failure_explainer.py

It listens on PORT (default 8000), where PUBLIC_URL has to lead, and registers its webhook by itself. The chat is
anything that takes `{"text": ...}` by POST, as Slack and Mattermost do. Needs `pip install uvicorn`.
"""

from __future__ import annotations

import os

import anyio
import httpx
import uvicorn

from circleci_sdk import AsyncCircleCI
from circleci_sdk.webhooks import Router, WebhookApp, WorkflowCompleted, branch_of, new_secret, register


def bot(circleci: AsyncCircleCI, chat: httpx.AsyncClient, chat_url: str) -> Router:
    """What it does, without where it runs."""
    router = Router()

    @router.on(WorkflowCompleted, status=("failed", "error"))
    async def explain(event: WorkflowCompleted) -> None:
        run = circleci.runs.attach(event.pipeline.id)
        explanation = await run.explain(await run.result(), tail=20)
        # A name that the API did not send is no reason for silence.
        name = getattr(event.workflow, "name", "A workflow")
        project = getattr(getattr(event, "project", None), "name", "a project")
        title = f"{name} of {project} failed on {branch_of(event) or 'a tag'}"
        text = f"*{title}*\n{getattr(event.workflow, 'url', '')}\n\n{explanation.markdown(limit=3000)}"
        (await chat.post(chat_url, json={"text": text})).raise_for_status()

    return router


async def main() -> None:
    """Register, and serve until it is told to stop."""
    secret = os.environ.get("CIRCLECI_WEBHOOK_SECRET") or new_secret()
    async with AsyncCircleCI() as circleci, httpx.AsyncClient() as chat:
        app = WebhookApp(bot(circleci, chat, os.environ["CHAT_WEBHOOK_URL"]), secret=secret)
        await register(
            circleci,
            os.environ["PROJECT"],
            url=os.environ["PUBLIC_URL"],
            secret=secret,
            name="failure explainer",
            events=["workflow-completed"],
        )
        config = uvicorn.Config(app, host="0.0.0.0", port=int(os.environ.get("PORT", "8000")))
        await uvicorn.Server(config).serve()


if __name__ == "__main__":
    anyio.run(main)
