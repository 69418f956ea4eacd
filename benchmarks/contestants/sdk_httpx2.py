"""circleci_sdk with httpx2 under httpx's name. For a process of its own: it must come before the first import."""

from __future__ import annotations

from importlib import import_module

import_module("httpx2").alias_httpx()
Client = import_module("benchmarks.contestants.sdk").Client
