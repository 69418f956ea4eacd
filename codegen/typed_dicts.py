"""Nested request objects as `TypedDict`s: mappings with keys that type checkers and editors know."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from .docstrings import model_text
from .imports import run_time_imports
from .shapes import Components, Record, all_fields
from .signatures import annotation, dict_name
from .tables import request_records

if TYPE_CHECKING:
    from .operations import Resource

MODULE: Final = "_dicts"


def dict_records(resources: Iterable[Resource], components: Components) -> list[str]:
    """The records that are nested in arguments, each behind those that it holds."""
    operations = (operation for resource in resources for operation in resource.operations)
    shapes = [parameter.shape for operation in operations for parameter in operation.parameters]
    return request_records(shapes, components)


def dict_module(records: Iterable[str], components: Components, modules: Mapping[str, str], header: str) -> str:
    """The text of the module of all `TypedDict`s of a version, not formatted yet. `modules` are those of the models."""
    body = "\n\n".join(_typed_dict(name, components) for name in records)
    return "\n".join((header, run_time_imports(body, modules), body))


def _typed_dict(name: str, components: Components) -> str:
    content = components[name].content
    assert isinstance(content, Record)
    lines = [
        f"class {dict_name(name)}(TypedDict):",
        f'    """The keys of `{name}` as a mapping."""',
        "",
    ]
    for field in all_fields(content, components):
        type_ = annotation(field.shape, components)
        lines.append(f"    {field.name}: {type_ if field.required else f'NotRequired[{type_}]'}")
        if text := model_text(field.description, undocumented=field.undocumented, deprecated=field.deprecated):
            lines.append(f'    """{text}"""'.replace("\n", "\n    "))
    return "\n".join(lines)
