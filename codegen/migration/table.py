"""The table of `circleci_sdk.migrate`, as a module: no YAML is read at run time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from codegen.formatting import formatted
from codegen.migration.pages import page_of
from codegen.render import HEADER

if TYPE_CHECKING:
    from .entries import Client, ClientMethod, EndingRoute, Migration, Variant

PATH = "migrate/_table.py"

_HEAD = f'''{HEADER.replace("openapi/", "openapi/migration.yaml")}
"""Routes that end, and the methods of other clients, with their replacements."""

from __future__ import annotations

from typing import Final

from ._entries import Client, Method, Route, Variant

'''


def table_module(migration: Migration) -> str:
    """The text of the module."""
    routes = "".join(f"    {_route(each)},\n" for each in migration.endings)
    clients = "".join(f"    {_client(each, migration)},\n" for each in migration.clients)
    text = f"ROUTES: Final[tuple[Route, ...]] = (\n{routes})\n\nCLIENTS: Final[tuple[Client, ...]] = (\n{clients})\n"
    return formatted({"_table.py": _HEAD + text}, "circleci_sdk")["_table.py"]


def _route(ending: EndingRoute) -> str:
    day = None if ending.day is None else ending.day.isoformat()
    route, replacement = ending.route, ending.replacement
    title = ending.title.format(route=f"{route.method} {route.path}")
    remark = " ".join(part for part in (replacement.remark, ending.note) if part) or None
    facts = (ending.kind, route.method, route.path, title, day, replacement.use, remark)
    return f"Route({', '.join(map(repr, facts))})"


def _client(client: Client, migration: Migration) -> str:
    classes = {dotted: name for name, spellings in client.classes.items() for dotted in spellings}
    own: dict[str, list[str]] = {name: [] for name in client.classes}
    for method in client.methods:
        own[method.class_name].append(f"{method.name!r}: {_method(method, migration)}")
    methods = ",".join(f"{name!r}: {{{', '.join(texts)}}}" for name, texts in own.items())
    facts = f"{client.package!r}, {client.version!r}, {page_of(client)!r}, {classes!r}, {dict(client.inherits)!r}"
    return f"Client({facts}, {{{methods}}})"


def _method(method: ClientMethod, migration: Migration) -> str:
    variants = "".join(f"{_variant(each, migration)}, " for each in method.variants)
    return f"Method({method.takes!r}, ({variants}))"


def _variant(variant: Variant, migration: Migration) -> str:
    """With the index of the route that ends, if the call ends."""
    labels = [each.route.label for each in migration.endings]
    label = None if variant.calls is None else variant.calls.label
    ends = labels.index(label) if label is not None and label in labels else None
    return f"Variant({variant.condition!r}, {variant.replacement.use!r}, {variant.replacement.remark!r}, {ends!r})"
