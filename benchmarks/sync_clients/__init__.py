"""The measured clients without `await`. Each module opens one client as its documentation shows, see `base.py`."""

from __future__ import annotations

from typing import Final

from benchmarks.clients import Entry

BASIS: Final = "models_httpx"
ENTRIES: Final = (
    Entry("models_httpx", "`httpx.Client` with pydantic models", ("httpx",), note="`Page.model_validate_json`"),
    Entry("raw_httpx", "raw `httpx.Client`, `.json()`", ("httpx",)),
    Entry("sdk", "circleci_sdk, `CircleCI`", ()),
    Entry("openai_client", "openai", ("openai",), note="`OpenAI.get(cast_to=...)`; built on httpx2"),
    Entry("pycircleci_client", "pycircleci", ("pycircleci",), note="plain dicts; built on requests"),
)
