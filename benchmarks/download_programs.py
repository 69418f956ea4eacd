"""Programs that download all artifacts of a job into a folder: a plain one on httpx, and one line of circleci_sdk.

Each makes the same requests: one for the list of the artifacts, which has one page, and one for each file, eight at
once. Each has an open client, so that loading certificates and importing is no part of it.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final

import anyio
import httpx

from circleci_sdk import AsyncCircleCI, CircleCI

from .clients.base import TOKEN

AT_ONCE: Final = 8
PROJECT: Final = "gh/acme/web"


@asynccontextmanager
async def raw_httpx(url: str) -> AsyncGenerator[Callable[[int, Path], Awaitable[None]]]:
    """The baseline. It blocks the event loop while it writes, and leaves half a file when it fails."""
    async with httpx.AsyncClient(base_url=url, headers={"Circle-Token": TOKEN}) as client:

        async def download(job: int, folder: Path) -> None:
            response = await client.get(f"/api/v2/project/{PROJECT}/{job}/artifacts")
            response.raise_for_status()
            artifacts = iter(response.json()["items"])
            async with anyio.create_task_group() as group:
                for _ in range(AT_ONCE):
                    group.start_soon(_fetch_each, client, artifacts, folder)

        yield download


async def _fetch_each(client: httpx.AsyncClient, artifacts: Iterator[dict[str, Any]], folder: Path) -> None:
    for artifact in artifacts:
        async with client.stream("GET", artifact["url"]) as response:
            response.raise_for_status()
            with (folder / artifact["path"]).open("wb") as file:
                async for chunk in response.aiter_bytes():
                    file.write(chunk)


@asynccontextmanager
async def circleci_sdk(url: str) -> AsyncGenerator[Callable[[int, Path], Awaitable[None]]]:
    """The async client."""
    async with AsyncCircleCI(TOKEN, base_url=url) as client:

        async def download(job: int, folder: Path) -> None:
            report = await client.artifacts.download(PROJECT, job, folder, concurrency=AT_ONCE)
            report.raise_for_failure()

        yield download


@contextmanager
def circleci_sdk_without_await(url: str) -> Generator[Callable[[int, Path], None]]:
    """The sync client."""
    with CircleCI(TOKEN, base_url=url) as client:

        def download(job: int, folder: Path) -> None:
            client.artifacts.download(PROJECT, job, folder, concurrency=AT_ONCE).raise_for_failure()

        yield download
