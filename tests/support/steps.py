"""Hooks into every I/O step of a connection, so that a test can act in the middle of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import anyio
import anyio.lowlevel
import httpx

_BACKEND = type(httpx.AsyncHTTPTransport()._pool._network_backend)  # of httpcore, under either name of the package


class Steps:
    """Counts the I/O steps of all connections; `taken` lists their names.

    At the steps `at` it calls `action`; at the steps named `stay_at` it blocks forever.

    There is one step before and one after each connect, TLS handshake, write and read, and one after each close.
    """

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.at: tuple[int, ...] = ()
        self.action: Callable[[], object] = lambda: None
        self.stay_at: str | None = None

    def again(self, *at: int, action: Callable[[], object] = lambda: None) -> None:
        """Restart the count at 1."""
        self.taken.clear()
        self.at = at
        self.action = action

    async def __call__(self, name: str) -> None:
        self.taken.append(name)
        if len(self.taken) in self.at:
            self.action()
        if name == self.stay_at:
            await anyio.sleep_forever()
        for _ in range(2):
            await anyio.lowlevel.checkpoint()


class _Stream:
    def __init__(self, inner: Any, steps: Steps) -> None:
        self._inner = inner
        self._steps = steps

    async def read(self, *args: Any, **kwargs: Any) -> bytes:
        await self._steps("read")
        data: bytes = await self._inner.read(*args, **kwargs)
        await self._steps("was read")
        return data

    async def write(self, *args: Any, **kwargs: Any) -> None:
        await self._steps("write")
        await self._inner.write(*args, **kwargs)
        await self._steps("written")

    async def aclose(self) -> None:
        await self._inner.aclose()  # real streams start to close before the first await
        await self._steps("closed")

    async def start_tls(self, *args: Any, **kwargs: Any) -> _Stream:
        await self._steps("handshake")
        inner = await self._inner.start_tls(*args, **kwargs)
        await _or_close(self._steps("hands shaken"), inner)
        return _Stream(inner, self._steps)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


async def _or_close(step: Awaitable[None], stream: Any) -> None:
    """Like a real connect: returns a connection or closes it."""
    try:
        await step
    except BaseException:
        with anyio.CancelScope(shield=True):
            await stream.aclose()
        raise


@contextmanager
def steps_of_connections() -> Iterator[Steps]:
    """Instrument all connections opened in this block."""
    steps = Steps()
    plain = _BACKEND.connect_tcp

    async def connect_tcp(self: Any, *args: Any, **kwargs: Any) -> Any:
        await steps("connect")
        stream = await plain(self, *args, **kwargs)
        await _or_close(steps("connected"), stream)
        return _Stream(stream, steps)

    with patch.object(_BACKEND, "connect_tcp", connect_tcp):
        yield steps
