"""From an address and a method to the route that ends. A part of an address that is not known is written `{name}`."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from ._table import ROUTES

if TYPE_CHECKING:
    from ._entries import Route

RUNNER: Final = "runner.circleci.com"

_VERSION: Final = re.compile(
    r"(?:^|[/}])api/(v\d+(?:\.\d+)?)/+|^/*(v1(?:\.1)?|v2)/+(?=project|insights|me\b)", re.IGNORECASE
)
_RELATIVE: Final = re.compile(
    r"^(?:[a-z]+://[^/{}]*circle[^/]*)?(?:/*\{[^{}]*\})*/*(?=projects?(?:/|$))", re.IGNORECASE
)
_GLUED: Final = re.compile(r"^project(?=\{)")
"""A part that is not known, and begins with a slash."""
_HOST: Final = re.compile(r"^[a-z]+://([^/]*)", re.IGNORECASE)
_V1: Final = ("v1", "v1.1")
_TAILS: Final = frozenset(
    {"artifacts", "build-cache", "cancel", "checkout-key", "enable", "envvar", "follow", "pipeline", "schedule"}
    | {"settings", "ssh-key", "ssh-users", "tests", "token", "unfollow"}
)
"""Ends of other routes below a project."""
_SLUG_NAME: Final = re.compile(r"slug|proj|repo", re.IGNORECASE)
_LEGACY: Final = re.compile(
    r"api/v1(?:\.1)?(?![\w.])|\bv1\.1\b|^\s*(?:from|import)\s+(?:circleci|pycircleci)\b", re.MULTILINE
)
_NEWER: Final = re.compile(r"api/v2(?![\w.])")
_BRANCHES: Final = re.compile(r"""["'`]branches["'`]|\.branches\b|:branches\b""")
_WITHOUT_BRANCHES: Final = re.compile(r"shallow|skip[-_]branches")

_BASE: Final = re.compile(r"api/v1(?:\.1)?/project/?(?:github|gh|bitbucket|bb)?/?[\"'`]")
_BELOW: Final = re.compile(r"^/?(?:\{[^{}]*\}/){1,3}(?:(?:\{[^{}]*\}|\d+)/(?:retry|ssh)|tree/[^/]+|build)/?$")
"""A path below the base of all projects."""

_BY_PATH: Final = {(route.kind, route.method, route.path): route for route in ROUTES}
_SLUG: Final = "/project/{vcs-type}/{username}/{project}"
_NOTE: Final = next(route for route in ROUTES if route.kind == "runner" and route.path == "/runner")


class Context(NamedTuple):
    """What the rest of a file says: which versions of the API it names, and whether it reads `branches`."""

    names_v1: bool
    names_v2: bool
    reads_branches: bool
    names_base: bool
    """Whether it has the address of all projects, to which paths are added."""

    @classmethod
    def of(cls, text: str) -> Context:
        """The context of the addresses of a file."""
        return cls(*(bool(each.search(text)) for each in (_LEGACY, _NEWER, _BRANCHES, _BASE)))


def ending_route(address: str, method: str | None, context: Context, around: str = "") -> Route | None:
    """The route that ends, if a request to this address does.

    Args:
        address: a URL, or a path without its base.
        method: the method in upper case; None if it is not known.
        context: what the file says.
        around: the source of the call, which may hold parameters of the query.
    """
    path, _, query = address.strip().partition("#")[0].partition("?")
    if RUNNER in path.lower():
        return _runner(path, method)
    host = _HOST.match(path)
    if host and "{" not in host[1] and "circle" not in f"{address}{around}".lower():
        return None
    version, rest = _parts(path, context)
    if not version and method == "POST" and context.names_base and _BELOW.match(path):
        version, rest = "relative", f"project/{path.lstrip('/')}"
    segments = [part for part in rest.split("/") if part]
    if version == "v2":
        return _insights(segments, method)
    if version not in (*_V1, "relative") or not segments:
        return None
    route = _trigger(segments, method, version, context)
    if route is None and context.reads_branches and not _WITHOUT_BRANCHES.search(f"{query} {around}"):
        route = _branches(segments, method, version, context)
    return route


def _parts(path: str, context: Context) -> tuple[str, str]:
    """The version and what follows it; an address without a version is `relative`, if the file names v1."""
    host = _HOST.match(path)
    known = host is None or "circle" in host[1].lower() or "{" in host[1]
    match = _VERSION.search(path)
    if match:
        version = (match[1] or match[2]).lower()
        return ("" if version == "v1" and not known else version), _GLUED.sub("project/", path[match.end() :])
    relative = _RELATIVE.match(path)
    if relative and known and context.names_v1:
        return "relative", path[relative.end() :]
    return "", ""


def _trigger(segments: list[str], method: str | None, version: str, context: Context) -> Route | None:
    if segments[0] != "project" or method not in (None, "POST"):
        return None
    rest = segments[1:]
    if "tree" in rest[1:-1]:
        at = rest.index("tree", 1)
        return _route("/tree/{branch}") if method and _is_slug(rest[:at], version, loose=True) else None
    if len(rest) > 1 and rest[-1] in ("retry", "ssh"):
        is_one = _is_slug(rest[:-2], version, loose=True) or (len(rest) == 2 and _is_hole(rest[0]))
        return _route(f"/{{build_num}}/{rest[-1]}") if is_one else None
    if len(rest) > 1 and rest[-1] == "build":
        return _route("/build") if _is_slug(rest[:-1], version, loose=False) else None
    ambiguous = version == "relative" and context.names_v2
    if method and not ambiguous and rest and rest[-1] not in _TAILS and _is_slug(rest, version, loose=False):
        return _route("") if len(rest) > 1 or _SLUG_NAME.search(rest[0]) else None
    return None


def _branches(segments: list[str], method: str | None, version: str, context: Context) -> Route | None:
    if method not in (None, "GET") or (version == "relative" and method is None):
        return None
    if segments == ["projects"]:
        return _BY_PATH["branches", "GET", "/projects"]
    if version == "relative" and context.names_v2:
        return None
    if segments[0] == "project" and segments[-1] == "settings" and _is_slug(segments[1:-1], version, loose=False):
        return _BY_PATH["branches", "GET", f"{_SLUG}/settings"]
    return None


def _insights(segments: list[str], method: str | None) -> Route | None:
    if not segments or segments[0] != "insights" or method not in (None, "GET"):
        return None
    if len(segments) > 2 and segments[1] == "time-series" and segments[-1] == "workflows":
        return _BY_PATH["insights", "GET", "/insights/time-series/{project-slug}/workflows"]
    is_of_job = len(segments) > 5 and segments[-2] == "jobs" and segments[-4] == "workflows"
    if is_of_job and segments[1] != "time-series":
        return _BY_PATH["insights", "GET", "/insights/{project-slug}/workflows/{workflow-name}/jobs/{job-name}"]
    return None


def _runner(path: str, method: str | None) -> Route:
    """The route on the old host; any other address of the host ends with the host."""
    wanted = path.lower().partition(RUNNER)[2].partition("/runner")
    segments = [part for part in f"runner{wanted[2]}".split("/") if part] if wanted[1] else []
    for route in ROUTES:
        known = [part for part in route.path.split("/") if part]
        fits = route.kind == "runner" and route.method == (method or "GET") and len(known) == len(segments)
        if fits and all(one == other or one.startswith("{") for one, other in zip(known, segments, strict=True)):
            return route
    return _NOTE._replace(use=None)


def _route(tail: str) -> Route:
    return _BY_PATH["trigger", "POST", _SLUG + tail]


def _is_slug(segments: list[str], version: str, *, loose: bool) -> bool:
    """Whether these are a project: three segments, two in v1; fewer if one of them is a part that is not known."""
    count = len(segments)
    if count > 3 or not count:
        return False
    if count == 3:
        return version != "v1" or any(map(_is_hole, segments))
    if any(map(_is_hole, segments)):
        return True
    return count == 2 and (loose or version != "v1.1")


def _is_hole(segment: str) -> bool:
    return "{" in segment
