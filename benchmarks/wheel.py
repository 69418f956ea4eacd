"""The size of the wheel. The number of bytes does not depend on the machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from pathlib import Path
from typing import Final

from .stats import Figure
from .tables import Budget, Report, Row, Run, Table

_ROOT: Final = Path(__file__).parent.parent
_METADATA: Final = "metadata and archive directory"
_OBSTACLE: Final = (
    "a third is docstrings, a tenth the archive's directory of some 520 files; without any docstring it is 665 kB. "
    "Only a second distribution for the fake server brings much, and that one alone is not enough"
)


def report(run: Run) -> Report:
    """The wheel and its parts, compressed, in kB."""
    try:
        whole, parts = measure()
    except RuntimeError as error:
        run.notes.append(f"The wheel was not built: {error}")
        return Report()
    rows = [Row(name, (_kilobytes(size),)) for name, size in parts.most_common()]
    table = Table("Wheel", "Compressed size of each part in kB.", ("kB",), tuple(rows))
    return Report([Budget("wheel, kB", _kilobytes(whole), None, 600, _OBSTACLE)], (table,))


def measure() -> tuple[int, Counter[str]]:
    """The bytes of the wheel, and of each package in it."""
    with tempfile.TemporaryDirectory() as folder:
        command = (sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, str(_ROOT))
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr.strip().splitlines()[-1])
        wheel = next(Path(folder).glob("*.whl"))
        whole, parts = wheel.stat().st_size, Counter[str]()
        with zipfile.ZipFile(wheel) as archive:
            for entry in archive.infolist():
                first, _, rest = entry.filename.partition("/")
                is_package = first == "circleci_sdk" and "/" in rest
                if first == "circleci_sdk":
                    parts[rest.partition("/")[0] if is_package else "modules at the top"] += entry.compress_size
    parts[_METADATA] = whole - sum(parts.values())
    return whole, parts


def _kilobytes(size: int) -> Figure:
    return Figure.of([size / 1000])
