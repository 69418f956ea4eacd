"""The tests that run once more through the sync client, and those of the same files that do not, with the reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import pytest

FACES: Final = ("asyncio", "trio")
SYNC: Final = "sync"
"""The sync client, in a test on asyncio."""
ON_ASYNCIO: Final = pytest.mark.parametrize("anyio_backend", ["asyncio"], scope="module")
"""For large tables of values and of failed calls, on one event loop: no code that they test asks which one it is."""
NOT_ON_TRIO: Final = pytest.mark.parametrize(
    "anyio_backend", ["asyncio", pytest.param(SYNC, marks=pytest.mark.load)], indirect=True, scope="module"
)
"""The same for tables that the sync client has a part in."""
TESTS: Final = Path(__file__).parents[1]

_CANCELS: Final = "it cancels a task; what ends a call of the sync client early is Ctrl-C, see tests/sync"
_HOLDS: Final = "it moves a clock, on which calls wait, from another event loop than theirs"
_PLAIN: Final = "plain methods, which it takes for a mistake, are those of a limiter of a sync client"

FILES: Final[Mapping[str, Mapping[str, str]]] = {
    "helpers/test_artifacts.py": {
        "test_cancelled_it_leaves_no_half_files": _CANCELS,
    },
    "helpers/test_callbacks.py": {},
    "helpers/test_explain.py": {},
    "helpers/test_history.py": {
        "test_cancellation_can_be_gone_on_from": _CANCELS,
    },
    "helpers/test_logs.py": {},
    "helpers/test_logs_follow.py": {},
    "helpers/test_logs_v3.py": {},
    "helpers/test_runs.py": {"test_a_cancelled_wait_leaves_the_client_usable": _CANCELS},
    "helpers/test_runs_search.py": {},
    "helpers/test_secrets.py": {},
    "helpers/test_usage.py": {"test_a_cancelled_reader_loses_no_row": _CANCELS},
    "reading/test_odd_entities.py": {},
    "reading/test_odd_values.py": {},
    "webhooks/test_registration.py": {},
    "wire/test_client.py": {},
    "wire/test_contract.py": {},
    "wire/test_custom_limiter.py": {
        "test_failing_observe_costs_no_response": _PLAIN,
        "test_local_limiter_replaces_a_failing_acquire": _PLAIN,
        "test_hanging_observe_ends_with_the_time_of_the_call": _CANCELS,
        "test_deadline_of_a_call_before_the_end_of_the_silence": _CANCELS,
    },
    "wire/test_download.py": {
        "test_cancellation_releases_the_slot": _CANCELS,
        "test_cancellation_has_no_frames_of_the_http_stack": _CANCELS,
    },
    "wire/test_drift.py": {},
    "wire/test_errors.py": {},
    "wire/test_errors_of_v3.py": {},
    "wire/test_every_argument.py": {},
    "wire/test_long_waits.py": {},
    "wire/test_paging.py": {
        "test_cancelled_in_the_middle": _CANCELS,
        "test_prefetch_cancelled": _CANCELS,
        "test_prefetch_inside_a_timeout_of_the_caller": _CANCELS,
    },
    "wire/test_quoted_secrets.py": {},
    "wire/test_rate_limits.py": {
        "test_one_429_pauses_fifty_tasks": _HOLDS,
        "test_calls_waiting_for_a_slot_are_paused_too": _HOLDS,
        "test_call_paused_beyond_its_deadline_is_not_sent": _HOLDS,
        "test_in_flight_count_returns_to_zero": _CANCELS,
        "test_short_deadline_is_independent_of_the_queue": _CANCELS,
        "test_cancelled_in_the_queue": _CANCELS,
    },
    "wire/test_responses.py": {
        "test_deprecated_operations_warn_with_the_line_of_the_caller": "the caller is a worker thread; see tests/sync",
    },
    "wire/test_retries.py": {
        "test_pool_timeout_is_retried_and_names_the_defect": "it uses a client of httpx in two event loops",
    },
    "wire/test_scenarios.py": {},
    "wire/test_secrets.py": {"test_cancelled": _CANCELS},
    "wire/test_streams.py": {
        "test_a_read_that_was_cancelled_is_not_the_end": _CANCELS,
        "test_a_read_of_lines_that_was_cancelled_is_not_the_end": _CANCELS,
    },
}
"""The files, each with its tests that are left out. A test that cancels a task has to be among them, or it hangs.

They are those in which the generated methods, the wrappers, callbacks, errors or paging have a part. Files about the
logic of the engine alone, which both clients share, are not among them, since they would take time and prove nothing.
"""


def runs_through_the_sync_client(test: pytest.Item) -> bool:
    """Whether this test is one of them. A test that sets its backend itself is not."""
    left_out = FILES.get(test.path.relative_to(TESTS).as_posix())
    if left_out is None or test.name in left_out:
        return False
    return not any("anyio_backend" in str(mark.args[0]) for mark in test.iter_markers("parametrize"))
