"""The page `docs/policies/hostile-conditions.md`: what the last run of the session `attack` saw."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from tests.attack.tries import Seen

PAGE: Final = Path(__file__).parents[2] / "docs" / "policies" / "hostile-conditions.md"
_HEAD: Final = """\
# Behavior in hostile conditions

`nox -s attack` makes these tries over real sockets, half of them on asyncio and half on trio, each with random members
of its kind. It wrote this page with seed {seed}. The tests make some tries of each kind and fail on what the page does
not list. In no try of the table: an exception that is not documented, a slot of the client that stayed taken, a POST
that was sent twice, a lost delivery, a half file under its final name, or the token in a log, a file or an exception.

| Fault | Tries | What happened |
|---|---:|---|
"""


def rendered(seen: Mapping[str, Seen], seed: int) -> str:
    """The page."""
    rows = [f"| {fault} | {one.tries:,} | {_outcomes(one)} |\n" for fault, one in sorted(seen.items())]
    total = sum(one.tries for one in seen.values())
    return f"{_HEAD.format(seed=seed)}{''.join(rows)}\nIn all: {total:,} tries.\n"


def listed() -> dict[str, set[str]]:
    """What the page says that happens, by fault."""
    rows = re.findall(r"^\| (.*) \| [\d,]+ \| (.*) \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    return {
        fault: {part for outcome in text.split("; ") for part in parts_of(re.sub(r" \([\d,]+\)$", "", outcome))}
        for fault, text in rows
    }


def parts_of(outcome: str) -> set[str]:
    """What happened to each of the calls of a try.

    Which of them succeed together depends on the order of events on the network, so that a combination may be new.
    """
    return set(outcome.split(", "))


def _outcomes(seen: Seen) -> str:
    return "; ".join(f"{outcome} ({count:,})" for outcome, count in seen.outcomes.most_common())
