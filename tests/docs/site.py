"""`python -m tests.docs.site build/site`: every public name has a section in the built site, which loads nothing.

The names are those of `tests/public_names.txt`. A member that a class inherits from a private base, and a method with
two underscores, needs no section of its own.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

NAMES: Final = Path(__file__).parent.parent / "public_names.txt"
_NAME: Final = re.compile(r"(?:(?!#)[a-z]+ )*([\w.]+)")
_ID: Final = re.compile(r'\bid="([^"]+)"')
_LOADED: Final = re.compile(r'<(?:script|img|iframe)\b[^>]*\bsrc="(https?:[^"]*)|<link\b[^>]*\bhref="(https?:[^"]*)')
_APIS: Final = ("v1", "v2", "v3")


def main(arguments: Sequence[str]) -> int:
    """The exit code is 1 if a name is missing, or a page loads something from elsewhere."""
    pages = {path: path.read_text(encoding="utf-8") for path in sorted(Path(arguments[0]).rglob("*.html"))}
    anchors = {anchor for text in pages.values() for anchor in _ID.findall(text)}
    names = list(dict.fromkeys(public_names(NAMES.read_text(encoding="utf-8"))))
    missing = [name for name in names if not anchors.intersection(sections(name))]
    for name in missing:
        print(f"circleci_sdk.{name} has no section. Add it to the page of its package in docs/reference/.")
    loaded = [(path, *urls) for path, text in pages.items() for urls in _LOADED.findall(text)]
    for path, *urls in loaded:
        print(f"{path} loads {''.join(urls)}.")
    print(f"{len(pages)} pages, {len(names)} public names, {len(missing)} of them without a section.")
    return 1 if missing or loaded else 0


def public_names(listing: str) -> Iterator[str]:
    """The names in the listing that need a section."""
    for line in listing.splitlines():
        if match := _NAME.match(line):
            name = match[1]
            parts = name.split(".")
            is_private = any(part.startswith("_") for part in parts) and name != "__version__"
            if not is_private and parts[-1] != "model_config" and not _is_module_of_bases(parts):
                yield name


def sections(name: str) -> Iterator[str]:
    """The anchors of which one is the section of a name."""
    yield f"circleci_sdk.{name}"
    first, _, rest = name.partition(".")
    operation = re.sub(r"^V\d\.", "", rest)  # of a resource
    if first in _APIS:
        yield f"{first}.{operation}"
    if first == "sync":  # the resources of `CircleCI` are those of `AsyncCircleCI`
        yield from (f"{api}.{operation}" for api in _APIS)
    if first in ("sync", "webhooks"):  # what they offer a second time
        yield f"circleci_sdk.{rest}"
    if match := re.match(r"(v\d\.models\.\w+Dict)\.\w+", name):  # its keys are those of the model
        yield f"circleci_sdk.{match[1]}"


def _is_module_of_bases(parts: Sequence[str]) -> bool:
    """The listing has private bases of public classes under their modules."""
    return parts[0] in ("helpers", "webhooks") and len(parts) > 1 and parts[1].islower() and len(parts) > 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
