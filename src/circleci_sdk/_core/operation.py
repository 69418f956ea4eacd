"""An endpoint as data.

Every method of `circleci.v1` and `circleci.v2` is backed by one `Operation`: where it goes, what it takes,
what it returns, how it pages and whether it may be sent twice. Requests, retries, rate limits, errors, the
fake server and the tests all read this one table, so no fact about an endpoint lives in two places.

Nothing here awaits and nothing here imports a model: types of responses are given by name. The parts are named
tuples: a frozen dataclass takes fifteen times as long to define, and these are defined before anything else happens.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar

from circleci_sdk._public import public

from .unset import UNSET, Unset

T_co = TypeVar("T_co", covariant=True)

ParameterTypeName = Literal[
    "string",
    "secret",
    "integer",
    "number",
    "boolean",
    "id",
    "date-time",
    "date",
    "project-slug",
    "org-slug",
    "choice",
    "list",
    "map",
    "model",
    "any",
]


class ParameterType(NamedTuple):
    """What a parameter takes. Build one with the constants and functions of this module.

    `values` are the known values of a choice, `closed` refuses all others. `items` is the kind of what a
    list or a map holds. `models` names the models that a nested object may be. `nullable` admits `None`,
    which is sent as JSON null. `long_vcs` spells the first segment of a slug out (`gh` becomes `github`).
    """

    name: ParameterTypeName
    values: tuple[str, ...] = ()
    closed: bool = False
    items: ParameterType | None = None
    models: tuple[str, ...] = ()
    nullable: bool = False
    long_vcs: bool = False
    minimum: int | None = None
    maximum: int | None = None


STRING: Final = ParameterType("string")
SECRET: Final = ParameterType("secret")
INTEGER: Final = ParameterType("integer")
NUMBER: Final = ParameterType("number")
BOOLEAN: Final = ParameterType("boolean")
ID: Final = ParameterType("id")
DATE_TIME: Final = ParameterType("date-time")
DATE: Final = ParameterType("date")
ANY: Final = ParameterType("any")
PROJECT_SLUG: Final = ParameterType("project-slug")
ORG_SLUG: Final = ParameterType("org-slug")
LONG_PROJECT_SLUG: Final = ParameterType("project-slug", long_vcs=True)
LONG_ORG_SLUG: Final = ParameterType("org-slug", long_vcs=True)


def integer(*, minimum: int | None = None, maximum: int | None = None) -> ParameterType:
    """A whole number with bounds that the API enforces."""
    return ParameterType("integer", minimum=minimum, maximum=maximum)


def choice(*values: str, closed: bool = False) -> ParameterType:
    """One of `values`; another one only inside `UnknownStr`, and none at all when `closed`."""
    return ParameterType("choice", values=values, closed=closed)


def many(items: ParameterType) -> ParameterType:
    """A sequence of `items`."""
    return ParameterType("list", items=items)


def mapping(values: ParameterType = ANY) -> ParameterType:
    """A mapping of strings to `values`."""
    return ParameterType("map", items=values)


def model(*names: str) -> ParameterType:
    """A nested object: one of the named models, or a mapping that fits one of them."""
    return ParameterType("model", models=names)


def nullable(kind: ParameterType) -> ParameterType:
    """The same kind, or `None`."""
    return kind._replace(nullable=True)


def holds_secret(kind: ParameterType) -> bool:
    """Whether values of this kind are secrets, or lists or maps of such."""
    return kind.name == "secret" or (kind.items is not None and holds_secret(kind.items))


class Parameter(NamedTuple):
    """One parameter in the path, the query or the first level of the body.

    `name` is the Python name, `wire` the name on the wire. A slug that fills several places of the path has
    all of them in `wire`, joined by slashes (`"provider/organization/project"`). `default` is sent unless
    another value is given. `exploded` lists repeat their key; others are joined by commas. `also` are further
    spellings that the value is sent under, where readers of the API disagree about the right one.
    """

    name: str
    wire: str
    kind: ParameterType
    required: bool = False
    default: str | int | bool | Unset = UNSET
    exploded: bool = True
    also: tuple[str, ...] = ()


class Rule(NamedTuple):
    """A combination of parameters that the API refuses; `names` are Python names.

    `exactly_one` and `at_most_one` speak of all names; `needs` says that the first name is only taken
    together with one of the others.
    """

    rule: Literal["exactly_one", "at_most_one", "needs"]
    names: tuple[str, ...]


class Response(NamedTuple):
    """What a successful response holds.

    `models` names what the body may be, tried from left to right; with none the body holds nothing of use and
    is not decoded. `may_be_empty` admits a response without a body, read as `None`.
    """

    models: tuple[str, ...] = ()
    may_be_empty: bool = False


PagingStyle = Literal["token", "offset", "number", "all"]


class Paging(NamedTuple):
    """How a list goes on.

    `style` is `token` (the response names the next page), `offset` (skip this many items), `number` (pages are
    counted from 1) or `all` (everything comes in one response). `start` is the query parameter that says where
    to start, `size` the one for the page size and `default_size` the number of items when it is not given.
    `items` is the key that holds the items, or None when the response is the array itself.
    """

    style: PagingStyle
    start: str | None = None
    size: str | None = None
    default_size: int | None = None
    items: str | None = "items"
    next: str = "next_page_token"


class Api(NamedTuple):
    """One version of the API: its short name, its path below the host, and the module of its models."""

    name: str
    base: str
    models: str


@public("circleci_sdk")
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation(Generic[T_co]):
    """One endpoint of the API, as data.

    `T_co` is what a call returns: a model, None, or for a list its items. `replayable` says whether the call
    may be sent again after an earlier attempt may have been carried out. `rate_group` names the operations
    that share one rate limit. `secret` marks operations whose responses hold secrets. `sunset` is the day from
    which the API refuses the operation, `replacement` what to use instead.
    """

    api: Api
    id: str
    python_name: str
    method: str
    path: str
    path_parameters: tuple[Parameter, ...] = ()
    query_parameters: tuple[Parameter, ...] = ()
    body: tuple[Parameter, ...] | None = None
    body_required: bool = False
    response: Response = field(default_factory=Response)
    paging: Paging | None = None
    rules: tuple[Rule, ...] = ()
    replayable: bool
    rate_group: str
    secret: bool = False
    deprecated: bool = False
    experimental: bool = False
    undocumented: bool = False
    sunset: date | None = None
    replacement: str | None = None

    @property
    def is_private(self) -> bool:
        """Whether secrets are in what it sends or in what it returns."""
        return self.secret or any(holds_secret(parameter.kind) for parameter in self.body or ())

    @property
    def label(self) -> str:
        """The name that errors and logs use, such as `v2.jobs.get`."""
        return f"{self.api.name}.{self.python_name}"


Operations = Mapping[str, Operation[Any]]
"""All operations of one version of the API, by operation id."""
