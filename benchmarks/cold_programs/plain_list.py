import asyncio
import sys
from datetime import datetime
from typing import Any

import httpx
from pydantic import BaseModel


class Pipeline(BaseModel):
    id: str
    project_slug: str
    number: int
    state: str
    created_at: datetime
    updated_at: datetime | None = None
    errors: list[dict[str, Any]]
    trigger: dict[str, Any]
    vcs: dict[str, Any] | None = None
    trigger_parameters: dict[str, Any] | None = None


async def main() -> None:
    async with httpx.AsyncClient(base_url=sys.argv[1], headers={"Circle-Token": "token"}) as client:
        response = await client.get("/api/v2/project/gh/acme/web/pipeline")
        response.raise_for_status()
        pipeline = Pipeline.model_validate(response.json()["items"][0])
        assert pipeline.number == 1


asyncio.run(main())
