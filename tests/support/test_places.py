"""Without the recorded responses tests are skipped with a reason, and fail where nobody would read it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import places


def test_the_folder_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path))

    assert places.payloads() == tmp_path
    assert places.facts() == tmp_path.parent


def test_a_missing_folder_is_a_reason_to_skip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path / "none"))
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="none is missing: set CIRCLECI_SDK_PAYLOADS"):
        places.payloads()


def test_a_missing_folder_is_a_failure_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path / "none"))
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="none is missing"):
        places.payloads()
