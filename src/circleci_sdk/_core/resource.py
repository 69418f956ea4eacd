"""The base class of the generated resources, which hands their calls to the caller."""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, TypeVar

from circleci_sdk._public import Uncopied

if TYPE_CHECKING:
    from .caller import Caller
    from .operation import Operation
    from .pagination import AsyncPager

T = TypeVar("T")
_NOTHING: Final[Mapping[str, object]] = MappingProxyType({})


class Resource(Uncopied):
    """A group of operations. An attribute of its API, such as `circleci.v2.jobs`."""

    __slots__ = ("_caller",)

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    def __repr__(self) -> str:
        return f"<{type(self).__module__.split('.')[1]} {type(self).__name__}>"

    def _call(self, operation: Operation[T], arguments: Mapping[str, object] = _NOTHING) -> Awaitable[T]:
        call, session = self._caller.call(operation, arguments), self._caller.session
        return call if session.tracer is None else session.tracer.follow(operation, session.origin, call)

    def _pages(self, operation: Operation[T], arguments: Mapping[str, object] = _NOTHING) -> AsyncPager[T]:
        return self._caller.pager(operation, arguments)
