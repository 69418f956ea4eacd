"""Locations of test data outside of the project."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
"""The checkout."""


def payloads() -> Path:
    """The folder of recorded responses: `CIRCLECI_SDK_PAYLOADS`, or `../shared/payloads` beside the checkout.

    Without the folder the requesting module is skipped, and fails if CI=true.
    """
    folder = Path(os.environ.get("CIRCLECI_SDK_PAYLOADS") or ROOT.parent / "shared" / "payloads")
    return _present(folder, "set CIRCLECI_SDK_PAYLOADS to the folder of recorded responses")


def payload_folders() -> tuple[Path, Path]:
    """The folders of recorded responses: the one of `payloads`, and `payloads_2026` beside it, with newer ones."""
    older = payloads()
    return older, _present(older.parent / "payloads_2026", f"put the newer recorded responses beside {older}")


def v3_payloads() -> Path:
    """The folder of sample bodies of API v3, beside the one of `payloads`."""
    older = payloads()
    return _present(older.parent / "payloads_v3", f"put the sample bodies of API v3 beside {older}")


def facts() -> Path:
    """The folder with the facts about the API and the table of names, the parent of the payloads."""
    return payloads().parent


def _present(folder: Path, remedy: str) -> Path:
    if folder.is_dir():
        return folder
    reason = f"{folder} is missing: {remedy}"
    if os.environ.get("CI", "").lower() == "true":
        pytest.fail(reason, pytrace=False)
    pytest.skip(reason, allow_module_level=True)
