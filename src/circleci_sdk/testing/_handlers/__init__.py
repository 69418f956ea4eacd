"""What each operation does to the state and what it returns: one module per resource."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .context import RESPONSES, Responding

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation

_ROOMS: Final = (
    "users",
    "pipelines",
    "workflows",
    "jobs",
    "projects",
    "insights",
    "insights_tests",
    "builds",
    "contexts",
    "organizations",
    "project_secrets",
    "schedules",
    "definitions",
    "oidc",
    "webhooks",
    "deploys",
    "otel",
    "policies",
    "usage",
    "projects_v1",
    "people_v1",
)

HTML_404: Final = (
    "<!DOCTYPE html>\n<html><head><title>Continuous Integration and Deployment</title></head>"
    "<body><h1>404</h1><p>There is nothing here.</p></body></html>"
)


def response_to(operation: Operation[Any]) -> Responding:
    """The function that returns an operation; without one of its own, a response made from the spec."""
    if not RESPONSES:
        for room in _ROOMS:
            import_module(f"{__name__}.{room}")
    if operation.label not in RESPONSES:
        from .specimen import specimen_response

        return specimen_response
    return RESPONSES[operation.label]
