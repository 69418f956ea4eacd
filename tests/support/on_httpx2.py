"""A plugin of pytest that puts httpx2 in the place of httpx: `python -m pytest -p tests.support.on_httpx2`.

It has to come before everybody who imports httpx, other plugins included. With `-p` it does; a conftest comes too late.
"""

from __future__ import annotations

import sys

import httpx2

httpx2.alias_httpx()


def pytest_report_header() -> str:
    """Say what the run is about, from what an import really gives."""
    import httpcore
    import httpx

    assert httpx is httpx2
    assert "circleci_sdk._core.transport.connections" not in sys.modules
    return f"httpx: {httpx.__name__} {httpx.__version__} on {httpcore.__name__}"
