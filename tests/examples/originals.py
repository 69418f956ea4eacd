"""What seven public programs do with CircleCI, modeled on plain httpx: the ports in `examples` do the same.

Each function models the requests of one program and what it does with their responses, as far as a fault of CircleCI
meets it. Nothing is copied: names, structure and output are new, and a wait is a call of `wait`. The programs are named
in `docs/recipes/ports.md`.
"""

from __future__ import annotations

import gzip
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeAlias

import httpx

Json: TypeAlias = Any
Wait: TypeAlias = Callable[[], object]


def read(api: httpx.Client, path: str, **query: str) -> Json:
    """The body of a response; raises for a status of an error."""
    return api.get(path, params=query).raise_for_status().json()


def logs_for_an_agent(api: httpx.Client, project: str, branch: str) -> dict[str, list[str]]:
    """The details of every job with a number, approvals included; then the output of actions marked as failed."""
    pipeline = read(api, f"/api/v2/project/{project}/pipeline", branch=branch)["items"][0]
    workflows = read(api, f"/api/v2/pipeline/{pipeline['id']}/workflow")["items"]
    jobs = [job for one in workflows for job in read(api, f"/api/v2/workflow/{one['id']}/job")["items"]]
    numbers = [job["job_number"] for job in jobs if job.get("job_number") is not None]
    builds = [read(api, f"/api/v1.1/project/{project.replace('gh/', 'github/')}/{number}") for number in numbers]
    return {
        build["workflows"]["job_name"]: [
            httpx.get(action["output_url"], trust_env=False).text
            for step in build["steps"]
            for action in step["actions"]
            if action["failed"] is True
        ]
        for build in builds
    }


def usage_of_organizations(
    api: httpx.Client, organizations: Sequence[str], start: str, end: str, folder: Path, wait: Wait
) -> list[Path]:
    """One export for all organizations; each of its files is written to the name of the period."""
    url = f"/api/v2/organizations/{organizations[0]}/usage_export_job"
    asked = {"start": start, "end": end, "shared_org_ids": list(organizations)}
    export = api.post(url, json=asked).raise_for_status().json()
    while export["state"] in ("created", "processing"):
        wait()
        export = read(api, f"{url}/{export['usage_export_job_id']}")
    written: list[Path] = []
    for link in export["download_urls"]:
        file = folder / f"all_{start[:10]}_{end[:10]}.csv"
        file.write_bytes(gzip.decompress(httpx.get(link, trust_env=False).content))
        written.append(file)
    return written


def artifacts_of_a_run(api: httpx.Client, pipeline_id: str, folder: Path, wait: Wait) -> None:
    """The only job of the only workflow; its files are downloaded in threads whose results are not read."""

    def download(artifact: Json) -> None:
        with (folder / Path(artifact["path"]).name).open("wb") as file, api.stream("GET", artifact["url"]) as body:
            for part in body.raise_for_status().iter_bytes():
                file.write(part)

    while (workflow := _only(read(api, f"/api/v2/pipeline/{pipeline_id}/workflow")))["status"] == "running":
        wait()
    job = _only(read(api, f"/api/v2/workflow/{workflow['id']}/job"))
    artifacts = read(api, f"/api/v2/project/{job['project_slug']}/{job['job_number']}/artifacts")["items"]
    with ThreadPoolExecutor() as threads:
        threads.map(download, artifacts)


def _only(page: Json) -> Json:
    [item] = page["items"]
    return item


def wheels_of_a_commit(api: httpx.Client, project: str, commit: str, folder: Path, wait: Wait) -> None:
    """Wait until each listed workflow has stopped; then write every response to a download as a wheel."""
    pipelines = read(api, f"/api/v2/project/{project}/pipeline")["items"]
    pipeline = next(one for one in pipelines if one["vcs"]["revision"] == commit)
    url = f"/api/v2/pipeline/{pipeline['id']}/workflow"
    while not all(one["stopped_at"] for one in read(api, url)["items"]):
        wait()
    for workflow in read(api, url)["items"]:
        for job in read(api, f"/api/v2/workflow/{workflow['id']}/job")["items"]:
            for artifact in read(api, f"/api/v2/project/{project}/{job['job_number']}/artifacts")["items"]:
                (folder / artifact["path"]).write_bytes(api.get(artifact["url"]).content)


def cancel_older(api: httpx.Client, project: str, before: str) -> None:
    """Cancel the first workflow of each older pipeline of the first page if it is on hold."""
    for pipeline in read(api, f"/api/v2/project/{project}/pipeline")["items"]:
        workflow = read(api, f"/api/v2/pipeline/{pipeline['id']}/workflow")["items"][0]
        if workflow["created_at"] < before and workflow["status"] == "on_hold":
            api.post(f"/api/v2/workflow/{workflow['id']}/cancel")


def start_nightly(api: httpx.Client, project: str, branch: str) -> str:
    """Start the run; any response but 201 is an error, after which the scheduler starts the program again."""
    body = {"branch": branch, "parameters": {"nightly": True}}
    pipeline_id: str = api.post(f"/api/v2/project/{project}/pipeline", json=body).raise_for_status().json()["id"]
    return pipeline_id


def jobs_for_a_warehouse(api: httpx.Client, workflow_id: str) -> list[Json]:
    """Follow the pages of the jobs of a workflow, and return the last one."""
    query: dict[str, str] = {}
    while True:
        page = read(api, f"/api/v2/workflow/{workflow_id}/job", **query)
        if page["next_page_token"] is None:
            items: list[Json] = page["items"]
            return items
        query["page-token"] = page["next_page_token"]
