"""Checks chosen places of responses against the bundled specs, so that a misspelled name is noticed."""

from __future__ import annotations

import difflib
from functools import cache
from typing import TYPE_CHECKING, Any, Final, cast

from circleci_sdk.testing._wire.spec import Schema, Spec, spec_of

from .misbehaviour import steps_after
from .routing import all_operations

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from .misbehaviour import Steps

_VARIANTS: Final = ("anyOf", "oneOf", "allOf")
_MOST_NAMES: Final = 8


def problem_of(steps: Steps, labels: Iterable[str]) -> str | None:
    """Why the responses of none of the operations have that place, as a sentence; None if those of one have it.

    A map has any name. But among several operations one with a map would hide each misspelling, so it does not count.
    """
    asked = sorted(labels) or sorted(_schemas())
    known: set[str] = set()
    for label in asked:
        spec, schema = _schemas()[label]
        names: set[str] = set()
        if schema is not None and _leads(spec, schema, steps, names, maps=len(asked) == 1):
            return None
        known |= names
    whose = asked[0] if len(asked) == 1 else "none of the operations"
    verb = "has" if len(asked) > 1 else "has not"
    sentence = f"the response of {whose} {verb} the place {'.'.join(steps)!r}."
    wrong = [step for step in steps if step not in known and step != "*"]
    close = [each for step in wrong for each in difflib.get_close_matches(step, sorted(known), n=1)]
    if close:
        return f"{sentence} Did you mean {close[0]!r}?"
    if len(asked) == 1 and known:
        return f"{sentence} Names there: {', '.join(sorted(known)[:_MOST_NAMES])}."
    return sentence


@cache
def _schemas() -> dict[str, tuple[Spec, Schema | None]]:
    specs = {each.label: (spec_of(each.api.name), each.id) for each in all_operations()}
    return {label: (spec, spec.success(id)[1]) for label, (spec, id) in specs.items()}


def _leads(spec: Spec, schema: Schema, steps: Steps, names: set[str], *, maps: bool) -> bool:
    """Whether values of a schema may have that place. `names` collects those where the place ends too early."""
    schema = spec.resolve(schema)
    if not steps:
        return True
    variants = [each for key in _VARIANTS for each in schema.get(key, ())]
    if any(_leads(spec, each, steps, names, maps=maps) for each in variants):
        return True
    properties = cast("dict[str, Schema]", schema.get("properties", {}))
    found = False
    for child, rest in _below(schema, properties, steps, maps=maps):
        found = True
        if _leads(spec, child, rest, names, maps=maps):
            return True
    if not found:
        names.update(properties, ["*"] if "items" in schema else [])
    described = bool(variants or properties or "items" in schema)
    return maps and not described and "object" in schema.get("type", "object")


def _below(
    schema: Schema, properties: Mapping[str, Schema], steps: Steps, *, maps: bool
) -> Iterator[tuple[Schema, Steps]]:
    """What the first steps lead to, and the steps after them."""
    # v1.1 has both spellings of many names.
    spelled = tuple(step.replace("-", "_") for step in steps)
    for name, child in properties.items():
        if (rest := steps_after(spelled, name.replace("-", "_"))) is not None:
            yield child, steps[len(steps) - len(rest) :]
    more: Any = schema.get("additionalProperties")
    if maps and isinstance(more, dict):
        for count in range(1, len(steps) + 1):  # the names of a map may contain dots
            yield cast("Schema", more), steps[count:]
    if "items" in schema and (steps[0] == "*" or steps[0].isdecimal()):
        yield schema["items"], steps[1:]
