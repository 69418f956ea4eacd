"""What a service that runs for months keeps: each collection that grows with work has a bound."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from circleci_sdk._core.serialization.raw_request import raw_operation
from circleci_sdk.helpers._downloads.addresses import site_of
from circleci_sdk.helpers.usage.exports import Exports
from circleci_sdk.testing import FakeCircleCI
from circleci_sdk.testing._protocol import misbehaviour, recording
from circleci_sdk.testing._protocol.misbehaviour import Misbehaviour
from circleci_sdk.testing._protocol.recording import RecordedRequest, RecordedRequests, Recording
from circleci_sdk.testing._protocol.routing import router_of
from circleci_sdk.testing._servers import webhooks
from tests.support.clients import client_on
from tests.support.clock import FakeClock
from tests.support.scripted_server import ScriptedServer, reply

COUNT = 50


def recorded(number: int, size: int = 0) -> RecordedRequest:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    return RecordedRequest("v2.users.get", {}, "GET", f"/{number}", (), {}, b"x" * size, 200, at)


@pytest.mark.parametrize(
    ("sizes", "kept", "dropped"),
    [
        ([0] * 9, 9, 0),
        ([0] * 10, 10, 0),
        ([0] * 25, 10, 15),
        ([40] * 3, 2, 1),
        ([100], 1, 0),
        ([500], 1, 0),
        ([10, 500], 1, 1),
        ([500, 10], 1, 1),
        ([50, 50, 1], 2, 1),
    ],
)
def test_requests_of_the_fake(monkeypatch: pytest.MonkeyPatch, sizes: list[int], kept: int, dropped: int) -> None:
    monkeypatch.setattr(recording, "MAX_RECORDED", 10)
    monkeypatch.setattr(recording, "MAX_BODIES", 100)
    log = Recording()
    requests = RecordedRequests(log)
    for number, size in enumerate(sizes):
        log.add(recorded(number, size))
    assert (len(requests), requests.dropped) == (kept, dropped)
    paths = [f"/{number}" for number in range(len(sizes))][-kept:]
    assert [one.path for one in requests] == [one.path for one in requests[:]] == paths
    assert [one.path for one in reversed(requests)] == paths[::-1]
    assert requests[-1].path == requests.of("v2.users.get")[-1].path == paths[-1]
    requests.clear()
    assert (len(requests), requests.dropped, requests[:]) == (0, 0, [])
    log.add(recorded(7, 90))
    assert len(requests) == 1


def test_deliveries_of_the_fake(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhooks, "MAX_DELIVERIES", 10)
    fake = FakeCircleCI.scenario("demo")
    name = next(iter(fake.project("gh/acme/web").webhooks.values())).shown["name"]
    before = len(fake.webhooks.deliveries)
    pings = [fake.webhooks.ping(name) for _ in range(COUNT)]
    assert fake.webhooks.deliveries == list(fake.webhooks.pending) == pings[-10:]
    assert fake.webhooks.dropped >= before + COUNT - 10


def test_paths_that_the_fake_does_not_know() -> None:
    router = router_of("v2")
    before = len(vars(router)["_by_first"])
    for number in range(COUNT):
        assert router.find("GET", f"/unknown{number}/x") is None
    assert len(vars(router)["_by_first"]) == before


def test_counts_of_misbehaviour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(misbehaviour, "MAX_COUNTS", 10)
    one = Misbehaviour(frozenset(), probability=0.5)
    for number in range(COUNT):
        one.changed({"a": 1}, str(number))
        one.changed({"a": 1}, "often")
    counts: dict[str, int] = one._counts  # pyright: ignore[reportPrivateUsage]  # its size is the test
    assert len(counts) == 10
    assert counts["often"] == COUNT


@pytest.mark.parametrize(
    ("path", "group"),
    [
        ("/api/v2/me", "client.v2"),
        ("/api/v1.1/me", "client.v1.1"),
        ("/api/v3/x", "client.v3"),
        ("/api/x1", "client.other"),
        ("/api/x2/y", "client.other"),
    ],
)
def test_rate_limits_of_requests_to_any_path(path: str, group: str) -> None:
    assert raw_operation("GET", path).rate_group == group


@pytest.mark.parametrize(
    ("host", "site"),
    [
        ("output.circle-artifacts.com", "circle-artifacts.com"),
        ("a1.b.Circle-Artifacts.com", "circle-artifacts.com"),
        ("bucket.s3.amazonaws.com", "amazonaws.com"),
        ("storage.googleapis.com", "googleapis.com"),
        ("ci.example.com", "ci.example.com"),
        ("minio.example.com", "elsewhere"),
        ("10.0.0.17", "elsewhere"),
        ("2001:db8::1", "elsewhere"),
    ],
)
def test_rate_limits_of_files(host: str, site: str) -> None:
    assert site_of(host, "https://ci.example.com") == site


async def test_organizations_of_usage(server: ScriptedServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("circleci_sdk.helpers.usage.exports.MAX_ORGANIZATIONS", 10)
    clock = FakeClock()
    start, end = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2, tzinfo=UTC)
    async with client_on(server, clock) as client:
        for number in range(25):
            org = f"00000000-0000-4000-8000-{number:012}"
            done: dict[str, object] = {"usage_export_job_id": "x", "state": "completed", "download_urls": []}
            server.on("POST", f"/api/v2/organizations/{org}/usage_export_job", reply(201, json=done))
            assert [row async for row in client.usage.rows(org, start, end)] == []
            await clock.sleep(600)
        exports: Exports = client.usage._exports  # pyright: ignore[reportPrivateUsage]  # its size is the test
    assert len(vars(exports)["_org_ids"]) <= 10
    assert len(vars(exports)["_requested"]) <= 7
