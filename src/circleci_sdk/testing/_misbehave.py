"""The method of `FakeCircleCI` that changes its responses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal

from circleci_sdk._core.checks import STR, Accepted, check, one_of, or_none, several

from ._protocol.faults import labels_of
from ._protocol.misbehaviour import KINDS, WEBHOOK, Misbehaviour, MisbehaviourKind, Place, steps_of
from ._protocol.places import problem_of
from ._store.arguments import INT, NUMBER, PLACES, mapping_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from ._protocol.app import App
    from ._store.clock import FakeClock

_ANYTHING: Final = Accepted("anything", lambda _: True)
_FILES = ("artifact", "usage")


class MisbehaveMethod:
    """Responses of tomorrow's API."""

    def __init__(self, clock: FakeClock, app: App) -> None:
        self.clock: Final[FakeClock] = clock
        self._app: Final = app

    def misbehave(
        self,
        operation: str = "*",
        *,
        drop: str | Collection[str] = (),
        null: str | Collection[str] = (),
        rename: Mapping[str, str] | None = None,
        replace: Mapping[str, object] | None = None,
        probability: float = 0.0,
        kinds: Collection[MisbehaviourKind] = KINDS,
        seed: int | None = None,
    ) -> None:
        """Change fields in further JSON responses, to test a program against tomorrow's API.

            fake.misbehave("v2.workflows.get", drop="stopped_at", rename={"status": "state"})
            fake.misbehave("v2.pipelines.list_workflows", null=["items.*.name"], replace={"items.0.status": "paused"})
            fake.misbehave(probability=0.05, seed=7)

        A place is a path of names, with `*` for each element of an array and each field of an object, and a number for
        one element. Responses without that place stay as they are.

        Args:
            operation: name as in `fail_next`, without `"artifact"` and `"usage"`; `"webhook"` for the messages of
                webhooks, which are signed after the change; `"*"` for all of these.
            drop: places that are missing.
            null: places that are null.
            rename: new names of fields by place.
            replace: new values by place, of any type.
            probability: probability from 0 to 1 with which each field of each object is changed.
            kinds: the random changes: `"drop"`, `"null"`, `"rename"`, and `"retype"` for a value of another type.
            seed: seed of the random changes. Default: the one of the fake. They depend on it, on the request, and on
                how often the same request was made; not on the order of different requests.

        Only responses of success change; bodies of `fail_next` do not. Each call adds changes, and `reset_faults` ends
        them. `requests` lists what has changed in each response. Meanwhile clients of `client()` without `strict`
        read as in production. Raises `ValueError` for an unknown name, a place that no response has, two changes of
        one place, and without any change.
        """
        check(
            "misbehave",
            operation=(operation, STR),
            drop=(drop, PLACES),
            null=(null, PLACES),
            rename=(rename, or_none(mapping_of(STR))),
            replace=(replace, or_none(mapping_of(_ANYTHING))),
            probability=(probability, NUMBER),
            kinds=(kinds, several(f"some of {', '.join(KINDS)}", one_of(*KINDS), in_order=False)),
            seed=(seed, or_none(INT)),
        )
        labels = _labels_of(operation)
        places = [
            *_places("drop", dict.fromkeys([drop] if isinstance(drop, str) else drop)),
            *_places("null", dict.fromkeys([null] if isinstance(null, str) else null)),
            *_places("rename", rename or {}),
            *_places("replace", replace or {}),
        ]
        _check_places(places, labels)
        _check_random(probability, kinds, seed)
        if not places and not probability:
            raise ValueError("misbehave: expected a change: drop=, null=, rename=, replace= or probability=.")
        misbehaviour = Misbehaviour(
            labels, places, probability, self._app.seed if seed is None else seed, tuple(dict.fromkeys(kinds))
        )
        with self.clock.lock:
            self._app.misbehaviours.add(misbehaviour)


def _labels_of(operation: str) -> frozenset[str]:
    if operation in _FILES:
        raise ValueError(f"misbehave: operation: {operation!r} is a file without fields.")
    return frozenset({WEBHOOK}) if operation == WEBHOOK else labels_of(operation, "misbehave")


def _places(kind: Literal["drop", "null", "rename", "replace"], given: Mapping[str, object]) -> list[Place]:
    places: list[Place] = []
    for place, value in given.items():
        try:
            steps = steps_of(place)
        except ValueError as error:
            raise ValueError(f"misbehave: {kind}: {error}") from None
        if kind == "rename" and (not isinstance(value, str) or not value or steps[-1] == "*"):
            raise ValueError(f"misbehave: rename: expected a field and its new name, got {place!r} and {value!r}.")
        places.append(Place(steps, kind, value))
    return places


def _check_places(places: Collection[Place], labels: frozenset[str]) -> None:
    seen: dict[tuple[str, ...], str] = {}
    for place in places:
        if place.steps in seen:
            both = f"{seen[place.steps]} and {place.kind}"
            raise ValueError(f"misbehave: {'.'.join(place.steps)!r} is in {both}; expected one change of a place.")
        seen[place.steps] = place.kind
        # Messages of webhooks and outputs of steps have no schema.
        described = labels - {WEBHOOK, "output"}
        if (described or not labels) and (problem := problem_of(place.steps, described)) is not None:
            raise ValueError(f"misbehave: {place.kind}: {problem}")


def _check_random(probability: float, kinds: Collection[MisbehaviourKind], seed: int | None) -> None:
    if not 0 <= probability <= 1:
        raise ValueError(f"misbehave: probability: expected 0 to 1, got {probability!r}.")
    if isinstance(kinds, str) or not kinds or not set(kinds) <= set(KINDS):
        raise ValueError(f"misbehave: kinds: expected some of {', '.join(KINDS)}, got {kinds!r}.")
    if not probability and (seed is not None or tuple(kinds) != KINDS):
        raise ValueError("misbehave: seed and kinds are for random places; give a probability above 0 with them.")
