"""Addresses of files: which may be downloaded, which are sent the token, and where redirects lead. Pure functions."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin

from circleci_sdk._core.errors import InvalidArgumentError
from circleci_sdk._core.redaction import LEFT_OUT
from circleci_sdk._core.session import is_loopback
from circleci_sdk._core.transport.http import REDIRECTS

if TYPE_CHECKING:
    from circleci_sdk._core.messages import Received

_URL: Final = re.compile(
    # Strict about the host, so that no two parsers can read two hosts out of it. Names of buckets have underscores.
    r"(?P<scheme>https?)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(:(?P<port>[0-9]{1,5}))?(?P<rest>[/?#][^\x00-\x1f\x7f]*)?",
    re.IGNORECASE,
)
_ARTIFACTS: Final = ".circle-artifacts.com"
_SITES: Final = frozenset(
    {"circle-artifacts.com", "circleci.com", "amazonaws.com", "cloudfront.net", "googleapis.com", "windows.net"}
)


def check_url(url: str, *, allow_http: bool) -> str:
    """The host of a downloadable address. Raises `InvalidArgumentError`, without a signature in its text."""
    parts = _URL.fullmatch(url)
    if parts is None:
        raise InvalidArgumentError(
            "The address of a file: expected https:// and a host, without a user, got another address."
        )
    host = parts["host"].strip("[]")
    if parts["scheme"].lower() == "http" and not allow_http and not is_loopback(host):
        raise InvalidArgumentError(
            f"The address of a file on {host}: expected https, got http, which protects no file on its way. "
            "allow_http=True of the client permits it."
        )
    return host


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port."""
    parts = _URL.fullmatch(url)
    if parts is None:
        return ("", "", 0)
    scheme = parts["scheme"].lower()
    return scheme, parts["host"].lower(), int(parts["port"] or (443 if scheme == "https" else 80))


def site_of(host: str, api: str) -> str:
    """The site of a host, whose files share a rate limit. Clients remember each: all that are unknown are one.

    Artifact hosts have a name for each build.
    """
    if host.lower() == origin_of(api)[1]:
        return host.lower()
    site = ".".join(host.lower().split(".")[-2:])
    return site if site in _SITES else "elsewhere"


def may_hold_token(url: str, api: str) -> bool:
    """Whether this address may be sent the token: the API's own server, or an artifact host of circleci.com."""
    scheme, host, port = origin_of(url)
    api_scheme, api_host, api_port = origin_of(api)
    if (scheme, host, port) == (api_scheme, api_host, api_port):
        return bool(host)
    from_cloud = api_host == "circleci.com" or api_host.endswith(".circleci.com")
    return from_cloud and scheme == "https" and port == 443 and host.endswith(_ARTIFACTS)


def redirect_of(url: str, response: Received, *, allow_http: bool) -> str | None:
    """The target of a redirect; None for another response, or a target that downloads do not follow."""
    location = response.headers.get("location")
    if response.status not in REDIRECTS or not location or location == LEFT_OUT:
        return None
    try:
        target = urljoin(url, location)
        check_url(target, allow_http=allow_http)
    except ValueError:
        return None
    return target
