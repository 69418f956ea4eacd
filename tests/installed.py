"""The check of `nox -s build` in an environment with nothing but the installed package.

Every module imports without the development tools, and a call works. Only modules that need an extra may miss it.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import pkgutil
import sys
from pathlib import Path

import httpx

import circleci_sdk

NEEDS_AN_EXTRA = ("circleci_sdk.testing",)


def response(request: httpx.Request) -> httpx.Response:
    """One user."""
    return httpx.Response(
        200, json={"id": "8e3f8a1b-6f0c-4a57-9d43-0a6f3a0b7f11", "login": "ada", "name": request.url.path}
    )


async def call() -> None:
    async with circleci_sdk.AsyncCircleCI("a-token", transport=httpx.MockTransport(response)) as circleci:
        me = await circleci.v2.users.me()
    assert (me.login, me.name) == ("ada", "/api/v2/me")


def main() -> None:
    place = Path(circleci_sdk.__file__ or "")
    assert place.is_relative_to(sys.prefix), f"{place} is not the installed package"
    assert (place.parent / "py.typed").is_file()
    for module in pkgutil.walk_packages(circleci_sdk.__path__, "circleci_sdk."):
        if not module.name.startswith(NEEDS_AN_EXTRA):
            importlib.import_module(module.name)
    for version in ("v1", "v2", "v3"):
        json.loads((place.parent / version / "openapi.json").read_text(encoding="utf-8"))
    asyncio.run(call())
    print(f"circleci_sdk {circleci_sdk.__version__} works from {place.parent}")


if __name__ == "__main__":
    main()
