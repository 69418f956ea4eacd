"""The tests that run once more through the sync client, and those of the same files that do not, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

FACES: Final = ("asyncio", "trio")
SYNC: Final = "sync"
"""The sync client, in a test on asyncio."""
_TESTS: Final = Path(__file__).parents[1]

FILES: Final[Mapping[str, Mapping[str, str]]] = {
    "wire/test_contract.py": {},
}
"""The files, each with its tests that are left out."""


def runs_through_the_sync_client(test: pytest.Item) -> bool:
    """Whether this test is one of them. A test that sets its backend itself is not."""
    left_out = FILES.get(test.path.relative_to(_TESTS).as_posix())
    if left_out is None or test.name in left_out:
        return False
    return not any("anyio_backend" in str(mark.args[0]) for mark in test.iter_markers("parametrize"))
