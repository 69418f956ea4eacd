"""Every page of the reference of a version, and their navigation."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from codegen.names import pascal_case

from .models import models_page
from .operations import overview_row, resource_page
from .text import table

if TYPE_CHECKING:
    from .api import Api


def pages(api: Api) -> dict[str, str]:
    """The pages by path."""
    files = {"index.md": _overview(api), "SUMMARY.md": "\n".join(_navigation(api)) + "\n"}
    for resource in api.resources:
        files[f"{resource.name}.md"] = resource_page(resource, api)
    for group in api.groups:
        files[f"models/{group}.md"] = models_page(group, api)
    return files


def _overview(api: Api) -> str:
    package = f"circleci_sdk.{api.name}"
    table_name, class_name = f"{package}.OPERATIONS", f"{package}.{pascal_case(api.name)}"
    parts = [
        f"# circleci.{api.name}",
        f"{sum(1 for _ in api.operations)} operations. `CircleCI` has the same methods, without `await`.",
        f'<code id="{table_name}">{table_name}</code> has what the client knows of each, by its id.',
        f'<code id="{class_name}">{class_name}</code> is the class of `circleci.{api.name}`.',
    ]
    for resource in api.resources:
        parts.append(f"## {resource.name}")
        rows = (overview_row(operation, api) for operation in resource.operations)
        parts.append(table(("Method", "What it does", "Request"), rows))
    return "\n\n".join(parts) + "\n"


def _navigation(api: Api) -> Iterator[str]:
    yield "* [Overview](index.md)"
    for resource in api.resources:
        yield f"* [{resource.name}]({resource.name}.md)"
    yield "* Models"
    for group in api.groups:
        yield f"    * [{group}](models/{group}.md)"
