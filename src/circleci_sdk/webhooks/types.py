"""Types of arguments of this package."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from typing import TypeAlias, TypeVar
from uuid import UUID

from pydantic import SecretStr

from circleci_sdk._core.serialization.slugs import ProjectSlug
from circleci_sdk.v2.models import JobCompleted, WorkflowCompleted

E = TypeVar("E")

Body: TypeAlias = bytes | bytearray | memoryview
"""The body of a delivery: the bytes of the request, unchanged."""

RequestHeaders: TypeAlias = Mapping[str, str] | Iterable[tuple[str | bytes, str | bytes]]
"""RequestHeaders of a request: any mapping, or pairs as in ASGI. Names are compared without case."""

Secret: TypeAlias = str | bytes | SecretStr | Sequence[str | bytes | SecretStr]
"""The signing secret of a webhook, or several during a rotation."""

Projects: TypeAlias = str | ProjectSlug | UUID | Collection[str | ProjectSlug | UUID]
"""One project or several, each by slug or id."""

Strings: TypeAlias = str | Collection[str]
"""One string or several."""

Handler: TypeAlias = Callable[[E], Awaitable[object]]
"""An async function of one event."""

FollowedEvent: TypeAlias = JobCompleted | WorkflowCompleted
"""An event of `follow`."""
