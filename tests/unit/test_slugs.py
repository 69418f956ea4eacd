"""Parsing of project slugs from slugs, URLs and git remotes, without guessing."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest

from circleci_sdk import InvalidArgumentError, ProjectSlug

BASE58 = ("9YytKzouJxzu4TjCRFqAoD", "44n9wujWcTnVZ2b5S8Fnat")


@pytest.mark.parametrize(
    ("text", "slug"),
    [
        ("gh/acme/web", "gh/acme/web"),
        ("github/acme/web", "gh/acme/web"),
        ("GitHub/acme/Web", "gh/acme/Web"),
        ("bb/acme/web", "bb/acme/web"),
        ("bitbucket/acme/web", "bb/acme/web"),
        ("  gh/acme/web\n", "gh/acme/web"),
        ("gh/acme/web.js", "gh/acme/web.js"),
        (f"circleci/{BASE58[0]}/{BASE58[1]}", f"circleci/{BASE58[0]}/{BASE58[1]}"),
        ("https://app.circleci.com/pipelines/github/acme/web", "gh/acme/web"),
        ("https://app.circleci.com/pipelines/github/acme/web/", "gh/acme/web"),
        ("https://app.circleci.com/pipelines/github/acme/web/12/workflows/5034460f/jobs/3?x=1#y", "gh/acme/web"),
        ("https://app.circleci.com/pipelines/gh/acme/web?branch=main", "gh/acme/web"),
        (f"https://app.circleci.com/pipelines/circleci/{BASE58[0]}/{BASE58[1]}/4", f"circleci/{BASE58[0]}/{BASE58[1]}"),
        ("https://app.circleci.com/settings/project/github/acme/web/environment-variables", "gh/acme/web"),
        ("https://app.circleci.com/projects/project-dashboard/github/acme/web", "gh/acme/web"),
        ("https://circleci.com/gh/acme/web/42", "gh/acme/web"),
        ("https://circleci.com/bb/acme/web/tree/main", "bb/acme/web"),
        ("https://app.circleci.com/pipelines/github/a%20b/web", "gh/a b/web"),
        ("git@github.com:acme/web.git", "gh/acme/web"),
        ("git@github.com:acme/web", "gh/acme/web"),
        ("github.com:acme/web.git", "gh/acme/web"),
        ("git@bitbucket.org:acme/web.git", "bb/acme/web"),
        ("ssh://git@github.com/acme/web.git", "gh/acme/web"),
        ("ssh://git@ssh.github.com:443/acme/web.git", "gh/acme/web"),
        ("ssh://git@altssh.bitbucket.org:443/acme/web.git", "bb/acme/web"),
        ("git://github.com/acme/web.git", "gh/acme/web"),
        ("https://github.com/acme/web", "gh/acme/web"),
        ("https://GitHub.com/acme/web/tree/main", "gh/acme/web"),
        ("https://user:password@github.com/acme/web.git", "gh/acme/web"),
        ("https://bitbucket.org/acme/web/src/main/", "bb/acme/web"),
        ("https://github.com/acme/web.git/", "gh/acme/web"),
        ("https://www.github.com/acme/web", "gh/acme/web"),
    ],
)
def test_valid_projects(text: str, slug: str) -> None:
    found = ProjectSlug.parse(text)
    assert str(found) == slug
    assert ProjectSlug.parse(str(found)) == found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "   ",
        "web",
        "acme/web",
        "gl/acme/web",
        "gitlab/acme/web",
        "gh/acme",
        "gh/acme/web/12",
        "gh//web",
        "gh/../web",
        "gh/acme/..",
        "gh/acme/w\x00b",
        "git@gitlab.com:acme/web.git",
        "https://gitlab.com/acme/web",
        "https://example.com/gh/acme/web",
        "https://circleci.com.example.com/gh/acme/web",
        "https://notcircleci.com/gh/acme/web",
        "https://app.circleci.com/",
        "https://app.circleci.com/pipelines/github/acme",
        "https://app.circleci.com/pipelines/gitlab/acme/web",
        "https://app.circleci.com/pipelines/github/acme/a%2Fb",
        "https://github.com/acme",
        "https://[github.com/acme/web",
        "https://app.circleci.com/pipelines/github/%2E%2E/web",
        "git@github.com:web.git",
        "x" * 5000,
    ],
)
def test_invalid_projects(text: str) -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ProjectSlug.parse(text)
    assert len(str(caught.value)) < 600


@pytest.mark.parametrize("value", [None, 5, b"gh/acme/web", ["gh", "acme", "web"]], ids=repr)
def test_wrong_types(value: Any) -> None:
    with pytest.raises(InvalidArgumentError, match="expected str, got"):
        ProjectSlug.parse(value)


def test_password_of_a_remote_is_not_quoted() -> None:
    with pytest.raises(InvalidArgumentError) as caught:
        ProjectSlug.parse("https://user:hunter2@example.com/acme/web.git")
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    "parts", [("", "a", "b"), ("gh", "", "b"), ("gh", "a", ".."), ("gh", "a/b", "c"), ("gh", "a", "\n")]
)
def test_invalid_parts(parts: tuple[str, str, str]) -> None:
    with pytest.raises(InvalidArgumentError, match="ProjectSlug: "):
        ProjectSlug(*parts)


def test_slug_is_hashable_and_comparable() -> None:
    slug = ProjectSlug("gh", "acme", "web")
    assert slug == ProjectSlug.parse("gh/acme/web")
    assert {slug: 1}[ProjectSlug.parse("https://github.com/acme/web")] == 1
    assert repr(slug) == "ProjectSlug(vcs='gh', organization='acme', project='web')"
    assert copy.deepcopy(slug) == pickle.loads(pickle.dumps(slug)) == slug
