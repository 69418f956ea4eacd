"""The part of the sync client that is no wrapper of one method each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Concatenate, Final, ParamSpec, Self, TypeVar, cast, overload

from circleci_sdk._core.checks import Accepted, check
from circleci_sdk.client import AsyncCircleCI

from .calls import Dispatcher, run_in_caller
from .wrapper import PagerWrapper, Wrapper, async_method

if TYPE_CHECKING:
    from circleci_sdk._core.caller import Reply
    from circleci_sdk._core.pagination import Page
P = ParamSpec("P")
T = TypeVar("T")
_CLIENT: Final = Accepted("a CircleCI", lambda value: isinstance(value, Client))


class Client(Wrapper[AsyncCircleCI]):
    """The base of `CircleCI`."""

    def __init__(self, client: AsyncCircleCI, dispatcher: Dispatcher | None = None, /) -> None:
        session = client._session  # pyright: ignore[reportPrivateUsage]  # the two classes are one client
        session.run_in_caller = run_in_caller
        super().__init__(dispatcher or Dispatcher(session), client)

    @classmethod
    def _of(cls, client: AsyncCircleCI, dispatcher: Dispatcher | None = None) -> Self:
        """The sync form of a client, or of a copy of one."""
        made = object.__new__(cls)
        Client.__init__(made, client, dispatcher)
        return made

    def _same(self, wrapped: object) -> Self:
        return self._of(cast("AsyncCircleCI", wrapped), self._dispatcher)

    @overload
    def raw_response(
        self, method: Callable[P, PagerWrapper[Any, T]], *args: P.args, **kwargs: P.kwargs
    ) -> Reply[Page[T]]: ...
    @overload
    def raw_response(self, method: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> Reply[T]: ...
    def raw_response(self, method: Callable[..., Any], *args: Any, **kwargs: Any) -> Reply[Any]:
        """Call one operation and return its response too: status, headers, rate limit, attempts, raw body.

        `circleci.raw_response(circleci.v2.jobs.get, "gh/acme/web", 42)`. For a list it returns the first page. The
        options are those of the client it is called on. Raises `TypeError` for anything but a method of `v1`, `v2` or
        `v3`, and for streams.
        """
        return self._run(self._async.raw_response, async_method(method), *args, **kwargs)

    def close(self) -> None:
        """Close the connections that this client opened. On a copy it does nothing. Safe to call twice.

        Calls in progress in other threads finish normally; further ones raise `ClientClosedError`.
        """
        if self._async._owner:  # pyright: ignore[reportPrivateUsage]  # as above
            self._dispatcher.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()


def run_with(
    circleci: Client,
    function: Callable[Concatenate[AsyncCircleCI, P], Awaitable[T]],
    /,
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """The result of an async function that takes a client."""
    __tracebackhide__ = True
    check(getattr(function, "__name__", ""), circleci=(circleci, _CLIENT))
    run, client = circleci._run, circleci._async  # pyright: ignore[reportPrivateUsage]  # no method of the client
    return run(function, client, *args, **kwargs)
