"""Results with unavailable fields: they compare, hash, copy and pickle, and raise where a gap is read."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from circleci_sdk import FieldUnavailableError, UnknownStr
from circleci_sdk.helpers import SecretTarget
from circleci_sdk.helpers._shared.partial import known, try_field, try_known


def gap() -> str:
    raise FieldUnavailableError(
        "v2.contexts.list: items.0.name: expected string, received null.",
        operation="v2.contexts.list",
        place="items.0.name",
        expected="string",
        received="null",
    )


def partial(identity: str = "1") -> SecretTarget:
    return SecretTarget("context", identity, try_field(gap))


def test_a_gap_raises_the_error_of_the_response_each_time() -> None:
    for target in (partial(), copy.copy(partial()), copy.deepcopy(partial()), pickle.loads(pickle.dumps(partial()))):
        for _ in range(2):
            with pytest.raises(FieldUnavailableError, match="expected string, received null") as caught:
                print(target.name)
            assert (caught.value.place, caught.value.received) == ("items.0.name", "null")
        assert (target.kind, target.id) == ("context", "1")
        assert (hasattr(target, "name"), getattr(target, "name", "none")) == (False, "none")
        assert not target.is_complete


def test_one_error_is_not_raised_twice() -> None:
    target = partial()
    errors: list[FieldUnavailableError] = []
    for _ in range(2):
        with pytest.raises(FieldUnavailableError) as caught:
            print(target.name)
        errors.append(caught.value)
    assert errors[0] is not errors[1]


def test_gaps_take_part_in_comparisons() -> None:
    whole = SecretTarget("context", "1", "name")
    assert partial() == partial()
    assert hash(partial()) == hash(partial())
    assert len({partial(), partial(), partial("2"), whole}) == 3
    assert partial() != whole
    assert whole == SecretTarget("context", "1", "name")
    assert whole != ("context", "1", "name")
    assert whole.is_complete


def test_texts() -> None:
    assert repr(partial()) == "SecretTarget(kind='context', id='1', name=<unavailable>)"
    assert str(partial()) == "context unknown"
    assert repr(SecretTarget("context", "1", "x")) == "SecretTarget(kind='context', id='1', name='x')"


def test_results_stay_frozen_dataclasses() -> None:
    whole = SecretTarget("context", "1", "name")
    assert dataclasses.replace(whole, id="2") == SecretTarget("context", "2", "name")
    assert dataclasses.asdict(whole) == {"kind": "context", "id": "1", "name": "name"}
    with pytest.raises(dataclasses.FrozenInstanceError):
        whole.id = "2"  # type: ignore[misc]  # meant to be wrong
    with pytest.raises(AttributeError, match="'SecretTarget' object has no attribute 'nmae'"):
        print(whole.nmae)  # type: ignore[attr-defined]  # meant to be wrong


def test_an_unavailable_value_of_an_open_set_is_an_unknown_one() -> None:
    value = known(gap)
    assert (value, type(value)) == ("unknown", UnknownStr)
    assert known(lambda: "success") == "success"


def test_a_gap_with_a_substitute_is_a_gap() -> None:
    target = SecretTarget("context", "1", try_known(gap))
    assert (target.name, type(target.name), target.is_complete) == ("unknown", UnknownStr, False)
    assert target != SecretTarget("context", "1", "unknown2")
    restored = pickle.loads(pickle.dumps(target))
    assert (restored, restored.name, restored.is_complete) == (target, "unknown", False)
    assert repr(target) == "SecretTarget(kind='context', id='1', name=UnknownStr('unknown'))"


def test_functions_of_dataclasses_leave_a_gap_out_and_keep_it() -> None:
    target = partial()
    assert dataclasses.asdict(target) == {"kind": "context", "id": "1"}
    assert [one.name for one in dataclasses.fields(target)] == ["kind", "id"]
    assert [one.name for one in dataclasses.fields(SecretTarget)] == ["kind", "id", "name"]
    other = dataclasses.replace(target, id="2")
    assert (other, other.is_complete) == (partial("2"), False)
    with pytest.raises(FieldUnavailableError, match=r"SecretTarget\.name: the field was unavailable"):
        print(other.name)
    assert dataclasses.replace(target, name="name") == SecretTarget("context", "1", "name")
    assert dataclasses.replace(target, name="name").is_complete
