"""The interface of all measured clients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

TOKEN: Final = "benchmark-token"


class BaseClient(ABC):
    """A client of the server at `url`, used as its documentation shows."""

    @abstractmethod
    def __init__(self, url: str) -> None: ...

    async def start(self) -> None:
        """Prepare the client for its first call, if necessary."""
        return

    @abstractmethod
    async def page(self, project: str) -> int:
        """One call: the first page of pipelines of `gh/acme/<project>`, in the types of the client."""

    @abstractmethod
    async def listing(self, project: str) -> int:
        """Iterate over the items of all pages; returns the number of items."""

    @abstractmethod
    async def aclose(self) -> None:
        """Release all resources."""
