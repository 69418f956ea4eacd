"""Records on standard error, for the environment variable `CIRCLECI_SDK_LOG`."""

from __future__ import annotations

import logging
import sys
from typing import Final, TextIO

LEVELS: Final = ("debug", "info", "warning", "error")
_FORMAT: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"


class StderrHandler(logging.StreamHandler[TextIO]):
    """Writes to the standard error of the moment, unless a handler of the root logger does: no line comes twice."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record."""
        if not any(getattr(handler, "stream", None) is sys.stderr for handler in logging.getLogger().handlers):
            self.stream = sys.stderr
            super().emit(record)


def set_up(logger: logging.Logger, level: str) -> None:
    """Let a logger, and those below it, write records of this level and above. Of a wrong level a warning says so."""
    if level.lower() not in LEVELS:
        expected = ", ".join(LEVELS)
        logger.warning("CIRCLECI_SDK_LOG: expected one of %s, got %s. It is ignored.", expected, ascii(level[:80]))
        return
    logger.setLevel(level.upper())
    if not any(isinstance(handler, StderrHandler) for handler in logger.handlers):
        handler = StderrHandler()
        handler.setFormatter(logging.Formatter(_FORMAT))
        logger.addHandler(handler)
