"""Downloads by link: artifacts, outputs of steps, files of usage exports."""

from __future__ import annotations

import codecs
import hashlib
import hmac
import json
import mimetypes
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlencode

from circleci_sdk.testing._store.step_runs import step_run
from circleci_sdk.testing._wire.messages import JSON, TEXT, ErrorResponse, Request, Response

from .context import millis

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from circleci_sdk.testing._store.records import FakeUser
    from circleci_sdk.testing._store.step_runs import Write
    from circleci_sdk.testing._store.store import Store

_KINDS: Final = {"/output/job/": "artifact", "/output/step/": "output", "/output/usage/": "usage"}
_KEY: Final = b"only the fake signs with this"


def kind_of(path: str) -> str | None:
    """The kind of download of a path; None for other paths."""
    return next((kind for start, kind in _KINDS.items() if path.startswith(start)), None)


def sign(store: Store, address: str, seconds: float) -> str:
    """A signed link that works without a token, for a number of seconds of the fake clock."""
    expires = str(int(store.clock.now.timestamp() + seconds))
    path = "/" + address.split("/", 3)[3]
    return f"{address}?{urlencode({'Expires': expires, 'Signature': _signature(path, expires)})}"


def response(store: Store, user: FakeUser | None, kind: str, request: Request) -> Response:
    """The file behind a link."""
    try:
        if kind == "artifact":
            return _artifact(store, user, request)
        if (refused := _check_signature(store, request)) is not None:
            return refused
        return _step_output(store, request) if kind == "output" else _usage_file(store, request)
    except ErrorResponse as error:
        return error.response()


def _artifact(store: Store, user: FakeUser | None, request: Request) -> Response:
    _, _, _, job_id, _, node, path = request.path.split("/", 6) if request.path.count("/") >= 6 else [""] * 7
    job = store.runs.jobs.get(job_id)
    if job is None or job.project.hidden or not node.isdecimal():
        raise ErrorResponse(404, "Not found")
    if user is None and not job.project.settings["oss"]:
        raise ErrorResponse(401, "You must log in first.")
    content = job.artifacts.get((int(node), unquote(path)))
    if content is None:
        raise ErrorResponse(404, "Not found")
    kind = mimetypes.guess_type(unquote(path))[0] or "application/octet-stream"
    return Response(200, content, media_type=kind)


def _step_output(store: Store, request: Request) -> Response:
    job_id, number, _ = request.path.removeprefix("/output/step/").split("/")
    job = store.runs.jobs.get(job_id)
    step = step_run(job, int(number), store.clock.now) if job is not None else None
    if step is None:
        raise ErrorResponse(404, "Not found")
    return Response(
        200, json.dumps(_pieces("out", step.stdout) + _pieces("err", step.stderr)).encode(), media_type=JSON
    )


def _pieces(kind: str, writes: Iterable[Write]) -> list[Mapping[str, object]]:
    """Written bytes as v1.1 shows them: text with line ends of a terminal."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    pieces = [(write.at, decoder.decode(write.content)) for write in writes]
    if pieces and (rest := decoder.decode(b"", final=True)):
        pieces.append((pieces[-1][0], rest))
    return [{"type": kind, "time": millis(at), "message": text.replace("\n", "\r\n")} for at, text in pieces if text]


def _usage_file(store: Store, request: Request) -> Response:
    export_id, name = request.path.removeprefix("/output/usage/").split("/")
    for organization in store.organizations.values():
        if (export := organization.usage_exports.get(export_id)) is not None:
            at = int(name.removesuffix(".csv.gz"))
            return Response(200, export.files[at], media_type="application/gzip")
    return Response(404, "Not found", media_type=TEXT)


def _check_signature(store: Store, request: Request) -> Response | None:
    query = dict(request.query)
    expires = query.get("Expires", "")
    if not hmac.compare_digest(query.get("Signature", ""), _signature(request.path, expires)):
        return Response(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", media_type="application/xml")
    if store.clock.now.timestamp() >= int(expires):
        return expired_link()
    return None


def _signature(path: str, expires: str) -> str:
    return hmac.new(_KEY, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()


def expired_link() -> Response:
    """The response to an expired signed link."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        "<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"
    )
    return Response(403, text, media_type="application/xml")
