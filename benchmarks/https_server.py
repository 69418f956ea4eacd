"""A server with TLS, in another process, and a file of certificates with its CA: one user, one page of pipelines.

On one port it responds at once, on another one after `LATENCY`.
"""

from __future__ import annotations

import asyncio
import json
import ssl
import sys
from collections.abc import Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import certifi
import trustme

from . import responses
from .serving import pin, started

if TYPE_CHECKING:
    from asyncio import StreamReader, StreamWriter

LATENCY: Final = 0.15
"""Seconds, as to a server on another continent."""
_USER: Final = json.dumps({"id": "5034460f-c7c4-4c43-9457-de07e2029e7b", "login": "ada", "name": "Ada"}).encode()


@contextmanager
def running(folder: Path) -> Generator[tuple[list[str], Path]]:
    """Run the server; yields its two URLs, and the usual certificates together with that of its CA."""
    certificates = folder / "certificates.pem"
    with started("https_server", str(certificates)) as line:
        yield [f"https://127.0.0.1:{int(port)}" for port in line.split()], certificates


async def _respond(latency: float, reader: StreamReader, writer: StreamWriter) -> None:
    """Respond to one request, which is all that each program sends."""
    head = await reader.readuntil(b"\r\n\r\n")
    await asyncio.sleep(latency)
    body = _USER if head.startswith(b"GET /api/v2/me ") else responses.page()
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    await reader.read()
    writer.close()


def _issued(certificates: Path) -> ssl.SSLContext:
    """A context with a new certificate; writes the file of certificates for the clients."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate: Any = authority.issue_cert("127.0.0.1")  # its methods are only partly typed
    certificate.configure_cert(context)
    certificates.write_text(certifi.contents() + authority.cert_pem.bytes().decode())
    return context


async def _serve(context: ssl.SSLContext) -> None:
    servers = [
        await asyncio.start_server(partial(_respond, latency), "127.0.0.1", 0, ssl=context) for latency in (0, LATENCY)
    ]
    print(*[server.sockets[0].getsockname()[1] for server in servers], flush=True)
    await servers[0].serve_forever()


if __name__ == "__main__":
    pin(0)
    asyncio.run(_serve(_issued(Path(sys.argv[1]))))
