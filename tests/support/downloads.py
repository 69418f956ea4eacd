"""Downloads by address, for tests."""

from __future__ import annotations

from typing import Any

from circleci_sdk import AsyncCircleCI
from circleci_sdk.helpers._downloads.download import Download, download_of


def fetch(client: AsyncCircleCI, url: str, *, timeout: float | None = 50, **options: Any) -> Download:
    """A download that has not begun."""
    caller = client._caller  # pyright: ignore[reportPrivateUsage]  # downloads by address have no public name
    return download_of(caller, url, label="artifacts.download", timeout=timeout, **options)


async def read(download: Download) -> bytes:
    """All of it."""
    async with download:
        return b"".join([piece async for piece in download])
