"""How one call travels: the gate, an attempt, a decision. The only place that awaits the network."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .errors import (
    CallFacts,
    ConnectionFailedError,
    DecodeError,
    PoolExhaustedError,
    RateLimitError,
    RequestOutcome,
    RequestTimeoutError,
    RetryStopReason,
    TransportError,
    status_error_class,
)
from .messages import Failed, Prepared, Progress, Received
from .policy.rate_limit import RateKey, RateLimit, read_rate_limit
from .policy.retry import (
    RETRYABLE_STATUSES,
    Attempt,
    Delivered,
    RetryPolicy,
    decide,
    delivered_by,
    parse_retry_after,
    pause,
)
from .serialization.encode import secrets_in
from .serialization.error_body import hint_for, message_of, repeats
from .session import logger

if TYPE_CHECKING:
    from .operation import Operation
    from .options import Options
    from .session import Session
    from .transport.http import Http

LONG_WAIT: Final = 1.0


@dataclass(slots=True)
class CallResult:
    """A finished call before it is decoded."""

    response: Received
    rate_limit: RateLimit | None
    facts: CallFacts


class Call:
    """One call on its way: counts attempts, remembers the worst that may have happened, keeps the deadline."""

    __slots__ = (
        "_attempts",
        "_deadline",
        "_http",
        "_is_at_gate",
        "_is_under_way",
        "_key",
        "_operation",
        "_options",
        "_path",
        "_prepared",
        "_rate_limit",
        "_renewed",
        "_session",
        "_started",
        "_worst",
    )

    def __init__(
        self, session: Session, options: Options, operation: Operation[Any], prepared: Prepared, http: Http
    ) -> None:
        self._session = session
        self._options = options
        self._operation = operation
        self._prepared = prepared
        self._http = http
        self._key = RateKey(session.credential.key, session.origin, operation.rate_group)
        self._path = prepared.url.removeprefix(session.origin).partition("?")[0]
        self._started = session.clock.monotonic()
        total = options.timeout.total
        self._deadline = None if total is None else self._started + total
        self._attempts = 0
        self._is_at_gate = self._is_under_way = False
        self._worst = Delivered.NO
        self._renewed = False
        self._rate_limit: RateLimit | None = None

    async def run(self) -> CallResult:
        while True:
            outcome = await self._attempt()
            if isinstance(outcome, Received) and 200 <= outcome.status < 300:
                return CallResult(outcome, self._rate_limit, self._facts("processed", None))
            await self._after(outcome)

    async def _attempt(self) -> Received | Failed:
        """Pass the gate and send, both within the time that is left."""
        import anyio

        left = self._left()
        if left <= 0:
            self._raise_transport(Failed("timeout", Delivered.NO, False, "no time was left"), "deadline")
        progress = Progress()
        outcome: Received | Failed | None = None
        with anyio.move_on_after(None if left == inf else left):
            await self._pass_gate(left)
            self._attempts += 1
            before = self._session.clock.monotonic()
            try:
                outcome = await self._exchange(progress)
            finally:
                if self._is_under_way:
                    self._session.under_way[self._key] -= 1
                    self._is_under_way = False
            self._log(outcome, self._session.clock.monotonic() - before)
        if outcome is None and self._is_at_gate:
            self._raise_limited(left)
        if outcome is None:
            self._raise_transport(
                Failed("timeout", progress.delivered, False, "the time for the call ran out"), "deadline"
            )
        if isinstance(outcome, Received):
            self._note_announcements(outcome)
            if outcome.status != 429:  # a refusal is learned from once it is decided how long to wait
                await self._learn(outcome, None)
        return outcome

    async def _exchange(self, progress: Progress) -> Received | Failed:
        """Send once and read the response. A download overrides this: it leaves the body for later."""
        session = self._session
        return await self._http.exchange(self._prepared, session.credential, self._options.timeout, progress, self)

    def take_turn(self) -> bool:
        """Count as under way, unless the gate has shut while others took all places."""
        if self._session.is_limited(self._key):
            return False
        self._session.under_way[self._key] += 1
        self._is_under_way = True
        return True

    async def wait_for_turn(self) -> None:
        """Pass the gate again. Nothing was tried yet."""
        self._attempts -= 1
        await self._pass_gate(self._left())
        self._attempts += 1

    async def _pass_gate(self, left: float) -> None:
        session, before = self._session, self._session.clock.monotonic()
        self._is_at_gate = True
        wait = await session.limiter.acquire(self._key, min(self._options.max_retry_after, left), left)
        self._is_at_gate = False
        if wait is not None:
            self._raise_limited(wait)
        waited = session.clock.monotonic() - before
        if waited > LONG_WAIT:
            logger.info("%s waited %.1f s for the rate limit of %s", self._operation.label, waited, self._key.group)

    def _left(self) -> float:
        return inf if self._deadline is None else self._deadline - self._session.clock.monotonic()

    def _log(self, outcome: Received | Failed, took: float) -> None:
        logger.debug(
            "%s %s %s -> %s in %.3f s (attempt %d)",
            self._operation.label,
            self._operation.method,
            self._path,
            outcome.text if isinstance(outcome, Failed) else outcome.status,
            took,
            self._attempts,
        )

    def _note_announcements(self, response: Received) -> None:
        """Log once per operation what the server announces of its end."""
        headers = response.headers
        if not (headers.contains(b"deprecation") or headers.contains(b"sunset")):
            return
        label, announced = self._operation.label, self._session.announced
        if label not in announced and ("deprecation" in headers or "sunset" in headers):
            announced.add(label)
            logger.warning(
                "%s: the server announces its end (Deprecation: %s, Sunset: %s)",
                label,
                headers.get("deprecation", "-"),
                headers.get("sunset", "-"),
            )

    async def _after(self, outcome: Received | Failed) -> None:
        """Wait before the next attempt, or raise."""
        session, policy = self._session, self._policy()
        if (
            isinstance(outcome, Received)
            and outcome.status == 401
            and session.credential.renewable
            and not self._renewed
        ):
            self._renewed = True  # the token may have been replaced since it was handed over: ask once more
            return
        attempt = self._judge(outcome)
        delay = pause(attempt.number, attempt.retry_after, session.clock.random())
        if isinstance(outcome, Received) and outcome.status == 429:
            await self._learn(outcome, delay)  # the gate holds back this call together with all others
        reason = decide(attempt, policy, session.clock.monotonic() + delay)
        if reason is not None:
            self._raise(outcome, reason)
        self._worst = max(self._worst, attempt.delivered)
        if attempt.status != 429:
            if delay > LONG_WAIT:
                seen = outcome.text if isinstance(outcome, Failed) else outcome.status
                logger.info("%s waits %.1f s before trying again: %s", self._operation.label, delay, seen)
            await session.clock.sleep(delay)

    def _policy(self) -> RetryPolicy:
        return RetryPolicy(self._options.max_retries, self._options.max_retry_after, self._deadline)

    def _judge(self, outcome: Received | Failed) -> Attempt:
        number = self._attempts - self._renewed  # asking for another token is no retry
        replayable = self._operation.replayable
        if isinstance(outcome, Failed):
            return Attempt(number, replayable, outcome.retryable, outcome.delivered)
        status = outcome.status
        retryable = status in RETRYABLE_STATUSES
        return Attempt(number, replayable, retryable, delivered_by(status), status, self._retry_after(outcome))

    def _retry_after(self, response: Received) -> float | None:
        headers = response.headers
        told = parse_retry_after(headers.get("retry-after"), date=headers.get("date"), now=self._session.clock.time())
        if told is None and response.status == 429 and (budget := read_rate_limit(headers.raw)):
            return budget.reset
        return told

    async def _learn(self, response: Received, pause: float | None) -> None:
        """Tell the gate what the headers say, and with `pause` that the call was refused."""
        told = read_rate_limit(response.headers.raw) if response.headers.contains(b"ratelimit-") else None
        if told is not None:
            self._rate_limit = self._session.rate_limit = told
        if told is not None or pause is not None:
            await self._session.limiter.observe(self._key, told, pause)

    def _facts(self, request_outcome: RequestOutcome, reason: RetryStopReason | None) -> CallFacts:
        elapsed = self._session.clock.monotonic() - self._started
        return CallFacts(
            self._operation.label, self._operation.method, self._path, self._attempts, elapsed, reason, request_outcome
        )

    def _request_outcome(self, last: Delivered) -> RequestOutcome:
        """The word for users: the worst over all attempts."""
        return _WORDS[max(self._worst, last)]

    def _raise(self, outcome: Received | Failed, reason: RetryStopReason) -> NoReturn:
        if isinstance(outcome, Failed):
            self._raise_transport(outcome, reason)
        self._raise_status(outcome, reason)

    def _raise_transport(self, failed: Failed, reason: RetryStopReason) -> NoReturn:
        facts = self._facts(self._request_outcome(failed.delivered), reason)
        text = f"{facts.operation}: {failed.text} ({facts.describe()}). {_MEANINGS[facts.request_outcome]}"
        if failed.kind == "unreadable":
            raise DecodeError(text, facts=facts, secret=self._operation.is_private) from failed.error
        raise _TRANSPORT_ERRORS[failed.kind](text + _REMEDIES.get(failed.kind, ""), facts=facts) from failed.error

    def _raise_status(self, response: Received, reason: RetryStopReason) -> NoReturn:
        operation = self._operation
        request_outcome = self._request_outcome(delivered_by(response.status))
        quoted = response.repeats_token or repeats(response.content, secrets_in(operation, self._prepared.content))
        # Who is not let in is told nothing; any other refusal may quote what the operation returns.
        silent = quoted or (operation.secret and response.status != 401)
        error = status_error_class(response.status)(
            "" if silent else message_of(response.content, response.headers.get("content-type", "")),
            facts=self._facts(request_outcome, reason),
            status=response.status,
            headers=response.headers,
            body=b"" if quoted else response.content,
            secret=operation.is_private,
            hint=_QUOTED
            if quoted
            else hint_for(
                response.status,
                operation.api.name,
                sent_before=self._worst >= Delivered.MAYBE,
                changes=operation.method not in ("GET", "HEAD"),
            ),
        )
        if isinstance(error, RateLimitError):
            error.retry_after = self._retry_after(response)
            error.rate_limit = self._rate_limit
        raise error

    def _raise_limited(self, wait: float) -> NoReturn:
        """The gate would hold this call back longer than it may wait; it is not sent."""
        too_long = wait > self._options.max_retry_after
        bound = f"max_retry_after ({self._options.max_retry_after:g} s)" if too_long else "the timeout of the call"
        error = RateLimitError(
            f"the rate limit of {self._operation.rate_group} lets no call leave for {wait:.1f} s, more than {bound}.",
            facts=self._facts(self._request_outcome(Delivered.NO), "retry_after_too_long" if too_long else "deadline"),
            status=429,
        )
        error.retry_after = wait
        error.rate_limit = self._rate_limit
        raise error


_TRANSPORT_ERRORS: Final[Mapping[str, type[TransportError]]] = {
    "connection": ConnectionFailedError,
    "timeout": RequestTimeoutError,
    "pool": PoolExhaustedError,
}
_WORDS: Final[Mapping[Delivered, RequestOutcome]] = {
    Delivered.NO: "not_sent",
    Delivered.REFUSED: "rejected",
    Delivered.MAYBE: "unknown",
    Delivered.YES: "processed",
}
_MEANINGS: Final[Mapping[RequestOutcome, str]] = {
    "not_sent": "Nothing was sent.",
    "rejected": "The server did nothing.",
    "unknown": "The server may have carried it out.",
    "processed": "The server carried it out; its response was lost.",
}
_QUOTED: Final = "What the server said is left out, because it repeats a secret."
_REMEDIES: Final[Mapping[str, str]] = {
    "pool": " The borrowed http_client has no free connection: httpx 0.28 loses slots when a call is cancelled "
    "while it connects. Leave http_client out, so that the SDK opens its own connections, or make a new client.",
}
