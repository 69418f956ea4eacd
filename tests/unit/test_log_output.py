"""`CIRCLECI_SDK_LOG` writes the records of the package to standard error."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator

import pytest

from circleci_sdk._log_output import set_up


@pytest.fixture
def logger() -> Iterator[logging.Logger]:
    logger, root = logging.getLogger("test_log_output"), logging.getLogger()
    handlers, root.handlers = root.handlers, []
    yield logger
    root.handlers = handlers
    logger.handlers.clear()


@pytest.mark.parametrize("level", ["debug", "Info", "WARNING", "error"])
def test_levels(level: str, logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logger, level)
    for name in ("debug", "info", "warning", "error"):
        logger.log(getattr(logging, name.upper()), "said at %s", name)
    lines = capsys.readouterr().err.splitlines()
    expected = ["debug", "info", "warning", "error"]
    expected = expected[expected.index(level.lower()) :]
    assert [line.partition(" ")[2].partition(" ")[2] for line in lines] == [
        f"{name.upper()} test_log_output: said at {name}" for name in expected
    ]


def test_a_second_time(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logger, "info")
    set_up(logger, "debug")
    logger.debug("once")
    assert capsys.readouterr().err.count("once") == 1


def test_beside_a_handler_of_the_application(logger: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    set_up(logger, "info")
    logging.getLogger().addHandler(logging.StreamHandler())
    logger.info("once")
    assert capsys.readouterr().err == "once\n"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("", ""),
        ("debug", "DEBUG circleci_sdk: v2.users.me GET /api/v2/me -> "),
        ("yes\n", "CIRCLECI_SDK_LOG: expected one of debug, info, warning, error, got 'yes\\n'. It is ignored.\n"),
    ],
)
def test_the_environment_variable(value: str, said: str) -> None:
    code = """
import os, sys
from circleci_sdk import CircleCI, ConnectionFailedError
with CircleCI("a-secret-token", base_url="http://127.0.0.1:9", max_retries=0) as client:
    try:
        client.v2.users.me()
    except ConnectionFailedError:
        pass
"""
    environment = {"PATH": "", "PYTHONPATH": ":".join(sys.path), "CIRCLECI_SDK_LOG": value}
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    assert (said in done.stderr) if said else not done.stderr
    assert "a-secret-token" not in done.stderr
