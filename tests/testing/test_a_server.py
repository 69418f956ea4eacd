"""A fake of CircleCI Server: no API v3 but the older routes of runners."""

from __future__ import annotations

import pytest

from circleci_sdk import v3
from circleci_sdk.testing import FakeCircleCI, Job, Workflow
from tests.testing.raw import Raw

UUID = "00000000-0000-4000-8000-000000000000"
ON_SERVER = [each for each in v3.OPERATIONS.values() if each.on_server]


@pytest.fixture
def server() -> FakeCircleCI:
    return FakeCircleCI(server=True)


@pytest.mark.parametrize(
    "operation", [each for each in v3.OPERATIONS.values() if not each.on_server], ids=lambda each: each.id
)
async def test_an_operation_of_v3_is_an_unknown_path(server: FakeCircleCI, operation: v3.Operation) -> None:
    raw = Raw(server)
    response = await raw(operation.method, "/v3" + operation.path.replace("{", "").replace("}", ""))
    assert (response.status_code, response.json()) == (404, {"message": "Not found"})
    assert (await raw("GET", "/v9/none")).content == response.content


async def test_the_older_routes_of_runners(server: FakeCircleCI, anyio_backend: str) -> None:
    raw = Raw(server)
    assert len(ON_SERVER) == 7
    made = await raw("POST", "/v3/runner/resource", {"resource_class": "acme/linux", "description": "Linux"})
    assert (made.status_code, made.json()["resource_class"]) == (201, "acme/linux")
    assert (await raw("GET", "/v3/runner?namespace=acme")).json() == {"items": []}
    missing = await raw("GET", "/v3/runner")
    assert (missing.status_code, set(missing.json())) == (400, {"message"})


async def test_v2_and_v1_are_those_of_the_cloud(server: FakeCircleCI, anyio_backend: str) -> None:
    raw = Raw(server)
    server.add_project("gh/acme/web").push(Workflow("build", Job("test", 5)))
    server.clock.advance(5)
    assert (await raw("GET", "/v2/project/gh/acme/web/job/1")).json()["status"] == "success"
    assert (await raw("GET", "/v1.1/project/gh/acme/web/1")).json()["status"] == "success"


def test_the_kind_of_a_fake() -> None:
    assert FakeCircleCI().deployment == "cloud"
    assert FakeCircleCI(server=True).deployment == "server"
    assert FakeCircleCI.scenario("demo", server=True).deployment == "server"
