"""Executes an operation: encodes its arguments, makes the call, decodes the response."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from circleci_sdk._public import Uncopied

from .call import Call, CallResult
from .errors import InvalidArgumentError
from .logs import logger
from .messages import Prepared, Received, build_url
from .operation import ANY
from .pagination import AsyncPager, Cursor, Page
from .redaction import NO_SECRETS, Secrets
from .serialization.arguments import checked, secrets_of
from .serialization.decode import decode_anything, decode_page, decode_response, preparation_of
from .serialization.encode import check_rules, encode_body, encode_path, encode_query, json_bytes, sent_secrets
from .session import user_agent
from .unset import UNSET

if TYPE_CHECKING:
    from .clock import Clock
    from .errors import CallFacts
    from .mismatches import Mismatch
    from .operation import Operation
    from .options import Options
    from .pagination import Fetch
    from .reply import Reply
    from .session import Session

T = TypeVar("T")
Arguments = Mapping[str, object]


class Caller(Uncopied):
    """Executes operations with a session and the options of a client. `replies`, if given, collects the responses."""

    __slots__ = ("options", "replies", "session")

    def __init__(self, session: Session, options: Options, replies: list[Reply[Any]] | None = None) -> None:
        self.session: Session = session
        self.options: Options = options
        self.replies: list[Reply[Any]] | None = replies

    async def call(self, operation: Operation[T], arguments: Arguments) -> T:
        """Execute an operation that is no list."""
        result = await self._execute(operation, self.prepare(operation, arguments))
        data = self.read(operation, result.response, result.facts)
        self._record(result, data)
        return data

    def read(self, operation: Operation[T], response: Received, facts: CallFacts) -> T:
        """Decode a response of an operation that is no list, and note what does not fit."""
        data, mismatches = decode_response(operation, response, facts, strict=self.session.strict)
        if mismatches or self.session.drift.looks_for_unknown:
            self._note_drift(operation, response, data, mismatches)
        return data

    def pager(self, operation: Operation[T], arguments: Arguments) -> AsyncPager[T]:
        """A pager of a list; nothing is read yet."""
        paging = operation.paging
        assert paging is not None

        given, size = dict(arguments), arguments.get(paging.size) if paging.size else None
        # A start from users may be anything: it is checked when it is sent.
        first = given.pop(paging.start, UNSET) if paging.start else UNSET

        async def fetch(start: Cursor | None) -> tuple[Page[T], CallFacts]:
            asked = given if start is None or paging.start is None else {**given, paging.start: start}
            if asked is not given and paging.size_at_start:
                asked = {name: value for name, value in asked.items() if name != paging.size}
            result = await self._execute(operation, self.prepare(operation, asked))
            count = size if isinstance(size, int) else None
            strict = self.session.strict
            page = decode_page(operation, result.response, result.facts, strict=strict, start=start, size=count)
            if page.is_truncated:
                text = "%s: the API has more items than these %d, and takes no token for the next page"
                logger.warning(text, operation.label, len(page))
            if page.mismatches or self.session.drift.looks_for_unknown:
                self._note_drift(operation, result.response, page.items, page.mismatches, paging.items)
            self._record(result, page)
            return page, result.facts

        tracer, origin = self.session.tracer, self.session.origin
        traced: Fetch[T] = fetch if tracer is None else lambda start: tracer.follow(operation, origin, fetch(start))
        begin = None if first is UNSET else cast("Cursor | None", first)
        return AsyncPager(traced, start=begin, label=operation.label)

    @property
    def clock(self) -> Clock:
        """Time, randomness and sleep."""
        return self.session.clock

    async def anything(self, method: str, path: str, query: Mapping[str, object], json: object) -> Any:
        """Execute a call that no operation describes. `json` is UNSET for no body."""
        from .serialization.raw_request import raw_operation, raw_query

        operation = raw_operation(method, path)

        def encode() -> Prepared:
            content = None if json is UNSET else json_bytes(checked(ANY, json, "json"))
            return self._request(operation, operation.path, raw_query(query), content, secrets_of(ANY, json))

        call, tracer = self._anything(operation, _checked(operation, encode)), self.session.tracer
        return await (call if tracer is None else tracer.follow(operation, self.session.origin, call))

    async def _anything(self, operation: Operation[Any], prepared: Prepared) -> Any:
        result = await self._execute(operation, prepared)
        data = decode_anything(operation, result.response, result.facts)
        self._record(result, data)
        return data

    def _note_drift(
        self,
        operation: Operation[Any],
        response: Received,
        data: object,
        unfit: tuple[Mismatch, ...],
        key: str | None = None,
    ) -> None:
        """Note what does not fit, and what is unknown in `data`, which is under a key of the response or all of it."""
        from .mismatches import Place, with_kinds  # 10 million instructions of a cold start

        drift = self.session.drift
        if unfit:
            drift.note(operation.label, with_kinds(unfit))
        if drift.looks_for_unknown:
            from .serialization.unknown import unknown_in

            place = Place().below(key) if key else Place()
            if found := list(unknown_in(data, place, operation.response_body.key)):
                # The name of an unknown field is text of the server.
                drift.note(operation.label, () if response.repeats_secret else found)

    def _record(self, result: CallResult, data: Any) -> None:
        if self.replies is None:
            return
        from .reply import Reply  # 6 million instructions of a cold start

        response, facts = result.response, result.facts
        how = (result.rate_limit, facts.attempts, facts.elapsed, response.content)
        self.replies.append(Reply(data, response.status, response.headers, *how))

    def prepare(self, operation: Operation[Any], arguments: Arguments) -> Prepared:
        """The request of an operation, with its arguments checked."""

        def encode() -> Prepared:
            path, query = encode_path(operation, arguments), encode_query(operation, arguments)
            content = encode_body(operation, arguments)
            check_rules(operation, arguments)  # last: of an argument of a wrong type the type is the news
            secrets = sent_secrets(operation, arguments) if content else ()
            return self._request(operation, path, query, content, secrets)

        return _checked(operation, encode)

    def _request(
        self,
        operation: Operation[Any],
        path: str,
        query: list[tuple[str, str]],
        content: bytes | None,
        secrets: Iterable[str],
    ) -> Prepared:
        url = build_url(self.session.origin, path, [*query, *self.options.query])
        headers: tuple[tuple[str, str], ...] = (("Accept", "application/json"), ("User-Agent", user_agent()))
        if operation.response_body.form != "json":
            headers = (("Accept", "*/*"), ("Accept-Encoding", "identity"), *headers[1:])
        if extra := self.options.headers:
            replaced = {name.lower() for name, _ in extra}
            headers = (*(header for header in headers if header[0].lower() not in replaced), *extra)
        if content is not None:
            headers = (*headers, ("Content-Type", "application/json"))
        own = Secrets(sent) if (sent := list(secrets)) else NO_SECRETS
        return Prepared(operation.method, url, headers, content, self.session.origin, own, operation.takes_circle_token)

    async def _execute(self, operation: Operation[Any], prepared: Prepared) -> CallResult:
        if operation.deprecated:
            await self.session.run_in_caller(_warn_of_deprecation, operation)
        return await Call(self.session, self.options, operation, prepared, preparation_of(operation)).run()


def _checked(operation: Operation[Any], encode: Callable[[], Prepared]) -> Prepared:
    """The result of `encode`. Errors are raised from here: frames further down may hold secrets in their locals."""
    try:
        return encode()
    except ValueError as error:
        reason = str(error)
    except RecursionError:
        reason = "an argument is nested too deep, or holds itself."
    raise InvalidArgumentError(f"{operation.label}: {reason}")


def _warn_of_deprecation(operation: Operation[Any]) -> None:
    until = f", and is refused by the API from {operation.sunset:%Y-%m-%d}" if operation.sunset else ""
    instead = f"; use {operation.replacement}" if operation.replacement else ""
    depth = _frames_of_this_package()
    warnings.warn(f"{operation.label} is deprecated{until}{instead}.", DeprecationWarning, stacklevel=depth)


def _frames_of_this_package() -> int:
    """The number of frames up to the user's own line, so that the warning points there."""
    depth, frame = 1, inspect.currentframe()
    package = __name__.partition(".")[0]
    while frame is not None and str(frame.f_globals.get("__name__")).partition(".")[0] == package:
        depth, frame = depth + 1, frame.f_back
    return depth - 1
