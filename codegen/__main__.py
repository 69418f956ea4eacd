"""`python -m codegen` writes the generated packages and pages; `python -m codegen --check` compares them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from .build import build
from .migration.pages import pages
from .migration.programs import PROGRAMS, program_module
from .migration.source import FILE, read_migration
from .migration.table import PATH, table_module
from .nodes import SpecError
from .sync.files import sync_files
from .sync.refusals import NoSyncFormError
from .tree import Tree, differences, write

ROOT: Final = Path(__file__).resolve().parent.parent
VERSIONS: Final = (("v1.1", "v1"), ("v2", "v2"), ("v3", "v3"))
"""The folder of the specs below `specs`, and the name of the API and of its package."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code is 1 for a stale tree, 2 for an invalid spec or code without a sync form."""
    parser = argparse.ArgumentParser(prog="python -m codegen", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; show what would change")
    parser.add_argument("--specs", type=Path, default=ROOT / "openapi", help="the folder of the specs")
    parser.add_argument("--out", type=Path, default=ROOT / "src" / "circleci_sdk", help="the folder of the packages")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="the folder of the documentation")
    parser.add_argument("--tests", type=Path, default=ROOT / "tests", help="the folder of the tests")
    options = parser.parse_args(arguments)
    try:
        apis = {name: build(options.specs / folder, f"circleci_sdk.{name}", name) for folder, name in VERSIONS}
        sync = sync_files(ROOT / "src" / "circleci_sdk", apis)
        migration = read_migration(options.specs, dict(VERSIONS)) if (options.specs / FILE).is_file() else None
    except (SpecError, NoSyncFormError) as error:
        print(error, file=sys.stderr)
        print("Nothing was written.", file=sys.stderr)
        return 2
    trees: dict[Path, Tree] = {options.out / name: tree for name, tree in apis.items()}
    trees[options.out / "sync"] = sync
    files: dict[Path, Tree] = {}
    if migration is not None:
        files = {
            options.out: {PATH: table_module(migration)},
            options.docs / "migration": pages(migration),
            options.tests: {PROGRAMS: program_module(migration)},
        }
    return _check(trees, files) if options.check else _write(trees, files)


def _check(trees: dict[Path, Tree], files: dict[Path, Tree]) -> int:
    text = "".join(differences(root, tree) for root, tree in trees.items())
    text += "".join(differences(root, tree, whole=False) for root, tree in files.items())
    if text:
        print(text, end="")
        print("The generated packages are stale. Run `python -m codegen` and commit the result.", file=sys.stderr)
    return 1 if text else 0


def _write(trees: dict[Path, Tree], files: dict[Path, Tree]) -> int:
    for root, tree in trees.items():
        write(root, tree)
    for root, tree in files.items():
        write(root, tree, whole=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
