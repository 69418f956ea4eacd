"""Runs the script of the limiter in Redis, on asyncio and trio, from any number of event loops."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final, Protocol
from weakref import WeakKeyDictionary

from circleci_sdk._core.errors import ConfigError
from circleci_sdk._public import public

from .script import DIGEST, SCRIPT

if TYPE_CHECKING:
    import anyio

MAX_THREADS: Final = 4
"""Threads in which a blocking client waits. Those that wait for a Redis that hangs must not use up all."""


@public("circleci_sdk.limiters")
class RedisClient(Protocol):
    """What is used of a client of redis-py.

    `redis.asyncio.Redis` and `redis.Redis` have it, and the clients of a cluster.
    """

    def execute_command(self, *args: Any, **options: Any) -> Any:
        """Send a command; the client of asyncio returns an awaitable."""
        ...


class _Connection:
    """A client on one event loop."""

    def __init__(self, client: RedisClient, threads: anyio.CapacityLimiter | None) -> None:
        self.client = client
        self._threads = threads

    async def command(self, *args: str) -> Any:
        if self._threads is None:
            return await self.client.execute_command(*args)
        from anyio import to_thread

        return await to_thread.run_sync(
            self.client.execute_command, *args, abandon_on_cancel=True, limiter=self._threads
        )

    async def aclose(self) -> None:
        client: Any = self.client
        if self._threads is None:
            await client.aclose()
        else:
            client.close()


class Scripts:
    """The script at one Redis: by the URL of a server, or with a borrowed client.

    With a URL each event loop has a client of its own: redis-py's for asyncio, or on trio its blocking one in threads.
    """

    def __init__(self, client: RedisClient | None, url: str | None, time_limit: float) -> None:
        self._borrowed = client
        self._url = url
        self._time_limit = time_limit
        self._connections: WeakKeyDictionary[object, _Connection] = WeakKeyDictionary()
        if url is not None:
            _check(url)
        elif not callable(getattr(client, "execute_command", None)):
            raise ConfigError(
                f"RedisRateLimiter: client: expected a client of redis-py, got {type(client).__name__}; "
                "RedisRateLimiter.from_url takes a URL."
            )

    async def run(self, keys: tuple[str, ...], *args: str) -> Any:
        """Run the script: by its digest, and with its text if Redis does not have it."""
        connection = self._connection()
        try:
            return await connection.command("EVALSHA", DIGEST, str(len(keys)), *keys, *args)
        except Exception as error:  # of redis-py, or of a borrowed client with classes of its own
            if "NoScript" not in type(error).__name__ and "NOSCRIPT" not in str(error):
                raise
        return await connection.command("EVAL", SCRIPT, str(len(keys)), *keys, *args)

    async def aclose(self) -> None:
        """Close the client of this event loop, if it is no borrowed one."""
        from anyio.lowlevel import current_token

        connection = self._connections.pop(current_token().native_token, None)
        if connection is not None and self._borrowed is None:
            await connection.aclose()

    def _connection(self) -> _Connection:
        from anyio.lowlevel import current_token

        loop = current_token().native_token
        connection = self._connections.get(loop)
        if connection is None:
            # The connections of an asyncio loop refer to it, so that a closed loop would be kept for ever.
            for other in [reference() for reference in self._connections.keyrefs()]:
                if getattr(other, "is_closed", bool)():
                    self._connections.pop(other, None)
            connection = self._connections[loop] = self._open(is_asyncio=not type(loop).__module__.startswith("trio"))
        return connection

    def _open(self, *, is_asyncio: bool) -> _Connection:
        import anyio

        if self._borrowed is not None:
            if not inspect.iscoroutinefunction(self._borrowed.execute_command):
                return _Connection(self._borrowed, anyio.CapacityLimiter(MAX_THREADS))
            if not is_asyncio and type(self._borrowed).__module__.startswith("redis."):
                raise ConfigError("a client of redis.asyncio does not work on trio; a redis.Redis or from_url does")
            return _Connection(self._borrowed, None)
        assert self._url is not None
        client = _client(self._url, self._time_limit, blocking=not is_asyncio)
        return _Connection(client, None if is_asyncio else anyio.CapacityLimiter(MAX_THREADS))


def _client(url: str, time_limit: float, *, blocking: bool) -> RedisClient:
    """A client of redis-py that tries each command once: the caller has another limiter to fall back to."""
    package = "redis" if blocking else "redis.asyncio"
    client: Any = import_module(package)
    once: Any = import_module(f"{package}.retry").Retry(import_module("redis.backoff").NoBackoff(), 0)
    # On asyncio the limiter itself keeps the time; here a busy event loop would pass for a Redis that is late.
    seconds = time_limit if blocking else 4 * time_limit
    limits = {"socket_timeout": seconds, "socket_connect_timeout": seconds, "retry": once}
    found: RedisClient = client.Redis.from_url(url, **limits)
    return found


def _check(url: object) -> None:
    """Raise `ConfigError` for a URL with which no client can be made. Messages do not quote it: it holds a password."""
    if not isinstance(url, str):
        raise ConfigError(f"RedisRateLimiter.from_url: expected a URL as str, got {type(url).__name__}.")
    try:
        client: Any = _client(url, 1.0, blocking=True)
        client.connection_pool.connection_class(**client.connection_pool.connection_kwargs)  # opens nothing
    except ImportError:
        raise ConfigError('RedisRateLimiter.from_url needs redis-py: install the extra "redis".') from None
    except Exception:  # noqa: BLE001  # whatever redis-py raises, the URL is wrong
        raise ConfigError(
            "RedisRateLimiter.from_url: expected a URL that redis-py reads, such as redis://localhost:6379/0, "
            "rediss://user:password@redis.example.com:6379/0 or unix:///run/redis.sock."
        ) from None
