"""Organizations, users, projects and what hangs on them, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from .projects import FakeProject

JsonObject = dict[str, Any]
Verdict = Literal["PASS", "SOFT_FAIL", "HARD_FAIL", "ERROR"]


@dataclass(slots=True, eq=False, repr=False)
class FakeUser:
    """A user. `token` is what the user's requests carry; None for users who never call."""

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
        """Where the picture is."""
        return f"https://avatars.githubusercontent.com/u/{self.number}?v=4"


@dataclass(slots=True, eq=False)
class EnvVar:
    """A variable with its secret value, which the API never shows."""

    name: str
    value: str
    created_at: datetime
    updated_at: datetime

    @property
    def masked(self) -> str:
        """What the API shows: the last four characters of a long value, fewer of a short one."""
        shown = 4 if len(self.value) >= 8 else max(0, len(self.value) // 3)
        return "xxxx" + (self.value[-shown:] if shown else "")


@dataclass(slots=True, eq=False)
class Restriction:
    """A limit on who may use a context."""

    id: str
    kind: str
    value: str
    name: str


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


@dataclass(slots=True, eq=False)
class Stored:
    """A thing that the fake keeps as the API shows it, such as a group or a stored trigger.

    `shown` is the response; `secret` what was shown only once or never.
    """

    id: str
    shown: JsonObject
    created_at: datetime
    updated_at: datetime
    secret: str = ""


@dataclass(slots=True, eq=False)
class Claims:
    """Audience and lifetime of OIDC tokens, as far as they are set."""

    audience: list[str] | None = None
    audience_updated_at: datetime | None = None
    ttl: str | None = None
    ttl_updated_at: datetime | None = None


@dataclass(slots=True, eq=False)
class Policies:
    """The policy bundle of an organization, its switch and the decisions made."""

    enabled: bool = False
    bundle: dict[str, str] = field(default_factory=dict[str, str])
    created_at: dict[str, datetime] = field(default_factory=dict[str, datetime])
    decisions: list[JsonObject] = field(default_factory=list[JsonObject])
    verdict: tuple[str, str, str] = ("PASS", "", "")


@dataclass(slots=True, eq=False)
class UsageExport:
    """An export of usage figures, from its order to its files."""

    id: str
    start: datetime
    end: datetime
    state: str
    files: list[bytes] = field(default_factory=list[bytes])
    ready_at: datetime | None = None


@dataclass(slots=True, eq=False, repr=False)
class FakeOrganization:
    """An organization and all that belongs to it.

    `hidden` organizations, and their projects, are there but not for the token: they response as if missing.
    """

    id: str
    name: str
    slug: str
    vcs_type: str
    created_at: datetime
    hidden: bool = False
    projects: dict[str, FakeProject] = field(default_factory=dict[str, "FakeProject"])
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

    def will_decide(self, status: Verdict, *, rule: str = "", reason: str = "") -> None:
        """From now on policy decisions fall like this, as soon as there is a policy bundle."""
        self.policies.verdict = (status, rule, reason)
