"""Reads what an operation returns: models, pages, and what its failures mean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from .fields import check_inline, is_inline, read_fields
from .names import one_of
from .schemas import read_shape
from .shapes import Components, Many, Record, Reference, Shape, Union, resolved

if TYPE_CHECKING:
    from .nodes import Node
    from .parameters import Parameter
    from .spec import Spec

PagingStyle: TypeAlias = Literal["token", "cursor", "offset", "number", "all"]
BodyForm: TypeAlias = Literal["json", "text", "bytes", "lines"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """A successful response: its models, none if there is no body, and its descriptions in the spec."""

    models: tuple[str, ...]
    descriptions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Response:
    """The successful responses of an operation; for a list, those with its items. Each outcome has its own models.

    `key` is the key of the model in the body, None if the model is the body.
    """

    outcomes: tuple[Outcome, ...]
    form: BodyForm = "json"
    key: str | None = None

    @property
    def is_stream(self) -> bool:
        """Whether it is read piece by piece."""
        return self.form in ("bytes", "lines")

    @property
    def models(self) -> tuple[str, ...]:
        """What it may be, in the order of the spec."""
        return tuple(dict.fromkeys(name for outcome in self.outcomes for name in outcome.models))

    @property
    def may_be_empty(self) -> bool:
        """Whether there may be no body although there usually is one."""
        return bool(self.models) and any(not outcome.models for outcome in self.outcomes)


@dataclass(frozen=True, slots=True)
class Pagination:
    """The paging of a list: `start` and `size` are Python names of parameters, `items` a key of the response."""

    style: PagingStyle
    start: str | None
    size: str | None
    default_size: int | None
    items: str | None
    size_at_start: bool


@dataclass(frozen=True, slots=True)
class Failure:
    """What a status means for this operation in particular."""

    status: int
    description: str


_STYLES: Final[dict[PagingStyle, str | None]] = {
    "token": "page-token",
    "cursor": None,
    "offset": "offset",
    "number": "page",
    "all": None,
}
"""Styles of paging, each with the usual name of the parameter that says where to start."""

_RESPONSE_KEYS: Final = frozenset({"description", "content"})
_PAGING_KEYS: Final = frozenset({"style", "start", "size", "default-size", "size-at-start"})
_ITEMS: Final = ("items", "data")
_DATA: Final = "data"
_NEXT: Final = "next_page_token"
_LINKS: Final = "page"
_CURSOR: Final = ("page[cursor]", "page.cursor")
_LIMIT: Final = ("page[limit]", "page.limit")
_FORMS: Final[dict[str, BodyForm]] = {
    "application/json": "json",
    "text/plain": "text",
    "application/octet-stream": "bytes",
    "application/x-ndjson": "lines",
}
"""Forms of a body, by content type."""


@dataclass(frozen=True, slots=True)
class _Success:
    node: Node
    description: str
    content: Shape | Record | None
    form: BodyForm


def read_response(spec: Spec, operation: Node, components: Components) -> Response:
    """The successful responses of an operation that is no list."""
    descriptions: dict[tuple[str, ...], list[str]] = {}
    successes = _successes(spec, operation)
    keys: set[str | None] = set()
    for success in successes:
        key, content = _unwrapped(success)
        keys |= {key} if content else set()
        models = tuple(_models(success.node, content, components)) if content else ()
        descriptions.setdefault(models, []).append(success.description)
    forms: set[BodyForm] = {success.form for success in successes}
    if len(keys) > 1 or len(forms) > 1:
        raise operation.need("responses").refusal("Successful responses have bodies of one form; describe one of them.")
    outcomes = (Outcome(models, tuple(dict.fromkeys(texts))) for models, texts in descriptions.items())
    return Response(tuple(outcomes), forms.pop(), keys.pop() if keys else None)


def _unwrapped(success: _Success) -> tuple[str | None, Shape | None]:
    """The key of what a body holds, None for the body itself, and its shape."""
    content = success.content
    if not isinstance(content, Record):
        return None, content
    for field in content.fields:
        if field.wire == _DATA and field.required and isinstance(field.shape, Reference):
            return _DATA, field.shape
    raise success.node.refusal(f"An inline body holds one named object under `{_DATA}`; name it, or add `x-paging`.")


def read_page(
    spec: Spec, operation: Node, parameters: Sequence[Parameter], components: Components
) -> tuple[Response, Pagination]:
    """The items and the paging of a list."""
    successes = _successes(spec, operation)
    if len(successes) != 1 or successes[0].content is None or successes[0].form != "json":
        raise operation.need("responses").refusal("Expected exactly one successful response for a list, with a body.")
    paging = operation.need("x-paging")
    paging.only(_PAGING_KEYS, "paging")
    style = _style(paging)
    items_key, item = _page(successes[0].node, successes[0].content, style, components)
    pagination = Pagination(
        style=style,
        start=_start(paging, style, parameters),
        size=_size(paging, style, parameters),
        default_size=paging.integer_of("default-size"),
        items=items_key,
        size_at_start=paging.flag("size-at-start"),
    )
    return Response((Outcome((item,), (successes[0].description,)),)), pagination


def read_failures(operation: Node) -> tuple[Failure, ...]:
    """The statuses that the operation describes itself. Shared responses, by reference, say nothing about it."""
    failures: list[Failure] = []
    for status, item in operation.need("responses").mapping().items():
        if status == "default" or status.startswith("2") or "$ref" in item.mapping():
            continue
        if not status.isdecimal() or not 400 <= int(status) <= 599:
            raise item.refusal(f"`{status}` is not a supported status; use 2xx, 4xx, 5xx or `default`.")
        check_response(item)
        failures.append(Failure(int(status), item.need("description").text()))
    return tuple(sorted(failures, key=lambda failure: failure.status))


def check_response(node: Node) -> None:
    """Refuses a response, of a failure too, that says what the generator does not know."""
    node.only(_RESPONSE_KEYS, "a response")
    _body(node)


def json_schema(node: Node) -> Node | None:
    """The schema of a JSON body, if there is a body."""
    content = node.get("content")
    if content is None:
        return None
    content.only({"application/json"}, "content; only application/json is supported")
    media = content.need("application/json")
    media.only({"schema"}, "a JSON body")
    return media.need("schema")


def _body(node: Node) -> tuple[Node, BodyForm, Shape | Record | None]:
    """The schema of a body, or the response itself without one; its form, and its content."""
    content = node.get("content")
    if content is None:
        return node, "json", None
    content.only(_FORMS, f"content; supported are {one_of(_FORMS)}")
    if len(content.mapping()) != 1:
        raise content.refusal("Expected exactly one content type; keep that of most responses.")
    [(kind, media)] = content.mapping().items()
    form = _FORMS[kind]
    if form in ("text", "bytes"):
        media.only((), "a body that is no JSON")
        return media, form, None
    media.only({"schema"}, "a body")
    schema = media.need("schema")
    if form == "json" and is_inline(schema):
        check_inline(schema)
        return schema, form, Record(read_fields(schema))
    return schema, form, read_shape(schema)


def _successes(spec: Spec, operation: Node) -> list[_Success]:
    found: list[_Success] = []
    for status, item in operation.need("responses").mapping().items():
        if status.startswith("2"):
            response = spec.follow(item)
            check_response(response)
            schema, form, shape = _body(response)
            found.append(_Success(schema, response.need("description").text(), shape, form))
    if not found:
        raise operation.need("responses").refusal("No successful response is described; add a 2xx status.")
    return found


def _models(node: Node, shape: Shape, components: Components) -> Iterator[str]:
    if isinstance(shape, Union) and not shape.nullable:
        for member in shape.members:
            yield from _models(node, member, components)
    elif not isinstance(shape, Reference) or shape.nullable:
        raise node.refusal("Expected a reference to a named schema, and `x-paging` for a list.")
    elif _is_list(components[shape.name].content):
        raise node.refusal(f"`{shape.name}` is a list; add `x-paging` to the operation.")
    else:
        yield shape.name


def _is_list(content: Record | Shape) -> bool:
    if isinstance(content, Record):
        fields = {field.wire: field.shape for field in content.fields}
        return any(isinstance(fields.get(key), Many) for key in _ITEMS) and _NEXT in fields
    return isinstance(content, Many)


def _page(node: Node, shape: Shape | Record, style: PagingStyle, components: Components) -> tuple[str | None, str]:
    """The key that holds the items, None for a bare list, and the model of an item."""
    content = shape if isinstance(shape, Record) else resolved(shape, components)
    key = None
    if isinstance(content, Record):
        fields = {field.wire: field.shape for field in content.fields}
        key = next((key for key in _ITEMS if key in fields), None)
        if key is None:
            raise node.refusal(f"A page contains its list under {one_of(_ITEMS)}; rename it, or return a bare list.")
        if style == "cursor" and _LINKS not in fields:
            raise node.refusal(f"A page contains its cursors in `{_LINKS}`; add it, or use another style.")
        if style == "token" and _NEXT not in fields:
            raise node.refusal(
                f"A page contains the token of the next page in `{_NEXT}`; add it, or use another style."
            )
        content = fields[key]
    elif style in ("token", "cursor"):
        raise node.refusal("A bare list has no token of the next page; use another style of paging.")
    if not isinstance(content, Many) or not isinstance(content.items, Reference) or content.items.nullable:
        raise node.refusal("The items of a list need a named schema; put it under `components/schemas`.")
    return key, content.items.name


def _style(paging: Node) -> PagingStyle:
    text = paging.need("style").text()
    for style in _STYLES:
        if text == style:
            return style
    raise paging.need("style").refusal(f"`{text}` is not a style of paging; use {one_of(_STYLES)}.")


def _start(paging: Node, style: PagingStyle, parameters: Sequence[Parameter]) -> str | None:
    given = paging.get("start")
    if style == "all":
        if given is not None:
            raise given.refusal("A list in one response has no start; remove `start`.")
        return None
    if style == "cursor":
        return _page_name(_CURSOR, parameters)
    if given is not None and given.value is None:
        if style != "token":
            raise given.refusal("Only a token may be one that no parameter accepts; name the parameter.")
        return None
    return _query_name(paging, "start", given.text() if given else _STYLES[style], parameters)


def _size(paging: Node, style: PagingStyle, parameters: Sequence[Parameter]) -> str | None:
    if style == "cursor":
        return _page_name(_LIMIT, parameters)
    return _query_name(paging, "size", paging.text_of("size"), parameters)


def _page_name(wires: Sequence[str], parameters: Sequence[Parameter]) -> str | None:
    """The Python name of the cursor or of the size, in the query or in the body."""
    return next((parameter.name for parameter in parameters if parameter.wire in wires), None)


def _query_name(paging: Node, key: str, wire: str | None, parameters: Sequence[Parameter]) -> str | None:
    """The Python name of a query parameter."""
    for parameter in parameters:
        if parameter.place == "query" and parameter.wire == wire:
            return parameter.name
    if wire is None:
        return None
    raise paging.refusal(f"`{wire}` is not a query parameter of the operation; add it, or correct `{key}`.")
