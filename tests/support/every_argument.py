"""Every public callable of the package with its parameters, and which values their annotations admit.

    for target in targets(client, fake):
        for name, annotation in target.parameters.items():
            if not admits(annotation, value): ...

Found by introspection: a new function, method or parameter is there without a line here. `SAMPLES` holds values of
required parameters, `RECEIVERS` an object of each class whose methods are called. A required parameter without a
sample, and a class without an object, is an error.
"""

from __future__ import annotations

import ast
import collections.abc
import datetime as datetime_module
import importlib
import inspect
import types
import uuid
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeVar, Union, get_args, get_origin

import circleci_sdk
from circleci_sdk import AsyncCircleCI, ConfigError, InvalidArgumentError, helpers, testing, webhooks
from circleci_sdk.limiters import RedisRateLimiter
from circleci_sdk.sync import SyncHook, SyncTokenSource
from circleci_sdk.testing import FakeCircleCI
from tests.support.clients import ID, SLUG

UTC: Final = datetime_module.UTC
UNPRINTABLE: Final = 10**5000
"""An int that no parameter takes: the interpreter converts none of more than 4,300 digits to a string."""
DAY: Final = datetime_module.datetime(2026, 1, 1, tzinfo=UTC)


async def nothing(*args: object) -> None:
    """An async function of anything."""


def plain(*args: object) -> None:
    """A plain function of anything."""


@dataclass(frozen=True)
class Target:
    """A public callable, the parameters that users may pass, and valid values for the required ones."""

    label: str
    call: Callable[..., Any]
    parameters: Mapping[str, Any]
    required: Mapping[str, Any] = field(default_factory=dict[str, Any])
    positional: tuple[str, ...] = ()
    variadic: str | None = None

    def __str__(self) -> str:
        return self.label

    def with_value(self, name: str, value: object) -> Any:
        """The result of a call with this value for one parameter."""
        given = {**self.required, name: value}
        several = [given.pop(self.variadic)] if self.variadic in given else []
        before = [given.pop(one) for one in self.positional if one in given]
        return self.call(*before, *several, **given)


