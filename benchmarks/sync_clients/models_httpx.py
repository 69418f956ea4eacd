"""httpx with handwritten pydantic models: the basis of all ratios, with types but nothing else of a client library."""

from __future__ import annotations

from benchmarks.plain import Page

from . import raw_httpx


class Client(raw_httpx.Client):
    """One `httpx.Client`; each body is validated."""

    def page(self, project: str) -> int:
        return len(Page.model_validate_json(self.get(project).content).items)

    def listing(self, project: str) -> int:
        count, params = 0, None
        while True:
            page = Page.model_validate_json(self.get(project, params).content)
            for item in page.items:
                count += item.number >= 0
            if not page.next_page_token:
                return count
            params = {"page-token": page.next_page_token}
