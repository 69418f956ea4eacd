"""Without the recorded responses tests are skipped with a reason, and fail in CI."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import places


def test_folder_from_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path))

    assert places.payloads() == tmp_path
    assert places.facts() == tmp_path.parent


def test_missing_folder_skips(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path / "none"))
    monkeypatch.delenv("CI", raising=False)

    with pytest.raises(pytest.skip.Exception, match="none is missing: set CIRCLECI_SDK_PAYLOADS"):
        places.payloads()


def test_newer_folder_beside_the_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path / "payloads"))
    for name in ("payloads", "payloads_2026"):
        (tmp_path / name).mkdir()

    assert places.payload_folders() == (tmp_path / "payloads", tmp_path / "payloads_2026")


def test_missing_newer_folder_fails_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path))
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="payloads_2026 is missing: put the newer recorded responses"):
        places.payload_folders()


def test_missing_folder_fails_in_ci(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path / "none"))
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception, match="none is missing"):
        places.payloads()


def test_samples_of_v3_beside_the_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CIRCLECI_SDK_PAYLOADS", str(tmp_path / "payloads"))
    monkeypatch.setenv("CI", "true")
    (tmp_path / "payloads").mkdir()

    with pytest.raises(pytest.fail.Exception, match="payloads_v3 is missing: put the sample bodies of API v3 beside"):
        places.v3_payloads()
    (tmp_path / "payloads_v3").mkdir()
    assert places.v3_payloads() == tmp_path / "payloads_v3"
