"""One call of each operation, as a user writes it.

Values come from `x-example` in the spec, else from the type: a slug, the first value of an enum, the required members
of an object. What only the user knows, such as an id, is a variable with the name of the argument.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Final

from codegen.names import snake_case
from codegen.shapes import Choice, Many, Map, Record, Scalar, Shape, Union, all_fields, resolved

if TYPE_CHECKING:
    from codegen.nodes import Json
    from codegen.operations import Operation
    from codegen.parameters import Parameter
    from codegen.shapes import Components

    from .api import Api

_WIDTH: Final = 88
_SLUGS: Final = {"project-slug": "gh/acme/web", "org-slug": "gh/acme"}
_TELLING: Final = ("name", "path", "number", "job_number", "login", "slug", "status", "state", "phase", "id")
"""Fields worth printing, the best first."""
_MOST_PRINTED: Final = 2


def example(operation: Operation, api: Api) -> str:
    """The lines of the call, with what it returns."""
    call = _call(operation, api)
    item = _variable(operation)
    if operation.response.is_stream:
        name = "piece" if operation.response.form == "bytes" else item
        return f"async with {call} as stream:\n    async for {name} in stream:\n        print({name})"
    if operation.pagination is not None:
        return f"async for {item} in {call}:\n    print({_printed(operation, item, api)})"
    if operation.response.form == "text":
        return f"text = await {call}\nprint(text)"
    if operation.response.models:
        return f"{item} = await {call}\nprint({_printed(operation, item, api)})"
    return f"await {call}"


def _call(operation: Operation, api: Api) -> str:
    shown = [parameter for parameter in operation.parameters if _is_shown(parameter, operation)]
    given = [
        value if parameter.positional else f"{parameter.name}={value}"
        for parameter in shown
        for value in (_value(parameter.name, parameter.shape, parameter.example, api.components),)
    ]
    return _wrapped(f"circleci.{api.name}.{operation.resource}.{operation.name}(", given, ")")


def _is_shown(parameter: Parameter, operation: Operation) -> bool:
    if parameter.example is not None or (parameter.required and parameter.default is None):
        return True
    alternatives = [
        rule.names for rule in operation.rules if rule.kind == "exactly_one" and parameter.name in rule.names
    ]
    by_example = {one.name for one in operation.parameters if one.example is not None}
    return any(names[0] == parameter.name and not by_example & {*names} for names in alternatives)


def _value(name: str, shape: Shape, given: Json, components: Components) -> str:
    if given is not None:
        return _literal(given)
    match resolved(shape, components):
        case Scalar(type="boolean"):
            return "True"
        case Scalar(format=slug) if slug in _SLUGS:
            return f'"{_SLUGS[slug]}"'
        case Choice(values=values):
            return f'"{values[0]}"'
        case Many(items=items):
            return f"[{_value(name.removesuffix('s'), items, None, components)}]"
        case Map():
            return "{}"
        case Record() as record:
            return _mapping(name, record, components)
        case Union(members=members):
            return _value(name, members[0], None, components)
        case _:
            return name


def _mapping(name: str, record: Record, components: Components) -> str:
    items: list[str] = []
    for field in all_fields(record, components):
        if field.required or field.example is not None:
            variable = f"{name}_id" if field.name == "id" else field.name
            items.append(f'"{field.name}": {_value(variable, field.shape, field.example, components)}')
    return f"{{{', '.join(items)}}}"


def _literal(value: Json) -> str:
    match value:
        case str():
            return '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
        case list():
            return f"[{', '.join(map(_literal, value))}]"
        case dict():
            return f"{{{', '.join(f'{_literal(key)}: {_literal(inner)}' for key, inner in value.items())}}}"
        case _:
            return repr(value)


def _wrapped(before: str, parts: Sequence[str], after: str) -> str:
    line = before + ", ".join(parts) + after
    if len(line) <= _WIDTH - len("async for = await  :"):
        return line
    return before + "\n" + textwrap.indent("".join(f"{part},\n" for part in parts), "    ") + after


def _variable(operation: Operation) -> str:
    models = operation.response.models
    return snake_case(models[0]) if len(models) == 1 else "response"


def _printed(operation: Operation, name: str, api: Api) -> str:
    models = operation.response.models
    record = api.record(models[0]) if len(models) == 1 else None
    if record is None or operation.response.may_be_empty:
        return name
    return ", ".join(f"{name}.{field}" for field in _telling(record, api.components)) or name


def _telling(record: Record, components: Components) -> list[str]:
    simple = [
        field.name for field in all_fields(record, components) if field.required and _is_simple(field.shape, components)
    ]
    return sorted(simple, key=_rank)[:_MOST_PRINTED]


def _is_simple(shape: Shape, components: Components) -> bool:
    content = resolved(shape, components)
    return isinstance(content, Choice) or (isinstance(content, Scalar) and not content.secret)


def _rank(name: str) -> int:
    return _TELLING.index(name) if name in _TELLING else len(_TELLING)
