"""What the environment says of proxies and certificates. It is checked when a client is made, not at its first call."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Final
from urllib.parse import urlsplit

from .errors import ConfigError

_PROXY_VARIABLES: Final = ("https_proxy", "http_proxy", "all_proxy")
_PROXY_SCHEMES: Final = ("http", "https", "socks5", "socks5h")


def check_proxy(address: str, source: str) -> None:
    """Raise `ConfigError`, without a password that is in it, unless it is the URL of a proxy."""
    try:
        parts = urlsplit(address)
        is_usable = parts.scheme in _PROXY_SCHEMES and bool(parts.hostname) and parts.port != 0
    except (ValueError, TypeError, AttributeError):
        is_usable = False
    if not is_usable or any(char.isspace() or not char.isprintable() for char in address):
        raise ConfigError(f"{source}: expected a URL such as http://proxy.example.com:3128.")
    if address.startswith("socks5") and find_spec("socksio") is None:
        raise ConfigError(f"{source}: a SOCKS proxy needs another package: install httpx[socks].")


def check_environment(*, proxies: bool, certificates: bool) -> None:
    """Raise `ConfigError` for proxies or certificates in the environment that no request can use."""
    if proxies and _variable("no_proxy").strip() != "*":
        for name in _PROXY_VARIABLES:
            if name == "http_proxy" and "REQUEST_METHOD" in os.environ and name not in os.environ:
                continue  # in CGI it is a header of the client
            if address := _variable(name):
                check_proxy(address if "://" in address else f"http://{address}", name.upper())
    if not certificates:
        return
    file, folders = os.environ.get("SSL_CERT_FILE"), os.environ.get("SSL_CERT_DIR")
    if file:
        if not os.path.isfile(file) or not os.access(file, os.R_OK):  # noqa: PTH113  # pathlib takes long to import
            raise ConfigError(f"SSL_CERT_FILE: the certificates cannot be read: {file!r} is no file, or not readable.")
    elif folders and not any(os.path.isdir(folder) for folder in folders.split(os.pathsep)):  # noqa: PTH112  # the same
        raise ConfigError(f"SSL_CERT_DIR: the certificates cannot be read: {folders!r} is no directory.")


def _variable(name: str) -> str:
    return os.environ.get(name) or os.environ.get(name.upper()) or ""
