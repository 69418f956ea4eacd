"""A pytest plugin that replaces httpx by httpx2: `python -m pytest -p tests.support.on_httpx2`.

It must be loaded before any import of httpx, other plugins included. `-p` ensures that; a conftest is loaded too late.
"""

from __future__ import annotations

import sys

import httpx2

httpx2.alias_httpx()


def pytest_report_header() -> str:
    """Report the library that `import httpx` actually imports."""
    import httpcore
    import httpx

    assert httpx is httpx2
    assert "circleci_sdk._core.transport.connections" not in sys.modules
    return f"httpx: {httpx.__name__} {httpx.__version__} on {httpcore.__name__}"
