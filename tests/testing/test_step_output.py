"""The output of steps, which grows while they run."""

from __future__ import annotations

from typing import Any

import pytest

from circleci_sdk.testing import FakeCircleCI, FakeProject, Job, Step, Workflow
from tests.testing.raw import Raw

TESTS = Step(
    "pytest",
    "collected 2 items\n",
    writes=[(1.5, "test_a ok\n"), (60, b"test_\xc3"), (60, b"\xa9 ok\n")],
    stderr="late\n",
)


async def steps(raw: Raw) -> dict[str, dict[str, Any]]:
    """The first action of each shown step of the job 1, by name."""
    build = (await raw("GET", "/v1.1/project/gh/acme/web/1")).json()
    return {step["name"]: step["actions"][0] for step in build["steps"]}


async def pieces(raw: Raw, name: str) -> list[tuple[str, str]]:
    """The output of a step in v1.1: its kinds and texts."""
    url = (await steps(raw))[name].get("output_url")
    if url is None:
        return []
    return [(piece["type"], piece["message"]) for piece in (await raw("GET", url)).json()]


async def test_steps_start_one_after_another(
    raw: Raw, fake: FakeCircleCI, web: FakeProject, anyio_backend: str
) -> None:
    waits = Step("wait", writes=[(5, "done\n"), (7, "")])
    web.push(Workflow("build", Job("test", 70, steps=[Step("Checkout code"), waits, TESTS])))

    async def seen() -> dict[str, str]:
        return {name: step["status"] for name, step in (await steps(raw)).items()}

    fake.clock.advance(6.999)
    assert await seen() == {"Spin up environment": "success", "Checkout code": "success", "wait": "running"}
    fake.clock.advance(0.001)
    assert list((await seen()).items())[2:] == [("wait", "success"), ("pytest", "running")]
    fake.clock.advance(63)
    shown = await steps(raw)
    assert [step["step"] for step in shown.values()] == [0, 101, 102, 103]
    assert [step["run_time_millis"] for step in shown.values()] == [0, 0, 7000, 63000]
    assert [step["exit_code"] for step in shown.values()] == [None, 0, 0, 0]


async def test_output_grows_while_a_step_runs(
    raw: Raw, fake: FakeCircleCI, web: FakeProject, anyio_backend: str
) -> None:
    web.push(Workflow("build", Job("test", 90, steps=[TESTS])))
    whole = ["collected 2 items\r\n", "test_a ok\r\n", "test_", "é ok\r\n"]
    seen = []
    for seconds in (0, 1, 0.5, 58, 0.5):
        fake.clock.advance(seconds)
        seen.append([text for _, text in await pieces(raw, "pytest")])
    assert seen == [whole[:1], whole[:1], whole[:2], whole[:2], whole]
    web.push(Workflow("other", Job("canceled", 90, steps=[TESTS])))
    fake.clock.advance(58.5)  # a cancel takes a second
    await raw("POST", "/v1.1/project/gh/acme/web/2/cancel")
    fake.clock.advance(300)
    build = (await raw("GET", "/v1.1/project/gh/acme/web/2")).json()
    [action] = build["steps"][-1]["actions"]
    assert (action["status"], action["run_time_millis"], action["exit_code"]) == ("canceled", 59_500, None)
    assert [piece["message"] for piece in (await raw("GET", action["output_url"])).json()] == [*whole[:2], "late\r\n"]


async def test_standard_error_is_shown_at_the_end(
    raw: Raw, fake: FakeCircleCI, web: FakeProject, anyio_backend: str
) -> None:
    web.push(Workflow("build", Job("test", 60, steps=[Step("quiet", stderr="late\n")])))
    fake.clock.advance(59)
    assert (await pieces(raw, "quiet"), (await steps(raw))["quiet"]["has_output"]) == ([], False)
    fake.clock.advance(1)
    assert await pieces(raw, "quiet") == [("err", "late\r\n")]


async def test_a_character_that_is_never_ended(
    raw: Raw, fake: FakeCircleCI, web: FakeProject, anyio_backend: str
) -> None:
    web.push(Workflow("build", Job("test", 5, steps=[Step("cut", writes=[(1, b"a\xc3")])])))
    fake.clock.advance(5)
    assert "".join(text for _, text in await pieces(raw, "cut")) == "a\ufffd"


def test_the_output_of_a_job_is_that_of_its_last_step() -> None:
    silent, loud = Step("last"), Step("last", writes=[(1, "x")])
    assert Job("a", output="said", steps=[silent]).steps_of("success")[-1].output == "said"
    last = Job("a", output="said", steps=[loud]).steps_of("failed")[-1]
    assert (last.output, last.writes, last.exit_code, last.seconds) == ("", loud.writes, 1, 1)


def test_writes_that_no_step_can_have() -> None:
    wrong: Any = [("1", "x")]
    with pytest.raises(ValueError, match="expected a list of pairs of a number and str or bytes"):
        Step("a", writes=wrong)
    with pytest.raises(ValueError, match="in order"):
        Step("a", writes=[(2, "x"), (1, "y")])
    with pytest.raises(ValueError, match="from 0"):
        Step("a", writes=[(-1, "x")])
    with pytest.raises(ValueError, match="write for 11 seconds, and the job ends after 10"):
        Job("a", steps=[Step("a", writes=[(5, "x")]), Step("b", writes=[(6, "y")])])
