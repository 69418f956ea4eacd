"""Organizations, contexts and the state of projects."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from circleci_sdk._public import public

from .records import (
    CheckoutKey,
    Claims,
    DecisionStatus,
    EnvVar,
    JsonObject,
    Policies,
    ProjectToken,
    Restriction,
    Stored,
    UsageExport,
)


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class FakeContext:
    """A context with its variables by name and its restrictions by id."""

    id: str
    name: str
    organization: FakeOrganization
    created_at: datetime
    env_vars: dict[str, EnvVar] = field(default_factory=dict[str, EnvVar])
    restrictions: dict[str, Restriction] = field(default_factory=dict[str, Restriction])

    def __repr__(self) -> str:
        return f"<FakeContext {self.name}>"


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class FakeOrganization:
    """An organization with its projects, contexts and other items by id.

    A `hidden` organization and its projects exist, but the token has no access: requests for them get 404.
    """

    id: str
    name: str
    slug: str
    vcs_type: str
    created_at: datetime
    hidden: bool = False
    projects: dict[str, ProjectState] = field(default_factory=dict[str, "ProjectState"])
    contexts: dict[str, FakeContext] = field(default_factory=dict[str, FakeContext])
    groups: dict[str, Stored] = field(default_factory=dict[str, Stored])
    orb_urls: dict[str, Stored] = field(default_factory=dict[str, Stored])
    otel_exporters: dict[str, Stored] = field(default_factory=dict[str, Stored])
    components: dict[str, Stored] = field(default_factory=dict[str, Stored])
    environments: dict[str, Stored] = field(default_factory=dict[str, Stored])
    versions: dict[str, list[JsonObject]] = field(default_factory=dict[str, list[JsonObject]])
    usage_exports: dict[str, UsageExport] = field(default_factory=dict[str, UsageExport])
    claims: Claims = field(default_factory=Claims)
    policies: Policies = field(default_factory=Policies)
    feature_flags: JsonObject = field(default_factory=dict[str, Any])

    def __repr__(self) -> str:
        return f"<FakeOrganization {self.slug}>"

    def will_decide(self, status: DecisionStatus, *, rule: str = "", reason: str = "") -> None:
        """Set the result of further policy decisions. It takes effect with a policy bundle."""
        self.policies.decision = (status, rule, reason)


def _default_settings() -> dict[str, Any]:
    return {
        "autocancel_builds": False,
        "build_fork_prs": False,
        "build_prs_only": False,
        "disable_ssh": False,
        "forks_receive_secret_env_vars": False,
        "oss": False,
        "set_github_status": True,
        "setup_workflows": False,
        "write_settings_requires_admin": False,
        "pr_only_branch_overrides": [],
    }


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class ProjectState:
    """A project as the API shows it, without its runs."""

    id: str
    name: str
    slug: str
    organization: FakeOrganization
    number: int
    default_branch: str
    created_at: datetime
    hidden: bool = False
    followed: bool = True
    enabled: bool = True
    settings: dict[str, Any] = field(default_factory=_default_settings)
    feature_flags: dict[str, Any] = field(default_factory=dict[str, Any])
    env_vars: dict[str, EnvVar] = field(default_factory=dict[str, EnvVar])
    checkout_keys: dict[str, CheckoutKey] = field(default_factory=dict[str, CheckoutKey])
    ssh_keys: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    tokens: dict[str, ProjectToken] = field(default_factory=dict[str, ProjectToken])
    schedules: dict[str, Stored] = field(default_factory=dict[str, Stored])
    webhooks: dict[str, Stored] = field(default_factory=dict[str, Stored])
    pipeline_definitions: dict[str, Stored] = field(default_factory=dict[str, Stored])
    triggers: dict[str, Stored] = field(default_factory=dict[str, Stored])
    trigger_definitions: dict[str, str] = field(default_factory=dict[str, str])
    claims: Claims = field(default_factory=Claims)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.slug}>"
