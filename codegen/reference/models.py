"""The page of a group of models: a section for each model, with its fields or its values."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from codegen.docstrings import marked, sentence
from codegen.names import DELIVERIES, SHARED
from codegen.shapes import Anything, Choice, Field, Many, Map, Record, Shape
from codegen.signatures import dict_name
from codegen.typed_dicts import dict_records

from .text import link, prose, table
from .types import is_long, type_of_field

if TYPE_CHECKING:
    from .api import Api

_INTRODUCTIONS: Final = {
    SHARED: "Models that several resources use.",
    DELIVERIES: "Models of the deliveries of webhooks.",
}


def models_page(group: str, api: Api) -> str:
    """The page of a group: a resource, `shared` or `deliveries`."""
    dicts = set(dict_records(api.resources, api.components))
    about = _INTRODUCTIONS.get(group) or f"Models of {link(f'circleci.{api.name}.{group}', f'{api.name}.{group}')}."
    parts = [f"# {api.name} models: {group}", f"{about} Import them from `circleci_sdk.{api.name}.models`."]
    for name in sorted(api.groups[group]):
        parts += _section(name, api, is_mapping=name in dicts)
    return "\n\n".join(parts) + "\n"


def _section(name: str, api: Api, *, is_mapping: bool) -> Iterator[str]:
    component = api.components[name]
    yield f"## {name} {{ #{api.anchor(name)} }}"
    if component.description:
        yield prose(sentence(component.description), api)
    if isinstance(component.content, Record):
        yield from _record(name, component.content, api)
        if is_mapping:
            mapping = dict_name(name)
            yield f'As an argument also a mapping with these keys: <code id="{api.anchor(mapping)}">{mapping}</code>.'
    else:
        yield from _alias(component.content, api, responded=name in api.placement.responded)
    if users := api.users.get(name):
        yield "Used by " + ", ".join(
            link(anchor.removeprefix(f"circleci_sdk.{api.name}.models."), anchor) for anchor in users
        )


def _record(name: str, record: Record, api: Api) -> Iterator[str]:
    if record.bases:
        yield "All fields of " + " and ".join(link(base, api.anchor(base)) for base in record.bases) + ", and:"
    is_flat = any("." in field.wire for field in record.fields)
    head = ("Field", "Type", "Meaning", *(("In the response",) if is_flat else ()))
    rows = [_row(name, field, api, is_flat=is_flat) for field in record.fields]
    yield from filter(None, [table(head, rows)])
    if record.computed:
        yield "The property `url` is the URL of the web app. It is computed, and not in the response."
    for field in record.fields:
        inner = _innermost(field.shape)
        if isinstance(inner, Choice) and is_long(inner):
            yield from _values(f"Values of `{field.name}`", inner)


def _row(model: str, field: Field, api: Api, *, is_flat: bool) -> tuple[str, ...]:
    text = prose(marked(field.description, undocumented=field.undocumented, deprecated=field.deprecated), api)
    if not field.required:
        text = f"*Optional.* {text}".strip()
    wire = (f"`{field.wire}`",) if is_flat else ()
    shape = field.shape if field.required or isinstance(field.shape, Anything) else replace(field.shape, nullable=True)
    kind = type_of_field(shape, api, responded=model in api.placement.responded)
    return f'<code id="{api.anchor(model)}.{field.name}">{field.name}</code>', kind, text, *wire


def _alias(content: Shape, api: Api, *, responded: bool) -> Iterator[str]:
    if isinstance(content, Choice):
        yield from _values("Value", content)
    else:
        yield f"The same as {type_of_field(content, api, responded=responded)}."


def _values(title: str, choice: Choice) -> Iterator[str]:
    yield table((title,), ([f"`{value}`" if value else "the empty string"] for value in choice.values))
    if not choice.closed:
        yield "Any other value reads as [`UnknownStr`][circleci_sdk.UnknownStr]."


def _innermost(shape: Shape) -> Shape:
    while isinstance(shape, (Many, Map)):
        shape = shape.items if isinstance(shape, Many) else shape.values
    return shape
