"""The interface of all measured clients without `await`."""

from __future__ import annotations

from abc import ABC, abstractmethod


class BaseClient(ABC):
    """A client of the server at `url`, used as its documentation shows, by several threads at once."""

    @abstractmethod
    def __init__(self, url: str) -> None: ...

    @abstractmethod
    def page(self, project: str) -> int:
        """One call: the first page of pipelines of `gh/acme/<project>`, in the types of the client."""

    @abstractmethod
    def listing(self, project: str) -> int:
        """Iterate over the items of all pages; returns the number of items."""

    @abstractmethod
    def close(self) -> None:
        """Release all resources."""
