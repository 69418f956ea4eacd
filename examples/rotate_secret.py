"""Replace a secret wherever an organization keeps it, and say in which places it could not be done.

    CIRCLECI_TOKEN=... python examples/rotate_secret.py AWS_SECRET_ACCESS_KEY --org gh/acme --dry-run
    CIRCLECI_TOKEN=... python examples/rotate_secret.py AWS_SECRET_ACCESS_KEY --org gh/acme < new_value.txt
    CIRCLECI_TOKEN=... python examples/rotate_secret.py NPM_TOKEN --org gh/acme --context deploy --project gh/acme/web

The value comes from standard input or is asked for, never from the command line, where others could read it. The
program ends with 1 if any place still has the old value.
"""

import argparse
import sys
from collections.abc import Sequence
from getpass import getpass

import anyio
from pydantic import SecretStr

from circleci_sdk import AsyncCircleCI, CircleCIError


def arguments(given: Sequence[str] | None) -> argparse.Namespace:
    """Which secret, and where."""
    parser = argparse.ArgumentParser(description="Replace a secret everywhere.")
    parser.add_argument("name", help="of the variable")
    parser.add_argument("--org", required=True, help="such as gh/acme, or the id of an organization")
    parser.add_argument("--context", action="append", default=[], help="name or id; may be repeated")
    parser.add_argument("--project", action="append", default=[], help="slug; may be repeated")
    parser.add_argument("--dry-run", action="store_true", help="only say where it would be replaced")
    return parser.parse_args(given)


def read_value() -> SecretStr:
    """The new value, without the line end that files and pipes add."""
    text = getpass("New value: ") if sys.stdin.isatty() else sys.stdin.read()
    return SecretStr(text.removesuffix("\n").removesuffix("\r"))


async def rotate(circleci: AsyncCircleCI, wanted: argparse.Namespace, value: SecretStr) -> None:
    """Replace it and tell each place as it is done. Raises `CircleCIError` that names the places that failed."""
    report = await circleci.secrets.rotate(
        wanted.name,
        value,
        org=wanted.org,
        contexts=wanted.context,
        projects=wanted.project,
        dry_run=wanted.dry_run,
        on_result=print,
    )
    report.raise_for_failure()


async def main(given: Sequence[str] | None = None) -> None:
    """Replace it with the token of the environment."""
    wanted = arguments(given)
    value = SecretStr("not needed") if wanted.dry_run else read_value()
    try:
        async with AsyncCircleCI() as circleci:
            await rotate(circleci, wanted, value)
    except CircleCIError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    anyio.run(main)
