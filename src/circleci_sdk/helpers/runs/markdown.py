"""The report on a failed run as Markdown. Pure functions; text from outside is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from circleci_sdk._core.printable import printable
from circleci_sdk.helpers._shared.available import if_available, or_unknown
from circleci_sdk.helpers.logs.step_output import readable

_OF_URLS: Final = "/:?#@!$&'*+,;=%-._~"

if TYPE_CHECKING:
    from circleci_sdk.helpers.logs.steps import StepLog

    from .explain import FailedTest, JobExplanation


def format_report(
    name: str,
    url: str | None,
    status: str,
    errors: Sequence[str],
    jobs: Sequence[JobExplanation],
    problems: Sequence[str],
    *,
    lines: int,
) -> str:
    """The report, with at most `lines` lines of output for each step."""
    parts = [f"## {_link(name, url)}: {_status(status)}", *(f"* {_inline(error)}" for error in errors)]
    for job in jobs:
        parts += _format_job(job, lines)
    if problems:
        parts += ["", *(f"_{_inline(problem)}_" for problem in problems)]
    return "\n".join(parts) + "\n"


def _format_job(explanation: JobExplanation, lines: int) -> list[str]:
    job = explanation.job
    name = f"{or_unknown(lambda: job.workflow_name)} / {or_unknown(lambda: job.name)}"
    parts = ["", f"### {_link(name, if_available(lambda: job.url))}: {_status(job.status)}"]
    if explanation.tests:
        parts += ["", f"Failing tests: {len(explanation.tests)}", ""]
        parts += [_format_test(test) for test in explanation.tests]
    for log in explanation.logs:
        parts += ["", _step_title(log)]
        text = readable(log.text).rstrip()
        shown = text.split("\n")[-lines:] if lines and text else []
        if shown:
            cut = log.is_cut or len(shown) <= text.count("\n")
            fence = _fence("\n".join(shown))
            parts += ["", f"{fence}text", *(["..."] if cut else []), *shown, fence]
    parts += [f"\n_{_inline(problem)}_" for problem in explanation.problems]
    return parts


def _step_title(log: StepLog) -> str:
    step = log.step
    status = or_unknown(lambda: step.status)
    facts = [_status(status) if status != "success" else "failed"]
    exit_code = if_available(lambda: step.exit_code)
    if exit_code is not None:
        facts.append(f"exit code {exit_code}")
    if if_available(lambda: step.infrastructure_failed):
        facts.append("infrastructure failure")
    if step.index:
        facts.append(f"parallel run {step.index}")
    return f"Step **{_inline(or_unknown(lambda: step.name))}**: {', '.join(facts)}"


def _format_test(test: FailedTest) -> str:
    classname, name = if_available(lambda: test.classname), or_unknown(lambda: test.name)
    flaky = f" (known to be flaky, {test.times_flaked} times)" if test.is_flaky else ""
    first = readable(if_available(lambda: test.message) or "").strip().partition("\n")[0][:300]
    return f"* {_code(f'{classname}.{name}' if classname else name)}{flaky}{f': {_inline(first)}' if first else ''}"


def _link(text: str, url: str | None) -> str:
    return f"[{_inline(text)}]({quote(url, safe=_OF_URLS)})" if url else _inline(text)


def _inline(text: str) -> str:
    """Text on one line, with Markdown characters escaped."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|" else char for char in _on_one_line(text))


def _status(text: str) -> str:
    return text if text.replace("_", "").replace("-", "").isalnum() else _inline(text)


def _on_one_line(text: str) -> str:
    return printable(" ".join(text.split()))


def _code(text: str) -> str:
    ticks = _longest_run(text) + 1
    space = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{'`' * ticks}{space}{_on_one_line(text)}{space}{'`' * ticks}"


def _fence(text: str) -> str:
    return "`" * max(3, _longest_run(text) + 1)


def _longest_run(text: str) -> int:
    longest = run = 0
    for char in text:
        run = run + 1 if char == "`" else 0
        longest = max(longest, run)
    return longest
