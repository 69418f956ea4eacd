"""circleci_sdk with a transport passed by the user: aiohttp, asyncio only."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from . import sdk

httpx_aiohttp: Any = import_module("httpx_aiohttp")


class Client(sdk.Client):
    """The transport is borrowed by the client, so it is closed here."""

    def __init__(self, url: str) -> None:
        self._transport = httpx_aiohttp.AiohttpTransport()
        super().__init__(url, transport=self._transport)

    async def aclose(self) -> None:
        await super().aclose()
        await self._transport.aclose()
