"""Project slugs: how the API names a project in a path, and the web app in the address of a page."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final
from urllib.parse import unquote, urlsplit

from circleci_sdk._core.checks import STR, check, got, is_text
from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._public import public

_LONG_VCS: Final = {"gh": "github", "bb": "bitbucket"}
_SHORT: Final = {"github": "gh", "bitbucket": "bb", "gh": "gh", "bb": "bb", "circleci": "circleci"}
_HOSTS: Final = {"github.com": "gh", "ssh.github.com": "gh", "bitbucket.org": "bb", "altssh.bitbucket.org": "bb"}
_SCP: Final = r"(?:[^@/\s]+@)?(?P<host>[^:/\s]+):(?P<path>[^/\s].*)"
_LOGIN: Final = "//[^/]*@"  # remotes often hold a token there
_UNFIT: Final = "[\x00-\x1f\x7f-\x9f\ud800-\udfff]"
CLOUD_APP: Final = "https://app.circleci.com"
_APP_PREFIXES: Final = (("pipelines",), ("settings", "project"), ("projects", "project-dashboard"), ())


@public("circleci_sdk")
@dataclass(frozen=True, slots=True)
class ProjectSlug:
    """The name of a project: `vcs/organization/project`.

    `vcs` is `gh`, `bb` or, for GitHub App, GitLab and Bitbucket Data Center, `circleci`; the two other parts
    of a `circleci` slug are opaque ids. `str(slug)` is what the API takes. Anywhere a slug is expected a plain
    string will do.
    """

    vcs: str
    organization: str
    project: str

    def __post_init__(self) -> None:
        for name in ("vcs", "organization", "project"):
            part = getattr(self, name)
            check("ProjectSlug", **{name: (part, STR)})
            check_segment(part, f"ProjectSlug: {name}")
            if "/" in part:
                raise InvalidArgumentError(f"ProjectSlug: {name}: expected no slash, got {_quote(part)}.")

    def __str__(self) -> str:
        return f"{self.vcs}/{self.organization}/{self.project}"

    @classmethod
    def parse(cls, text: str) -> ProjectSlug:
        """Read a slug, an address of the web app, or a git remote.

        Takes `gh/acme/web`, `https://app.circleci.com/pipelines/github/acme/web/12`,
        `git@github.com:acme/web.git` and their like. Raises `InvalidArgumentError` for anything else; a GitLab
        remote is refused because such projects go by ids that the remote does not hold.
        """
        if not is_text(text):
            raise InvalidArgumentError(f"ProjectSlug.parse: text: expected str, got {got(text)}.")
        parts = _slug_parts(text.strip())
        if parts is None:
            raise InvalidArgumentError(
                "ProjectSlug.parse: expected a slug such as gh/acme/web, the address of a project or pipeline in the "
                f"web app, or a git remote on GitHub or Bitbucket, got {_quote(text)}. Projects on GitLab and of the "
                "GitHub App have the slug on their settings page (circleci/...)."
            )
        return cls(*parts)


def _slug_parts(text: str) -> tuple[str, str, str] | None:
    if "://" in text:
        try:
            url = urlsplit(text)
        except ValueError:
            return None
        return _from_address(url.hostname or "", url.path)
    if match := re.fullmatch(_SCP, text):
        return _from_address(match["host"], match["path"])
    return _from_segments(text.split("/"), exact=True)


def _from_address(host: str, path: str) -> tuple[str, str, str] | None:
    segments = [unquote(segment) for segment in path.strip("/").split("/")]
    host = host.lower().removeprefix("www.")
    if host in _HOSTS:
        if len(segments) < 2:
            return None
        return _HOSTS[host], segments[0], segments[1].removesuffix(".git")
    if host == "circleci.com" or host.endswith(".circleci.com"):
        for prefix in _APP_PREFIXES:
            if tuple(segments[: len(prefix)]) == prefix:
                return _from_segments(segments[len(prefix) :], exact=False)
    return None


def _from_segments(segments: list[str], *, exact: bool) -> tuple[str, str, str] | None:
    if len(segments) < 3 or (exact and len(segments) > 3) or segments[0].lower() not in _SHORT:
        return None
    return _SHORT[segments[0].lower()], segments[1], segments[2]


def check_segment(text: str, place: str) -> None:
    """Refuse what would leave its segment of a path, or cannot be written in one."""
    if not text:
        raise InvalidArgumentError(f"{place}: expected no empty part.")
    if text in (".", ".."):
        raise InvalidArgumentError(f"{place}: expected a name, got {text!r}, which changes the path.")
    if not text.isprintable() and (unfit := re.search(_UNFIT, text)):
        char = unfit[0]
        if char >= "\ud800":
            raise InvalidArgumentError(f"{place}: expected valid Unicode, got a lone surrogate ({char!r}).")
        raise InvalidArgumentError(f"{place}: expected no control characters, got {char!r}.")


def slug_segments(text: str, place: str, *, count: int, long_vcs: bool = False) -> list[str]:
    """The segments of a slug that a user gave as a string, checked, with `gh` spelt as this API wants it."""
    segments = text.strip(" \t\r\n").split("/")  # what comes along with a copied slug
    if len(segments) != count:
        example, remedy = "gh/acme", ""
        if count == 3:
            example, remedy = "gh/acme/web", " ProjectSlug.parse reads app URLs and git remotes."
        raise InvalidArgumentError(f"{place}: expected a slug such as {example}, got {_quote(text)}.{remedy}")
    for segment in segments:
        check_segment(segment, place)
    return long_slug("/".join(segments)).split("/") if long_vcs else segments


def app_origin(origin: str) -> str:
    """The origin of the web app for an origin of the API. A server installation has one host for both."""
    return CLOUD_APP if origin == "https://circleci.com" else origin


def pipeline_url(app: str, project_slug: str, number: int) -> str:
    """The page of a pipeline; `app` is the origin of the web app."""
    return f"{app}/pipelines/{long_slug(project_slug)}/{number}"


def long_slug(slug: str) -> str:
    """A slug with `github` for `gh` and `bitbucket` for `bb`, as the web app, webhooks and API v1.1 spell it."""
    vcs, _, rest = slug.partition("/")
    return f"{_LONG_VCS.get(vcs, vcs)}/{rest}"


def _quote(text: str) -> str:
    text = re.sub(_LOGIN, "//", text)
    return repr(text if len(text) <= 80 else text[:77] + "...")
