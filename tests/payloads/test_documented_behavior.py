"""What the vendor's staff measured, and no document of the API says, is in the docstrings of the package."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import pytest

from circleci_sdk.v1.resources.builds import Builds
from circleci_sdk.v1.resources.projects import Projects as ProjectsV1
from circleci_sdk.v2.resources.contexts import Contexts
from circleci_sdk.v2.resources.organizations import Organizations
from circleci_sdk.v2.resources.projects import Projects
from circleci_sdk.v2.resources.webhooks import Webhooks
from circleci_sdk.v2.resources.workflows import Workflows
from tests.support.names import Version
from tests.support.places import ROOT

METHODS: Final[dict[str, tuple[Callable[..., Any], tuple[str, ...]]]] = {
    "an update may replace the whole webhook": (
        Webhooks.update,
        ("replace the whole webhook", "an omitted signing secret may be deleted"),
    ),
    "the token of more context variables leads nowhere": (
        Contexts.list_env_vars,
        ("no parameter that continues from it", "`is_truncated`"),
    ),
    "a variable may be confirmed only": (Contexts.set_env_var, ("a message instead of the variable",)),
    "a rerun may be confirmed only": (Workflows.rerun, ("a message instead of a reference",)),
    "a deletion of nothing succeeds": (
        Organizations.delete_orb_allow_list_entry,
        ("an entry that does not exist succeeds", "NotFoundError: The organization is missing"),
    ),
    "a 403 after which most settings are changed": (
        Projects.update_settings,
        (
            "A 403 does not always mean that nothing changed",
            "`forks_receive_secret_env_vars=True`",
            "lists in any order",
        ),
    ),
    "empty settings are no error": (Projects.update_settings, ("empty `advanced` settings change nothing",)),
    "branches of projects end": (ProjectsV1.list, ("2026-12-07", "2026-11-17", "2026-12-01", "`skip_branches=True`")),
    "branches of settings end": (
        ProjectsV1.get_settings,
        ("2026-12-07", "2026-11-17", "2026-12-01", "`skip_branches=True`"),
    ),
    "the source of external ids": (Organizations.list_github_app_repositories, ("`external_id`", "Undocumented")),
    **{
        f"v1.builds.{method.__name__} ends": (method, ("2027-02-01", "GoneError"))
        for method in (
            Builds.trigger,
            Builds.trigger_for_branch,
            Builds.trigger_pipeline,
            Builds.retry,
            Builds.retry_with_ssh,
        )
    },
}

FIELDS: Final[dict[str, tuple[Version, str, tuple[str, ...]]]] = {
    "branches end": ("v1", "Project.branches", ("2026-12-07", "2026-11-17", "2026-12-01", "circleci.com")),
    "an empty list of overrides": (
        "v2",
        "ProjectAdvancedSettings.pr_only_branch_overrides",
        ("at most 100", "an empty list changes nothing", "New projects have `main`"),
    ),
    "forks of new projects": (
        "v2",
        "ProjectAdvancedSettings.forks_receive_secret_env_vars",
        ("True for new projects",),
    ),
    "setup of new projects": ("v2", "ProjectAdvancedSettings.setup_workflows", ("True for new projects",)),
    "webhook without a secret": ("v2", "Webhook.signing_secret", ("Missing or empty without",)),
    "events of a webhook": ("v2", "Webhook.events", ("in any order",)),
    "audience of OIDC claims": ("v2", "OidcClaims.audience", ("in any order",)),
    "job number of an approval": ("v2", "WorkflowJob.job_number", ("has no details", "NotFoundError")),
    "number in deliveries of older servers": ("v2", "CompletedJob.number", ("older servers",)),
    "start in deliveries of older servers": ("v2", "CompletedJob.started_at", ("older servers",)),
}


def plain(text: str) -> str:
    return " ".join(text.split())


def docstring_of_field(version: Version, model: str, field: str) -> str:
    """The string after the field in the source of the model."""
    trees = (
        ast.parse(path.read_text("utf-8")) for path in Path(ROOT, "src/circleci_sdk", version, "models").glob("*.py")
    )
    [found] = [one for tree in trees for one in tree.body if isinstance(one, ast.ClassDef) and one.name == model]
    [text] = [
        str(ast.literal_eval(after.value))
        for one, after in pairwise(found.body)
        if isinstance(one, ast.AnnAssign) and ast.unparse(one.target) == field and isinstance(after, ast.Expr)
    ]
    return text


@pytest.mark.parametrize(("method", "parts"), METHODS.values(), ids=METHODS)
def test_docstring_of_method(method: Callable[..., Any], parts: tuple[str, ...]) -> None:
    text = plain(inspect.getdoc(method) or "")
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(("version", "field", "parts"), FIELDS.values(), ids=FIELDS)
def test_description_of_field(version: Version, field: str, parts: tuple[str, ...]) -> None:
    text = plain(docstring_of_field(version, *field.split(".")))
    assert [part for part in parts if part not in text] == []
