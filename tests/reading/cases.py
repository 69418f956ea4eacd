"""Recorded responses with the public methods that return them."""

from __future__ import annotations

import builtins
import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final

import httpx
from pydantic import BaseModel

import circleci_sdk
import circleci_sdk.v1.models
import circleci_sdk.v2.models
import circleci_sdk.v3.models
from circleci_sdk import AsyncCircleCI, AsyncPager
from tests.support import places
from tests.support.calls import calls
from tests.support.declared_types import models_in
from tests.support.facts import Operation, operations
from tests.support.mutations import Json, Mutation, sample
from tests.support.recordings import Recording, recordings

SEED: Final = os.environ.get("EXPLORE_MUTATIONS")
"""The seed of an exploring run, any string: many mutations of each file. Without it, a few that are always the same."""

LEAST_EXPLORED: Final = 20_000
_EXPLORED: Final = 160
_FIXED: Final = 8

_MODELS: Final = {"v1": circleci_sdk.v1.models, "v2": circleci_sdk.v2.models, "v3": circleci_sdk.v3.models}
_TABLES: Final = {"v1": circleci_sdk.v1.OPERATIONS, "v2": circleci_sdk.v2.OPERATIONS}
_OPERATIONS: Final = {(operation.version, operation.route): operation for operation in operations(places.facts())}
_RECORDINGS: Final = [
    (folder.name, recording) for folder in places.payload_folders() for recording in recordings(folder)
]


@dataclass(frozen=True)
class Case:
    """A recorded response or delivery. `operation` is None for a delivery."""

    folder: str
    recording: Recording
    operation: Operation | None = None

    def __str__(self) -> str:
        return f"{self.folder}/{self.recording.file}"

    @cached_property
    def body(self) -> Json:
        return self.recording.response

    @cached_property
    def sample(self) -> Sequence[Mutation]:
        """The mutations to try."""
        return self.explored if SEED else sample(self.body, _FIXED, f"{SEED} {self}")

    @property
    def explored(self) -> Sequence[Mutation]:
        """The mutations of an exploring run."""
        return sample(self.body, _EXPLORED, f"{SEED} {self}")

    @property
    def is_read(self) -> bool:
        """Whether the call changes nothing."""
        return self.operation is not None and self.operation.method == "GET"

    @property
    def is_secret(self) -> bool:
        """Whether the response holds secrets."""
        return self._entry.secret

    @property
    def has_next(self) -> bool:
        """Whether a parameter takes the token of the next page."""
        return self._entry.paging is not None and self._entry.paging.start is not None

    @property
    def _entry(self) -> circleci_sdk.Operation[Any]:
        assert self.operation is not None
        return _TABLES[self.operation.version][self.operation.id]

    async def call(self, client: AsyncCircleCI) -> Any:
        """Call the operation with its required arguments; of a list, read the first page."""
        assert self.operation is not None
        return await call(client, self.operation)

    @property
    def declared(self) -> Any:
        """The annotation of the method: for a list the type of its items."""
        assert self.operation is not None
        return declared(self.operation)


async def call(client: AsyncCircleCI, operation: Operation) -> Any:
    """Call an operation with its required arguments; of a list, read the first page."""
    arguments = calls(operation, lambda name, values: values)[1]
    resource = getattr(getattr(client, operation.version), operation.resource)
    return await getattr(resource, operation.name)(*arguments.positional, **arguments.keywords)


@cache
def declared(operation: Operation) -> Any:
    """The annotation of the method of an operation: for a list the type of its items."""
    client = AsyncCircleCI("token")
    method = getattr(getattr(getattr(client, operation.version), operation.resource), operation.name)
    annotation = inspect.signature(method).return_annotation
    returned = eval(annotation, {}, _Names(_MODELS[operation.version]))
    return returned.__args__[0] if getattr(returned, "__origin__", None) is AsyncPager else returned


class _Names(dict[str, Any]):
    """The names in an annotation. Models are loaded when they are first used."""

    def __init__(self, models: Any) -> None:
        super().__init__(vars(builtins), models=models, AsyncPager=AsyncPager)

    def __missing__(self, name: str) -> Any:
        return getattr(self["models"], name)


@dataclass(frozen=True)
class Method:
    """A public method: its facts, and its entry in the table of operations."""

    facts: Operation
    operation: circleci_sdk.Operation[Any]

    def __str__(self) -> str:
        return self.facts.label

    @property
    def models(self) -> Sequence[type[BaseModel]]:
        """The models of its response."""
        return models_in(declared(self.facts))

    async def call(self, client: AsyncCircleCI) -> Any:
        """Call it with its required arguments; of a list, read the first page."""
        return await call(client, self.facts)


METHODS: Final = [Method(facts, _TABLES[facts.version][facts.id]) for facts in _OPERATIONS.values()]
RESPONSES: Final = [
    Case(folder, recording, operation)
    for folder, recording in _RECORDINGS
    if not recording.is_delivery
    and not recording.is_error
    and (operation := _OPERATIONS.get((recording.version, recording.route)))  # type: ignore[arg-type]  # no recording without a route is an operation's
]
DELIVERIES: Final = [Case(folder, recording) for folder, recording in _RECORDINGS if recording.is_delivery]


class Responses(httpx.AsyncBaseTransport):
    """A transport that returns the same response to every request."""

    def __init__(self) -> None:
        self.status = 200
        self.content = b""
        self.content_type = "application/json"

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(self.status, headers={"content-type": self.content_type}, content=self.content)
