"""Specs of the codegen tests, and the packages generated from them."""

from __future__ import annotations

import shutil
from pathlib import Path

from codegen.build import build
from codegen.tree import write

HERE = Path(__file__).parent
SPECS = HERE / "specs"
GOLDEN = HERE / "golden"


def spec_folder(case: str, folder: Path) -> Path:
    """The folder of a spec: an existing one, or a new one with the common main file and the file of the case."""
    if (SPECS / case).is_dir():
        return SPECS / case
    together = folder / "things"
    together.mkdir(parents=True)
    shutil.copy(SPECS / "openapi.yaml", together)
    shutil.copy(SPECS / f"{case}.yaml", together / "thing.yaml")
    return together


def built(case: str, folder: Path, package: str = "things_sdk.v9") -> dict[str, str]:
    """Every file of the package generated from a spec."""
    return build(spec_folder(case, folder), package, "v9")


def installed(case: str, folder: Path, distribution: str) -> Path:
    """Writes the package generated from a spec as `<distribution>.v9` below the folder."""
    package = folder / distribution / "v9"
    write(package, built(case, folder / "specs", f"{distribution}.v9"))
    (package.parent / "__init__.py").touch()
    (package.parent / "py.typed").touch()
    return package
