"""The used part of a shared limit, the refused calls and the script calls of a fleet, in virtual time."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.redis_server import RedisServer

pytest.importorskip("redis")

from tests.support.fleet import Bucket, Windows, simulate

pytestmark = pytest.mark.load


@pytest.fixture(scope="module")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"))
    server.start()
    yield server
    server.kill()


@pytest.mark.parametrize("kind", [Windows, Bucket])
@pytest.mark.parametrize("rate", [20, 60])
def test_eight_processes(kind: type[Windows], rate: int, redis_server: RedisServer) -> None:
    use = simulate(redis_server, kind(rate), processes=8, tasks=5, seconds=10)
    assert use.used >= 0.95
    assert use.refused <= 0.01
    assert use.script_calls <= 3


def test_eight_processes_far_from_the_server(redis_server: RedisServer) -> None:
    use = simulate(redis_server, Windows(60), processes=8, tasks=5, seconds=10, jitter=0.05)
    assert use.used >= 0.95
    assert use.refused <= 0.01


def test_window_of_a_minute(redis_server: RedisServer) -> None:
    use = simulate(redis_server, Windows(200, 60.0), processes=8, tasks=5, seconds=180)
    assert use.used >= 0.95
    assert use.refused <= 0.01


def test_thousand_processes(redis_server: RedisServer) -> None:
    """The script calls are mostly those of the start: each process has a call that waits."""
    use = simulate(redis_server, Windows(100), processes=1000, tasks=1, seconds=4)
    assert use.used >= 0.95
    assert use.refused <= 0.01
    assert use.script_calls * use.used * 100 * 4 <= 4 * 1000


def test_first_response_that_comes_late(redis_server: RedisServer) -> None:
    use = simulate(redis_server, Windows(20), processes=8, tasks=10, seconds=10, latency=0.7)
    assert use.refused == 0


def test_limit_that_no_header_names(redis_server: RedisServer) -> None:
    """Found by refusals alone; each costs a pause of one second."""
    use = simulate(redis_server, Windows(50, names_limit=False), processes=8, tasks=2, seconds=20)
    assert use.used >= 0.6
    assert use.refused <= 0.1


def test_limit_that_is_not_reached_has_no_effect(redis_server: RedisServer) -> None:
    server = Windows(100_000)
    use = simulate(redis_server, server, processes=4, tasks=5, seconds=3, jitter=0.0)
    assert use.refused == 0
    assert use.used * 100_000 * 3 >= 0.8 * 20 * 3 / 0.061
    assert use.script_calls <= 1.2
