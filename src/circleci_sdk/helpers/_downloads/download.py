"""Files from anywhere: streamed, resumed after a broken connection, with the token only where it belongs.

Artifacts are on hosts of their own, step output and usage files behind signed links of a storage provider. The token
goes to the API's own server and to its artifact hosts, and never further once a redirect has led elsewhere.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final, NoReturn, Self

import anyio

from circleci_sdk._core.call import MAX_REDIRECTS
from circleci_sdk._core.errors import (
    ConnectionFailedError,
    DecodeError,
    RateLimitError,
    RequestTimeoutError,
    StatusError,
)
from circleci_sdk._core.messages import Failed, Headers, Prepared, Progress, Received
from circleci_sdk._core.operation import Api, Operation
from circleci_sdk._core.session import user_agent
from circleci_sdk._core.transport.inflate import Inflater
from circleci_sdk._streams.open_call import OpenCall

from .addresses import check_url, may_hold_token, origin_of, redirect_of, site_of
from .inflate import is_packed
from .position import Position
from .ranges import size_without_range

if TYPE_CHECKING:
    from types import TracebackType

    from circleci_sdk._core.caller import Caller
    from circleci_sdk._core.options import Options
    from circleci_sdk._core.session import Session

Renew = Callable[[], Awaitable[str]]

_EXPIRED: Final = (400, 401, 403, 410)


def download_of(
    caller: Caller,
    url: str,
    *,
    label: str,
    timeout: float | None,
    renew: Renew | None = None,
    signed: bool = False,
    keep: frozenset[str] = frozenset(),
) -> Download:
    """A file from any address, of which nothing is read yet.

    `timeout` is for the whole file, in seconds. `renew` is awaited once for another address when this one is
    refused: signed links expire. A `signed` link never gets the token, wherever it leads. `keep` are the
    encodings that a body keeps if the server sends it so: the file itself is compressed.
    """
    options = caller.options.changed(timeout=replace(caller.options.timeout, total=timeout))
    return Download(caller.session, options, url, label=label, renew=renew, signed=signed, keep=keep)


class Download(OpenCall):
    """One file on its way: enter it, iterate over its bytes once.

    `async with` opens it and raises what any call raises: `NotFoundError`, `PermissionDeniedError` and so on. A
    connection that breaks on the way is opened again, from where it broke; what was read already is never given
    twice. When the file has become another one meanwhile, `ConnectionFailedError` says so.

    A response may have neither a length nor chunks: then it ends with the connection, and one that was cut off looks
    complete. Its end counts if compression says that it is the end, or if the server says so when it is asked for the
    bytes that follow. Otherwise `ConnectionFailedError` is raised.

    `received` counts the bytes that came over the wire, `size` is how many there will be, or None if the server does
    not say. `digest`, if set before it is opened, makes the SHA-256 of all that `batch` has returned,
    and of the pieces that it is given.
    """

    __slots__ = (
        "_asked_at",
        "_ended",
        "_failed",
        "_held",
        "_inflater",
        "_is_ranged",
        "_is_whole",
        "_keep",
        "_least",
        "_pieces",
        "_position",
        "_renew",
        "_response",
        "_trusted",
        "digest",
    )

    def __init__(
        self,
        session: Session,
        options: Options,
        url: str,
        *,
        label: str,
        renew: Renew | None = None,
        signed: bool = False,
        keep: frozenset[str] = frozenset(),
    ) -> None:
        host = check_url(url, allow_http=session.allow_http)
        helper, _, name = label.partition(".")
        self._trusted = not signed and may_hold_token(url, session.origin)
        operation: Operation[None] = Operation(
            api=Api(helper, "", ""),
            id=label,
            python_name=name,
            method="GET",
            path="",
            replayable=True,
            rate_group=f"{helper}.{site_of(host, session.origin)}",
            secret=not self._trusted,
        )
        headers = (("Accept", "*/*"), ("Accept-Encoding", "identity"), ("User-Agent", user_agent()))
        super().__init__(session, options, operation, Prepared("GET", url, headers))
        self._position = Position()
        self._renew = renew
        self._keep = keep
        self._response = Received(0, Headers([]), b"")
        self._asked_at: int | None = None
        self._is_ranged = False
        self._is_whole = False
        self._inflater: Inflater | None = None
        self._pieces: Iterator[bytes] = iter(())
        self._ended = False
        self._least = 1
        self._failed: Failed | None = None
        self._held: list[bytes] = []
        self.digest: Callable[[list[bytes]], Awaitable[bytes]] | None = None

    @property
    def received(self) -> int:
        return self._position.received

    @property
    def size(self) -> int | None:
        return self._position.size

    async def __aenter__(self) -> Self:
        try:
            await self._start()
        except BaseException:  # a cancellation too leaves nothing open
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        while True:
            try:
                piece = next(self._pieces, None)
            except ValueError as error:
                self._raise_broken(error)
            if piece is not None:
                if self._inflater is not None:
                    await anyio.lowlevel.checkpoint()  # many pieces may come of one that was read
                if piece:
                    return piece
                continue
            if self._ended:
                raise StopAsyncIteration
            fresh = await self._fresh()
            self._ended = not fresh
            self._pieces = self._unpack(fresh)

    async def batch(self, size: int) -> list[bytes]:
        """The next pieces, of `size` bytes together or a little more; of fewer only at the end."""
        self._least = left = size
        found = self._held
        while left > 0 and (piece := await anext(self, None)) is not None:
            found.append(piece)
            left -= len(piece)
        self._held = []
        return found

    def _unpack(self, fresh: list[bytes]) -> Iterator[bytes]:
        if self._inflater is None:
            yield from fresh
            return
        for data in fresh:
            yield from self._inflater.feed(data)
        if not fresh:
            self._inflater.finish()

    async def _fresh(self) -> list[bytes]:
        """The next pieces that were not given yet; none at the end."""
        while True:
            outcome = await self._read() if self._opened is not None else []
            is_end_unknown = not outcome and self._opened is not None and self._opened.ends_with_connection
            if not outcome and self._position.is_repeating and not is_end_unknown:
                self._raise_changed()
            if not outcome and (missing := self._position.missing):
                outcome = Failed(ConnectionFailedError, "processed", True, missing)
            elif is_end_unknown and self.size is None and not self._is_unpacked:
                await self.aclose()
                await self._ask_for_more()
                continue
            if isinstance(outcome, Failed):
                await self.aclose()
                await self._after(outcome)
                await self._start()
                continue
            if not outcome:
                await self.aclose()
                return []
            try:
                fresh = [new for piece in outcome if (new := self._position.take(piece))]
            except ValueError:
                self._raise_changed()
            if fresh:
                self.note_progress()
                return fresh

    @property
    def _is_unpacked(self) -> bool:
        return self._inflater is not None and self._inflater.is_complete

    async def _ask_for_more(self) -> None:
        """Open the file after its supposed end. Then it is whole, or there is more, or the server does not say."""
        text = f"the response has no length, and nothing says whether it is complete after {self.received} bytes"
        if self._asked_at == self.received:
            self._raise_failed(Failed(ConnectionFailedError, "processed", False, text), "not_retryable")
        self._asked_at = self.received
        self._attempts_before = self._attempts
        try:
            await self._start()
        except RateLimitError:
            raise
        except StatusError as error:
            self._raise_failed(Failed(ConnectionFailedError, "processed", False, text, error), "not_retryable")

    async def _read(self) -> list[bytes] | Failed:
        """The next pieces of the response, of the least size together if so much comes; none at the end."""
        assert self._opened is not None
        failed, self._failed = self._failed, None
        if failed is not None:
            return failed
        if self._opened.is_ended:
            return []
        found: list[bytes] = []
        is_late, left = True, self._left()
        with anyio.move_on_after(None if left == float("inf") else left):
            failed = await self._opened.gather(found, self._least)
            is_late = False
        if is_late:
            text = f"the time ran out after {self.received + sum(map(len, found))} bytes"
            self._raise_failed(Failed(RequestTimeoutError, "processed", False, text), "deadline")
        if failed is not None and not found:
            return failed
        self._failed = failed
        return found

    async def _start(self) -> None:
        """Open the file at the place that was reached."""
        position = self._position
        is_asked = self._asked_at == self.received
        self._is_ranged = self.received > 0 and not position.is_repeating and (is_asked or position.has_tag)
        await self.run()
        if self._is_whole:
            position.end()
            return
        if self.received and self._response.status == 206:
            if position.resume(self._response.headers):
                return
            await self.aclose()
            self._is_ranged = False
            await self.run()
        headers = self._response.headers
        position.restart(headers, await self._digest_of_given())
        try:
            packed = is_packed(headers.get("content-encoding", ""), self._keep)
        except ValueError as error:
            self._raise_broken(error)
        if not self.received:
            self._inflater = Inflater() if packed else None
            position.keeps_digest = packed or self.digest is None

    async def _digest_of_given(self) -> bytes:
        """The digest of the bytes that came so far, if they are kept as they came; else the position has it."""
        if not self.received or self._position.keeps_digest or self.digest is None:
            return b""
        return await self.digest(self._held)

    async def _exchange(self, progress: Progress) -> Received | Failed:
        """Open the file, wherever redirects lead. The response of the file stays open; any other one is read."""
        prepared = self._prepared
        if self._is_ranged:
            prepared = replace(prepared, headers=(*prepared.headers, *self._position.range_headers()))
        credential = self._session.credential if self._trusted else None
        redirects = 0
        while True:
            response = await self.open(prepared, credential, progress)
            if isinstance(response, Failed):
                return response
            assert self._opened is not None
            secrets = self._opened.secrets
            target = redirect_of(prepared.url, response, allow_http=self._session.allow_http)
            if target is None or redirects == MAX_REDIRECTS:
                break
            await self.aclose()
            if origin_of(target) != origin_of(prepared.url):
                credential = None
            prepared, redirects = replace(prepared, url=target, secrets=secrets), redirects + 1
        if response.status == 416 and self._is_ranged:
            await self.aclose()
            size = size_without_range(response.headers)
            if size is not None and size != self.received:
                self._raise_changed()
            self._is_whole = size is not None
            response = replace(response, status=206)  # not an error: it says where the file ends, or nothing
        if not 200 <= response.status < 300:
            response = await self.error_response(response)
        self._response = response
        return response

    async def _after(self, outcome: Received | Failed) -> None:
        if isinstance(outcome, Received) and outcome.status in _EXPIRED and self._renew is not None:
            renew, self._renew = self._renew, None
            url = await renew()
            check_url(url, allow_http=self._session.allow_http)
            self._trusted = self._trusted and may_hold_token(url, self._session.origin)
            self._prepared = replace(self._prepared, url=url)
            return
        await super()._after(outcome)

    def _raise_changed(self) -> NoReturn:
        text = f"the connection broke after {self.received} bytes, and the file is another one now"
        self._raise_failed(Failed(ConnectionFailedError, "processed", False, text), "not_retryable")

    def _raise_broken(self, error: ValueError) -> NoReturn:
        facts = self._facts("processed", "not_retryable")
        raise DecodeError(f"{facts.operation}: {error} ({facts.describe()}).", facts=facts) from None
