"""The measured clients. Each module opens one client as its documentation shows; `base.py` is their interface."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Entry:
    """A client: its module, its label in tables, and a note on the comparison."""

    module: str
    label: str
    needs: tuple[str, ...]
    backends: tuple[str, ...] = ("asyncio",)
    note: str = ""


BASIS: Final = "raw_httpx"
OURS: Final = "sdk"
ENTRIES: Final = (
    Entry("raw_httpx", "raw httpx, `.json()`", ("httpx",), ("asyncio", "trio")),
    Entry("sdk", "circleci_sdk", (), ("asyncio", "trio")),
    Entry(
        "sdk_httpx2",
        "circleci_sdk on httpx2",
        ("httpx2",),
        ("asyncio", "trio"),
        "`httpx2.alias_httpx()` before the first import",
    ),
    Entry("sdk_aiohttp", "circleci_sdk on httpx-aiohttp", ("httpx_aiohttp",), note="`transport=AiohttpTransport()`"),
    Entry("raw_aiohttp", "raw aiohttp, `.json()`", ("aiohttp",)),
    Entry("openai_client", "openai", ("openai",), note="`AsyncOpenAI.get(cast_to=...)`; built on httpx2"),
    Entry("githubkit_client", "githubkit", ("githubkit",), note="`arequest(response_model=...)`, its HTTP cache off"),
    Entry(
        "pycircleci_client",
        "pycircleci-async",
        ("pycircleci_async",),
        note="plain dicts; installed against its own version bound, an httpx of 2022",
    ),
    Entry(
        "generated_client",
        "datamodel-code-generator's client",
        ("benchmarks_generated_client",),
        note="generated from our spec of v2; built on httpx2",
    ),
)
