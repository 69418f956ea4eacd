"""Duration of type-checking a small file of user code."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .stats import Figure, ratios
from .tables import Budget, Report, Row, Run, Table

FILES: Final = {
    "circleci_sdk": """
from circleci_sdk import AsyncCircleCI, NotFoundError
from circleci_sdk.v2.models import Pipeline

async def newest(token: str) -> Pipeline | None:
    async with AsyncCircleCI(token) as client:
        me = await client.v2.users.me()
        print(me.login)
        try:
            async for pipeline in client.v2.pipelines.list_for_project("gh/acme/web", branch="main"):
                return pipeline
        except NotFoundError as error:
            print(error.status)
    return None
""",
    "one plain pydantic model": """
from pydantic import BaseModel

class Pipeline(BaseModel):
    number: int

print(Pipeline(number=1).number)
""",
    "openai": """
from openai import AsyncOpenAI, NotFoundError
from openai.types import Model

async def newest(token: str) -> Model | None:
    async with AsyncOpenAI(api_key=token) as client:
        me = await client.files.retrieve("file-1")
        print(me.filename)
        try:
            async for model in client.models.list():
                return model
        except NotFoundError as error:
            print(error.status_code)
    return None
""",
    "githubkit": """
from githubkit import GitHub
from githubkit.exception import RequestFailed

async def newest(token: str) -> object:
    async with GitHub(token) as client:
        me = (await client.rest.users.async_get_authenticated()).parsed_data
        print(me.login)
        try:
            for issue in (await client.rest.issues.async_list_for_repo("acme", "web", state="open")).parsed_data:
                return issue
        except RequestFailed as error:
            print(error.response.status_code)
    return None
""",
    "datamodel-code-generator's client": """
from benchmarks_generated_client import AsyncClient
from benchmarks_generated_client.errors import NotFoundError
from benchmarks_generated_models import ErrorResponse, Pipeline

async def newest(token: str) -> Pipeline | None:
    async with AsyncClient(base_url="https://circleci.com/api/v2", circle_token=token) as client:
        print(await client.user.get_current_user())
        try:
            page = await client.pipeline.list_pipelines_for_project(project_slug="gh/acme/web")
            if not isinstance(page, ErrorResponse):
                return page.items[0]
        except NotFoundError as error:
            print(error.status_code)
    return None
""",
}
QUICK: Final = ("circleci_sdk", "one plain pydantic model", "openai")
"""The files of a quick run: mypy takes half a minute for the models of githubkit."""
CHECKERS: Final = {
    "pyright": ("pyright", "--pythonpath", sys.executable),
    "mypy": ("mypy", "--strict", "--no-incremental", "--cache-dir", os.devnull),
    "pyrefly": ("pyrefly", "check", "--preset", "strict", "--python-interpreter-path", sys.executable),
}
_OBSTACLE: Final = (
    "within the noise of the machine, which is a tenth and more; nine tenths of it are pydantic and the standard "
    "library, see the row of one plain model"
)


def report(run: Run) -> Report:
    """Type-checking, relative to the faster of openai and githubkit."""
    table = measure(run.rounds(3, 1), QUICK if run.quick else tuple(FILES), warm_up=not run.quick)
    budgets: list[Budget] = []
    for column, checker in enumerate(table.columns):
        known = [figure for name in ("openai", "githubkit") if (figure := table.figure(name, column))]
        fastest = min(known, key=lambda figure: figure.middle) if known else None
        ours = fastest and Figure(1 / fastest.middle, 1 / fastest.high, 1 / fastest.low, fastest.rounds)
        budgets.append(
            Budget(
                f"type-checking, x the faster of openai and githubkit, {checker}", ours, most=1.0, obstacle=_OBSTACLE
            )
        )
    return Report(budgets, (table,))


def measure(rounds: int, names: Sequence[str], *, warm_up: bool) -> Table:
    """Times of these files and all checkers, each without a cache; a warm-up reads the files of the packages."""
    failures: list[str] = []
    taken: dict[tuple[str, str], list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds + warm_up):
            for name in names:
                file = Path(folder, f"user_of_{''.join(filter(str.isalpha, name))}.py")
                file.write_text(FILES[name])
                for checker, command in CHECKERS.items():
                    if (name, checker) in taken or not number:
                        seconds, error = _check(command, file)
                        if error and not number:
                            failures.append(f"{name}: {checker}: {error}")
                        taken.setdefault((name, checker), []).append(seconds)
    taken = {key: seconds[warm_up:] for key, seconds in taken.items()}
    rows: list[Row] = []
    for name in names:
        figures = [_figure(taken, name, checker) for checker in CHECKERS]
        rows.append(Row(name, tuple(figures)))
    return Table(
        "Type-checking a file of fifteen lines",
        "Time without a cache, relative to the file that uses circleci_sdk; higher is slower. "
        f"circleci_sdk takes {', '.join(f'{_ours(taken, checker)} s with {checker}' for checker in CHECKERS)} here.",
        tuple(CHECKERS),
        tuple(rows),
        tuple(failures),
    )


def _ours(taken: dict[tuple[str, str], list[float]], checker: str) -> Figure:
    return Figure.of(taken["circleci_sdk", checker])


def _figure(taken: dict[tuple[str, str], list[float]], name: str, checker: str) -> Figure:
    return ratios(taken[name, checker], taken["circleci_sdk", checker])


def _check(command: tuple[str, ...], file: Path) -> tuple[float, str]:
    """The duration in seconds, and the first error or an empty string."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", *command, str(file)], capture_output=True, text=True, check=False, cwd=file.parent
    )
    seconds = time.perf_counter() - started
    errors = [line.replace(f"{file.parent}{os.sep}", "") for line in done.stdout.splitlines() if "error" in line]
    return seconds, errors[0].strip() if done.returncode and errors else ""
