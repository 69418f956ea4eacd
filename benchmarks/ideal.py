"""Plain httpx programs that make the calls of the helpers with the best possible overlap.

Each call starts as soon as it may: when what it needs is there, and one of the allowed calls at once is free. They know
beforehand what a helper has to find out, such as which pipeline will match. They check no argument, retry nothing and
read JSON into dictionaries.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from .sites import NAMES, SLUG


class Ideal:
    """A client with at most `limit` calls at once."""

    def __init__(self, url: str, token: str, limit: int) -> None:
        headers = {"Circle-Token": token, "Authorization": f"Bearer {token}"}
        self._http = httpx.AsyncClient(base_url=url, headers=headers, timeout=60)
        self._limit = asyncio.Semaphore(limit)

    async def __aenter__(self) -> Ideal:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._http.aclose()

    async def _call(self, method: str, path: str, **options: Any) -> httpx.Response:
        async with self._limit:
            response = await self._http.request(method, path, **options)
        response.raise_for_status()
        return response

    async def _get(self, path: str, **query: Any) -> Any:
        return (await self._call("GET", path, params=query)).json()

    async def explain(self, jobs: Sequence[tuple[str, int]]) -> list[Any]:
        """The output of the failed steps and the failed tests of jobs with these ids and numbers."""

        async def output(job_id: str) -> list[list[str]]:
            job = await self._get(f"/api/v3/jobs/{job_id}")
            executions = job["data"]["attributes"]["parallel_executions"]
            failed = [
                (at, step["num"]) for at, one in enumerate(executions) for step in one["steps"] if step["exit_code"]
            ]
            found = await asyncio.gather(*(stdout(job_id, execution, number) for execution, number in failed))
            return [text.splitlines()[-50:] for text in found]

        async def stdout(job_id: str, execution: int, number: int) -> str:
            query = {"filter[step_num]": number, "filter[execution]": execution}
            headers = {"Range": "bytes=0-"}
            return (await self._call("GET", f"/api/v3/jobs/{job_id}/stdout", params=query, headers=headers)).text

        async def tests(number: int) -> list[Any]:
            found = await self._get(f"/api/v2/project/{SLUG}/{number}/tests")
            return [one for one in found["items"] if one["result"] != "success"]

        return await asyncio.gather(
            *(output(job_id) for job_id, _ in jobs),
            self._get(f"/api/v2/insights/{SLUG}/flaky-tests"),
            *(tests(number) for _, number in jobs),
        )

    async def history(self) -> list[Any]:
        """All pipelines with their workflows and the jobs of these."""

        async def content(pipeline: Any) -> tuple[Any, list[Any]]:
            found = await self._get(f"/api/v2/pipeline/{pipeline['id']}/workflow")
            workflows = found["items"]
            jobs = await asyncio.gather(*(self._get(f"/api/v2/workflow/{one['id']}/job") for one in workflows))
            return pipeline, list(zip(workflows, jobs, strict=True))

        async with asyncio.TaskGroup() as group:
            tasks: list[asyncio.Task[Any]] = []
            query: dict[str, str] = {}
            while True:
                page = await self._get(f"/api/v2/project/{SLUG}/pipeline", **query)
                tasks += [group.create_task(content(one)) for one in page["items"]]
                if page["next_page_token"] is None:
                    break
                query = {"page-token": page["next_page_token"]}
        return [task.result() for task in tasks]

    async def set_many(self, contexts: Sequence[str]) -> list[Any]:
        """Set the variables in contexts with these ids."""
        paths = [f"/api/v2/context/{one}/environment-variable/{name}" for one in contexts for name in NAMES]
        return await asyncio.gather(*(self._call("PUT", path, json={"value": "secret"}) for path in paths))

    async def latest(self, at: int) -> list[Any]:
        """The artifacts of the pipeline at this place of the list. It is known beforehand."""
        page = await self._get(f"/api/v2/project/{SLUG}/pipeline")
        paths = [f"/api/v2/pipeline/{one['id']}/workflow" for one in page["items"][: at + 1]]
        workflow = (await asyncio.gather(*map(self._get, paths)))[at]["items"][0]
        jobs = await self._get(f"/api/v2/workflow/{workflow['id']}/job")
        numbers = [job["job_number"] for job in jobs["items"]]
        return await asyncio.gather(*(self._get(f"/api/v2/project/{SLUG}/{one}/artifacts") for one in numbers))

    async def find(self, revision: str) -> Any:
        """The newest run of a commit."""
        projects = await self._get("/api/v3/projects", **{"filter[slug]": SLUG})
        now = datetime.now(UTC)
        body = {
            "scope": {
                "project_ids": [projects["data"][0]["id"]],
                "from": (now - timedelta(days=90)).isoformat(),
                "to": now.isoformat(),
            },
            "filter": f'pipeline.git.revision == "{revision}"',
            "page": {"limit": 20},
        }
        return (await self._call("POST", "/api/v3/runs/search", json=body)).json()["data"][0]
