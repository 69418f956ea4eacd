"""Checks of one reading of a mutated body. Each yields what is wrong."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any, cast

from circleci_sdk import FieldUnavailableError, Page
from circleci_sdk._core.serialization.model import Model
from tests.support.declared_types import nouns_in
from tests.support.disturbed import Comparison, normalized, part_of_dump, part_of_whole_dump, with_part
from tests.support.expected_reading import Unfit
from tests.support.mutations import dotted
from tests.support.recordings import differences as data_differences


def compared_dumps(comparison: Comparison, before: Any, after: Any, way: tuple[str | int, ...]) -> Iterator[str]:
    """Differences between dumps of models: only the mutated field may differ, and holds the raw value if unfit."""
    if comparison.found:
        return
    for part, exclude_unset in ((part_of_dump(comparison), True), (part_of_whole_dump(comparison), False)):
        if part is None and not exclude_unset:
            continue
        one, other = (
            normalized(cast(Model, model).model_dump(mode="json", by_alias=True, exclude_unset=exclude_unset))
            for model in (before, after)
        )
        wanted = with_part(one, way, part)
        if other != wanted:
            lines = [*data_differences(wanted, other)] or [f"{wanted!r:.300} became {other!r:.300}"]
            yield f"the dump{' without defaults' if exclude_unset else ''}: {'; '.join(lines[:3])}"


def compared_mismatches(comparison: Comparison, before: Any, after: Any) -> Iterator[str]:
    """Differences in `mismatches`: those of the mutated field are as expected, all others as before."""
    owner = dotted(comparison.owner)
    found = {one.place: one for one in after.mismatches}
    if len(found) != len(after.mismatches):
        yield f"a place occurs twice in {after.mismatches}"
    kept = {one.place: one for one in before.mismatches if not f"{one.place}.".startswith(f"{owner}.")}
    wanted = {dotted(one.place): one for one in comparison.expected}
    if found.keys() != kept.keys() | wanted.keys():
        yield f"mismatches at {sorted(found)}, expected at {sorted(kept.keys() | wanted.keys())}"
        return
    for place, one in kept.items():
        if found[place] != one:
            yield f"{found[place]} was {one}"
    for place, one in wanted.items():
        actual = found[place]
        if (nouns_in(actual.expected), actual.received) != (one.expected, one.received):
            yield f"{actual}, expected {one}"


def touched(operation: str, comparison: Comparison) -> Iterator[str]:
    """What is wrong with the error of a field that does not fit."""
    reading, holder = comparison.reading, comparison.holder
    if not isinstance(reading, Unfit) or not isinstance(holder, Model) or comparison.found:
        return
    name = str(comparison.owner[-1])
    if hasattr(holder, name) or getattr(holder, name, "default") != "default":
        yield f"{name} is available"
        return
    try:
        getattr(holder, name)
    except FieldUnavailableError as error:
        facts = (error.operation, error.place, nouns_in(error.expected), error.received)
        wanted = (operation, dotted(comparison.owner), reading.expected, reading.received)
        if facts != wanted:
            yield f"the error says {facts}, expected {wanted}"


def copied(result: Any, *, lossless: bool) -> Iterator[str]:
    """What is wrong with copies of a result. Pickles are only compared if they are lossless: they hold no secrets."""
    values: list[Any] = result.items if isinstance(result, Page) else [result]
    for value in [value for value in values if isinstance(value, Model)][:3]:
        for name, other in (
            ("copy", copy.copy(value)),
            ("deepcopy", copy.deepcopy(value)),
            ("model_copy", value.model_copy()),
            ("pickle", pickle.loads(pickle.dumps(value))),
        ):
            if name == "pickle" and not lossless:
                continue
            if other != value:
                yield f"{name} is not equal"
            if other.mismatches != value.mismatches:
                yield f"{name} has the mismatches {other.mismatches}"
            if other.model_dump(mode="json") != value.model_dump(mode="json"):
                yield f"{name} has another dump"
