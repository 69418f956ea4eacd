"""Organizations, contexts and the state of projects."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, get_args

from circleci_sdk._core.checks import STR, check, one_of
from circleci_sdk._public import public

from .records import (
    ORGANIZATION_SETTINGS,
    PROJECT_SETTINGS,
    DecisionStatus,
    FakeCheckoutKey,
    FakeClaims,
    FakeEnvVar,
    FakeItem,
    FakePolicies,
    FakeProjectToken,
    FakeRestriction,
    FakeUsageExport,
    JsonObject,
)


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class FakeContext:
    """A context with its variables by name and its restrictions by id."""

    id: str
    name: str
    organization: FakeOrganization
    created_at: datetime
    env_vars: dict[str, FakeEnvVar] = field(default_factory=dict[str, FakeEnvVar])
    restrictions: dict[str, FakeRestriction] = field(default_factory=dict[str, FakeRestriction])

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
    groups: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    orb_urls: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    otel_exporters: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    components: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    environments: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    versions: dict[str, list[JsonObject]] = field(default_factory=dict[str, list[JsonObject]])
    usage_exports: dict[str, FakeUsageExport] = field(default_factory=dict[str, FakeUsageExport])
    claims: FakeClaims = field(default_factory=FakeClaims)
    policies: FakePolicies = field(default_factory=FakePolicies)
    feature_flags: JsonObject = field(default_factory=dict[str, Any])
    settings: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(ORGANIZATION_SETTINGS, False))
    rollbacks: set[tuple[str, str]] = field(default_factory=set[tuple[str, str]])

    def __repr__(self) -> str:
        return f"<FakeOrganization {self.slug}>"

    @property
    def has_github_app(self) -> bool:
        """Whether it uses the GitHub App: its projects are those repositories that the app can access."""
        return self.vcs_type == "circleci"

    def will_decide(self, status: DecisionStatus, *, rule: str = "", reason: str = "") -> None:
        """Set the result of further policy decisions. It takes effect with a policy bundle."""
        check(
            "FakeOrganization.will_decide",
            status=(status, one_of(*get_args(DecisionStatus))),
            rule=(rule, STR),
            reason=(reason, STR),
        )
        self.policies.decision = (status, rule, reason)


def _default_settings() -> dict[str, Any]:
    return {
        "autocancel_builds": False,
        "build_fork_prs": False,
        "build_prs_only": False,
        "disable_ssh": False,
        "forks_receive_secret_env_vars": True,
        "oss": False,
        "set_github_status": True,
        "setup_workflows": True,
        "write_settings_requires_admin": False,
        "pr_only_branch_overrides": [],  # the default branch is added to it
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
    v3_settings: dict[str, bool] = field(default_factory=lambda: dict.fromkeys(PROJECT_SETTINGS, False))
    feature_flags: dict[str, Any] = field(default_factory=dict[str, Any])
    env_vars: dict[str, FakeEnvVar] = field(default_factory=dict[str, FakeEnvVar])
    checkout_keys: dict[str, FakeCheckoutKey] = field(default_factory=dict[str, FakeCheckoutKey])
    ssh_keys: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    tokens: dict[str, FakeProjectToken] = field(default_factory=dict[str, FakeProjectToken])
    schedules: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    webhooks: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    pipeline_definitions: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    triggers: dict[str, FakeItem] = field(default_factory=dict[str, FakeItem])
    trigger_definitions: dict[str, str] = field(default_factory=dict[str, str])
    claims: FakeClaims = field(default_factory=FakeClaims)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.slug}>"
