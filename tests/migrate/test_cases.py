"""What the command finds in synthetic files: calls that end, calls of other clients, and nothing else.

Each file in `cases` holds files. After each of those come parts of the lines whose calls end (`=== ends`), and of those
with other calls of clients (`=== client`). `part@1` is the first of several such lines.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final, NamedTuple

import pytest

from circleci_sdk.migrate._findings import Finding
from circleci_sdk.migrate._scan import Scan


class Case(NamedTuple):
    path: str
    content: str
    ends: list[int]
    clients: list[int]


def line_of(content: str, part: str) -> int:
    part, _, number = part.partition("@") if re.search(r"@\d$", part) else (part, "", "")
    lines = [at for at, line in enumerate(content.splitlines(), 1) if part in line]
    assert len(lines) == 1 or number, f"{part!r} is in the lines {lines}"
    return lines[int(number or 1) - 1]


def cases(text: str) -> list[Case]:
    found: list[Case] = []
    parts = re.split(r"^=== (.*)\n", text, flags=re.MULTILINE)[1:]
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name not in ("ends", "client"):
            found.append(Case(name, body, [], []))
            continue
        lines = found[-1].ends if name == "ends" else found[-1].clients
        lines += [line_of(found[-1].content, part) for part in body.splitlines() if part]
    return found


CASES: Final = [
    pytest.param(case, id=f"{file.stem}-{case.path.rpartition('/')[2]}")
    for file in sorted((Path(__file__).parent / "cases").glob("*.txt"))
    for case in cases(file.read_text(encoding="utf-8"))
]


def found_in(case: Case) -> list[Finding]:
    scan = Scan()
    scan.add_bytes(case.path, case.content.encode())
    return scan.findings


@pytest.mark.parametrize("case", CASES)
def test_what_ends_is_found_and_nothing_else(case: Case) -> None:
    found = found_in(case)
    assert sorted(each.line for each in found if each.is_ending) == sorted(case.ends)
    assert sorted(each.line for each in found if not each.is_ending) == sorted(case.clients)
    assert all(each.use or "runner" in each.title for each in found)
