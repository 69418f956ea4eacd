"""Where test data lies that is no part of the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
"""The checkout."""


def payloads() -> Path:
    """The folder of recorded responses: `CIRCLECI_SDK_PAYLOADS`, or `../shared/payloads` beside the checkout.

    Without it there is nothing to test against: the module that asks is skipped, and fails where CI=true.
    """
    folder = Path(os.environ.get("CIRCLECI_SDK_PAYLOADS") or ROOT.parent / "shared" / "payloads")
    if folder.is_dir():
        return folder
    reason = f"{folder} is missing: set CIRCLECI_SDK_PAYLOADS to the folder of recorded responses"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)


def facts() -> Path:
    """The folder with the facts about the API and the table of names, which lies around the payloads."""
    return payloads().parent
