"""Lowers components to the input schemas of datamodel-code-generator.

All decisions of this package are made in the lowered document: names of modules and fields, open enums, timestamps,
secrets. Constraints and defaults are omitted, since the server validates them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from .docstrings import model_text
from .names import bad_field_name
from .nodes import Json, Problems
from .shapes import (
    Anything,
    Choice,
    Component,
    Components,
    Field,
    Many,
    Map,
    Record,
    Reference,
    Scalar,
    Shape,
    Union,
    holds_secret,
    resolved,
)

if TYPE_CHECKING:
    from .placement import Placement

JsonObject: TypeAlias = dict[str, Json]

_RUNTIME: Final = "circleci_sdk._core.serialization.model"
MODEL_BASE: Final = f"{_RUNTIME}.Model"

_UNKNOWN: Final[JsonObject] = {"type": "string", "x-python-type": f"{_RUNTIME}.UnknownStr"}
_TIMESTAMP: Final[JsonObject] = {"type": "string", "format": "date-time", "x-python-type": f"{_RUNTIME}.Timestamp"}
_SECRET: Final[JsonObject] = {"type": "string", "x-python-type": f"{_RUNTIME}.SecretText"}
_ANYTHING: Final[JsonObject] = {"x-python-type": "typing.Any"}
_ANY_OBJECT: Final[JsonObject] = {"type": "object", "x-python-type": MODEL_BASE}


def lower(components: Components, placement: Placement) -> tuple[JsonObject, dict[str, str]]:
    """The document for datamodel-code-generator, and the Python names of fields by `module.Class.wire`."""
    problems = Problems()
    schemas: dict[str, Json] = {}
    field_names: dict[str, str] = {}
    lowering = _Lowering(components, placement)
    for name, module in placement.modules.items():
        component = components[name]
        with problems.caught():
            schemas[f"{module}.{name}"] = lowering.component(component)
        if isinstance(component.content, Record):
            renamed = (field for field in component.content.fields if field.name != field.wire)
            field_names |= {f"{module}.{name}.{field.wire}": field.name for field in renamed}
    problems.raise_any()
    document: JsonObject = {
        "openapi": "3.1.0",
        "info": {"title": "models", "version": "1"},
        "paths": {},
        "components": {"schemas": schemas},
    }
    return document, field_names


class _Lowering:
    def __init__(self, components: Components, placement: Placement) -> None:
        self._components = components
        self._placement = placement

    def component(self, component: Component) -> JsonObject:
        responded = component.name in self._placement.responded
        content = component.content
        if isinstance(content, Record):
            lowered = self._record(content, responded=responded)
        else:
            lowered = self._shape(content, responded=responded)
        return _described(lowered, model_text(component.description))

    def _record(self, record: Record, *, responded: bool) -> JsonObject:
        _check_fields(record, responded=responded)
        own: JsonObject = {
            "type": "object",
            "required": [field.wire for field in record.fields if field.required],
            "properties": {field.wire: self._field(field, responded=responded) for field in record.fields},
        }
        if record.computed:
            own["customBasePath"] = f"{_RUNTIME}.{record.computed}"
        if not record.bases:
            return own
        bases: list[Json] = [self._reference(base) for base in record.bases]
        return {"allOf": [*bases, own]}

    def _field(self, field: Field, *, responded: bool) -> JsonObject:
        text = model_text(field.description, undocumented=field.undocumented, deprecated=field.deprecated)
        return _described(self._shape(field.shape, responded=responded), text)

    def _shape(self, shape: Shape, *, responded: bool) -> JsonObject:
        members = list(self._members(shape, responded=responded))
        if shape.nullable and not isinstance(shape, Anything):
            members.append({"type": "null"})
        return members[0] if len(members) == 1 else {"anyOf": [*members]}

    def _members(self, shape: Shape, *, responded: bool) -> list[JsonObject]:
        match shape:
            case Scalar():
                return [_scalar(shape)]
            case Choice(values=values, closed=closed):
                known: JsonObject = {"type": "string", "enum": list(values)}
                return [known] if closed else [known, _UNKNOWN]
            case Reference(name=name):
                return [self._reference(name)]
            case Many(items=items):
                return [{"type": "array", "items": self._shape(items, responded=responded)}]
            case Map(values=values):
                return [{"type": "object", "additionalProperties": self._shape(values, responded=responded)}]
            case Union(members=members):
                lowered = [self._shape(member, responded=responded) for member in members]
                return [*lowered, _ANY_OBJECT] if responded and self._may_grow(shape) else lowered
            case Anything():
                return [_ANYTHING]

    def _reference(self, name: str) -> JsonObject:
        return {"$ref": f"#/components/schemas/{self._placement.modules[name]}.{name}"}

    def _may_grow(self, union: Union) -> bool:
        """Whether responses may contain objects that are not in the union."""
        records = [member for member in union.members if isinstance(resolved(member, self._components), Record)]
        return len(records) > 1


def _described(schema: JsonObject, text: str | None) -> JsonObject:
    return {**schema, "description": text} if text else schema


def _scalar(scalar: Scalar) -> JsonObject:
    if scalar.secret:
        return _SECRET
    match scalar.format:
        case "date-time":
            return _TIMESTAMP
        case _:
            return {"type": scalar.type}


def _check_fields(record: Record, *, responded: bool) -> None:
    problems = Problems()
    for field in record.fields:
        with problems.caught():
            if reason := bad_field_name(field.name):
                raise field.node.refusal(f"`{field.name}` {reason}; set `x-python-name` to another name.")
            if field.default is not None or field.also_sent_as:
                raise field.node.refusal(
                    "`x-default` and `x-also-sent-as` belong to arguments of methods; remove them."
                )
            if not responded and holds_secret(field.shape):
                raise field.node.refusal(
                    "A secret cannot be in a nested model of a request; move it to the first level of the body."
                )
    problems.raise_any()
