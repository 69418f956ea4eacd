"""Records without references to other entities: users, variables, keys, tokens, stored items."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, Literal, TypeAlias

from circleci_sdk._public import public

JsonObject: TypeAlias = dict[str, Any]

DecisionStatus: TypeAlias = Literal["PASS", "SOFT_FAIL", "HARD_FAIL", "ERROR"]
"""The result of a policy decision."""


PROJECT_SETTINGS: Final = ("enable_ai_error_summarization", "is_running_disabled", "enable_unversioned_config")
"""Settings of a project that only v3 has."""

ORGANIZATION_SETTINGS: Final = (
    "is_runner_terms_of_service_accepted",
    "enable_ai_error_summarization",
    "enable_ai_agents",
    "enable_unversioned_config",
    "enable_certified_public_orbs",
    "enable_chunk_ip_ranges",
    "enable_minor_ai_features",
    "enable_private_orbs",
    "enable_uncertified_public_orbs",
    "is_bitbucket_workspace_member_org_member",
    "is_user_checkout_keys_disabled",
    "is_running_disabled",
    "enable_image_brownouts",
    "is_context_group_restriction_required",
    "enable_resource_class_brownouts",
)
"""Settings of an organization, which only v3 has."""


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False, repr=False)
class FakeUser:
    """A user. `token` authenticates requests; None for users without requests."""

    id: str
    login: str
    name: str
    number: int
    token: str | None = None
    heroku_key: str | None = None
    ssh_keys: int = 0

    def __repr__(self) -> str:
        return f"<FakeUser {self.login}>"

    @property
    def avatar_url(self) -> str:
        """URL of the picture."""
        return f"https://avatars.githubusercontent.com/u/{self.number}?v=4"


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class FakeEnvVar:
    """A variable with its value, which the API only returns masked."""

    name: str
    value: str
    created_at: datetime
    updated_at: datetime

    @property
    def masked(self) -> str:
        """The value as the API returns it: the last four characters of a long value, fewer of a short one."""
        shown = 4 if len(self.value) >= 8 else max(0, len(self.value) // 3)
        return "xxxx" + (self.value[-shown:] if shown else "")


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class FakeRestriction:
    """A restriction of a context."""

    id: str
    kind: str
    value: str
    name: str


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class FakeItem:
    """An item that is stored as the API returns it, such as a group or a trigger.

    `shown` is the JSON of the response; `secret` is not part of it.
    """

    id: str
    shown: JsonObject
    created_at: datetime
    updated_at: datetime
    secret: str = ""


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class FakeClaims:
    """Audience and lifetime of OIDC tokens; None for what is not set."""

    audience: list[str] | None = None
    audience_updated_at: datetime | None = None
    ttl: str | None = None
    ttl_updated_at: datetime | None = None


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class FakePolicies:
    """The policy bundle of an organization, its switch and its decisions."""

    enabled: bool = False
    bundle: dict[str, str] = field(default_factory=dict[str, str])
    created_at: dict[str, datetime] = field(default_factory=dict[str, datetime])
    decisions: list[JsonObject] = field(default_factory=list[JsonObject])
    decision: tuple[str, str, str] = ("PASS", "", "")


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class FakeUsageExport:
    """A usage export and its files."""

    id: str
    start: datetime
    end: datetime
    state: str
    files: list[bytes] = field(default_factory=list[bytes])
    ready_at: datetime | None = None


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class FakeCheckoutKey:
    """A key with which jobs check out the repository."""

    public_key: str
    kind: str
    md5: str
    sha256: str
    created_at: datetime
    preferred: bool


@public("circleci_sdk.testing")
@dataclass(slots=True, eq=False)
class FakeProjectToken:
    """A token for one project, valid only for API v1.1."""

    id: str
    label: str
    scope: str
    token: str
