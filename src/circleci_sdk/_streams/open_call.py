"""A call whose response stays open, to be read piece by piece."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.call import Call, CallResult
from circleci_sdk._core.messages import Failed, Headers, Prepared, Progress, Received

if TYPE_CHECKING:
    from circleci_sdk._core.operation import Operation
    from circleci_sdk._core.options import Options
    from circleci_sdk._core.policy.retry import Attempt
    from circleci_sdk._core.session import Session
    from circleci_sdk._core.transport.auth import Credential
    from circleci_sdk._core.transport.http import Exchange

_LONGEST_ERROR: Final = 1 << 16


class OpenCall(Call):
    """A call whose response stays open. After a piece was read, the next failure counts as the first."""

    def __init__(self, session: Session, options: Options, operation: Operation[Any], prepared: Prepared) -> None:
        super().__init__(session, options, operation, prepared)
        self._opened: Exchange | None = None
        self._attempts_before = 0

    async def run(self) -> CallResult:
        """Open the response. A tracer follows the call until then: the body may be read at any time."""
        call, tracer = super().run(), self._session.tracer
        return await (call if tracer is None else tracer.follow(self._operation, self._prepared.url, call))

    async def open(self, prepared: Prepared, credential: Credential | None, progress: Progress) -> Received | Failed:
        """Send a request and show the response to the hook. Its body is still to come."""
        self._opened = opened = await self._prepare(prepared, credential, progress)
        response = await opened.open()
        self._admission.end_flight()
        if isinstance(response, Failed):
            await self.aclose()
        elif self._session.network.on_response is not None:
            self._admission.release()
            await opened.show()
            await self._admission.resume()
        return response

    async def error_response(self, response: Received) -> Received:
        """An open response that is an error, with the beginning of its body, without a link that it may point to."""
        body = b""
        while self._opened is not None and len(body) < _LONGEST_ERROR:
            piece = await self._opened.read()
            if isinstance(piece, Failed) or not piece:
                break
            body += piece
        await self.aclose()
        shown = [(name, value) for name, value in response.headers.raw if name.lower() != b"location"]
        return Received(response.status, Headers(shown), body, response.secrets)

    def note_progress(self) -> None:
        """Count the next failure as the first."""
        self._attempts_before = self._attempts - 1

    async def aclose(self) -> None:
        """Close the response. Safe to call twice."""
        opened, self._opened = self._opened, None
        try:
            if opened is not None:
                await opened.aclose()
        finally:
            self._admission.release()

    def _describe(self, outcome: Received | Failed) -> Attempt:
        attempt = super()._describe(outcome)
        return attempt._replace(number=attempt.number - self._attempts_before)
