"""The methods of `FakeCircleCI` that inject faults."""

from __future__ import annotations

from typing import TYPE_CHECKING, get_args

from circleci_sdk._core.checks import BOOL, STR, check, one_of, or_none

from ._misbehave import MisbehaveMethod
from ._protocol.faults import ChaosFault, DropPoint, Fault, labels_of
from ._protocol.limits import Limit, RateLimitFamily
from ._store.arguments import INT, NUMBER, mapping_of

if TYPE_CHECKING:
    from collections.abc import Mapping


class FaultMethods(MisbehaveMethod):
    """Faults, rate limits, chaos and misbehaviour of a fake."""

    def fail_next(
        self,
        operation: str = "*",
        *,
        status: int | None = None,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        drop: DropPoint | None = None,
        delay: float = 0.0,
        truncate: bool = False,
        expired: bool = False,
        processed: bool = False,
        times: int = 1,
    ) -> None:
        """Make the next calls of an operation fail.

        Args:
            operation: its name: `"v2.jobs.get"`, `"jobs.get"` (of all versions) or its operation id;
                `"v2.jobs"` for all operations with that rate limit;
                `"artifact"`, `"output"` or `"usage"` for downloads by link; `"*"` for any request.
            status: status of the response.
            body: body of the response with `status`. Default: one of CircleCI or of a gateway for that status.
            headers: headers of the response with `status`.
            drop: close the connection without a response, `"before"` or `"after"` the call is processed.
            delay: real seconds before the response.
            truncate: close the connection in the middle of the body.
            expired: respond as to an expired signed link.
            processed: with `status`, process the call first. `fail_next("v2.contexts.create", status=200,
                body={"message": "Accepted."}, processed=True)` is an acknowledgement in place of the new object. (In
                place of a pipeline a message alone means that nothing was started: see `RunSkippedError`.)
            times: number of calls that fail.

        The options can be combined. Raises `ValueError` for an unknown name, and without any fault.
        """
        check(
            "fail_next",
            status=(status, or_none(INT)),
            headers=(headers, or_none(mapping_of(STR))),
            drop=(drop, or_none(one_of(*get_args(DropPoint)))),
            delay=(delay, NUMBER),
            truncate=(truncate, BOOL),
            expired=(expired, BOOL),
            processed=(processed, BOOL),
            times=(times, INT),
        )
        labels = labels_of(operation, "fail_next")
        if status is None and drop is None and not delay and not truncate and not expired:
            raise ValueError("fail_next: expected a fault: status=, drop=, delay=, truncate= or expired=.")
        if times < 1:
            raise ValueError(f"fail_next: times: expected at least 1, got {times!r}.")
        fault = Fault(
            labels,
            times,
            status=status,
            body=body,
            headers=dict(headers or {}),
            drop=drop,
            delay=delay,
            truncate=truncate,
            expired=expired,
            processed=processed,
        )
        with self.clock.lock:
            self._app.faults.append(fault)

    def limit_rate(
        self,
        operation: str = "*",
        *,
        requests: int,
        window: float = 60.0,
        headers: RateLimitFamily = "RateLimit",
        retry_after: bool = True,
    ) -> None:
        """Limit the number of requests per window; further requests get 429 with a plain-text body.

        The window starts with the first request and lasts `window` seconds on the clock of the fake. All responses
        have the rate limit headers of the family `headers`; a response 429 has `Retry-After` too, unless
        `retry_after` is false. Names of operations as in `fail_next`. Each call adds a limit.
        """
        check(
            "limit_rate",
            requests=(requests, INT),
            window=(window, NUMBER),
            headers=(headers, one_of(*get_args(RateLimitFamily))),
            retry_after=(retry_after, BOOL),
        )
        if requests < 0 or window <= 0:
            raise ValueError("limit_rate: expected requests of at least 0 and a window above 0.")
        with self.clock.lock:
            self._app.limits.append(Limit(labels_of(operation, "limit_rate"), requests, window, headers, retry_after))

    def chaos(self, probabilities: Mapping[ChaosFault, float] | None = None) -> None:
        """Let further calls fail at random, with a probability from 0 to 1 for each fault; None stops it.

        `fake.chaos({"503": 0.1, "drop": 0.05, "429": 0.05})`. The RNG has the seed of the fake. A failing call may be
        processed or not; with 429 it is not.
        """
        kind = one_of(*get_args(ChaosFault))
        check("chaos", probabilities=(probabilities, or_none(mapping_of(NUMBER, kind))))
        chosen: dict[str, float] = {str(kind): each for kind, each in (probabilities or {}).items()}
        if any(not 0 <= each <= 1 for each in chosen.values()):
            raise ValueError("chaos: expected probabilities from 0 to 1.")
        with self.clock.lock:
            self._app.chaos = chosen

    def lag(self, seconds: float) -> None:
        """Let pipelines and workflows be visible only some seconds after their creation; 0 ends it.

        Until then requests for one get 404, and lists lack it. A trigger and a rerun return the new id at once. The
        seconds are those of the clock of the fake. Raises `ValueError` below 0.
        """
        check("lag", seconds=(seconds, NUMBER))
        if seconds < 0:
            raise ValueError(f"lag: seconds: expected at least 0, got {seconds!r}.")
        with self.clock.lock:
            self._app.store.lag = seconds

    def reset_faults(self) -> None:
        """Remove all faults, limits, chaos, misbehaviour and lag."""
        with self.clock.lock:
            self._app.faults.clear()
            self._app.limits.clear()
            self._app.chaos = {}
            self._app.misbehaviours.clear()
            self._app.store.lag = 0.0
