"""Clients for tests: on a scripted server, with an optional fake clock, independent of the environment."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import ModuleType
from typing import Any, Final
from unittest.mock import patch

from circleci_sdk import AsyncCircleCI, CircleCI, sync
from circleci_sdk._core.session import Session
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.webhooks import registration
from tests.support.as_async import as_async, function_as_async
from tests.support.clock import FakeClock, clock_of
from tests.support.scripted_server import ScriptedServer

TOKEN: Final = "CCIPAT_wire_0123456789abcdef"
SLUG: Final = "gh/acme/web"
ID: Final = "5034460f-c7c4-4c43-9457-de07e2029e7b"
USER: Final = {"id": ID, "login": "ada", "name": "Ada"}
CREATED: Final = {"id": ID, "state": "pending", "number": 7, "created_at": "2025-06-15T15:06:40Z"}
MESSAGE: Final = {"message": "Accepted."}
_CONTEXT: Final = ssl.create_default_context()
"""Created once: loading certificates takes longer than most tests."""
_sync = False


def client_on(server: ScriptedServer | str, clock: FakeClock | None = None, **options: Any) -> AsyncCircleCI:
    """A client of this server; without a clock it uses real time."""
    url = server if isinstance(server, str) else server.url
    options.setdefault("verify", _CONTEXT)
    if not callable(options.get("auth")):
        options.setdefault("token", TOKEN)
    with nullcontext() if clock is None else clock_of(clock):
        return as_async(CircleCI(base_url=url, **options)) if _sync else AsyncCircleCI(base_url=url, **options)


def session_of(client: AsyncCircleCI) -> Session:
    """The session of a client, with its credential."""
    return client._session  # pyright: ignore[reportPrivateUsage]  # no user needs it


@contextmanager
def sync_clients(module: ModuleType) -> Iterator[None]:
    """In this block `client_on` and `FakeCircleCI.client` return sync clients, in the form of async ones.

    Functions of webhooks that the module has imported are the sync ones too.
    """
    global _sync  # a function that tests have imported decides by it

    def client(fake: FakeCircleCI, *args: Any, **options: Any) -> AsyncCircleCI:
        return as_async(fake.sync_client(*args, **options))

    functions = {
        name: function_as_async(getattr(sync, name))
        for name in ("register", "rotate_secret", "unregister")
        if getattr(module, name, None) is getattr(registration, name)
    }
    _sync = True
    try:
        with patch.object(FakeCircleCI, "client", client), patch.dict(vars(module), functions):
            yield
    finally:
        _sync = False
