"""Findings as text for people, and as JSON for programs."""

from __future__ import annotations

import json
import textwrap
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ._findings import Finding
    from ._scan import Scan


def as_text(scan: Scan) -> str:
    """The findings by file, and a line with their numbers."""
    parts = [_text(each) for each in scan.findings]
    parts += [f"{note.path}: {note.sentence}" for note in scan.notes]
    return "\n".join([*parts, _summary(scan)])


def as_json(scan: Scan) -> str:
    """The findings as objects."""
    findings = [each._asdict() for each in scan.findings]
    notes = [note._asdict() for note in scan.notes]
    return json.dumps({"findings": findings, "notes": notes, "files": scan.read}, indent=2)


def _text(finding: Finding) -> str:
    if not finding.is_ending:
        title = finding.title
    elif finding.ends is None:
        title = f"ends: {finding.title}"
    else:
        title = f"ends on {finding.ends}: {finding.title}"
    lines = [f"{finding.path}:{finding.line}:{finding.column}: {title}"]
    if finding.use:
        lines.append(f"    use: {finding.use}")
    if finding.remark:
        lines += textwrap.wrap(finding.remark, 112, initial_indent="    ", subsequent_indent="    ")
    return "\n".join([*lines, f"    see: {finding.page}"])


def _summary(scan: Scan) -> str:
    ending = sum(each.is_ending for each in scan.findings)
    others = len(scan.findings) - ending
    places = len({each.path for each in scan.findings})
    calls = f"{ending} {'call ends' if ending == 1 else 'calls end'}"
    clients = f"{others} other {'call' if others == 1 else 'calls'} of replaced clients"
    where = f"in {places} of {scan.read} {'file' if scan.read == 1 else 'files'}"
    return f"{calls}, {clients}, {where}."
