"""Names: conversion from the wire to Python, and names reserved by Python, pydantic or the generated modules."""

from __future__ import annotations

import builtins
import keyword
import re
from collections.abc import Iterable, Sequence
from typing import Final

from pydantic import BaseModel

SHARED: Final = "shared"
DELIVERIES: Final = "deliveries"
OTHER_MODULES: Final = frozenset({SHARED, DELIVERIES})
"""Names reserved for the modules of shared models and of deliveries, which resources cannot have."""

_WORD_ENDS: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_PYTHON_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*_?")
_CLASS_NAME: Final = re.compile(r"([A-Z][a-z]*)+")

_BRACKETS: Final = re.compile(r"(filter|page)\[(.+)\]")
_PAGE_NAMES: Final = {"cursor": "page_token", "limit": "page_size"}
_PARTS: Final = frozenset({"data", "attributes", "references", "filter"})
"""Parts of the envelope of an entity, which no name repeats."""

# Used in annotations of the class body: a field or a method of that name would shadow them.
_FIELD_TYPES: Final = frozenset({"bool", "dict", "float", "int", "list", "str"})
_ARGUMENT_TYPES: Final = frozenset({"bool", "date", "datetime", "float", "int", "str"})
_MODEL_ATTRIBUTES: Final = frozenset(dir(BaseModel))


def one_of(names: Iterable[str]) -> str:
    """A choice of names as text: "`a`, `b` or `c`"."""
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} or {last}" if others else last


def snake_case(name: str) -> str:
    """Convert `orgID`, `org-id` and `OrgId` to `org_id`."""
    return re.sub(r"[^A-Za-z0-9]+", "_", _WORD_ENDS.sub("_", name)).lower()


def parameter_name(wire: str) -> str:
    """The Python name of a query parameter: `filter[org_id]` is `org_id`, `page[limit]` is `page_size`."""
    match = _BRACKETS.fullmatch(wire)
    return member_name((match[1], match[2])) if match else member_name((wire,))


def member_name(path: Sequence[str]) -> str:
    """The Python name of a member by its path: `page.limit` is `page_size`, `references.org.id` is `org_id`."""
    *outer, last = path
    if outer[-1:] == ["page"] and last in _PAGE_NAMES:
        return _PAGE_NAMES[last]
    if last == "id" and outer and outer[-1] not in _PARTS:
        last = f"{outer[-1]}_id"
    name = snake_case(last)
    return f"{name}_" if outer and keyword.iskeyword(name) else name


def pascal_case(name: str) -> str:
    """Convert `oidc_claims` to `OidcClaims`."""
    return "".join(word.capitalize() for word in name.split("_"))


def is_python_name(name: str) -> bool:
    """Whether it is a valid name of a method or a parameter."""
    return _PYTHON_NAME.fullmatch(name) is not None


def bad_parameter_name(name: str) -> str | None:
    """The reason why a parameter cannot have this name, as the end of a sentence; None if it can."""
    if not is_python_name(name):
        return "is not a lower-case Python name"
    if keyword.iskeyword(name) or keyword.issoftkeyword(name):
        return "is a Python keyword"
    if name in dir(builtins):
        return "is a Python builtin"
    if name == "self":
        return "is the first parameter of methods"
    return None


def bad_method_name(name: str) -> str | None:
    """The reason why a method cannot have this name; `list` and other builtins are allowed."""
    if not is_python_name(name):
        return "is not a lower-case Python name"
    if keyword.iskeyword(name):
        return "is a Python keyword"
    if name in _ARGUMENT_TYPES:
        return "is used in annotations of the class"
    return None


def bad_field_name(name: str) -> str | None:
    """The reason why a field of a model cannot have this name."""
    if not is_python_name(name):
        return "is not a lower-case Python name"
    if keyword.iskeyword(name):
        return "is a Python keyword"
    if name in _MODEL_ATTRIBUTES:
        return "hides an attribute of pydantic models"
    if name in _FIELD_TYPES:
        return "is used in annotations of the class"
    return None


def bad_class_name(name: str) -> str | None:
    """The reason why a schema cannot have this name."""
    if _CLASS_NAME.fullmatch(name):
        return None
    return "is not a class name in CamelCase without digits"
