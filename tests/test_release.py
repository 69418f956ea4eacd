"""What a release must agree on."""

from __future__ import annotations

import pytest

from tests.release import problems

URLS = {"urls": {"Source": "https://example.org/circleci_sdk"}}
CHANGELOG = "# Changelog\n\n## [Unreleased]\n\n## [1.2.3] - 2026-12-01\n\n### Added\n\n- A thing.\n"


def test_a_release_that_agrees() -> None:
    assert problems("v1.2.3", "1.2.3", CHANGELOG, URLS) == []


@pytest.mark.parametrize(
    ("tag", "version", "changelog", "address", "said"),
    [
        ("v1.2.4", "1.2.3", CHANGELOG, "", "must be v1.2.3"),
        ("1.2.3", "1.2.3", CHANGELOG, "", "must be v1.2.3"),
        ("v1.2.3", "1.2.3", "# Changelog\n\n## [Unreleased]\n", "", "no section [1.2.3]"),
        ("v1.2.3", "1.2.3", CHANGELOG.replace("ed]\n", "ed]\n\n- More.\n", 1), "", "under [Unreleased]"),
        ("v1.2.3", "1.2.3", CHANGELOG, "https://example.org/OWNER", "Source"),
    ],
)
def test_what_does_not_agree(tag: str, version: str, changelog: str, address: str, said: str) -> None:
    urls = {"urls": {"Source": address}} if address else URLS
    (found,) = problems(tag, version, changelog, urls)
    assert said in found
