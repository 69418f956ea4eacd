"""Deliveries for tests: signed bodies, and requests to an ASGI app in process."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from circleci_sdk.webhooks import WebhookApp

SECRET: Final = "a secret of tests"
PROJECT_ID: Final = "c4fa043c-d2ba-4d97-a6ca-2745b3518114"
WORKFLOW_ID: Final = "fda08377-fe7e-46b1-8992-3a7aaecac9c3"
PIPELINE_ID: Final = "1285fe1d-d3a6-44fc-8886-8979558254c4"
ORGANIZATION_ID: Final = "b4567a7d-7c4e-446b-82b7-a1e798c1afcf"

Json = dict[str, Any]


def uuid(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def project(slug: str = "github/acme/web") -> Json:
    return {"id": PROJECT_ID, "name": "web", "slug": slug}


def pipeline(**changes: Any) -> Json:
    """A pipeline of GitHub OAuth, with changes."""
    whole = {
        "id": PIPELINE_ID,
        "number": 7,
        "created_at": "2025-06-15T15:00:00.000Z",
        "trigger": {"type": "webhook"},
        "vcs": {
            "provider_name": "github",
            "origin_repository_url": "https://github.com/acme/web",
            "target_repository_url": "https://github.com/acme/web",
            "revision": "1dc6aa69429bff4806ad6afe58d3d8f57e25973e",
            "branch": "main",
            "commit": {
                "subject": "A change",
                "body": "",
                "author": {"name": "Ada", "email": "ada@example.com"},
                "authored_at": "2025-06-15T14:59:00Z",
                "committer": {"name": None, "email": None},
                "committed_at": None,
            },
        },
    }
    return {**whole, **changes}


def on_branch(branch: str | None) -> Json:
    """A pipeline of GitHub OAuth on this branch."""
    whole = pipeline()
    whole["vcs"]["branch"] = branch
    return whole


def from_trigger(**git: str | None) -> Json:
    """A pipeline of the GitHub App or GitLab, which have no `vcs`."""
    whole = pipeline(trigger_parameters={"circleci": {"event_type": "push"}, "git": git})
    del whole["vcs"]
    return whole


def _shared(kind: str, number: int) -> Json:
    return {
        "id": uuid(number),
        "type": kind,
        "happened_at": "2025-06-15T15:06:40.123456Z",
        "webhook": {"id": uuid(999_999), "name": "bot"},
        "project": project(),
        "organization": {"id": ORGANIZATION_ID, "name": "acme"},
        "pipeline": pipeline(),
    }


def workflow(number: int = 1, status: str = "failed", **changes: Any) -> Json:
    """The body of a workflow-completed, of the workflow of `job`."""
    about = {
        "id": WORKFLOW_ID,
        "name": "build",
        "created_at": "2025-06-15T15:00:01Z",
        "stopped_at": "2025-06-15T15:06:40Z",
        "url": f"https://app.circleci.com/pipelines/github/acme/web/7/workflows/{WORKFLOW_ID}",
        "status": status,
    }
    return {**_shared("workflow-completed", number), "workflow": about, **changes}


def job(number: int = 1, status: str = "failed", **changes: Any) -> Json:
    """The body of a job-completed."""
    about = {
        "id": uuid(500_000 + number),
        "name": "test",
        "number": 12,
        "status": status,
        "started_at": "2025-06-15T15:00:10Z",
        "stopped_at": "2025-06-15T15:06:00Z",
    }
    of = {key: value for key, value in workflow()["workflow"].items() if key != "status"}
    return {**_shared("job-completed", number), "workflow": of, "job": about, **changes}


def ping(number: int = 1) -> Json:
    whole = _shared("ping", number)
    return {key: whole[key] for key in ("id", "type", "happened_at", "webhook")}


def raw(body: Json) -> bytes:
    return json.dumps(body).encode()


def signature(body: bytes, secret: str = SECRET) -> str:
    return "v1=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers(body: bytes, secret: str = SECRET) -> dict[str, str]:
    return {"Content-Type": "application/json", "Circleci-Signature": signature(body, secret)}


@dataclass
class Reply:
    """The response of an ASGI app."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    text: str = ""


async def post(
    app: WebhookApp,
    content: bytes,
    given: Mapping[str, str] | None = None,
    *,
    parts: Sequence[bytes] | None = None,
    method: str = "POST",
) -> Reply:
    """One request to an ASGI app, in process."""
    pieces = list(parts if parts is not None else [content])
    response = Reply()

    async def receive() -> Json:
        piece = pieces.pop(0)
        return {"type": "http.request", "body": piece, "more_body": bool(pieces)}

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            response.status = message["status"]
            response.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            response.text += message["body"].decode()

    sent = headers(content) if given is None else given
    scope = {
        "type": "http",
        "method": method,
        "path": "/",
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
    }
    await app(scope, receive, send)
    return response