@cache
def namespace(module: str) -> Mapping[str, Any]:
    """The names in the annotations of a module, with those that it imports for type checkers only."""
    found = importlib.import_module(module)
    names: dict[str, Any] = {}
    for node in ast.walk(ast.parse(inspect.getsource(found))):
        if isinstance(node, ast.ImportFrom):
            parents = (found.__package__ or "").split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            source = importlib.import_module(".".join(part for part in (base, node.module or "") if part))
            names |= {alias.asname or alias.name: getattr(source, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top = alias.name.partition(".")[0]
                names[alias.asname or top] = importlib.import_module(top)
    return names | vars(found)


def hints_of(function: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a callable, resolved."""
    unwrapped: Any = inspect.unwrap(function)
    return {name: resolved(hint, unwrapped.__globals__["__name__"]) for name, hint in unwrapped.__annotations__.items()}


def resolved(hint: Any, module: str) -> Any:
    """An annotation as written in a module."""
    return eval(hint, dict(namespace(module))) if isinstance(hint, str) else hint  # our own source


def admits(annotation: Any, value: object) -> bool:
    """Whether a value is of the annotated type. Types that cannot be decided at run time admit everything."""
    if annotation in (Any, object) or isinstance(annotation, TypeVar):
        return True
    if annotation is None or annotation is types.NoneType:
        return value is None
    origin, arguments = get_origin(annotation), get_args(annotation)
    if hasattr(annotation, "__value__"):  # an alias of a type
        return admits(annotation.__value__, value)
    if origin is Annotated:
        return admits(arguments[0], value)
    if origin in (Union, types.UnionType):
        return any(admits(one, value) for one in arguments)
    if origin is Literal:
        return any(type(value) is type(one) and value == one for one in arguments)
    if annotation is float:
        return isinstance(value, int | float) and not isinstance(value, bool) and value != UNPRINTABLE
    if annotation is int:
        return isinstance(value, int) and not isinstance(value, bool) and value != UNPRINTABLE
    if annotation is datetime_module.date:
        return isinstance(value, datetime_module.date) and not isinstance(value, datetime_module.datetime)
    if annotation in (SyncHook, SyncTokenSource):  # plain or async
        return callable(value)
    if "Callable" in str(origin):
        return _is_function(value, wants_async="Await" in str(arguments[-1]))
    if origin is type:
        return isinstance(value, type)
    if origin in (tuple, list, dict, set, frozenset):
        return isinstance(value, origin)
    held: Any = value
    if origin is collections.abc.Mapping:
        return isinstance(value, Mapping) and all(
            admits(arguments[0], key) and admits(arguments[1], held[key]) for key in held
        )
    if origin in (collections.abc.Sequence, collections.abc.Collection, collections.abc.Iterable):
        is_one = isinstance(value, origin) and not isinstance(value, str | bytes | Iterator)
        return is_one and all(admits(arguments[0], one) for one in held)
    if hasattr(annotation, "__required_keys__"):  # a TypedDict
        return isinstance(value, Mapping)
    if getattr(annotation, "_is_protocol", False):
        own: list[str] = [str(name) for name in dir(annotation) if name[0] != "_"]
        return all(callable(getattr(value, name, None)) for name in own)
    if annotation is circleci_sdk.ProjectSlug and isinstance(value, uuid.UUID):
        return True  # where a slug is expected, the id of a project will do
    return isinstance(value, origin or annotation)


def _is_function(value: object, *, wants_async: bool) -> bool:
    if not callable(value):
        return False
    return inspect.iscoroutinefunction(value) == wants_async


# ---- calls ----


def wrong_values() -> dict[str, Any]:
    """A value of each kind, by a name for messages."""
    return {
        "None": None,
        "True": True,
        "False": False,
        "0": 0,
        "-1": -1,
        "5": 5,
        "2.5": 2.5,
        "unprintable int": UNPRINTABLE,
        "nan": float("nan"),
        "text": "false",
        "bytes": b"bytes",
        "list of int": [5],
        "list of str": ["text"],
        "list of None": [None],
        "mapping": {"key": "value"},
        "mapping of int": {5: 5},
        "mapping of unprintable int": {UNPRINTABLE: UNPRINTABLE},
        "object": object(),
        "path": Path("path"),
        "uuid": uuid.UUID(ID),
        "naive datetime": datetime_module.datetime(2026, 1, 1),  # noqa: DTZ001  # what is refused
        "generator": (one for one in ["text"]),
        "plain function": plain,
        "async function": nothing,
        "class": int,
        "set": {"text"},
    }


async def outcome(call: Callable[[], Any]) -> str | Exception:
    """What a call with a wrong value does: the exception, or `accepted`. Follows what it returns as a user would."""
    try:
        result: Any = call()
        if inspect.isawaitable(result):
            await result
        elif isinstance(result, AsyncCircleCI):
            await result.aclose()
        elif hasattr(result, "__aenter__"):
            async with result:
                pass
        elif hasattr(result, "__anext__"):
            await anext(result)
    except StopAsyncIteration:
        pass
    except Exception as error:  # returned
        return error
    return "accepted"


def is_refusal(error: object, name: str) -> bool:
    """Whether this is the documented error for an argument of this name."""
    is_documented = isinstance(error, ConfigError | InvalidArgumentError)
    return is_documented and (name in str(error) or (name == "value" and "timeout" in str(error)))  # `Timeout.of`


# ---- what there is ----

AREAS: Final = (
    *("AsyncCircleCI", "AsyncPager", "ProjectSlug", "Timeout", "printable"),
    *("v1.", "v2.", "v3.", "helpers.", "webhooks.", "limiters.", "testing."),
)
"""Beginnings of the paths of what users call with arguments of their own."""

INPUTS: Final = frozenset(
    {
        *("AsyncCircleCI", "Timeout", "ProjectSlug"),
        *("MemoryStore", "Router", "WebhookApp"),
        *("FakeCircleCI", "FakeClock", "Approval", "Job", "JobTest", "Step", "Workflow"),
    }
)
"""Classes that users construct. All others are made by the package."""

PACKAGES: Final = ("", "helpers", "webhooks", "testing", "limiters")
_NOT_CHECKED: Final = frozenset({"raw_response", "resume", "contains", "put", "acquire", "observe"})
"""Takes the arguments of another method; takes any cursor, which is checked when it is sent; called by the package."""
_STARTS: Final = frozenset({"page_token", "offset", "page"})
"""The start of a list: None is the first page."""
_PROTOCOLS: Final = frozenset({"RateLimiter", "DeliveryStore", "RedisClient"})


def classes_and_functions() -> Iterator[tuple[str, Any]]:
    """What the packages offer, by its public path."""
    for package in PACKAGES:
        try:
            module = importlib.import_module(f"circleci_sdk.{package}".rstrip("."))
        except ModuleNotFoundError:
            continue
        for name in sorted(getattr(module, "__all__", None) or dir(module)):
            value = getattr(module, name)
            is_own = str(getattr(value, "__module__", "")).startswith("circleci_sdk")
            if not name.startswith("_") and is_own and (isinstance(value, type) or inspect.isfunction(value)):
                yield f"{package}.{name}".lstrip("."), value


def methods_of(receiver: Any, prefix: str) -> Iterator[Target]:
    """The public methods of an object that take arguments, and the attributes that users may set."""
    cls: Any = receiver.__class__
    for name in dir(cls):
        found: Any = inspect.getattr_static(cls, name)
        function: Any = getattr(found, "__func__", found)
        is_own = inspect.isfunction(function) and function.__module__.startswith("circleci_sdk")
        if is_own and not name.startswith("_") and name not in _NOT_CHECKED:
            yield from _targets(f"{prefix}.{name}", getattr(receiver, name))
        setter: Any = getattr(found, "fset", None)
        if setter is not None and not name.startswith("_"):
            hint = next(iter(hints_of(setter).values()))
            yield Target(f"{prefix}.{name}", partial(_set, receiver), {name: hint})


def _set(receiver: Any, **given: Any) -> None:
    for name, value in given.items():
        setattr(receiver, name, value)


def _targets(label: str, call: Callable[..., Any], hints: Mapping[str, Any] | None = None) -> Iterator[Target]:
    found = inspect.signature(call).parameters.values()
    function: Any = getattr(call, "__func__", call)
    hints = hints_of(function) if hints is None else hints
    parameters = {one.name: hints[one.name] for one in found if not one.name.startswith("_")}
    if parameters:
        required = {
            one.name: sample(label, one.name, parameters[one.name])
            for one in found
            if one.default is one.empty and one.kind is not one.VAR_POSITIONAL
        }
        before = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
        parameters |= {
            name: parameters[name] | None
            for name in _STARTS & parameters.keys()
            if label.startswith(("v1.", "v2.", "v3."))
        }
        positional = tuple(one.name for one in found if one.kind in before and one.default is one.empty)
        variadic = next((one.name for one in found if one.kind is one.VAR_POSITIONAL), None)
        yield Target(label, call, parameters, required, positional, variadic)


def targets(client: AsyncCircleCI, folder: Path, prefix: str = "") -> Iterator[Target]:
    """Every public callable with arguments whose path begins so.

    Calls go to the server of this client, files below the folder.
    """
    fake = FakeCircleCI()
    _CONTEXT.update(client=client, folder=folder, fake=fake)
    receivers = dict(_receivers(client, fake))
    value: Any
    for path, value in classes_and_functions():
        if not path.startswith(prefix):
            continue
        if inspect.isfunction(value):
            yield from _targets(path, value)
        elif not issubclass(value, BaseException):
            short = path.rpartition(".")[2]
            if (short in INPUTS and path != "helpers.Step") or path == "limiters.RedisRateLimiter":
                yield from _constructor(path, value)
            if path in receivers:
                yield from methods_of(receivers[path], path)
            elif short not in _PROTOCOLS and any(_own_methods(value)):
                raise LookupError(f"{path} has methods with arguments: give an object of it in RECEIVERS.")
    for api in (client.v1, client.v2, client.v3):
        cls: Any = api.__class__
        for name in sorted(vars(cls)):
            path = f"{cls.__name__.lower()}.{name}"
            if not name.startswith("_") and path.startswith(prefix):
                yield from methods_of(getattr(api, name), path)


def _own_methods(cls: type[Any]) -> Iterator[str]:
    own = [base for base in cls.__mro__ if base.__module__.startswith("circleci_sdk")]
    for name, found in ((name, found) for base in own for name, found in vars(base).items() if name[0] != "_"):
        function: Any = getattr(found, "__func__", found)
        if inspect.isfunction(function) and len(inspect.signature(function).parameters) > 1:
            yield name


def _constructor(path: str, cls: type[Any]) -> Iterator[Target]:
    make: Callable[..., Any] = partial(_client, cls) if cls is AsyncCircleCI else cls
    hints = hints_of(cls.__init__)
    names = inspect.signature(cls).parameters
    for target in _targets(path, cls, {name: hints[name] for name in names}):
        yield replace(target, call=make)


def _client(cls: Callable[..., Any], **given: Any) -> Any:
    return cls(**{"token": "token", **given})


class _Redis:
    """A client of Redis that is not asked for anything."""

    def execute_command(self, *args: Any, **options: Any) -> Any:
        raise NotImplementedError


_CONTEXT: Final[dict[str, Any]] = {}
_STEP: Final = helpers.Step(
    *(
        "Test",
        101,
        0,
        "failed",
        True,
        1,
        False,
        False,
        False,
        None,
        None,
        None,
        True,
        None,
        None,
        SLUG,
        7,
        None,
        "v1.1",
    ),
    "https://circle-production-action-output.s3.amazonaws.com/x",
)
_RESULT: Final = helpers.RunResult("failed", True, ID, 7, SLUG, None)


def _receivers(client: AsyncCircleCI, fake: FakeCircleCI) -> Iterator[tuple[str, Any]]:
    project = fake.add_project("gh/acme/fake")
    pipeline = project.push(testing.Workflow("build", testing.Job("test")))
    yield "AsyncCircleCI", client
    yield "AsyncPager", client.v2.pipelines.list_for_project(SLUG)
    yield "ProjectSlug", circleci_sdk.ProjectSlug("gh", "acme", "web")
    yield "Timeout", circleci_sdk.Timeout()
    yield "Headers", circleci_sdk.Headers([])
    for name in ("runs", "logs", "history", "artifacts", "secrets", "usage"):
        helper: Any = getattr(client, name)
        yield f"helpers.{helper.__class__.__name__}", helper
    yield "helpers.Run", client.runs.attach(ID)
    yield "helpers.Explanation", helpers.Explanation(_RESULT, ())
    router = webhooks.Router()
    yield "webhooks.Router", router
    yield "webhooks.WebhookApp", webhooks.WebhookApp(router, secret="secret")
    yield "webhooks.MemoryStore", webhooks.MemoryStore()
    yield "webhooks.Subscription", router.subscribe()
    yield "limiters.RedisRateLimiter", RedisRateLimiter(_Redis())
    yield "testing.FakeCircleCI", fake
    yield "testing.FakeClock", fake.clock
    yield "testing.FakeProject", project
    yield "testing.FakeOrganization", project.organization
    yield "testing.FakePipeline", pipeline
    yield "testing.FakeWorkflow", pipeline.workflows[0]
    yield "testing.Job", testing.Job("test")
    yield "testing.RecordedRequests", fake.requests
    yield "testing.Webhooks", fake.webhooks


def sample(label: str, name: str, annotation: Any) -> Any:
    """A valid value of a required parameter."""
    by_name: dict[str, Any] = {
        "circleci": _CONTEXT["client"],
        "dest": _CONTEXT["folder"] / "downloads",
        "project_slug": SLUG,
        "project": SLUG,
        "slug": "gh/acme/other" if "project" in label else "gh/other",
        "org": "gh/acme",
        "org_slug": "gh/acme",
        "organization": "gh/acme",
        "start": DAY,
        "end": DAY + datetime_module.timedelta(days=1),
        "values": {"NAME": "value"},
        "path": "/api/v2/me" if "request" in label else "/circleci",
        "method": "GET",
        "url": "redis://localhost:6379/0" if label.startswith("limiters.") else "https://bot.example.com/circleci",
        "client": _Redis(),
        "revision": "0123456789abcdef",
        "headers_or_signature": None,
        "body": b"{}",
        "step": _STEP,
        "result": _RESULT,
        "skipped": (),
        "kind": webhooks.WorkflowCompleted,
        "event": webhooks.UnknownEvent("other", "id", {}),
        "router": webhooks.Router(),
        "moment": DAY,
        "text": SLUG,
        "action": plain,
        "status": "PASS",
        "requests": 5,
        "outcome": "success",
        "attempt": 0,
        "owner": {"id": ID, "type": "organization"},
        "config_source": {"provider": "circleci", "file_path": "config.yml"},
        "checkout_source": {"provider": "github_app", "repo": {"external_id": "1"}},
        "config": {"type": "vcs", "file_path": "config.yml"} if "pipelines" in label else "version: 2.1",
        "checkout": {"type": "vcs"},
        "provisioning_profiles": [{"file_name": "a.mobileprovision", "blob": "YQ=="}],
        "timetable": {"per_hour": 1, "hours_of_day": [1]},
        "event_source": {"provider": "webhook"},
        "scope": {"id": ID, "type": "project"},
        "parameters": {"branch": "main"},
        "job": _CONTEXT["fake"].project("gh/acme/fake").jobs[0],
    }
    if label == "ProjectSlug":
        return "part"
    if label == "testing.FakeCircleCI.scenario":
        return "empty"
    annotation = getattr(annotation, "__value__", annotation)
    options = get_args(annotation) or (annotation,)
    if name in by_name and admits(annotation, by_name[name]):
        return by_name[name]
    plain_values: tuple[Any, ...] = (ID, 1, True, DAY, {}, b"x")
    for one in plain_values:
        if admits(annotation, one):
            return one
    for one in (annotation, *options):
        if get_origin(one) is Literal:
            return get_args(one)[0]
        if get_origin(one) is collections.abc.Sequence:
            return [sample(label, f"{name}[0]", get_args(one)[0])]
    raise LookupError(f"{label}: {name}: give a value of {annotation} here.")
