"""circleci_sdk with httpx2 aliased as httpx. Requires a separate process: the alias precedes the first import."""

from __future__ import annotations

from importlib import import_module

import_module("httpx2").alias_httpx()
Client = import_module("benchmarks.clients.sdk").Client
