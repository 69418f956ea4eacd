"""Responses of the benchmark server: synthetic, in the size and structure of real ones."""

from __future__ import annotations

import json
from typing import Any, Final

PAGE_SIZE: Final = 20
PAGES: Final = 100
STEPS: Final = 120
CONTAINERS: Final = 4
BUILDS: Final = 30
JOBS: Final = 50


def _pipeline(number: int) -> dict[str, Any]:
    second = number % 60
    return {
        "id": f"5034460f-c7c4-4c43-9457-{number:012x}",
        "errors": [],
        "project_slug": "gh/acme/web",
        "updated_at": f"2026-08-24T14:15:{second:02d}.274Z",
        "number": number,
        "trigger_parameters": {"webhook": {"type": "push", "attempt": 1}},
        "state": "created",
        "created_at": f"2026-08-24T14:15:{second:02d}Z",
        "trigger": {
            "type": "webhook",
            "received_at": f"2026-08-24T14:15:{second:02d}Z",
            "actor": {"login": "ada", "avatar_url": "https://avatars.example.com/u/1"},
        },
        "vcs": {
            "provider_name": "GitHub",
            "origin_repository_url": "https://github.com/acme/web",
            "target_repository_url": "https://github.com/acme/web",
            "revision": f"{number:040x}",
            "branch": "feature/faster-calls",
            "review_id": "123",
            "commit": {"subject": "Make it faster", "body": "No request should wait."},
        },
    }


def page(token: str | None = None, first: int = 1) -> bytes:
    """A page of pipelines; `token` is the token of the next page."""
    items = [_pipeline(number) for number in range(first, first + PAGE_SIZE)]
    return json.dumps({"items": items, "next_page_token": token}).encode()


def _action(step: int, index: int) -> dict[str, Any]:
    moment = f"2026-08-24T14:{step % 60:02d}:{index:02d}.123Z"
    return {
        "index": index,
        "step": step,
        "allocation_id": "6c7a1c6f2d3c0b0001b0c5ad-0-build/31B8E0B6",
        "name": f"Run step {step}",
        "type": "test",
        "source": "config",
        "status": "success",
        "start_time": moment,
        "end_time": moment,
        "run_time_millis": 1234 + step,
        "exit_code": 0,
        "bash_command": "#!/bin/bash -eo pipefail\nmake test",
        "background": False,
        "canceled": None,
        "continue": None,
        "failed": None,
        "has_output": True,
        "infrastructure_fail": None,
        "insignificant": False,
        "messages": [],
        "output_url": f"https://output.example.com/{step}/{index}",
        "parallel": True,
        "timedout": None,
        "truncated": False,
    }


def builds(odd: int = 0) -> bytes:
    """A page of builds of API v1.1. In the first `odd` of them one field does not fit: the number is null."""
    items = [_build(number) for number in range(BUILDS)]
    return json.dumps([{**item, "build_num": None} if item["build_num"] < odd else item for item in items]).encode()


def build() -> bytes:
    """A build of API v1.1 with hundreds of actions."""
    steps = [
        {"name": f"Run step {step}", "actions": [_action(step, index) for index in range(CONTAINERS)]}
        for step in range(STEPS)
    ]
    return json.dumps({**_build(42), "steps": steps}).encode()


def _build(number: int) -> dict[str, Any]:
    return {
        "build_num": number,
        "vcs_url": "https://github.com/acme/web",
        "build_url": f"https://circleci.com/gh/acme/web/{number}",
        "username": "acme",
        "reponame": "web",
        "branch": "main",
        "vcs_revision": "a" * 40,
        "status": "success",
        "outcome": "success",
        "lifecycle": "finished",
        "why": "github",
        "queued_at": "2026-08-24T14:15:00.123Z",
        "start_time": "2026-08-24T14:15:01.123Z",
        "stop_time": "2026-08-24T14:25:01.123Z",
        "build_time_millis": 600_000,
        "parallel": CONTAINERS,
        "build_parameters": {"deploy": "true"},
    }


def jobs(unknown: bool = False) -> bytes:
    """A page of jobs of API v3; each with unknown members if `unknown`."""
    items = [_entity(_job(number)) for number in range(JOBS)]
    if unknown:
        for item in items:
            item["type"] = "job"
            item["attributes"] |= {"is_new": True, "labels": {"a": [1]}}
            item["references"]["parent"] = {"id": item["id"]}
    return json.dumps({"data": items, "page": {"next": "more", "prev": None}}).encode()


def flat_jobs() -> bytes:
    """The same jobs without envelopes."""
    return json.dumps({"data": [_job(number) for number in range(JOBS)], "next_page_token": "more"}).encode()


def _job(number: int) -> dict[str, Any]:
    return {
        "id": f"5034460f-c7c4-4c43-9457-{number:012x}",
        "name": f"test-{number}",
        "number": number,
        "phase": "ended",
        "type": "build",
        "outcome": "succeeded",
        "current_outcome": "succeeded",
        "started_at": f"2026-08-24T14:15:{number:02d}.274Z",
        "ended_at": f"2026-08-24T14:25:{number:02d}.274Z",
        **{f"{name}_id": f"6034460f-c7c4-4c43-9457-{number:012x}" for name in _REFERENCES},
    }


def _entity(flat: dict[str, Any]) -> dict[str, Any]:
    """A job in its envelope."""
    references = {name: {"id": flat.pop(f"{name}_id")} for name in _REFERENCES}
    return {"id": flat.pop("id"), "attributes": flat, "references": references}


_REFERENCES: Final = ("workflow", "project", "pipeline", "user")
