"""What every contestant can do."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Final

TOKEN: Final = "benchmark-token"


class Contestant(ABC):
    """A client of the server at `url`, used the way its own documentation shows."""

    @abstractmethod
    def __init__(self, url: str) -> None: ...

    async def start(self) -> None:
        """What the client wants to be done before its first call, if anything."""
        return

    @abstractmethod
    async def page(self, project: str) -> int:
        """One call: the first page of pipelines of `gh/acme/<project>`, as typed as the client makes it."""

    @abstractmethod
    async def listing(self, project: str) -> int:
        """All pages, one after the other, and a look at each item; gives the number of items."""

    @abstractmethod
    async def aclose(self) -> None:
        """Give everything back."""
