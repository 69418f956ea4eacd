"""The classes and functions of the sync client by the async ones, and the types that they should have."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import types
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import cached_property, reduce
from operator import or_
from typing import Any, Final, Union, cast, get_args, get_origin, get_overloads

import circleci_sdk.sync
from circleci_sdk import CircleCI
from circleci_sdk._core import pagination
from circleci_sdk._core.options import Hook
from circleci_sdk._core.transport.auth import TokenSource
from circleci_sdk._engine.wrapper import Prefetch, Wrapper
from circleci_sdk.sync import SyncHook, SyncTokenSource
from circleci_sdk.sync import pager as sync_pager
from circleci_sdk.webhooks import registration
from tests.support.every_argument import hints_of, resolved

RENAMED: Final = {"aclose": "close"}
"""Public members of async classes that have another name in sync ones."""


def _modules() -> Iterator[types.ModuleType]:
    for found in pkgutil.walk_packages(circleci_sdk.sync.__path__, "circleci_sdk.sync."):
        yield importlib.import_module(found.name)


def _twin(cls: Any) -> Any:
    """The async class that a sync one wraps, as its first base says."""
    if cls is CircleCI:
        return circleci_sdk.AsyncCircleCI
    for base in cls.__orig_bases__:
        origin = get_origin(base)
        if isinstance(origin, type) and issubclass(origin, Wrapper):
            wrapped = get_args(base)[0]
            return get_origin(wrapped) or wrapped
    raise LookupError(cls)


def _pairs() -> Iterator[tuple[Any, Any]]:
    for value in (value for module in _modules() for value in vars(module).values()):
        if isinstance(value, type) and issubclass(value, Wrapper) and "_engine" not in value.__module__:
            yield _twin(cast("Any", value)), value


SYNC_OF: Final[Mapping[Any, Any]] = dict(_pairs())
"""Every class of the sync client by its async twin."""
FUNCTIONS: Final[Mapping[Callable[..., Any], Callable[..., Any]]] = {
    getattr(registration, name): getattr(circleci_sdk.sync, name)
    for name in ("register", "rotate_secret", "unregister")
}
_ALIASES: Final[tuple[tuple[Any, Any], ...]] = (
    (Hook, SyncHook),
    (TokenSource, SyncTokenSource),
    (AsyncIterator, Iterator),
    (pagination.Prefetch, Prefetch),
    (pagination.T_co, sync_pager.T_co),
)


def sync_form(hint: Any) -> Any:
    """The type of the sync client in place of one of the async client, at any depth."""
    for before, after in (*SYNC_OF.items(), *_ALIASES):
        if hint == before:
            return after
    if isinstance(hint, list):  # the parameters of a callable
        return [sync_form(one) for one in cast("list[Any]", hint)]
    origin, arguments = get_origin(hint), get_args(hint)
    if not arguments:
        return hint
    mapped = [sync_form(one) for one in arguments]
    if origin in (Union, types.UnionType):
        return reduce(or_, mapped)
    if mapped == list(arguments) and sync_form(origin) == origin:
        return hint
    return sync_form(origin)[tuple(mapped)]


def public_members(cls: Any) -> dict[str, Any]:
    """The public members of a class of this package by name; an annotated attribute is its resolved type."""
    found: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if not base.__module__.startswith("circleci_sdk"):
            continue
        for name, hint in inspect.get_annotations(base).items():
            if not name.startswith("_"):
                found[name] = resolved(hint, _module_of(base))
        found |= {name: value for name, value in vars(base).items() if not name.startswith("_") and name not in found}
    return found


def _module_of(cls: Any) -> str:
    """The module that defines a class, which public ones do not show."""
    functions = (value.__globals__["__name__"] for value in vars(cls).values() if inspect.isfunction(value))
    return next((name for name in functions if name.startswith("circleci_sdk")), cls.__module__)


def value_type(member: Any) -> Any:
    """The type of a property or an annotated attribute; None for a method."""
    if isinstance(member, property):
        return hints_of(cast("Any", member.fget))["return"]
    if isinstance(member, cached_property):
        return hints_of(cast("Any", member).func)["return"]
    return None if inspect.isfunction(member) else member


def overloads_of(function: Callable[..., Any]) -> list[Callable[..., Any]]:
    """The function with its overloads."""
    return [function, *get_overloads(inspect.unwrap(function))]
