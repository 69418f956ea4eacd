"""Replace a secret in all contexts and projects of an organization that have it, and report failures.

    CIRCLECI_TOKEN=... python examples/rotate_secret.py AWS_SECRET_ACCESS_KEY --org gh/acme --dry-run
    CIRCLECI_TOKEN=... python examples/rotate_secret.py AWS_SECRET_ACCESS_KEY --org gh/acme < new_value.txt
    CIRCLECI_TOKEN=... python examples/rotate_secret.py NPM_TOKEN --org gh/acme --context deploy --project gh/acme/web

The value comes from standard input or is asked for, never from the command line, where others could read it. The
program ends with 1 if any of them still has the old value.
"""

import argparse
import sys
from collections.abc import Sequence
from getpass import getpass

import anyio
from pydantic import SecretStr

from circleci_sdk import AsyncCircleCI, CircleCIError


def read_arguments(words: Sequence[str] | None) -> argparse.Namespace:
    """The variable and its contexts and projects."""
    parser = argparse.ArgumentParser(description="Replace a secret everywhere.")
    parser.add_argument("name", help="of the variable")
    parser.add_argument("--org", required=True, help="such as gh/acme, or the id of an organization")
    parser.add_argument("--context", action="append", default=[], help="name or id; may be repeated")
    parser.add_argument("--project", action="append", default=[], help="slug; may be repeated")
    parser.add_argument("--dry-run", action="store_true", help="only report what would be replaced")
    return parser.parse_args(words)


def read_value() -> SecretStr:
    """The new value, without the line end that files and pipes add."""
    text = getpass("New value: ") if sys.stdin.isatty() else sys.stdin.read()
    return SecretStr(text.removesuffix("\n").removesuffix("\r"))


async def rotate(circleci: AsyncCircleCI, asked: argparse.Namespace, value: SecretStr) -> None:
    """Replace it and print each result. Raises `CircleCIError` that lists the failures."""
    report = await circleci.secrets.rotate(
        asked.name,
        value,
        org=asked.org,
        contexts=asked.context,
        projects=asked.project,
        dry_run=asked.dry_run,
        on_result=print,
    )
    report.raise_for_failure()


async def main(words: Sequence[str] | None = None) -> None:
    """Run with the token of the environment."""
    asked = read_arguments(words)
    value = SecretStr("not needed") if asked.dry_run else read_value()
    try:
        async with AsyncCircleCI() as circleci:
            await rotate(circleci, asked, value)
    except CircleCIError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    anyio.run(main)
