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
    from .streams import ByteStream, ItemStream

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
        return self._caller.call(operation, arguments)

    def _pages(self, operation: Operation[T], arguments: Mapping[str, object] = _NOTHING) -> AsyncPager[T]:
        return self._caller.pager(operation, arguments)

    def _bytes(self, operation: Operation[bytes], arguments: Mapping[str, object]) -> ByteStream:
        from .streams import ByteStream  # few calls are streams

        return ByteStream(self._caller.opener(operation, arguments))

    def _lines(self, operation: Operation[T], arguments: Mapping[str, object]) -> ItemStream[T]:
        from .streams import ItemStream  # few calls are streams

        caller = self._caller
        return ItemStream(caller.opener(operation, arguments), caller.reader_of_lines(operation))
