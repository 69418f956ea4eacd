"""A rate limiter that processes share through Redis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Self
from uuid import uuid4

from circleci_sdk._core.cancellation import as_failure, finish, is_failure
from circleci_sdk._core.checks import SECONDS, TEXT, check_configuration, or_none
from circleci_sdk._core.clock import SystemClock
from circleci_sdk._core.errors import ConfigError
from circleci_sdk._core.limiter import LocalRateLimiter
from circleci_sdk._public import Uncopied, public

from .batches import Entry, SharedLimit
from .connection import Scripts
from .outage import Outage
from .questions import Asked, Seen, question, read_reply

if TYPE_CHECKING:
    from types import TracebackType

    from circleci_sdk._core.clock import Clock
    from circleci_sdk._core.policy.rate_limit import RateKey, RateLimit

    from .connection import RedisClient

UNCHECKED: Final = 0.05
"""A call that waited asks again before it proceeds, if the last reply is older: a later 429 may have begun a pause."""
LONGEST_UNCHECKED: Final = 1.0
"""A call whose wait may shrink asks again after so many seconds, or half of its wait."""


@public("circleci_sdk.limiters")
class RedisRateLimiter(Uncopied):
    """A rate limiter for processes that share a token, also on several machines. It needs the extra `redis`.

        async with RedisRateLimiter.from_url("redis://localhost:6379/0") as limiter:
            async with AsyncCircleCI(rate_limiter=limiter) as circleci:
                ...

    `CircleCI(rate_limiter=RedisRateLimiter(redis))` borrows a `redis.Redis`.

    All processes keep one limit for each group of operations, learnt from the headers and the 429 of any of them.
    Calls proceed at once while the limit admits them, then at its pace, first come, first served. The first calls of a
    limit that is not known yet are admitted in growing number: five at first, and all after one second.

    Each decision is one atomic script call with the time of Redis; calls of one process that wait at the same time
    share one. Eight processes use 98 % of a limit with 1.2 script calls for each call, a thousand processes with 2.3,
    and next to no call is refused: docs/guides/rate-limits.md has the measurements. Redis and Valkey from version 6
    work. Keys expire after an hour without calls, and hold a digest of the token, never the token.

    Without Redis no call fails and no response is lost: after an error, or `time_limit` seconds without a reply, each
    process keeps the limit alone, as without this class. A WARNING of the logger `circleci_sdk` says so. A script call
    is tried again each `retry_interval` seconds; an INFO says when the limit is shared again.

    Args:
        client: a `redis.asyncio.Redis` to borrow, for one event loop of asyncio. Or a `redis.Redis`, which is used in
            threads, for trio and for several event loops. It is never closed; its own limits of time and retries are
            best short.
        prefix: the first part of the names of all keys.
        credential: the name of the token. Needed to share the limit of a token that an `auth=` callable returns; other
            tokens have a digest.
        time_limit: the longest time in seconds for one decision. A cancelled call may end so much later. Below one
            second, because that is the time that a client has for a rate limiter after a response.
        retry_interval: seconds between attempts while Redis is not available.

    Raises:
        ConfigError: wrong configuration.
    """

    def __init__(
        self,
        client: RedisClient,
        *,
        prefix: str = "circleci_sdk",
        credential: str | None = None,
        time_limit: float = 0.5,
        retry_interval: float = 5.0,
    ) -> None:
        _check(prefix, credential, time_limit, retry_interval)
        self._start(Scripts(client, None, time_limit), prefix, credential, time_limit, retry_interval)

    @classmethod
    def from_url(
        cls,
        url: str,
        *,
        prefix: str = "circleci_sdk",
        credential: str | None = None,
        time_limit: float = 0.5,
        retry_interval: float = 5.0,
    ) -> Self:
        """A limiter with clients of its own, one for each event loop, on asyncio and trio; `aclose` closes them.

        `redis://`, `rediss://` (TLS) and `unix://`, with the parameters of redis-py. No message quotes the URL.
        """
        _check(prefix, credential, time_limit, retry_interval)
        limiter = object.__new__(cls)
        try:
            scripts = Scripts(None, url, time_limit)
        except ConfigError as error:
            raise error.with_traceback(None) from None
        finally:
            del url  # tracebacks show locals
        limiter._start(scripts, prefix, credential, time_limit, retry_interval)
        return limiter

    def _start(
        self, scripts: Scripts, prefix: str, credential: str | None, time_limit: float, retry_interval: float
    ) -> None:
        self._scripts = scripts
        self._prefix = prefix
        self._credential = credential
        self._time_limit = time_limit
        self._clock: Clock = SystemClock()
        self._outage = Outage(self._clock, retry_interval)
        self._local = LocalRateLimiter(self._clock)
        self._limits: dict[RateKey, SharedLimit] = {}
        self._process = uuid4().hex
        self._closed = False

    def __repr__(self) -> str:
        return f"<RedisRateLimiter {self._prefix}>"

    async def acquire(self, key: RateKey, max_wait: float, max_total: float) -> float | None:
        """Wait until a call may proceed, and return None; or return the seconds of a wait that would be too long."""
        started, ticket = self._clock.monotonic(), 0
        limit = self._limit(key)
        while True:
            left = max_total - (self._clock.monotonic() - started)
            entry = Entry(Asked(max_wait, left, ticket))
            if self._may_ask():
                await limit.decide(entry)
            decision = entry.decision
            if decision is None:
                return await self._local.acquire(key, max_wait, left)
            if decision.kind == "refused":
                return decision.wait
            ticket = decision.ticket
            if not decision.wait:
                return None
            wait = decision.wait
            if decision.may_shrink:
                wait = min(wait, max(LONGEST_UNCHECKED, wait / 2))
            try:
                await self._clock.sleep(wait)
            except BaseException:  # a cancellation too takes no place in the queue
                limit.give_back(entry)
                raise
            if decision.kind == "proceed" and wait == decision.wait and self._still_holds(limit, entry):
                return None

    async def observe(self, key: RateKey, rate_limit: RateLimit | None, retry_after: float | None) -> None:
        """Learn from a response. A refusal, and a limit that is new or used up, are reported at once."""
        await self._local.observe(key, rate_limit, retry_after)
        limit, seen = self._limit(key), Seen(rate_limit, retry_after)
        is_used_up = rate_limit is not None and rate_limit.remaining == 0
        if retry_after is None and limit.is_known and not is_used_up:
            limit.seen = seen
        elif self._may_ask():
            await limit.decide(Entry(None, seen))

    async def aclose(self) -> None:
        """Close the connections to Redis, unless the client is borrowed. Later calls keep the limit of the process."""
        self._closed = True
        await self._scripts.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def _may_ask(self) -> bool:
        return not self._closed and self._outage.may_ask()

    def _still_holds(self, limit: SharedLimit, entry: Entry) -> bool:
        """Whether a decision need not be checked: a reply since then, or just before now, says that nothing changed."""
        return limit.epoch == entry.epoch and self._clock.monotonic() - limit.replied <= UNCHECKED

    def _limit(self, key: RateKey) -> SharedLimit:
        limit = self._limits.get(key)
        return self._limits.setdefault(key, SharedLimit(self._names(key), self._send)) if limit is None else limit

    def _names(self, key: RateKey) -> tuple[str, ...]:
        """The keys in Redis; braces keep them in one slot of a cluster."""
        owner = key.credential if self._credential is None else self._credential
        if self._credential is None and owner.startswith("callable-"):
            owner = f"{owner}-{self._process}"
        common = f"{self._prefix}:{{{owner}:{key.origin}}}"
        return tuple(f"{common}:{name}" for name in (key.group, "", f"{key.group}:returned", ":returned"))

    async def _send(self, limit: SharedLimit, entries: list[Entry]) -> None:
        """One script call for all entries. Without a reply in time they have no decision.

        A cancellation does not end it: Redis would keep tickets for calls that do not know of them.
        """
        if self._outage.is_over_or_tried:
            try:
                await finish(lambda: self._ask(limit, entries), seconds=2 * self._time_limit)
            except BaseException as error:  # of redis-py, or of a borrowed client with classes of its own
                if not is_failure(error):
                    raise
                self._outage.begin(as_failure(error, "Redis"))  # whatever fails below, no call fails for it
        for entry in entries:
            entry.is_done = True

    async def _ask(self, limit: SharedLimit, entries: list[Entry]) -> None:
        import anyio

        asked = [(entry, entry.asked) for entry in entries if entry.asked is not None]
        seen, returned = limit.take_reports()
        seen += [entry.seen for entry in entries if entry.seen is not None]
        with anyio.fail_after(self._time_limit):
            text = question([one for _, one in asked], seen, returned, self._now())
            reply = read_reply(await self._scripts.run(limit.names, text), len(asked))
        self._outage.end()
        limit.is_known, limit.epoch, limit.replied = reply.is_known, reply.epoch, self._clock.monotonic()
        for (entry, _), decision in zip(asked, reply.decisions, strict=True):
            limit.give(entry, decision, reply.epoch)
        for entry in entries:
            entry.is_done = True

    def _now(self) -> float | None:
        """The time for the script; None is that of Redis. Simulations replace it."""
        return None


def _check(prefix: object, credential: object, time_limit: object, retry_interval: object) -> None:
    check_configuration(
        "RedisRateLimiter",
        prefix=(prefix, TEXT),
        credential=(credential, or_none(TEXT)),
        time_limit=(time_limit, SECONDS),
        retry_interval=(retry_interval, SECONDS),
    )
