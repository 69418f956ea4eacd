"""Handles one request: routing, authentication, validation, faults, the handler, recording."""

from __future__ import annotations

import base64
import binascii
import json
import random  # noqa: TID251  # chaos is seeded
from dataclasses import replace
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

from circleci_sdk.testing._handlers import HTML_404, handler_of, storage
from circleci_sdk.testing._handlers.context import RequestContext
from circleci_sdk.testing._handlers.dashboard import dashboard
from circleci_sdk.testing._wire.messages import (
    HTML,
    JSON,
    Call,
    ErrorResponse,
    Request,
    Response,
    Transmission,
    in_envelope,
)
from circleci_sdk.testing._wire.spec import spec_of

from .faults import Fault
from .misbehaviour import Misbehaviours
from .recording import RecordedRequest, RecordedRequests, Recording
from .routing import router_of
from .validator import validated_arguments

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circleci_sdk._core.operation import Operation
    from circleci_sdk.testing._store.records import FakeUser
    from circleci_sdk.testing._store.store import Store

    from .limits import Limit

BASE_PATHS: Final = {"/api/v2": "v2", "/api/v1.1": "v1", "/api/v3": "v3"}
"""Paths of the versions of the API."""

_OPEN_RESOURCES: Final = frozenset({"builds", "projects"})
"""Resources of v1.1 that accept project tokens, and requests without a token for open projects."""

_PUBLIC: Final = frozenset(
    {
        "v3.configs.compile",
        "v3.tools.list_releases",
        "v3.namespaces.get_by_name",
        "v3.orbs.list",
        "v3.orbs.get",
        "v3.orb_categories.list",
        "v3.orb_versions.list",
        "v3.orb_versions.get",
        "v3.orb_versions.get_source",
    }
)
"""Operations that need no token. One that is wrong is refused nevertheless."""


