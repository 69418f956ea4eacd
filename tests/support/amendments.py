"""Facts newer than the documents in `api/` and the table of names, from measurements of the vendor's staff.

Everything here is in the form of the table of names, so that the checks read it like the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

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
    return text
