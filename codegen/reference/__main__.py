"""`python -m codegen.reference` writes the pages of each version of the API, for the documentation site."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from codegen.nodes import SpecError
from codegen.tree import write

from .api import read_api
from .site import pages

ROOT: Final = Path(__file__).resolve().parent.parent.parent
VERSIONS: Final = (("v1.1", "v1"), ("v2", "v2"), ("v3", "v3"))
"""The folder of the specs, and the name of the API."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code is 2 for an invalid spec."""
    parser = argparse.ArgumentParser(prog="python -m codegen.reference", description=__doc__)
    parser.add_argument("--specs", type=Path, default=ROOT / "openapi", help="the folder of the specs")
    parser.add_argument("--out", type=Path, default=ROOT / "docs" / "reference", help="the folder of the pages")
    options = parser.parse_args(arguments)
    try:
        apis = [read_api(options.specs / folder, name) for folder, name in VERSIONS]
    except SpecError as error:
        print(error, file=sys.stderr)
        return 2
    for api in apis:
        write(options.out / api.name, pages(api))
    return 0


if __name__ == "__main__":
    sys.exit(main())