class App:
    """Handles requests with the state of a store, one at a time. All transports share it.

    A `server` has no API v3 but the old routes of runners.
    """

    def __init__(self, store: Store, seed: int, *, server: bool = False) -> None:
        self.store: Final = store
        self.server: Final = server
        self.faults: Final[list[Fault]] = []
        self.limits: Final[list[Limit]] = []
        self.chaos: Mapping[str, float] = {}
        self.misbehaviours: Final = Misbehaviours()
        self.seed: Final = seed
        self._rng = random.Random(seed)
        self._recording = Recording()
        self.requests: Final = RecordedRequests(self._recording)

    def handle(self, request: Request) -> Transmission:
        """Handle and record one request."""
        with self.store.clock.lock:
            self.store.clock.sync()
            exchange = _Exchange(request)
            transmission = self._respond(exchange)
            response = transmission.response
            # Encoded under the lock: the state may change as soon as it is released.
            date = format_datetime(self.store.clock.now, usegmt=True)
            headers = {"date": date, "x-request-id": self.store.ids.uuid(), **response.headers}
            transmission = replace(transmission, response=replace(response, body=response.content, headers=headers))
            if exchange.recorded:
                self._record(exchange, None if transmission.drop else response.status)
            return transmission

    def _respond(self, exchange: _Exchange) -> Transmission:
        try:
            self._route(exchange)
        except ErrorResponse as error:
            return Transmission(self._refusal(error, exchange))
        except _OtherResponse as other:
            exchange.recorded = other.recorded
            return Transmission(other.response)
        invalid = self._validate(exchange)
        fault = self._fault_for(exchange.label) or self._chaos_fault()
        limit_headers: dict[str, str] = {}
        for limit in self.limits:
            if exchange.label and (not limit.labels or exchange.label in limit.labels):
                now = self.store.clock.now
                if not limit.take(now):
                    return Transmission(limit.rejection(now))
                limit_headers |= limit.headers(now)
        response = None if fault is not None and fault.replaces_call else self._process(exchange, invalid)
        if response is not None and self.misbehaviours:
            response = self._misbehave(exchange, response)
        if response is not None and limit_headers:
            response = replace(response, headers={**limit_headers, **response.headers})
        if fault is not None:
            return fault.apply(response, exchange.operation)
        assert response is not None
        return Transmission(response)

    def _route(self, exchange: _Exchange) -> None:
        """Find the operation or the download, and the user."""
        request = exchange.request
        for base, version in BASE_PATHS.items():
            if request.path == base or request.path.startswith(f"{base}/"):
                self._route_operation(exchange, version, request.path[len(base) :])
                return
        if (kind := storage.kind_of(request.path)) is not None:
            exchange.label = kind
            exchange.user = self._user(request)
            return
        if request.path in ("/", ""):
            raise _OtherResponse(Response(200, dashboard(self.store), media_type=HTML), recorded=False)
        if request.path.startswith("/api/"):
            raise ErrorResponse(404, "Not found")
        raise _OtherResponse(Response(404, HTML_404, media_type=HTML))

    def _route_operation(self, exchange: _Exchange, version: str, path: str) -> None:
        router, method = router_of(version), exchange.request.method
        if version == "v1" and path.endswith("/") and len(path) > 1:
            raise _OtherResponse(Response(302, "", {"location": exchange.request.path.rstrip("/")}, HTML))
        found = router.find("GET" if method == "HEAD" else method, path)
        if version == "v3" and self.server and (found is None or not found[0].on_server):
            raise ErrorResponse(404, "Not found")
        if found is None:
            if version == "v1":
                raise _OtherResponse(Response(404, HTML_404, media_type=HTML))
            # Routes that do not accept an escaped slug return 404, also where another method would match.
            if "%2f" not in path.lower() and (methods := router.methods(path)):
                raise ErrorResponse(405, "Method not allowed", headers={"allow": ", ".join(methods)})
            raise ErrorResponse(404, "Not found")
        exchange.operation, exchange.in_path = found
        exchange.label = exchange.operation.label
        exchange.user = self._user(exchange.request)
        if exchange.user is None:
            self._authorize_without_user(exchange, exchange.operation)

    def _authorize_without_user(self, exchange: _Exchange, operation: Operation[Any]) -> None:
        """Accept project tokens for v1.1, reads of open projects without a token, and what is public in v3."""
        token = sent_token(exchange.request)
        if operation.label in _PUBLIC and not token and "authorization" not in exchange.request.headers:
            exchange.user = self.store.user
            return
        if operation.api.name == "v1" and operation.python_name.partition(".")[0] in _OPEN_RESOURCES:
            project = self.store.project(exchange.in_path.get("project_slug", ""))
            if project is not None and not project.hidden:
                scopes = {each.token: each.scope for each in project.tokens.values()}
                scope = scopes.get(token or "")
                reads = operation.method == "GET" and "envvar" not in operation.path
                if scope == "all" or (reads and (scope == "view-builds" or project.settings["oss"])):
                    exchange.user = self.store.user
                    return
        raise ErrorResponse(401, "You must log in first." if not token else "Invalid token provided.")

    def _refusal(self, error: ErrorResponse, exchange: _Exchange) -> Response:
        """The response of an error, with an id for the support where it has one."""
        operation = exchange.operation
        named = operation is not None and in_envelope(operation)
        return error.response(operation, self.store.ids.uuid() if named else None)

    def _user(self, request: Request) -> FakeUser | None:
        token = header_token(request) if request.path.startswith("/api/v3/") else sent_token(request)
        return self.store.user_of(token) if token else None

    def _validate(self, exchange: _Exchange) -> ErrorResponse | None:
        """Decode the arguments of a call. Returns the error of an invalid request."""
        if exchange.operation is not None:
            try:
                spec = spec_of(exchange.operation.api.name)
                exchange.args = validated_arguments(exchange.operation, spec, exchange.in_path, exchange.request)
            except ErrorResponse as error:
                return error
        return None

    def _process(self, exchange: _Exchange, invalid: ErrorResponse | None) -> Response:
        """Call the handler."""
        operation = exchange.operation
        if operation is None:
            return storage.response(self.store, exchange.user, exchange.label or "", exchange.request)
        sunset = operation.sunset
        try:
            if sunset is not None and self.store.api_date >= sunset:
                raise ErrorResponse(410, "This endpoint has been retired.")
            if invalid is not None:
                raise invalid
            assert exchange.user is not None
            call = Call(operation, exchange.args, exchange.request, self._page_size(operation, exchange.args))
            returned = handler_of(operation)(RequestContext(self.store, exchange.user, call))
            response = _as_response(operation, returned)
        except ErrorResponse as error:
            response = self._refusal(error, exchange)
        if sunset is not None:
            notice = {"Deprecation": "true", "Sunset": sunset.strftime("%a, %d %b %Y 00:00:00 GMT")}
            response = replace(response, headers={**notice, **response.headers})
        return response

    def _misbehave(self, exchange: _Exchange, response: Response) -> Response:
        """The response with changed fields, if it is a success with JSON. Files stay as they are."""
        body, label, request = response.body, exchange.label, exchange.request
        if label is None or response.status >= 300 or response.media_type != JSON:
            return response
        if isinstance(body, bytes):
            body = json.loads(body)
        sent = (request.method, request.path, request.query, request.body)
        body, exchange.changes = self.misbehaviours.changed(label, body, repr(sent))
        return replace(response, body=body) if exchange.changes else response

    def _page_size(self, operation: Operation[Any], args: Mapping[str, Any]) -> int:
        paging = operation.paging
        if operation.api.name == "v3":
            return _page_size_of_v3(operation, args, self.store.page_size)
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
        """A random fault. The call may be processed or not; with 429 it is not."""
        for kind, probability in self.chaos.items():
            if self._rng.random() >= probability:
                continue
            fault = Fault(frozenset(), 1, processed=self._rng.random() < 0.5)
            match kind:
                case "drop":
                    fault.drop = "after" if fault.processed else "before"
                case "truncate":
                    fault.truncate = True
                case "delay":
                    fault.delay = self._rng.uniform(0.0, 0.2)
                case _:
                    fault.status = int(kind)
                    if fault.status == 429:
                        fault.headers, fault.processed = {"Retry-After": "1"}, False
            return fault
        return None

    def _record(self, exchange: _Exchange, status: int | None) -> None:
        request = exchange.request
        self._recording.add(
            RecordedRequest(
                exchange.label,
                exchange.args,
                request.method,
                request.path,
                request.query,
                request.headers,
                request.body,
                status,
                self.store.clock.now,
                exchange.changes,
            ),
        )


