"""What is fetched by link: artifacts, outputs of steps, files of usage exports."""

from __future__ import annotations

import hashlib
import hmac
import json
import mimetypes
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote, urlencode

from circleci_sdk.testing._protocol.faults import expired_link
from circleci_sdk.testing._protocol.messages import JSON, TEXT, Arrival, Refusal, Reply

from .context import millis

if TYPE_CHECKING:
    from collections.abc import Mapping

    from circleci_sdk.testing._store.entities import FakeUser
    from circleci_sdk.testing._store.runs import FakeJob
    from circleci_sdk.testing._store.store import Store

_KINDS: Final = {"/output/job/": "artifact", "/output/step/": "output", "/output/usage/": "usage"}
_KEY: Final = b"only the fake signs with this"


def kind_of(path: str) -> str | None:
    """What a path fetches; None when it is no link of ours."""
    return next((kind for start, kind in _KINDS.items() if path.startswith(start)), None)


def sign(store: Store, address: str, seconds: float) -> str:
    """A link that opens without a token, for so many seconds on the clock of the fake."""
    expires = str(int(store.clock.now.timestamp() + seconds))
    path = "/" + address.split("/", 3)[3]
    return f"{address}?{urlencode({'Expires': expires, 'Signature': _signature(path, expires)})}"


def response(store: Store, user: FakeUser | None, kind: str, arrival: Arrival) -> Reply:
    """The file behind a link."""
    try:
        if kind == "artifact":
            return _artifact(store, user, arrival)
        if (refused := _check_signature(store, arrival)) is not None:
            return refused
        return _step_output(store, arrival) if kind == "output" else _usage_file(store, arrival)
    except Refusal as refusal:
        return refusal.reply()


def _artifact(store: Store, user: FakeUser | None, arrival: Arrival) -> Reply:
    _, _, _, job_id, _, node, path = arrival.path.split("/", 6) if arrival.path.count("/") >= 6 else [""] * 7
    job = store.jobs.get(job_id)
    if job is None or job.project.hidden or not node.isdecimal():
        raise Refusal(404, "Not found")
    if user is None and not job.project.settings["oss"]:
        raise Refusal(401, "You must log in first.")
    content = job.artifacts.get((int(node), unquote(path)))
    if content is None:
        raise Refusal(404, "Not found")
    kind = mimetypes.guess_type(unquote(path))[0] or "application/octet-stream"
    return Reply(200, content, media_type=kind)


def _step_output(store: Store, arrival: Arrival) -> Reply:
    job_id, step, _ = arrival.path.removeprefix("/output/step/").split("/")
    job = store.jobs.get(job_id)
    if job is None:
        raise Refusal(404, "Not found")
    return Reply(200, json.dumps(output_of(job, int(step))).encode(), media_type=JSON)


def output_of(job: FakeJob, step: int) -> list[Mapping[str, object]]:
    """What a step has printed, in the pieces that the API gives."""
    assert job.started_at is not None
    text = job.steps[step - 1].output  # step 0 is the machine, which prints nothing
    if not text:
        return []
    return [{"type": "out", "time": millis(job.started_at), "message": text.replace("\n", "\r\n")}]


def _usage_file(store: Store, arrival: Arrival) -> Reply:
    export_id, name = arrival.path.removeprefix("/output/usage/").split("/")
    for organization in store.organizations.values():
        if (export := organization.usage_exports.get(export_id)) is not None:
            at = int(name.removesuffix(".csv.gz"))
            return Reply(200, export.files[at], media_type="application/gzip")
    return Reply(404, "Not found", media_type=TEXT)


def _check_signature(store: Store, arrival: Arrival) -> Reply | None:
    query = dict(arrival.query)
    expires = query.get("Expires", "")
    if not hmac.compare_digest(query.get("Signature", ""), _signature(arrival.path, expires)):
        return Reply(403, "<Error><Code>SignatureDoesNotMatch</Code></Error>", media_type="application/xml")
    if store.clock.now.timestamp() >= int(expires):
        return expired_link()
    return None


def _signature(path: str, expires: str) -> str:
    return hmac.new(_KEY, f"{path}\n{expires}".encode(), hashlib.sha256).hexdigest()
