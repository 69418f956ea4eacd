"""Finds calls that CircleCI ends, and calls of other clients, in a code base. It changes nothing."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from ._report import as_json, as_text
from ._scan import Scan


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns 0 if nothing was found, 1 if something was, 2 for a path that does not exist."""
    parser = argparse.ArgumentParser(
        prog="python -m circleci_sdk.migrate",
        description=__doc__,
        epilog="The exit status is 0 if nothing was found, 1 if something was found, 2 for wrong arguments.",
    )
    parser.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a file or a folder")
    parser.add_argument("--format", choices=["text", "json"], default="text", help="the output (default: text)")
    given = parser.parse_args(arguments)
    for path in given.paths:
        if not path.exists():
            parser.error(f"{path} does not exist")
    scan = Scan()
    scan.add(given.paths)
    try:
        print(as_json(scan) if given.format == "json" else as_text(scan), flush=True)
    except BrokenPipeError:  # of `head`, for instance
        sys.stdout = None  # which the interpreter flushes at its end
    return 1 if scan.findings else 0


if __name__ == "__main__":
    sys.exit(main())
