"""Serves the fake on a port of this machine, in its own thread, for any program."""

from __future__ import annotations

import asyncio  # noqa: TID251  # the thread of the server, independent of the backend of the test
import socket
import threading  # noqa: TID251  # as above
from typing import TYPE_CHECKING, Any, Final, Self

from circleci_sdk._public import public

if TYPE_CHECKING:
    from types import TracebackType

    from starlette.types import Scope

    from circleci_sdk.testing._protocol.app import App

    from .webhooks import Webhooks

MISSING: Final = "Serving the fake needs Starlette and uvicorn: install the extra 'testing'."

TICK: Final = 0.05
"""Real seconds between two checks for due events."""


class MissingExtraError(ImportError):
    """The packages of the `testing` extra are not installed."""

    __module__ = "circleci_sdk.testing"


@public("circleci_sdk.testing")
class ServedFake:
    """A fake on a port. Use it with `with` or `async with`; `base_url` is its address.

    with fake.serve() as server:
        subprocess.run(["my-bot"], env={"CIRCLECI_BASE_URL": server.base_url, "CIRCLECI_TOKEN": fake.token})
    """

    def __init__(self, app: App, webhooks: Webhooks, host: str, port: int, /) -> None:
        self._app = app
        self._webhooks = webhooks
        self._host = host
        self._port = port
        self._server: Any = None
        self._thread: threading.Thread | None = None
        self._transports: dict[tuple[str, int], Any] = {}

    @property
    def base_url(self) -> str:
        """Scheme, host and port. Raises `RuntimeError` before it is started."""
        if self._thread is None:
            raise RuntimeError("ServedFake.base_url: the server is not started; use `with` or `async with`.")
        return f"http://{self._host}:{self._port}"

    def start(self) -> Self:
        """Open the port. Raises `OSError` when it is taken, `MissingExtraError` without the `testing` extra."""
        ready = threading.Event()
        self._server = self._make_server(ready)
        listener = socket.create_server((self._host, self._port))
        self._port = listener.getsockname()[1]
        self._thread = threading.Thread(
            target=self._run, args=(listener,), name=f"FakeCircleCI:{self._port}", daemon=True
        )
        self._thread.start()
        if not ready.wait(10):
            raise RuntimeError("ServedFake.start: the server did not start within 10 seconds.")
        return self

    def close(self) -> None:
        """Close the port. Safe to call twice."""
        thread, self._thread = self._thread, None
        if thread is not None:
            self._server.should_exit = True
            self._server.force_exit = True
            thread.join(10)

    def _run(self, listener: socket.socket) -> None:
        with listener:
            asyncio.run(self._serve(listener))

    async def _serve(self, listener: socket.socket) -> None:
        """Serve, move a running clock and send webhooks."""
        ticking = asyncio.create_task(self._tick())
        try:
            await self._server.serve(sockets=[listener])
        finally:
            ticking.cancel()

    async def _tick(self) -> None:
        while True:
            self._app.store.clock.sync()
            if self._webhooks.pending:
                await self._webhooks.deliver()
            await asyncio.sleep(TICK)

    def _make_server(self, ready: threading.Event) -> Any:
        try:
            import uvicorn
            from uvicorn.protocols.http.h11_impl import H11Protocol

            from .asgi import asgi_app
        except ImportError as error:
            raise MissingExtraError(MISSING) from error
        transports = self._transports

        class Protocol(H11Protocol):
            """Tracks connections by peer address, for faults that close them."""

            def connection_made(self, transport: Any) -> None:
                super().connection_made(transport)
                # asyncio does not detect TCP here; without this each response waits 40 ms for an acknowledgement.
                transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                transports[transport.get_extra_info("peername")[:2]] = transport

            def connection_lost(self, exc: Exception | None) -> None:
                super().connection_lost(exc)
                transports.pop(self.transport.get_extra_info("peername")[:2], None)

        class Server(uvicorn.Server):
            """Sets an event when it accepts connections."""

            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                await super().startup(sockets)
                ready.set()

        return Server(
            uvicorn.Config(
                asgi_app(self._app, self._hang_up),
                http=Protocol,
                lifespan="off",
                log_config=None,
                log_level="critical",
                access_log=False,
                proxy_headers=False,
                server_header=False,
                date_header=False,  # the fake sends its own, by its clock
                timeout_keep_alive=30,
            )
        )

    def _hang_up(self, scope: Scope) -> None:
        transport = self._transports.get(tuple(scope["client"][:2]))
        if transport is not None:
            transport.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def __aenter__(self) -> Self:
        return self.start()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
