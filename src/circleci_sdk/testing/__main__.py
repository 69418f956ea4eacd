"""Serves a fake on a port, for programs in any language.

    python -m circleci_sdk.testing --port 8080 --scenario demo

It needs the extra `testing`. The page at `/` shows projects, runs and their states.
"""

from __future__ import annotations

import argparse
import sys
import threading  # noqa: TID251  # the main thread only waits
from collections.abc import Sequence
from datetime import UTC, date, datetime

from ._demo import WEBHOOK_SECRET, WEBHOOK_URL
from ._fake import FakeCircleCI
from ._servers.server import MissingExtraError
from ._store.scenarios import SCENARIOS
from ._store.store import API_DATE


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve a scenario until interrupted. Returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m circleci_sdk.testing",
        description="Serve a fake CircleCI on a port of this machine.",
        epilog="Scenarios: "
        + " ".join(f"{name}: {(make.__doc__ or '').splitlines()[0]}" for name, make in SCENARIOS.items()),
    )
    parser.add_argument("--port", type=int, default=8080, help="the port; 0 for a free one (default: 8080)")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on (default: 127.0.0.1)")
    parser.add_argument("--scenario", default="demo", choices=sorted(SCENARIOS), help="the state (default: demo)")
    parser.add_argument("--speed", type=float, default=1.0, help="speed of its clock; 1 is real time (default: 1)")
    parser.add_argument("--token", default="fake-token", help="the accepted token (default: fake-token)")
    parser.add_argument(
        "--api-date",
        type=_day,
        default=API_DATE,
        metavar="YYYY-MM-DD",
        help=f"the day whose API is served (default: {API_DATE})",
    )
    parser.add_argument("--server", action="store_true", help="a CircleCI Server, which has no API v3")
    given = parser.parse_args(arguments)
    fake = FakeCircleCI.scenario(
        given.scenario,
        token=given.token,
        start=datetime.now(UTC),
        speed=given.speed,
        api_date=given.api_date,
        server=given.server,
    )
    try:
        with fake.serve(host=given.host, port=given.port) as server:
            print(f"FakeCircleCI is at {server.base_url} (token: {given.token}). Stop it with Ctrl-C.", flush=True)
            print(f"Its clock is at {fake.clock.now:%Y-%m-%d %H:%M:%S} UTC, with speed {given.speed:g}.", flush=True)
            if given.scenario == "demo":
                print(f"Its webhook sends to {WEBHOOK_URL}, signed with {WEBHOOK_SECRET!r}.", flush=True)
            threading.Event().wait()
    except KeyboardInterrupt:
        return 0
    except (MissingExtraError, OSError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"expected YYYY-MM-DD, got {text!r}") from None


if __name__ == "__main__":
    sys.exit(main())
