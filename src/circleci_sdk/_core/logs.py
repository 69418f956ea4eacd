"""The logger of the package. Each record is one line, without control characters of a server.

The environment variable `CIRCLECI_SDK_LOG` is read when this module is loaded, with the first client.
"""

from __future__ import annotations

import logging
import os
from typing import Final

from .printable import printable


class _Printable(logging.Filter):
    """Makes the texts of a record printable, those of exceptions included."""

    def filter(self, record: logging.LogRecord) -> bool:
        if isinstance(record.args, tuple):
            record.args = tuple(arg if isinstance(arg, int | float) else printable(str(arg)) for arg in record.args)
        if record.exc_info and not record.exc_text:
            trace = logging.Formatter().formatException(record.exc_info)
            shown = printable(trace, lines=True)
            if shown != trace:
                record.exc_text = shown  # formatters use it in place of the exception
        return True


def logger_named(name: str) -> logging.Logger:
    """The logger with this name, whose records are printable."""
    found = logging.getLogger(name)
    if not any(isinstance(one, _Printable) for one in found.filters):
        found.addFilter(_Printable())
    return found


logger: Final[logging.Logger] = logger_named("circleci_sdk")

if _level := os.environ.get("CIRCLECI_SDK_LOG"):
    from circleci_sdk._log_output import set_up

    set_up(logger, _level)
