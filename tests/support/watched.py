"""Waits for what others do, without asking again and again: requests to a fake, its deliveries, lines of a process."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Callable
from typing import Any, Final

from circleci_sdk.testing import FakeCircleCI

TIMEOUT: Final = 60.0
"""Seconds after which a test fails: a hanging test has no message."""


class Changes:
    """Something that other threads change; each change is told to those who wait."""

    def __init__(self) -> None:
        self._changed = threading.Condition()

    def notify(self) -> None:
        """Let those who wait look again."""
        with self._changed:
            self._changed.notify_all()

    def until(self, true: Callable[[], bool], what: str) -> None:
        """Wait until this holds."""
        with self._changed:
            assert self._changed.wait_for(true, TIMEOUT), f"not within {TIMEOUT} s: {what}"


def changes_of(fake: FakeCircleCI) -> Changes:
    """The requests to a fake and its deliveries."""
    changes = Changes()
    # Both are recorded before those who wait look again.
    recording: Any = fake.requests._recording  # pyright: ignore[reportPrivateUsage]  # the fake announces nothing
    add, deliver = recording.add, fake.webhooks.deliver

    def recorded(request: Any) -> None:
        add(request)
        changes.notify()

    async def delivered(*args: Any, **options: Any) -> Any:
        sent = await deliver(*args, **options)
        changes.notify()
        return sent

    recording.add = recorded
    fake.webhooks.deliver = delivered  # type: ignore[method-assign]  # the same, announced
    return changes


class Lines(Changes):
    """The lines that a process writes, read as they come, so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[str], stream: Any) -> None:
        super().__init__()
        self.read: list[str] = []
        self._process = process
        self._stream = stream
        self._is_open = True
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            self.read.append(line)
            self.notify()
        self._is_open = False
        self.notify()

    def until_written(self, text: str) -> None:
        """Wait for a line with this text, or for the end of the process."""
        self.until(lambda: any(text in line for line in self.read) or not self._is_open, text)

    def to_the_end(self) -> str:
        """All that it wrote, when it has ended."""
        self._process.wait(TIMEOUT)
        self._thread.join(TIMEOUT)
        self._stream.close()
        return "".join(self.read)
