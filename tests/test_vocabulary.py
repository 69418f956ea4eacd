"""The sources, docs and tests use the standard terms, and the search for other words finds them in every form."""

from __future__ import annotations

import pytest

from tests.vocabulary import findings, words_in


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("a Door, the GATE", ["door", "gate"]),
        ("outdoor navigate floored delegates", []),
        ("self._is_at_gate = AtGate(gate2)", ["gate", "gate", "gate"]),
        ("class HTTPDoor: DOOR_COUNT", ["door", "door"]),
        ("door door", ["door", "door"]),
        ("retry.stopped_because", ["stopped because"]),
        ("it was carried out", ["carried out"]),
        ("a round trip, a RoundTrip, and a trip", ["trip"]),
        ("math.floor(x) is no floor", ["floor"]),
        ("the world says hello world", ["world"]),
        ("", []),
    ],
)
def test_words_in_a_line(line: str, found: list[str]) -> None:
    assert words_in(line) == found


def test_standard_terms_everywhere() -> None:
    found = [str(one) for one in findings([])]
    assert not found, "\n".join(found)
