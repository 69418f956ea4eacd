"""The question to the script of a shared limit, and its reply, as values."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from circleci_sdk._core.policy.rate_limit import LONGEST_PAUSE, RateLimit

SHARE: Final = 0.98
"""The part of a limit that is used when calls are paced. The rest is for calls that arrive late, in the next window."""
_LARGEST: Final = 1e9
_KINDS: Final[tuple[Literal["proceed", "refused", "ask"], ...]] = ("proceed", "refused", "ask")


@dataclass(frozen=True, slots=True)
class Asked:
    """What one waiting call asks. `ticket` is 0 for a call that has none."""

    max_wait: float
    max_total: float
    ticket: int = 0


@dataclass(frozen=True, slots=True)
class Decision:
    """The decision on one call.

    `proceed` in `wait` seconds, with a ticket if there is a wait; `refused`, because it would take `wait` seconds;
    or `ask` again in `wait` seconds. `may_shrink`: the pace is being probed upwards, the wait may get shorter.
    """

    kind: Literal["proceed", "refused", "ask"]
    ticket: int
    wait: float
    may_shrink: bool


@dataclass(frozen=True, slots=True)
class Reply:
    """Whether the limit is known, the number of changes so far that move tickets, and the decisions."""

    is_known: bool
    epoch: int
    decisions: list[Decision]


@dataclass(frozen=True, slots=True)
class Seen:
    """What a response says of the limit; `pause` is given when the call was refused."""

    rate_limit: RateLimit | None
    pause: float | None

    def as_dict(self) -> dict[str, float]:
        """As in the question, without what is not known."""
        facts: dict[str, float | None] = {}
        state = self.rate_limit
        if state is not None:
            facts |= {"remaining": state.remaining, "reset": state.reset}
            if state.limit and state.window:
                facts |= {"limit": state.limit, "window": state.window, "rate": SHARE * state.limit / state.window}
        if self.pause is not None:
            facts["pause"] = min(self.pause, LONGEST_PAUSE)
        return {name: min(value, _LARGEST) for name, value in facts.items() if value is not None}


def question(asked: Sequence[Asked], seen: Sequence[Seen], returned: Sequence[int], now: float | None = None) -> str:
    """The question as the script reads it. `now` replaces the time of Redis, for simulations."""
    return json.dumps(
        {
            "asked": [(one.ticket, min(one.max_wait, _LARGEST), min(one.max_total, _LARGEST)) for one in asked],
            "seen": [one.as_dict() for one in seen],
            "returned": list(returned),
            **({} if now is None else {"now": now}),
        }
    )


def read_reply(reply: Any, count: int) -> Reply:
    """The reply of the script on `count` calls. Raises ValueError for any other reply."""
    known, epoch, *numbers = (int(number) for number in reply)
    if len(numbers) != 4 * count:
        raise ValueError(f"the script returned {len(numbers)} numbers for {count} calls")
    if any(not 0 <= number < len(_KINDS) for number in numbers[::4]) or any(number < 0 for number in numbers[2::4]):
        raise ValueError("the script returned numbers without a meaning")
    found = [
        Decision(_KINDS[numbers[at]], numbers[at + 1], numbers[at + 2] / 1e6, numbers[at + 3] == 1)
        for at in range(0, len(numbers), 4)
    ]
    return Reply(known == 1, epoch, found)
