"""Set variables in contexts and projects: `python set_secrets.py gh/acme deploy staging gh/acme/web < secrets.env`.

Standard input has a line NAME=value for each variable; the values are in no argument, which others could read. Names
with two slashes are projects, the others contexts. Exit code: 1 if one of them was not set. Needs CIRCLECI_TOKEN.
"""

import sys

from pydantic import SecretStr

from circleci_sdk import CircleCI, CircleCIError


def read_values() -> dict[str, SecretStr]:
    """The variables of standard input."""
    lines = [line.partition("=") for line in sys.stdin.read().splitlines()]
    if not lines or not all(separator for _, separator, _ in lines):
        sys.exit("Expected lines such as NAME=value on standard input.")
    return {name: SecretStr(value) for name, _, value in lines}


def main(org: str, *targets: str) -> None:
    """Set them, one line of output for each."""
    contexts, projects = ([one for one in targets if (one.count("/") == 2) is wanted] for wanted in (False, True))
    with CircleCI() as circleci:
        report = circleci.secrets.set_many(
            read_values(), org=org, contexts=contexts, projects=projects, on_result=lambda one: print(one, flush=True)
        )
    report.raise_for_failure()


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except CircleCIError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        sys.exit("Interrupted. What was set stays; it may be set again.")
