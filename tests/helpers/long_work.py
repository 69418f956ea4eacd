"""Long work and one item that can never be read: each kind of failure, in the first, a middle and the last place.

@EACH_FAILURE
@EACH_PLACE
async def test_the_rest_comes(server: ScriptedServer, failure: Failure, place: int) -> None:
    server.on("GET", path_of(place), failure.response)
    async with client_on(server, FakeClock(), strict=failure.strict) as circleci:
        ...
    assert_named(work.skipped, "v2.workflows.list_jobs", uuid(place), failure)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import pytest

from circleci_sdk import (
    AuthenticationError,
    BadRequestError,
    CircleCIError,
    DecodeError,
    NotFoundError,
    PaginationError,
    PermissionDeniedError,
    ServerError,
    TransportError,
)
from circleci_sdk.helpers import Skipped
from tests.support.scripted_server import Response, drop, reply


@dataclass(frozen=True, slots=True)
class Failure:
    """A response that the server sends for one item, however often it is asked. `strict` is meant for the client."""

    response: Response
    error: type[CircleCIError]
    strict: bool = False


_PAGE: Final = reply(text="<html><title>Sign in</title></html>", content_type="text/html")
_TOKEN: Final = reply(json={"items": [], "next_page_token": 5})

REFUSALS: Final[dict[str, Failure]] = {
    "400": Failure(reply(400, json={"message": "Bad id."}), BadRequestError),
    "401": Failure(reply(401, json={"message": "You must log in first."}), AuthenticationError),
    "403": Failure(reply(403, json={"message": "Permission denied"}), PermissionDeniedError),
    "500": Failure(reply(500, json={"message": "Internal server error"}), ServerError),
    "503": Failure(reply(503, text="upstream connect error"), ServerError),
    "drop": Failure(drop(), TransportError),
    "reset": Failure(drop(reset=True), TransportError),
}
"""Of any call."""
FAILURES: Final[dict[str, Failure]] = {
    **REFUSALS,
    "404": Failure(reply(404, json={"message": "Not found."}), NotFoundError),
    "page": Failure(_PAGE, DecodeError),
    "half": Failure(reply(text='{"items": [', content_type="application/json"), DecodeError),
    "message": Failure(reply(json={"message": "Maintenance."}), CircleCIError),
    "null": Failure(reply(json={"items": None}), CircleCIError),
    "token": Failure(_TOKEN, PaginationError),
    "strict-null": Failure(reply(json={"items": None}), DecodeError, strict=True),
    "strict-token": Failure(_TOKEN, CircleCIError, strict=True),
}
"""Of a read of a list."""

COUNT: Final = 5
"""Items of each piece of work."""
PLACES: Final = {"first": 0, "middle": 2, "last": COUNT - 1}

EACH_PLACE: Final = pytest.mark.parametrize("place", PLACES.values(), ids=PLACES)
EACH_FAILURE: Final = pytest.mark.parametrize("failure", FAILURES.values(), ids=FAILURES)
EACH_REFUSAL: Final = pytest.mark.parametrize("failure", REFUSALS.values(), ids=REFUSALS)


def assert_named(skipped: Sequence[Skipped], operation: str, item: str, failure: Failure) -> None:
    """Exactly this item was passed over, for this reason."""
    assert [(one.operation, one.id) for one in skipped] == [(operation, item)]
    assert isinstance(skipped[0].error, failure.error), repr(skipped[0].error)
    assert skipped[0].error.__traceback__ is None
