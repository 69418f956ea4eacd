"""One request, from its arrival to what goes out."""

from __future__ import annotations

import base64
import binascii
import random  # noqa: TID251  # chaos is seeded
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from circleci_sdk.testing._handlers import HTML_404, response_to, storage
from circleci_sdk.testing._handlers.context import RequestContext

from .faults import Fault
from .messages import HTML, Arrival, Call, Refusal, Reply, Sending
from .recording import Recorded, RecordedRequest
from .routing import router_of
from .spec import spec_of
from .validator import judge

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circleci_sdk._core.operation import Operation
    from circleci_sdk.testing._store.entities import FakeUser
    from circleci_sdk.testing._store.store import Store

    from .limits import Limit

BASES: Final = {"/api/v2": "v2", "/api/v1.1": "v1"}
"""Where the versions of the API lie."""

_OPEN_TO_ALL: Final = frozenset({"builds", "projects"})


class App:
    """Responses requests out of a store. One request at a time; both doors share it."""

    def __init__(self, store: Store, seed: int) -> None:
        self.store: Final = store
        self.requests: Final = Recorded()
        self.faults: Final[list[Fault]] = []
        self.limits: Final[list[Limit]] = []
        self.chaos: Mapping[str, float] = {}
        self._dice = random.Random(seed)

    def handle(self, arrival: Arrival) -> Sending:
        """Response one request and write it down."""
        with self.store.clock.lock:
            self.store.clock.sync()
            visit = _Visit(arrival)
            sending = self._decide(visit)
            headers = {"x-request-id": self.store.ids.uuid(), **sending.reply.headers}
            # Written out now: what it shows may change as soon as the lock is free.
            reply = replace(sending.reply, body=sending.reply.content, headers=headers)
            sending = replace(sending, reply=reply)
            if visit.shown:
                self._write_down(visit, None if sending.drop else sending.reply.status)
            return sending

    def _decide(self, visit: _Visit) -> Sending:
        try:
            self._find(visit)
        except Refusal as refusal:
            return Sending(refusal.reply(visit.operation))
        except _Page as page:
            visit.shown = page.shown
            return Sending(page.reply)
        malformed = self._understand(visit)
        fault = self._fault_for(visit.label) or self._chaos_fault()
        limit_headers: dict[str, str] = {}
        for limit in self.limits:
            if visit.label and (not limit.labels or visit.label in limit.labels):
                now = self.store.clock.now
                if not limit.take(now):
                    return Sending(limit.refusal(now))
                limit_headers |= limit.headers(now)
        reply = None if fault is not None and fault.responses_alone else self._response(visit, malformed)
        if reply is not None and limit_headers:
            reply = replace(reply, headers={**limit_headers, **reply.headers})
        if fault is not None:
            return fault.bend(reply)
        assert reply is not None
        return Sending(reply)

    def _find(self, visit: _Visit) -> None:
        """Who calls, and what for."""
        arrival = visit.arrival
        for base, version in BASES.items():
            if arrival.path == base or arrival.path.startswith(f"{base}/"):
                self._find_operation(visit, version, arrival.path[len(base) :])
                return
        if (kind := storage.kind_of(arrival.path)) is not None:
            visit.label = kind
            visit.user = self._user(arrival)
            return
        if arrival.path in ("/", ""):
            from circleci_sdk.testing._servers.page import page

            raise _Page(Reply(200, page(self.store), media_type=HTML), shown=False)
        if arrival.path.startswith("/api/"):
            raise Refusal(404, "Not found")
        raise _Page(Reply(404, HTML_404, media_type=HTML))

    def _find_operation(self, visit: _Visit, version: str, path: str) -> None:
        router, method = router_of(version), visit.arrival.method
        if version == "v1" and path.endswith("/") and len(path) > 1:
            raise _Page(Reply(302, "", {"location": visit.arrival.path.rstrip("/")}, HTML))
        found = router.find("GET" if method == "HEAD" else method, path)
        if found is None:
            if version == "v1":
                raise _Page(Reply(404, HTML_404, media_type=HTML))
            # An escaped slug that a route does not take is not found, whatever else the path may mean.
            if "%2f" not in path.lower() and (methods := router.methods(path)):
                raise Refusal(405, "Method not allowed", headers={"allow": ", ".join(methods)})
            raise Refusal(404, "Not found")
        visit.operation, visit.in_path = found
        visit.label = visit.operation.label
        visit.user = self._user(visit.arrival)
        if visit.user is None:
            self._admit_stranger(visit, visit.operation)

    def _admit_stranger(self, visit: _Visit, operation: Operation[Any]) -> None:
        """Project tokens open v1.1 of their project, and anyone reads open projects there."""
        token = sent_token(visit.arrival)
        if operation.api.name == "v1" and operation.python_name.partition(".")[0] in _OPEN_TO_ALL:
            project = self.store.project(visit.in_path.get("project_slug", ""))
            if project is not None and not project.hidden:
                scopes = {each.token: each.scope for each in project.tokens.values()}
                scope = scopes.get(token or "")
                reads = operation.method == "GET" and "envvar" not in operation.path
                if scope == "all" or (reads and (scope == "view-builds" or project.settings["oss"])):
                    visit.user = self.store.user
                    return
        raise Refusal(401, "You must log in first." if not token else "Invalid token provided.")

    def _user(self, arrival: Arrival) -> FakeUser | None:
        token = sent_token(arrival)
        return self.store.user_of(token) if token else None

    def _understand(self, visit: _Visit) -> Refusal | None:
        """Read the arguments of a call; or why they cannot be taken."""
        if visit.operation is not None:
            try:
                spec = spec_of(visit.operation.api.name)
                visit.args = judge(visit.operation, spec, visit.in_path, visit.arrival)
            except Refusal as refusal:
                return refusal
        return None

    def _response(self, visit: _Visit, malformed: Refusal | None) -> Reply:
        operation = visit.operation
        if operation is None:
            return storage.response(self.store, visit.user, visit.label or "", visit.arrival)
        sunset = operation.sunset
        if sunset is not None and self.store.clock.now.date() >= sunset:
            return Refusal(410, "This endpoint has been retired.").reply(operation)
        try:
            if malformed is not None:
                raise malformed
            assert visit.user is not None
            call = Call(operation, visit.args, visit.arrival, self._page_size(operation, visit.args))
            reply = _as_reply(operation, response_to(operation)(RequestContext(self.store, visit.user, call)))
        except Refusal as refusal:
            reply = refusal.reply(operation)
        if sunset is not None:
            notice = {"Deprecation": "true", "Sunset": sunset.strftime("%a, %d %b %Y 00:00:00 GMT")}
            reply = replace(reply, headers={**notice, **reply.headers})
        return reply

    def _page_size(self, operation: Operation[Any], args: Mapping[str, Any]) -> int:
        paging = operation.paging
        if paging is not None and paging.size is not None and operation.rate_group != "v2.groups":
            asked = args.get("page_size")
            default = paging.default_size or self.store.page_size
            return default if asked is None else max(1, min(int(asked), 100))
        return self.store.page_size

    def _fault_for(self, label: str | None) -> Fault | None:
        for fault in self.faults:
            if label and (not fault.labels or label in fault.labels):
                fault.left -= 1
                if fault.left <= 0:
                    self.faults.remove(fault)
                return fault
        return None

    def _chaos_fault(self) -> Fault | None:
        """What chance does to a call; what fails may or may not have been carried out, except behind a 429."""
        for kind, probability in self.chaos.items():
            if self._dice.random() >= probability:
                continue
            fault = Fault(frozenset(), 1, carried_out=self._dice.random() < 0.5)
            match kind:
                case "drop":
                    fault.drop = "after" if fault.carried_out else "before"
                case "truncate":
                    fault.truncate = True
                case "delay":
                    fault.delay = self._dice.uniform(0.0, 0.2)
                case _:
                    fault.status = int(kind)
                    if fault.status == 429:
                        fault.headers, fault.carried_out = {"Retry-After": "1"}, False
            return fault
        return None

    def _write_down(self, visit: _Visit, status: int | None) -> None:
        arrival = visit.arrival
        self.requests.keep(
            RecordedRequest(
                visit.label,
                visit.args,
                arrival.method,
                arrival.path,
                arrival.query,
                arrival.headers,
                arrival.body,
                status,
                self.store.clock.now,
            )
        )


class _Visit:
    """What is known of a request so far."""

    def __init__(self, arrival: Arrival) -> None:
        self.arrival = arrival
        self.operation: Operation[Any] | None = None
        self.label: str | None = None
        self.in_path: Mapping[str, str] = {}
        self.args: Mapping[str, Any] = {}
        self.user: FakeUser | None = None
        self.shown = True


class _Page(Exception):  # noqa: N818  # a response, not a mistake
    """A response that is no operation's."""

    def __init__(self, reply: Reply, *, shown: bool = True) -> None:
        super().__init__()
        self.reply = reply
        self.shown = shown


def _as_reply(operation: Operation[Any], response: object) -> Reply:
    if isinstance(response, Reply):
        return response
    return Reply(spec_of(operation.api.name).success(operation.id)[0], response)


def sent_token(arrival: Arrival) -> str | None:
    """The token that a request carries, in any of the four ways."""
    if token := arrival.headers.get("circle-token"):
        return token
    scheme, _, rest = arrival.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and rest:
        return rest.strip()
    if scheme.lower() == "basic" and rest:
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return next((unquote(value) for name, value in arrival.query if name == "circle-token"), None)
