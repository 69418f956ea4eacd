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
    "helpers/test_runs.py": {},
    "helpers/test_runs_search.py": {},
    "helpers/test_logs.py": {},
    "helpers/test_logs_v3.py": {},
    "helpers/test_logs_follow.py": {},
    "helpers/test_artifacts.py": {},
    "helpers/test_files.py": {},
    "helpers/test_secrets.py": {},
    "helpers/test_secrets_audit.py": {},
    "helpers/test_usage.py": {},
    "helpers/test_usage_missing.py": {},
    "helpers/test_history.py": {},
    "helpers/test_explain.py": {},
    "helpers/test_cancel_redundant.py": {},
    "helpers/test_callbacks.py": {},
    "helpers/test_control_characters.py": {},
    "helpers/test_odd_responses.py": {},
    "helpers/test_run_status_table.py": {},
    "helpers/test_long_work_end.py": {},
    "wire/test_paging.py": {},
    "wire/test_retries.py": {},
    "wire/test_errors.py": {},
    "wire/test_errors_of_v3.py": {},
    "wire/test_streams.py": {},
    "wire/test_download.py": {},
    "wire/test_download_ends.py": {},
    "wire/test_drift.py": {},
    "wire/test_client.py": {},
    "wire/test_responses.py": {},
    "wire/test_rate_limits.py": {},
    "wire/test_secrets.py": {},
    "wire/test_response_size.py": {},
    "wire/test_custom_limiter.py": {},
    "wire/test_long_waits.py": {},
    "wire/test_scenarios.py": {},
    "wire/test_broken_strings.py": {},
    "wire/test_quoted_secrets.py": {},
    "reading/test_odd_entities.py": {},
    "reading/test_odd_values.py": {},
    "webhooks/test_registration.py": {},
    "wire/test_every_argument.py": {},
    "wire/test_encoding.py": {},
}
"""The files, each with its tests that are left out."""


def runs_through_the_sync_client(test: pytest.Item) -> bool:
    """Whether this test is one of them. A test that sets its backend itself is not."""
    left_out = FILES.get(test.path.relative_to(_TESTS).as_posix())
    if left_out is None or test.name in left_out:
        return False
    return not any("anyio_backend" in str(mark.args[0]) for mark in test.iter_markers("parametrize"))
