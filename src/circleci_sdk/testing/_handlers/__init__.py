"""The effect and the response of each operation: one module per resource.

Handlers know the store below them and nothing of routing, validation, faults or servers above them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from .context import HANDLERS, Handler

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation

_MODULES: Final = (
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
    "v3.runs",
    "v3.workflows",
    "v3.jobs",
    "v3.output",
    "v3.projects",
    "v3.organizations",
    "v3.contexts",
    "v3.definitions",
    "v3.deploys",
    "v3.provider",
    "v3.public",
    "v3.charges",
)

HTML_404: Final = (
    "<!DOCTYPE html>\n<html><head><title>Continuous Integration and Deployment</title></head>"
    "<body><h1>404</h1><p>There is nothing here.</p></body></html>"
)


def handler_of(operation: Operation[Any]) -> Handler:
    """The handler of an operation. Without one the response is generated from the spec."""
    if not HANDLERS:
        for module in _MODULES:
            import_module(f"{__name__}.{module}")
    if operation.label not in HANDLERS:
        from .from_spec import generated_response

        return generated_response
    return HANDLERS[operation.label]
