"""Try what a network, a server, a disk and a user can do wrong: `python -m tests.attack`, in CI not at all.

It makes at most the tries of each kind, stops in time with those that it made, prints the counts and every broken
promise, and exits with 1 if there is one. `--write` writes the page of the docs.
"""

from __future__ import annotations

import argparse
import multiprocessing
import sys
import time
from concurrent.futures import ProcessPoolExecutor
from typing import Final

from tests.attack.kinds import chosen
from tests.attack.table import PAGE, rendered
from tests.attack.tries import Seen, one_try, tries_of

BACKENDS: Final = ("asyncio", "trio")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.attack", description=__doc__)
    parser.add_argument("words", nargs="*", help="only kinds whose name contains one of these")
    parser.add_argument("--seed", type=int, default=13)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--write", action="store_true", help="write the page of the docs")
    parser.add_argument("--only", type=int, metavar="INDEX", help="make this one try of each kind, on asyncio and trio")
    options = parser.parse_args()
    kinds = chosen(options.words)
    if options.only is not None:
        for kind in kinds:
            for backend in BACKENDS:
                print(f"{kind.fault}, {backend}: {one_try(kind, backend, options.seed, options.only)}")
        return 0

    seen = {kind.fault: Seen() for kind in kinds}
    # The clock is the one of the machine, so that the processes stop together.
    until = time.monotonic() + options.minutes * 60
    with ProcessPoolExecutor(len(BACKENDS), multiprocessing.get_context("spawn")) as pool:
        work = [pool.submit(tries_of, options.words, backend, options.seed, until) for backend in BACKENDS]
        for part in (one.result() for one in work):
            for fault, one in part.items():
                seen[fault].add(one)
    page = rendered(seen, options.seed)
    print(page)
    planned = 2 * sum(kind.tries for kind in kinds)
    print(f"{planned:,} tries were planned.")
    broken = [text for one in seen.values() for text in one.broken]
    print(*broken, f"{len(broken)} broken promises.", sep="\n")
    if options.write and not broken:
        PAGE.write_text(page, encoding="utf-8")
    return int(bool(broken))


if __name__ == "__main__":
    sys.exit(main())
