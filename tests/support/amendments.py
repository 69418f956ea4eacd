"""Facts newer than the documents in `api/` and the table of names, from measurements of the vendor's staff.

Everything here is in the form of the table of names, so that the checks read it like the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Node: TypeAlias = Mapping[str, Any]

NAMES: Final = (
    # The token that comes with more than 100 variables is accepted by no parameter.
    (
        "| `contexts.list_env_vars(context_id, *, page_token?)` | Page[ContextEnvVar] | token |",
        "| `contexts.list_env_vars(context_id)` | Page[ContextEnvVar] | truncated |",
    ),
    # A message may come in place of the documented object.
    (
        "| `contexts.set_env_var(context_id, name, *, value)` | ContextEnvVar |",
        r"| `contexts.set_env_var(context_id, name, *, value)` | ContextEnvVar \| MessageResponse |",
    ),
    (
        "(org_slug_or_id, allow_list_entry_id)` | OrbAllowListChange |",
        r"(org_slug_or_id, allow_list_entry_id)` | OrbAllowListChange \| MessageResponse |",
    ),
    (
        "enable_ssh?, sparse_tree?)` | WorkflowRerun |",
        r"enable_ssh?, sparse_tree?)` | WorkflowRerun \| MessageResponse |",
    ),
    # Until 2026-12-07 both parameters show the response without branches.
    ("| `projects.list()` |", "| `projects.list(*, shallow?, skip_branches?)` |"),
    (
        "| `projects.get_settings(project_slug, *, ssh_key_digest?)` |",
        "| `projects.get_settings(project_slug, *, ssh_key_digest?, shallow?, skip_branches?)` |",
    ),
)
"""Rows of the table of names: a part of each, and what replaces it."""

ADDED_NAMES: Final = """
### v2 operations in no current document

| method and path | operation id | python | returns | paging | note |
|---|---|---|---|---|---|
| GET `/insights/{project-slug}/workflows/{workflow-name}/jobs/{job-name}` | getProjectJobRuns | \
`insights.list_job_runs(project_slug, workflow_name, job_name, *, branch?, start_date?, end_date?, page_token?)` | \
Page[JobRun] | token |  |
| GET `/github-app/organization/{org_id}/installation` | getGithubAppInstallation | \
`organizations.get_github_app_installation(org_id)` | GitHubAppInstallation | - |  |
| GET `/github-app/organization/{org_id}/repositories` | listGithubAppRepositories | \
`organizations.list_github_app_repositories(org_id, *, page_size?, page?)` | Page[GitHubAppRepository] | number |  |
"""
"""Rows in addition to the table of names."""

_ORG_ID: Final[Node] = {"name": "org_id", "in": "path", "required": True, "type": "string", "format": "uuid"}

OPERATIONS: Final[Mapping[str, Node]] = {
    # Still used, without a notice of deprecation.
    "GET /insights/{}/workflows/{}/jobs/{}": {"deprecated": False},
    # From the tests of a client of the vendor.
    "GET /github-app/organization/{}/installation": {
        "parameters": [_ORG_ID],
        "success": [{"status": 200, "shape": "object", "schema": "GitHubAppInstallation"}],
    },
    "GET /github-app/organization/{}/repositories": {
        "parameters": [
            _ORG_ID,
            {"name": "limit", "in": "query", "required": False, "type": "integer"},
            {"name": "page", "in": "query", "required": False, "type": "integer"},
        ],
        "success": [{"status": 200, "shape": "object", "schema": "GitHubAppRepositoryPage"}],
    },
}
"""What replaces parts of the facts of operations of v2, by route."""

SCHEMAS: Final[Mapping[str, Node]] = {
    "GitHubAppInstallation": {
        "type": "object",
        "fields": [
            {"name": "id", "required": True, "type": "integer"},
            {"name": "target_type", "required": False, "type": "string"},
            {"name": "login", "required": True, "type": "string"},
            {"name": "repository_selection", "required": False, "type": "string"},
        ],
    },
    "GitHubAppRepositoryPage": {
        "type": "object",
        "fields": [
            {"name": "items", "required": True, "type": "array", "items": {"ref": "GitHubAppRepository"}},
            {"name": "total_count", "required": True, "type": "integer"},
        ],
    },
    "GitHubAppRepository": {
        "type": "object",
        "fields": [
            {"name": "id", "required": True, "type": "integer"},
            {"name": "repo_full_name", "required": True, "type": "string"},
            {"name": "repo_name", "required": True, "type": "string"},
            {"name": "owner", "required": False, "type": "string"},
            {"name": "default_branch", "required": False, "type": "string"},
            {"name": "private", "required": False, "type": "boolean"},
        ],
    },
}
"""Schemas of v2 in addition to the facts."""

WITHOUT_BRANCHES: Final = ("shallow", "skip-branches")

ADDED_PARAMETERS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("v1", "GET /projects"): WITHOUT_BRANCHES,
    ("v1", "GET /project/{}/{}/{}/settings"): WITHOUT_BRANCHES,
}
"""Boolean query parameters, by version and route."""

DROPPED_PARAMETERS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("v2", "GET /context/{}/environment-variable"): ("page-token",),
}
"""Documented parameters without an effect, by version and route."""


def amended_names(text: str) -> str:
    """The table of names with these amendments."""
    for old, new in NAMES:
        assert text.count(old) == 1, f"{text.count(old)} rows have {old}"
        text = text.replace(old, new)
    return text + ADDED_NAMES