class _Exchange:
    """A request and what routing and validation found out about it."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.operation: Operation[Any] | None = None
        self.label: str | None = None
        self.in_path: Mapping[str, str] = {}
        self.args: Mapping[str, Any] = {}
        self.user: FakeUser | None = None
        self.recorded = True
        self.changes: tuple[str, ...] = ()


class _OtherResponse(Exception):  # noqa: N818  # a response, not a defect
    """A response that belongs to no operation."""

    def __init__(self, response: Response, *, recorded: bool = True) -> None:
        super().__init__()
        self.response = response
        self.recorded = recorded


def _page_size_of_v3(operation: Operation[Any], args: Mapping[str, Any], default: int) -> int:
    if "page_size" not in args:
        limits = (each.type.maximum for each in operation.query_parameters if each.name == "page_size")
        return min(default, next(limits, None) or default)
    if args["page_size"] < 1:
        raise ErrorResponse(400, "The size of a page is at least 1.")
    return int(args["page_size"])


def _as_response(operation: Operation[Any], returned: object) -> Response:
    if isinstance(returned, Response):
        return returned
    return Response(spec_of(operation.api.name).success(operation.id)[0], returned)


def header_token(request: Request) -> str | None:
    """The token of a request, in one of the two ways that v3 accepts."""
    if token := request.headers.get("circle-token"):
        return token
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    return rest.strip() or None if scheme.lower() == "bearer" else None


def sent_token(request: Request) -> str | None:
    """The token of a request, in any of the four ways."""
    if token := header_token(request):
        return token
    scheme, _, rest = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic" and rest:
        try:
            return base64.b64decode(rest, validate=True).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            return None
    return next((unquote(value) for name, value in request.query if name == "circle-token"), None)
