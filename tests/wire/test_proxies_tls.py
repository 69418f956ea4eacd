# pyright: basic
"""Proxies and certificates: as in plain httpx, on our own transports too."""

from __future__ import annotations

import ssl
from base64 import b64encode
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
import trustme

from circleci_sdk import AsyncCircleCI, ConfigError, ConnectionFailedError
from tests.support.clients import CREATED, SLUG, TOKEN, USER, client_on
from tests.support.clock import FakeClock
from tests.support.proxy import Proxy
from tests.support.scripted_server import ScriptedServer, reply

VARIABLES: Final = (
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUEST_METHOD",
)
AUTHORITY: Final = trustme.CA()


@pytest.fixture(autouse=True)
def clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


def responding(server: ScriptedServer) -> ScriptedServer:
    server.on("GET", "/api/v2/me", reply(json=USER))
    server.on("POST", f"/api/v2/project/{SLUG}/pipeline", reply(201, json=CREATED))
    return server


@pytest.fixture
def secure() -> Iterator[ScriptedServer]:
    """A server with a certificate issued by `AUTHORITY`."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    AUTHORITY.issue_cert("localhost").configure_cert(context)
    with ScriptedServer(tls=context) as server:
        yield responding(server)


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    with Proxy() as proxy:
        responding(proxy)
        yield proxy


@pytest.fixture
def trusting() -> ssl.SSLContext:
    context = ssl.create_default_context()
    AUTHORITY.configure_trust(context)
    return context


async def get(client: AsyncCircleCI) -> None:
    await client.v2.users.me()


async def trigger(client: AsyncCircleCI) -> None:
    await client.v2.pipelines.trigger(SLUG, branch="main")


# Certificates.


async def test_private_ca_by_verify(secure: ScriptedServer, trusting: ssl.SSLContext) -> None:
    async with client_on(secure, verify=trusting) as client:
        await get(client)
        await trigger(client)
    assert (len(secure.requests), secure.connections) == (2, 1)


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("is_directory", [False, True])
async def test_private_ca_by_path(
    secure: ScriptedServer, tmp_path: Path, kind: Callable[[Path], str | Path], is_directory: bool
) -> None:
    file = tmp_path / (f"{_subject_hash()}.0" if is_directory else "ca.pem")
    AUTHORITY.cert_pem.write_to_path(file)
    async with client_on(secure, verify=kind(tmp_path if is_directory else file)) as client:
        await get(client)
    assert len(secure.requests) == 1


async def test_certificates_at_a_path_are_the_only_ones(secure: ScriptedServer, tmp_path: Path) -> None:
    file = tmp_path / "other.pem"
    trustme.CA().cert_pem.write_to_path(file)
    async with client_on(secure, FakeClock(), verify=file) as client:
        with pytest.raises(ConnectionFailedError, match="CERTIFICATE_VERIFY_FAILED"):
            await trigger(client)
    assert secure.requests == []


@pytest.mark.parametrize(
    "value", [None, "", 0, 1, "false", "True", b"ca.pem", {}, [], Path("/nowhere/ca.pem"), object()]
)
def test_verification_is_not_read_by_truth(value: Any) -> None:
    with pytest.raises(ConfigError, match="verify: "):
        AsyncCircleCI(TOKEN, verify=value)


def test_a_file_without_certificates(tmp_path: Path) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")
    with pytest.raises(ConfigError, match=r"verify: the CA certificates at .*ca\.pem"):
        AsyncCircleCI(TOKEN, verify=file)


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
async def test_private_ca_by_environment(
    secure: ScriptedServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    file = tmp_path / "ca.pem"
    if variable == "SSL_CERT_DIR":
        file = tmp_path / f"{_subject_hash()}.0"
    AUTHORITY.cert_pem.write_to_path(file)
    monkeypatch.setenv(variable, str(tmp_path if variable == "SSL_CERT_DIR" else file))
    async with client_on(secure, verify=True) as client:
        await get(client)
    assert len(secure.requests) == 1


def _subject_hash() -> str:
    """The file name used by OpenSSL for a certificate in a folder."""
    import shutil
    import subprocess

    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("the program openssl is not installed, which names files for SSL_CERT_DIR")
    command = [openssl, "x509", "-hash", "-noout"]
    done = subprocess.run(command, input=AUTHORITY.cert_pem.bytes(), capture_output=True, check=True)
    return done.stdout.decode().strip()


async def test_without_verification(secure: ScriptedServer) -> None:
    async with client_on(secure, verify=False) as client:
        await get(client)


async def test_unknown_ca_receives_no_request(secure: ScriptedServer) -> None:
    async with client_on(secure, FakeClock(), verify=True) as client:
        with pytest.raises(ConnectionFailedError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await trigger(client)
    assert caught.value.request_outcome == "not_sent"
    assert secure.requests == []


async def test_unreadable_certificates(secure: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/nowhere/ca.pem")
    with pytest.raises(ConfigError, match="SSL_CERT_FILE"):
        client_on(secure, verify=True)


# Proxies.

ROWS: Final = [
    # (environment, through the proxy?)
    ({"HTTPS_PROXY": "{proxy}"}, True),
    ({"https_proxy": "{proxy}"}, True),
    ({"ALL_PROXY": "{proxy}"}, True),
    ({"HTTPS_PROXY": "{bare}"}, True),
    ({"HTTP_PROXY": "{proxy}"}, False),
    ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "localhost"}, False),
    ({"HTTPS_PROXY": "{proxy}", "no_proxy": "example.com,localhost"}, False),
    ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "{host}"}, False),
    ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "*"}, False),
    ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "localhost:1"}, True),
    ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": "host,example.com"}, True),
    ({"HTTPS_PROXY": "{proxy}", "NO_PROXY": ""}, True),
]


@pytest.mark.parametrize(("environment", "through"), ROWS, ids=str)
async def test_https_through_a_proxy(
    secure: ScriptedServer,
    proxy: Proxy,
    trusting: ssl.SSLContext,
    monkeypatch: pytest.MonkeyPatch,
    environment: dict[str, str],
    through: bool,
) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(name, value.format(proxy=proxy.url, bare=proxy.host, host=secure.host))
    async with client_on(secure, verify=trusting) as client:
        await get(client)
        await trigger(client)
    assert proxy.tunnels == ([secure.host] if through else [])
    assert (len(secure.requests), secure.connections) == (2, 1)
    assert proxy.requests == []  # the tunnel contains no readable token


async def test_http_through_a_proxy(server: ScriptedServer, proxy: Proxy, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", proxy.url)
    async with client_on(server) as client:
        await get(client)
    assert (len(server.requests), [request.target for request in proxy.requests]) == (0, [f"{server.url}/api/v2/me"])


async def test_argument_precedes_the_environment(
    secure: ScriptedServer, proxy: Proxy, trusting: ssl.SSLContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "*")
    address = proxy.url.replace("//", "//ada:secret@")
    async with client_on(secure, verify=trusting, proxy=address) as client:
        await get(client)
    assert proxy.passwords == ["Basic " + b64encode(b"ada:secret").decode()]
    assert "proxy-authorization" not in secure.requests[0].headers
    assert secure.requests[0].headers["circle-token"] == TOKEN


@pytest.mark.parametrize("failure", ["refuses", "breaks"])
async def test_proxy_without_a_tunnel(
    secure: ScriptedServer, proxy: Proxy, trusting: ssl.SSLContext, failure: str
) -> None:
    """Without a tunnel no request is sent: even a trigger is retried."""
    proxy.refuses, proxy.breaks = (407, False) if failure == "refuses" else (None, True)
    address = proxy.url.replace("//", "//ada:secret@")
    async with client_on(secure, FakeClock(), verify=trusting, proxy=address) as client:
        with pytest.raises(ConnectionFailedError) as caught:
            await trigger(client)
        error = caught.value
        assert (error.request_outcome, error.attempts, len(proxy.tunnels)) == ("not_sent", 3, 3)
        assert "secret" not in str(error)
        proxy.refuses, proxy.breaks = None, False
        await trigger(client)
    assert len(secure.requests) == 1


@pytest.mark.parametrize("proxy", ["nonsense", "ftp://127.0.0.1:9", "127.0.0.1:9", ""])
def test_invalid_proxy(proxy: str) -> None:
    with pytest.raises(ConfigError, match="proxy: expected"):
        AsyncCircleCI(TOKEN, proxy=proxy)


@pytest.mark.parametrize("proxy", ["ftp://127.0.0.1:9", "socks5://127.0.0.1:9", "http://[::1"])
async def test_invalid_proxy_in_the_environment(
    secure: ScriptedServer, monkeypatch: pytest.MonkeyPatch, proxy: str
) -> None:
    monkeypatch.setenv("HTTPS_PROXY", proxy)
    with pytest.raises(ConfigError, match="HTTPS_PROXY: "):
        client_on(secure)
