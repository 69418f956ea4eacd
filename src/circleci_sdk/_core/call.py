"""One call: admission, attempts, decisions. The only place that awaits the transport."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from math import inf
from typing import TYPE_CHECKING, Any, Final, NoReturn

from .admission import LONG_WAIT, Admission
from .errors import (
    OUTCOMES,
    CallError,
    CallFacts,
    DecodeError,
    PoolExhaustedError,
    RateLimitError,
    RequestOutcome,
    RequestTimeoutError,
    RetryStopReason,
    outcome_of,
    status_error_class,
)
from .logs import logger
from .messages import Failed, Prepared, Progress, Received
from .policy.rate_limit import LONGEST_PAUSE, RateKey, RateLimit, has_unusable_reset, read_rate_limit, usable_wait
from .policy.retry import RETRYABLE_STATUSES, Attempt, decide, parse_retry_after, pause
from .serialization.error_body import hint_for, read_error

if TYPE_CHECKING:
    from .operation import Operation
    from .options import Options
    from .session import Session
    from .transport.auth import Credential
    from .transport.http import Exchange

MAX_REDIRECTS: Final = 5


@dataclass(slots=True, eq=False, repr=False)
class CallResult:
    """A finished call before it is decoded."""

    response: Received
    rate_limit: RateLimit | None
    facts: CallFacts


class Call:
    """One call: counts attempts, keeps the deadline, remembers the worst that may have happened."""

    def __init__(
        self,
        session: Session,
        options: Options,
        operation: Operation[Any],
        prepared: Prepared,
        while_waiting: Callable[[], object] | None = None,
    ) -> None:
        self._session = session
        self._options = options
        self._operation = operation
        self._prepared = prepared
        self._while_waiting = while_waiting
        self._path = prepared.url.removeprefix(session.origin).partition("?")[0]
        self._started = session.clock.monotonic()
        total = options.timeout.total
        self._deadline = None if total is None else self._started + total
        self._key = RateKey(session.credential.key, session.origin, operation.rate_group)
        self._http, slots = session.resources()
        self._admission = Admission(session, slots, self._key, operation, options, self._deadline)
        self._attempts = 0
        self._progress = Progress()
        self._worst: RequestOutcome = "not_sent"
        self._renewed = False
        self._rate_limit: RateLimit | None = None

    async def run(self) -> CallResult:
        try:
            while True:
                outcome = await self._attempt()
                if isinstance(outcome, Received) and 200 <= outcome.status < 300:
                    return CallResult(outcome, self._rate_limit, self._facts("processed", None))
                await self._after(outcome)
        except Exception:  # an error of any kind is as it is
            raise
        except BaseException as error:  # perhaps a cancellation of others
            from .cancellation import is_failure

            if not is_failure(error):
                raise
            # Of a hook, a source of tokens or a rate limiter: as `CancelledError` it would end the task of the caller.
            facts = self._facts(self._worst_of(self._progress.outcome), "not_retryable")
            text = "a task or future that was awaited was cancelled, though this call was not"
            meaning = _MEANINGS[facts.request_outcome]
            raise CallError(f"{facts.operation}: {text} ({facts.describe()}). {meaning}", facts=facts) from error

    async def _attempt(self) -> Received | Failed:
        """Pass the rate limiter and send, both within the time that is left."""
        import anyio

        left = self._left()
        if left <= 0:
            self._raise_failed(Failed(RequestTimeoutError, "not_sent", False, "no time was left"), "deadline")
        self._attempts += 1
        progress = self._progress = Progress(self._while_waiting)
        outcome: Received | Failed | None = None
        with anyio.move_on_after(None if left == inf else left):
            self._check_wait(await self._admission.pass_limiter())
            before = self._session.clock.monotonic()
            outcome = await self._exchange(progress)
            self._report(outcome, self._session.clock.monotonic() - before)
        if outcome is None and self._admission.is_queued:
            self._check_wait(left)
        if outcome is None:
            text = "the time for the call ran out"
            self._raise_failed(Failed(RequestTimeoutError, progress.outcome, False, text), "deadline")
        if isinstance(outcome, Received):
            self._session.note_date(outcome.headers.get("date"))
            self._note_announcements(outcome)
            if outcome.status != 429:  # a 429 is reported to the limiter once it is decided how long to wait
                await self._learn(outcome, None)
        return outcome

    async def _exchange(self, progress: Progress) -> Received | Failed:
        """Send, follow redirects on the same server, read the response. A download overrides this: it reads later."""
        prepared, redirects = self._prepared, 0
        while True:
            exchange = await self._prepare(prepared, self._session.credential, progress)
            try:
                outcome = await exchange.whole(self._options.max_response_bytes)
            finally:
                self._admission.release()
            await exchange.show()
            target = exchange.redirect_target()
            if target is None or redirects == MAX_REDIRECTS:
                return outcome
            prepared = replace(prepared, url=target, origin=None, secrets=exchange.secrets)
            redirects += 1

    async def _prepare(self, prepared: Prepared, credential: Credential | None, progress: Progress) -> Exchange:
        """A request that is ready to be sent, with the slot for it."""
        exchange = await self._http.prepare(prepared, credential, self._options.timeout, progress)
        if self._session.credential.renewable:  # a later response may repeat the token of an earlier attempt
            self._prepared = replace(self._prepared, secrets=exchange.secrets)
        self._check_wait(await self._admission.acquire())
        return exchange

    def _left(self) -> float:
        return inf if self._deadline is None else self._deadline - self._session.clock.monotonic()

    def _report(self, outcome: Received | Failed, took: float) -> None:
        shown = outcome.text if isinstance(outcome, Failed) else outcome.status
        call = (self._operation.label, self._operation.method, self._path)
        logger.debug("%s %s %s -> %s in %.3f s (attempt %d)", *call, shown, took, self._attempts)
        if self._session.tracer is not None:
            self._session.tracer.note_attempt(self._attempts, outcome)

    def _note_announcements(self, response: Received) -> None:
        """Log once per operation that the server announces its end."""
        label, announced = self._operation.label, self._session.announced
        dates = response.headers.get("deprecation", "-"), response.headers.get("sunset", "-")
        if dates != ("-", "-") and label not in announced:
            announced.add(label)
            logger.warning("%s: the server announces its end (Deprecation: %s, Sunset: %s)", label, *dates)

    async def _after(self, outcome: Received | Failed) -> None:
        """Wait before the next attempt, or raise."""
        session = self._session
        is_401 = isinstance(outcome, Received) and outcome.status == 401
        if is_401 and session.credential.renewable and not self._renewed:
            self._renewed = True  # the token may have been replaced since it was fetched: ask once more
            return
        attempt = self._describe(outcome)
        delay = pause(attempt.number, attempt.retry_after, session.clock.random())
        if isinstance(outcome, Received) and outcome.status == 429:
            await self._learn(outcome, delay)  # the rate limiter holds back this call together with all others
        reason = decide(attempt, self._options, self._deadline, session.clock.monotonic() + delay)
        if reason is not None:
            if isinstance(outcome, Failed):
                self._raise_failed(outcome, reason)
            self._raise_status(outcome, reason)
        self._worst = self._worst_of(attempt.outcome)
        if session.tracer is not None:
            session.tracer.note_delay(delay)
        if attempt.status != 429:
            if delay > LONG_WAIT:
                seen = outcome.text if isinstance(outcome, Failed) else outcome.status
                logger.info("%s waits %.1f s before trying again: %s", self._operation.label, delay, seen)
            await session.sleep(delay)

    def _describe(self, outcome: Received | Failed) -> Attempt:
        number = self._attempts - self._renewed  # asking for another token is no retry
        replayable = self._operation.replayable
        if isinstance(outcome, Failed):
            return Attempt(number, replayable, outcome.retryable, outcome.outcome)
        status = outcome.status
        retryable = status in RETRYABLE_STATUSES
        return Attempt(number, replayable, retryable, outcome_of(status), status, usable_wait(self._asked(outcome)))

    def _asked(self, response: Received) -> float | None:
        """The wait that the server asks for; infinite for one that is too long to be meant."""
        headers = response.headers
        asked = parse_retry_after(headers.get("retry-after"), date=headers.get("date"), now=self._session.clock.time())
        if asked is not None and usable_wait(asked) is None:
            self._session.warn_of_wait("Retry-After", self._operation.label)
            asked = inf
        if asked in (None, inf) and response.status == 429 and (state := read_rate_limit(headers.raw)):
            return asked if state.reset is None else state.reset
        return asked

    async def _learn(self, response: Received, pause: float | None) -> None:
        """Report the headers to the rate limiter, and with `pause` that the call was rejected."""
        state = read_rate_limit(response.headers.raw)
        if state is not None:
            if state.reset is None and has_unusable_reset(response.headers.raw):
                self._session.warn_of_wait("RateLimit-Reset", self._operation.label)
            self._rate_limit = self._session.rate_limit = state
        if state is not None or pause is not None:
            await self._session.limiter.observe(self._key, state, pause, max(0.0, self._left()))

    def _facts(self, outcome: RequestOutcome, reason: RetryStopReason | None) -> CallFacts:
        operation, elapsed = self._operation, self._session.clock.monotonic() - self._started
        return CallFacts(operation.label, operation.method, self._path, self._attempts, elapsed, reason, outcome)

    def _worst_of(self, last: RequestOutcome) -> RequestOutcome:
        """The worst over all attempts."""
        return OUTCOMES[max(OUTCOMES.index(self._worst), OUTCOMES.index(last))]

    def _raise_failed(self, failed: Failed, reason: RetryStopReason) -> NoReturn:
        facts = self._facts(self._worst_of(failed.outcome), reason)
        text = f"{facts.operation}: {failed.text} ({facts.describe()}). {_MEANINGS[facts.request_outcome]}"
        if failed.raises is PoolExhaustedError:
            text += _POOL_REMEDY
        error = failed.raises(text, facts=facts)
        if isinstance(error, DecodeError):
            error.status = failed.status
        raise error from failed.cause

    def _raise_status(self, response: Received, reason: RetryStopReason) -> NoReturn:
        operation = self._operation
        outcome = self._worst_of(outcome_of(response.status))
        quoted = response.repeats_secret
        # A 401 comes before the operation; any other error may quote what the operation returns.
        silent = quoted or (operation.secret and response.status != 401)
        message, kind, pointer = read_error(
            b"" if silent else response.content, response.headers.get("content-type", "")
        )
        sent_before = self._worst in ("unknown", "processed")
        changes = operation.method not in ("GET", "HEAD")
        is_absent = operation.api.name == "v3" and self._session.is_server and not operation.on_server
        about = {"sent_before": sent_before, "changes": changes, "is_absent": is_absent}
        hint = hint_for(response.status, operation.api.name, **about)
        error = status_error_class(response.status)(
            message,
            facts=self._facts(outcome, reason),
            status=response.status,
            headers=response.headers,
            body=b"" if quoted else response.content,
            secret=operation.is_private,
            hint=_QUOTED if quoted else hint,
        )
        error.error_type, error.pointer = kind, pointer
        if isinstance(error, RateLimitError):
            asked = self._asked(response)
            error.retry_after = None if asked is None else min(asked, LONGEST_PAUSE)
            error.rate_limit = self._rate_limit
        raise error

    def _check_wait(self, wait: float | None) -> None:
        """Raise if the rate limiter would hold this call back longer than it may wait. Nothing was sent then."""
        if wait is None:
            return
        self._attempts -= 1
        too_long = wait > self._options.max_retry_after
        bound = f"max_retry_after ({self._options.max_retry_after:g} s)" if too_long else "the timeout of the call"
        error = RateLimitError(
            f"the rate limit of {self._operation.rate_group} admits no call for {wait:.1f} s, more than {bound}.",
            facts=self._facts(self._worst_of("not_sent"), "retry_after_too_long" if too_long else "deadline"),
            status=429,
        )
        error.retry_after = min(wait, LONGEST_PAUSE)
        error.rate_limit = self._rate_limit
        raise error


_MEANINGS: Final[Mapping[RequestOutcome, str]] = {
    "not_sent": "Nothing was sent.",
    "rejected": "The server did nothing.",
    "unknown": "The server may have processed it.",
    "processed": "The server processed it; its response was lost.",
}
_QUOTED: Final = "The server's message is left out, because it repeats a secret."
_POOL_REMEDY: Final = (
    " The borrowed http_client has no free connection: httpx 0.28 loses slots when a call is cancelled while it "
    "connects. Leave http_client out, so that the SDK opens its own connections, or make a new client."
)
