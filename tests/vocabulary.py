"""Words that made readers stumble, and the standard term for each.

    python -m tests.vocabulary                 search every tracked file
    python -m tests.vocabulary src tests/wire  search these files and directories

Words are compared without regard to case, and inside of identifiers too: `_is_at_gate` and `AtGate` contain `gate`, and
`navigate` does not. A phrase of several words also matches an identifier: `stopped because` finds `stopped_because`.
Names of files and directories are searched like their contents.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parent.parent

TERMS: Final = {
    "answer answers answered answering": "response, respond",
    "house houses": "architecture",
    "floor floors": "layer; lower bound",
    "room rooms": "module, package; capacity",
    "roof cellar": "top layer, bottom layer",
    "door doors": "entry point, attribute",
    "trip trips": "call, CallResult",
    "travel travels travelled": "is sent",
    "gate gates": "rate limiter",
    "lane lanes": "connection",
    "desk desks": "RequestContext",
    "world worlds": "Store",
    "judge judges judged judging": "validator, validates",
    "crowd crowds": "watchers",
    "strange stranger strangers": "unknown, anonymous",
    "patience": "timeout",
    "grace": "shutdown timeout, delay",
    "heal heals healed": "reset_faults",
    "settle settles settled": "run_until_idle; is final",
    "verdict verdicts": "status, decision",
    "bury buries buried": "close",
    "contestant contestants": "client, competitor",
    "heir heirs": "fork",
    "shout shouts": "notify",
    "tap taps": "subscribe, subscription",
    "trouble troubles": "failure",
    "peace": "normally",
    "books": "bookkeeping",
    "dice": "random numbers, RNG",
    "papers": "documentation",
    "vouch vouches": "authenticate, trust",
    "dearest": "most expensive",
    "authorities": "CA certificates",
    "nobody whoever": "a noun: the caller, no client",
    "tells": "reports, returns",
}
"""Words by their standard term; each also stands in its inflected forms, as far as those were used."""

PHRASES: Final = {
    "a text": "a string, a str",
    "whole number": "integer",
    "whole numbers": "integers",
    "carried out": "processed by the server",
    "carry out": "execute",
    "carries out": "executes",
    "go on": "continue",
    "goes on": "continues",
    "stopped because": "retry_stop_reason",
    "cut frames": "strip_traceback",
    "take turn": "acquire",
    "trusts any": "disables TLS verification",
    "people do": "a noun: helpers, high-level API",
}

EXEMPT: Final = (
    "round trip",
    "round trips",
    "math floor",
    "hello world",
    # The name of a public program.
    "tap circle ci",
    # Names of the API.
    "campfire room",
    "hipchat room",
    "text filter",
)
"""Standard terms and names of the API that contain one of the words."""

EXEMPT_FILES: Final = (
    "CHANGELOG.md",  # lists the old names beside the new ones
    "LICENSE",
    "benchmarks/results/",  # written by a program
    "tests/vocabulary.py",
    "tests/test_vocabulary.py",
)

WORDS: Final = {
    **{word: term for words, term in TERMS.items() for word in words.split()},
    **PHRASES,
}
_PART: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")


def _pattern(phrases: Iterable[str]) -> re.Pattern[str]:
    # Each part of a searched line has a space of its own on either side, so that adjacent words are both found.
    alternatives = sorted((phrase.replace(" ", "  ") for phrase in phrases), key=len, reverse=True)
    return re.compile(f" ({'|'.join(alternatives)}) ")


_SEARCH: Final = _pattern(WORDS)
_EXEMPT: Final = _pattern(EXEMPT)


class Finding(NamedTuple):
    """A word and where it stands; line 0 is the name of the file."""

    file: str
    line: int
    word: str
    text: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.word} ({WORDS[self.word]}): {self.text.strip()[:100]}"


def words_in(text: str) -> list[str]:
    """The stumbling words and phrases in a line, in their order."""
    parts = " " + "  ".join(part.lower() for part in _PART.findall(text)) + " "
    return [match[1].replace("  ", " ") for match in _SEARCH.finditer(_EXEMPT.sub("-", parts))]


def tracked(paths: list[str]) -> list[str]:
    """The files below `paths` that git knows, without those exempt."""
    done = subprocess.run(["git", "ls-files", "-z", "--", *paths], cwd=ROOT, capture_output=True, text=True, check=True)
    return [name for name in done.stdout.split("\0") if name and not name.startswith(EXEMPT_FILES)]


def findings(paths: list[str]) -> Iterator[Finding]:
    """Every stumbling word below `paths`."""
    for name in tracked(paths):
        try:
            lines = (ROOT / name).read_text(encoding="utf-8").splitlines()
        except (UnicodeDecodeError, FileNotFoundError):
            continue
        for number, text in enumerate([name, *lines]):
            for word in words_in(text):
                yield Finding(name, number, word, text)


def main() -> int:
    found = list(findings(sys.argv[1:]))
    print(*found, sep="\n")
    print(f"{len(found)} stumbling words in {len({one.file for one in found})} files.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
