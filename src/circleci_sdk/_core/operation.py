"""An endpoint as data.

Every method of `circleci.v1` and `circleci.v2` is backed by one `Operation`: its path, its parameters, the body of
its response, its paging and whether it may be sent twice. Requests, retries, rate limits, errors, the fake server
and the tests all read this one table, so that no fact about an endpoint is written down twice.

Nothing here awaits and nothing here imports a model: models are given by name. The parts are named tuples: a frozen
dataclass takes fifteen times as long to define, and every import of the package defines these.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Generic, Literal, NamedTuple, TypeAlias, TypeVar

from circleci_sdk._public import public

from .unset import UNSET, Unset

T_co = TypeVar("T_co", covariant=True)


class ParameterType(NamedTuple):
    """The values that a parameter takes. Build one with the constants and functions of this module.

    `values` are the known values of a choice, `closed` refuses all others. `items` is the type of the items of a
    list or of the values of a map. `members` are what a nested object may be. `nullable` admits `None`, which is
    sent as JSON null. `long_vcs` spells the first segment of a slug out (`gh` becomes `github`).
    """

    name: str
    values: tuple[str, ...] = ()
    closed: bool = False
    items: ParameterType | None = None
    members: tuple[ObjectType, ...] = ()
    nullable: bool = False
    long_vcs: bool = False
    minimum: int | None = None
    maximum: int | None = None


class ObjectType(NamedTuple):
    """A nested object: the name of its model, its fields, and the same fields by each spelling of their keys."""

    name: str
    fields: tuple[Parameter, ...]
    spellings: Mapping[Any, Parameter]


STRING: Final = ParameterType("string")
SECRET: Final = ParameterType("secret")
INTEGER: Final = ParameterType("integer")
NUMBER: Final = ParameterType("number")
BOOLEAN: Final = ParameterType("boolean")
ID: Final = ParameterType("id")
DATE_TIME: Final = ParameterType("date-time")
ANY: Final = ParameterType("any")
PROJECT_SLUG: Final = ParameterType("project-slug")
ORG_SLUG: Final = ParameterType("org-slug")
LONG_PROJECT_SLUG: Final = ParameterType("project-slug", long_vcs=True)
LONG_ORG_SLUG: Final = ParameterType("org-slug", long_vcs=True)


def integer(*, minimum: int | None = None, maximum: int | None = None) -> ParameterType:
    """An integer with bounds that the API enforces."""
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


def model(name: str, *fields: Parameter) -> ParameterType:
    """A nested object: a model, or a mapping with the Python names or the wire names of its fields as keys."""
    spellings = {key: field for field in fields for key in (field.name, field.wire, field.name.replace("_", "-"))}
    return ParameterType("object", members=(ObjectType(name, fields, spellings),))


def one_of(*models: ParameterType) -> ParameterType:
    """A nested object that fits one of `models`, which are tried from left to right."""
    return ParameterType("object", members=tuple(member for one in models for member in one.members))


def nullable(expected: ParameterType) -> ParameterType:
    """The same type, or `None`."""
    return expected._replace(nullable=True)


def holds_secret(expected: ParameterType) -> bool:
    """Whether values of this type are secrets, or lists or maps of such."""
    return expected.name == "secret" or (expected.items is not None and holds_secret(expected.items))


class Parameter(NamedTuple):
    """One parameter in the path or the query, or one field of the body or of a nested object.

    `name` is the Python name, `wire` the name on the wire. A slug that fills several segments of the path has all
    of their names in `wire`, joined by slashes (`"provider/organization/project"`), and a field of a nested body its
    path, joined by dots (`"data.attributes.name"`). `default` is sent unless
    another value is given. `exploded` lists repeat their key; others are joined by commas. `also` are further
    names that the value is sent under, where the documentation of the API is inconsistent.
    """

    name: str
    wire: str
    type: ParameterType
    required: bool = False
    default: str | int | bool | Unset = UNSET
    exploded: bool = True
    also: tuple[str, ...] = ()


class Rule(NamedTuple):
    """A combination of parameters that the API refuses; `names` are Python names.

    `exactly_one` and `at_most_one` apply to all names; `needs` admits the first name only together with one of
    the others.
    """

    kind: Literal["exactly_one", "at_most_one", "needs"]
    names: tuple[str, ...]


class ResponseBody(NamedTuple):
    """The body of a successful response.

    `models` are the names of the models that it may be, tried from left to right; without any it holds nothing of
    use and is not decoded. `may_be_empty` admits a response without a body, read as `None`. `key` is the key of the
    model in the body, None if the model is the body. `form` is `json`, `text`, `bytes` for a stream of them, or
    `lines` for a stream of models, one in each line.
    """

    models: tuple[str, ...] = ()
    may_be_empty: bool = False
    key: str | None = None
    form: Literal["json", "text", "bytes", "lines"] = "json"


NOTHING_OF_USE: Final = ResponseBody()

PagingStyle: TypeAlias = Literal["token", "offset", "number", "all"]


class Paging(NamedTuple):
    """How a list is paged.

    `style` is `token` (the response names the next page), `offset` (the number of items to skip), `number` (pages
    are counted from 1) or `all` (one response holds everything). `start` and `size` are the Python names of the
    parameters for the start and the size of a page; without a size it holds `default_size` items. `items` is the
    key of the items, or None when the response is the array itself; `next` is the place of the next token. With
    `size_at_start` a token carries the size, which is not sent beside it.
    """

    style: PagingStyle
    start: str | None = None
    size: str | None = None
    default_size: int | None = None
    items: str | None = "items"
    next: str = "next_page_token"
    size_at_start: bool = False


class Api(NamedTuple):
    """One version of the API: its short name, its path below the host, and the module of its models."""

    name: str
    base: str
    models: str


@public("circleci_sdk")
@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation(Generic[T_co]):
    """One endpoint of the API, as data.

    `T_co` is the type that a call returns: a model, None, or for a list the type of its items. A `replayable` call
    may be sent again when the server may have processed an earlier attempt. Operations of one `rate_group` share
    one rate limit. `secret` marks operations whose responses hold secrets, `takes_circle_token` those of v3 that take
    the token as `Circle-Token`, `on_server` those of v3 that CircleCI Server has too. `sunset` is the day from which
    the API refuses the operation, `replacement` the method to use instead.
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
    response_body: ResponseBody = NOTHING_OF_USE
    paging: Paging | None = None
    rules: tuple[Rule, ...] = ()
    replayable: bool
    rate_group: str
    secret: bool = False
    takes_circle_token: bool = False
    on_server: bool = False
    deprecated: bool = False
    experimental: bool = False
    undocumented: bool = False
    sunset: date | None = None
    replacement: str | None = None

    @property
    def is_private(self) -> bool:
        """Whether its request or its response holds secrets."""
        return self.secret or any(holds_secret(parameter.type) for parameter in self.body or ())

    @property
    def label(self) -> str:
        """The name that errors and logs use, such as `v2.jobs.get`."""
        return f"{self.api.name}.{self.python_name}"


Operations: TypeAlias = Mapping[str, Operation[Any]]
"""All operations of one version of the API, by operation id."""
