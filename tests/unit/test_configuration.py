# pyright: basic
"""Wrong configuration is refused when a client is made: servers, proxies, certificates, limits of time."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from circleci_sdk import AsyncCircleCI, ConfigError, Timeout
from circleci_sdk._core.session import find_origin

PROXY_VARIABLES: Final = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUEST_METHOD")


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXY_VARIABLES, "SSL_CERT_FILE", "SSL_CERT_DIR", "CIRCLECI_BASE_URL", "CIRCLECI_HOST"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


HOSTS: Final = (
    "https://h:99999999",
    "https://h:0",
    "https://h:-1",
    "https://h: 1",
    "https://a..b",
    "https://.a",
    f"https://{'a' * 64}.com",
    "https://" + ".".join(["a" * 60] * 5),
    "https://1.2.3.400",
    "https://[::1",
    "https://[1:2:3]",
    "https://[v1.x]",
    "https://\u2488com",
    "https://a\u0080b.com",
    "https://\ud800.com",
    "https://a\u200db.com",
    "https://u@h",
    # httpx2 sends a name in Punycode as it is.
    *(["https://xn--a.com"] if httpx.__name__ == "httpx" else []),
)


@pytest.mark.parametrize("address", HOSTS, ids=range(len(HOSTS)))
@pytest.mark.parametrize("variable", [None, "CIRCLECI_BASE_URL"])
def test_server(monkeypatch: pytest.MonkeyPatch, address: str, variable: str | None) -> None:
    if variable and "\ud800" in address:
        return  # no variable can have it
    if variable:
        monkeypatch.setenv(variable, address)
    with pytest.raises(ConfigError, match=variable or "base_url"):
        AsyncCircleCI("token", base_url=None if variable else address)


@pytest.mark.parametrize("host", ["münchen.example", "xn--mnchen-3ya.example", "a_b.example.com.", "127.0.0.1", "x1"])
def test_unusual_servers(host: str) -> None:
    assert AsyncCircleCI("token", base_url=f"https://{host}:8443").base_url == f"https://{host}:8443"


@settings(max_examples=300, derandomize=True, deadline=None, database=None)
@given(host=st.text(max_size=30) | st.text("ab-_.\u00e4\u00df\u3002\u200d0123456789xn[]:", max_size=30))
def test_requests_can_be_sent_to_each_accepted_server(host: str) -> None:
    try:
        origin = find_origin(f"https://{host}", allow_http=False)
    except ConfigError:
        return
    request = httpx.Request("GET", f"{origin}/api/v2/me")
    assert request.url.host
    assert request.headers["host"].isascii()
    assert all(0 < len(label) < 64 for label in request.url.raw_host.removesuffix(b".").split(b"."))


PROXIES: Final = (
    "ftp://p:1",
    "http://",
    "http://:1",
    "http://p:99999",
    "http://p:0",
    "http://p:x",
    "http://[::1",
    "http://p q:1",
    "http://p\x00:1",
    "socks5://p:1",
)


@pytest.mark.parametrize("address", PROXIES)
@pytest.mark.parametrize("variable", ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "all_proxy", None])
def test_proxy(monkeypatch: pytest.MonkeyPatch, address: str, variable: str | None) -> None:
    secret = address.replace("://", "://ada:hunter2@")
    for given_address in (address, secret):
        if variable and "\0" not in address:
            monkeypatch.setenv(variable, given_address)
        with pytest.raises(
            ConfigError, match=variable.upper() if variable and "\0" not in address else "proxy"
        ) as caught:
            AsyncCircleCI("token", proxy=None if variable and "\0" not in address else given_address)
        assert "hunter2" not in str(caught.value)
    if variable:  # what is not used is not checked
        AsyncCircleCI("token", transport=httpx.MockTransport(lambda request: httpx.Response(200)))
        AsyncCircleCI("token", proxy="http://p:1")
        monkeypatch.setenv("NO_PROXY", "*")
        AsyncCircleCI("token")


@pytest.mark.parametrize(("variable", "is_read"), [("HTTP_PROXY", False), ("http_proxy", True), ("HTTPS_PROXY", True)])
def test_proxies_in_cgi(monkeypatch: pytest.MonkeyPatch, variable: str, is_read: bool) -> None:
    """There `HTTP_PROXY` is a header of the client."""
    monkeypatch.setenv("REQUEST_METHOD", "GET")
    monkeypatch.setenv(variable, "ftp://p:1")
    if is_read:
        with pytest.raises(ConfigError, match=variable.upper()):
            AsyncCircleCI("token")
    else:
        AsyncCircleCI("token")


@pytest.mark.parametrize("address", ["p:1", "http://p", "http://u:p@p:1", "https://p:1", "http://[::1]:1"])
def test_usable_proxy(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("HTTPS_PROXY", address)
    AsyncCircleCI("token")


def test_certificates_of_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for variable, path in (
        ("SSL_CERT_FILE", "/nowhere/ca.pem"),
        ("SSL_CERT_FILE", str(tmp_path)),
        ("SSL_CERT_DIR", "/nowhere"),
    ):
        with monkeypatch.context() as patch:
            patch.setenv(variable, path)
            with pytest.raises(ConfigError, match=variable):
                AsyncCircleCI("token")
            AsyncCircleCI("token", verify=False)
            AsyncCircleCI("token", base_url="http://localhost")
    monkeypatch.setenv("SSL_CERT_DIR", f"/nowhere:{tmp_path}")
    AsyncCircleCI("token")


async def test_a_file_without_certificates(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    async with AsyncCircleCI("token", base_url="https://localhost:1") as client:
        with pytest.raises(ConfigError, match="SSL_CERT_FILE or SSL_CERT_DIR: the certificates cannot be read"):
            await client.v2.users.me()


BEYOND: Final[list[Any]] = [float("nan"), float("inf"), -float("inf"), 10**400, -(10**400), 1e400]


@pytest.mark.parametrize("value", BEYOND, ids=range(len(BEYOND)))
def test_numbers_that_no_clock_holds(value: Any) -> None:
    for options in ({"timeout": value}, {"max_retry_after": value}):
        with pytest.raises(ConfigError):
            AsyncCircleCI("token", **options)
        with pytest.raises(ConfigError):
            AsyncCircleCI("token").with_options(**options)
    for part in ("total", "connect", "read", "write"):
        with pytest.raises(ConfigError):
            Timeout(**{part: value})
