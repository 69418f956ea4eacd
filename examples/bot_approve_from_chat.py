"""A bot that notifies a chat of pending approvals, and approves it for those on a list: `/approve 128 release?`.

    CIRCLECI_TOKEN=... CIRCLECI_WEBHOOK_SECRET=... PROJECT=gh/acme/web MAY_APPROVE=U024BE7LH,U0G9QF9C6 \
    CHAT_WEBHOOK_URL=... CHAT_SIGNING_SECRET=... python examples/bot_approve_from_chat.py

On PORT (default 8000) it listens under /circleci for a webhook with `job-completed`, and under /chat for a slash
command of Slack. Needs `pip install starlette uvicorn`.
"""

import hashlib
import hmac
import os
import time
from urllib.parse import parse_qs

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from circleci_sdk import UNSET, AsyncCircleCI, CircleCIError
from circleci_sdk.helpers import RunJob
from circleci_sdk.webhooks import JobCompleted, Router, WebhookApp

env = os.environ
router = Router()
circleci = AsyncCircleCI()
told = set[RunJob]()


@router.on(JobCompleted, project=env["PROJECT"], status="success")
async def notify(event: JobCompleted) -> None:
    """Look whether an approval is next, and say so once."""
    result = await circleci.runs.attach(event.pipeline.id).result()
    for job in result.approvals:
        if job not in told:
            text = f"`{job.name}` waits in {result.url}: `/approve {event.pipeline.number} {job.name}`"
            async with httpx.AsyncClient() as chat:
                (await chat.post(env["CHAT_WEBHOOK_URL"], json={"text": text})).raise_for_status()
            told.add(job)  # not before: if the chat fails, a redelivery says it


def is_from_chat(request: Request, body: bytes) -> bool:
    """Slack signs the time and the body; what is older than five minutes may be a copy."""
    sent, secret = request.headers.get("x-slack-request-timestamp", ""), env["CHAT_SIGNING_SECRET"].encode()
    right = "v0=" + hmac.new(secret, f"v0:{sent}:".encode() + body, hashlib.sha256).hexdigest()
    given = request.headers.get("x-slack-signature", "")
    return (
        sent.isdecimal() and abs(time.time() - int(sent)) < 300 and hmac.compare_digest(right.encode(), given.encode())
    )


async def command(request: Request) -> PlainTextResponse:
    """`/approve <number of a pipeline> [name of the approval]`."""
    body = await request.body()
    if not is_from_chat(request, body):
        return PlainTextResponse("The signature is not that of the chat.", 401)
    form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
    number, _, name = form.get("text", "").strip().partition(" ")
    if form.get("user_id") not in env["MAY_APPROVE"].split(","):
        return PlainTextResponse("You are not allowed to approve.")
    if not number.isdecimal():
        return PlainTextResponse("Usage: /approve 128")
    try:
        pipeline = await circleci.v2.pipelines.get_by_number(env["PROJECT"], int(number))
        done = await circleci.runs.attach(pipeline.id).approve(job=name.strip() or UNSET)
    except CircleCIError as error:
        return PlainTextResponse(f"Not approved: {error}")
    return PlainTextResponse(f"Approved {getattr(done, 'name', 'it')} in pipeline {number}.")


if __name__ == "__main__":
    hooks = WebhookApp(router, secret=env["CIRCLECI_WEBHOOK_SECRET"])
    # Not `Mount`, which redirects a URL without the final slash: CircleCI does not follow, and deliveries are lost.
    routes = [*hooks.routes("/circleci"), Route("/chat", command, methods=["POST"])]
    uvicorn.run(Starlette(routes=routes, lifespan=hooks.lifespan), host="0.0.0.0", port=int(env.get("PORT", "8000")))
