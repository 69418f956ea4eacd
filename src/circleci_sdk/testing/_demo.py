"""What the demo has from requests to its own API: a webhook and a schedule."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from ._wire.messages import Request

if TYPE_CHECKING:
    from ._protocol.app import App

WEBHOOK_URL: Final = "http://127.0.0.1:8000/circleci"
"""Where the webhook of the demo sends messages: a bot on this machine, on the default port of uvicorn."""

WEBHOOK_SECRET: Final = "demo-secret"  # of the fake
_SLUG: Final = "gh/acme/web"


def add_webhook_and_schedule(app: App) -> None:
    """Add a webhook and a nightly schedule to the web project, as a client does; `requests` stays empty."""
    project = app.store.project(_SLUG)
    assert project is not None
    webhook = {
        "name": "bot",
        "url": WEBHOOK_URL,
        "events": ["workflow-completed", "job-completed"],
        "signing-secret": WEBHOOK_SECRET,
        "verify-tls": True,
        "scope": {"id": project.id, "type": "project"},
    }
    schedule = {
        "name": "nightly",
        "description": "All tests, each night",
        "attribution-actor": "system",
        "parameters": {"branch": "main"},
        "timetable": {
            "per-hour": 1,
            "hours-of-day": [2],
            "days-of-week": ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"],
        },
    }
    _post(app, "/api/v2/webhook", webhook)
    _post(app, f"/api/v2/project/{_SLUG}/schedule", schedule)
    app.requests.clear()


def _post(app: App, path: str, body: object) -> None:
    headers = {"circle-token": app.store.user.token or "", "content-type": "application/json"}
    sent = Request("POST", path, (), headers, json.dumps(body).encode(), "http://127.0.0.1")
    response = app.handle(sent).response
    assert response.status == 201, response.body
