"""Announced changes of the API apply from their day on, by `api_date` and by no clock."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import pytest

import circleci_sdk.v1
import circleci_sdk.v2
from circleci_sdk import AsyncCircleCI, GoneError, InvalidArgumentError
from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, Workflow
from tests.testing.raw import Raw

SETTINGS = "/v1.1/project/gh/acme/web/settings"
PROJECTS = "/v1.1/projects"
SUNSETS = [
    each
    for each in (*circleci_sdk.v1.OPERATIONS.values(), *circleci_sdk.v2.OPERATIONS.values())
    if each.sunset is not None
]


@pytest.fixture
def build(fake: FakeCircleCI, web: FakeProject) -> None:
    """Builds of two branches, so that there is something to show."""
    web.will_run(Workflow("build", Job("test", 30)))
    web.push(branch="main")
    web.push(Workflow("build", Job("test", 30, outcome="failed")), branch="release/1.0")
    fake.clock.advance(60)


def of(shown: Any) -> Any:
    """The only project of a list, or the settings."""
    return shown[0] if isinstance(shown, list) else shown  # pyright: ignore[reportUnknownVariableType]  # any JSON


def test_the_operations_with_a_sunset() -> None:
    assert {(each.label, str(each.sunset)) for each in SUNSETS} == {
        ("v1.builds.trigger", "2027-02-01"),
        ("v1.builds.trigger_for_branch", "2027-02-01"),
        ("v1.builds.trigger_pipeline", "2027-02-01"),
        ("v1.builds.retry", "2027-02-01"),
        ("v1.builds.retry_with_ssh", "2027-02-01"),
    }


@pytest.mark.parametrize("operation", SUNSETS, ids=lambda each: each.label)
async def test_operations_end_on_their_sunset(
    raw: Raw, fake: FakeCircleCI, web: FakeProject, build: None, operation: Any, anyio_backend: str
) -> None:
    path = operation.path.format_map(
        {"vcs-type": "gh", "username": "acme", "project": "web", "branch": "main", "build_num": 1}
    )
    fake.api_date = operation.sunset - timedelta(days=1)
    before = await raw("POST", f"/v1.1{path}")
    fake.api_date = operation.sunset
    made = len(web.jobs)
    after = await raw("POST", f"/v1.1{path}")
    assert (before.is_success, after.status_code) == (True, 410)
    for response in (before, after):
        assert response.headers["sunset"] == "Mon, 01 Feb 2027 00:00:00 GMT"
        assert response.headers["deprecation"] == "true"
    assert len(web.jobs) == made


async def test_no_clock_changes_the_api(raw: Raw, fake: FakeCircleCI, build: None, anyio_backend: str) -> None:
    fake.clock.advance(365 * 86_400)
    assert (await raw("POST", "/v1.1/project/gh/acme/web/build")).status_code == 200
    for path in (PROJECTS, SETTINGS):
        assert set(of((await raw("GET", path)).json())["branches"]) == {"main", "release%2F1%2E0"}
    assert FakeCircleCI().api_date == date(2026, 11, 28)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
async def test_the_client_reads_both(
    circleci: AsyncCircleCI, fake: FakeCircleCI, build: None, anyio_backend: str
) -> None:
    [before] = (await circleci.v1.projects.list()).items
    settings = await circleci.v1.projects.get_settings("gh/acme/web")
    assert before.branches is not None
    assert settings.branches is not None
    release = before.branches["release%2F1%2E0"]
    assert release.last_success is None
    assert release.last_non_success is not None
    assert (release.last_non_success.build_num, release.last_non_success.status) == (2, "failed")
    [recent] = settings.branches["main"].recent_builds or ()  # pyright: ignore[reportAssignmentType]  # one is there
    assert (recent.build_num, recent.added_at, recent.vcs_revision) == (1, fake.clock.now - timedelta(seconds=60), None)
    fake.api_date = date(2027, 2, 1)
    [after] = (await circleci.v1.projects.list()).items
    assert (after.branches, after.reponame) == (None, "web")
    assert (await circleci.v1.projects.get_settings("gh/acme/web")).branches is None
    with pytest.raises(GoneError):
        await circleci.v1.builds.retry("gh/acme/web", 1)  # pyright: ignore[reportDeprecated]  # what is tested
    assert (await circleci.v1.builds.get("gh/acme/web", 1)).build_num == 1


@pytest.mark.parametrize("path", [PROJECTS, SETTINGS])
@pytest.mark.parametrize(
    ("day", "shown"),
    [
        (date(2026, 11, 28), True),
        (date(2026, 12, 1), False),  # a brownout
        (date(2026, 12, 2), True),
        (date(2026, 12, 6), True),
        (date(2026, 12, 7), False),
        (date(2027, 1, 1), False),
    ],
    ids=str,
)
async def test_branches_end(
    raw: Raw, fake: FakeCircleCI, build: None, path: str, day: date, shown: bool, anyio_backend: str
) -> None:
    fake.api_date = day
    assert ("branches" in of((await raw("GET", path)).json())) is shown


@pytest.mark.parametrize("path", [PROJECTS, SETTINGS])
@pytest.mark.parametrize("parameter", ["shallow", "skip-branches"])
@pytest.mark.parametrize(
    ("day", "value", "shown"),
    [
        (date(2026, 11, 28), "true", False),
        (date(2026, 11, 28), "false", True),
        (date(2026, 12, 1), "true", False),
        (date(2026, 12, 1), "false", True),
        (date(2026, 12, 6), "false", True),
        (date(2026, 12, 7), "false", False),
        (date(2026, 12, 7), "true", False),
    ],
    ids=str,
)
async def test_parameters_select_the_response_before_the_end(
    raw: Raw,
    fake: FakeCircleCI,
    build: None,
    path: str,
    parameter: str,
    day: date,
    value: str,
    shown: bool,
    anyio_backend: str,
) -> None:
    fake.api_date = day
    assert ("branches" in of((await raw("GET", f"{path}?{parameter}={value}")).json())) is shown


async def test_the_client_sends_the_parameters(circleci: AsyncCircleCI, build: None) -> None:
    v1 = circleci.v1.projects
    [shallow] = (await v1.list(shallow=True)).items
    [skipped] = (await v1.list(skip_branches=True)).items
    [kept] = (await v1.list(shallow=False)).items
    assert (shallow.branches, skipped.branches, kept.branches is None) == (None, None, False)
    assert (await v1.get_settings("gh/acme/web", skip_branches=True)).branches is None


@pytest.mark.parametrize("day", [datetime(2027, 2, 1), "2027-02-01", None], ids=str)  # noqa: DTZ001  # no date
def test_other_types_are_refused(day: Any) -> None:
    with pytest.raises(ValueError, match=r"FakeCircleCI\.api_date: expected date, got"):
        FakeCircleCI(api_date=day)
    with pytest.raises(InvalidArgumentError):
        FakeCircleCI.scenario("empty", api_date=day)
