"""What holds a client is neither copied nor pickled; a half-made object ends without a word."""

from __future__ import annotations

import copy
import gc
import importlib
import pickle
import pkgutil
import sys
import warnings
from collections.abc import Callable
from datetime import date
from typing import Any, Final, cast

import pytest

import circleci_sdk
from circleci_sdk import AsyncCircleCI, CircleCIError
from circleci_sdk._core.session import Session
from circleci_sdk._public import Uncopied
from tests.support.clients import ID, SLUG, TOKEN

COPIES: Final[dict[str, Callable[[Any], object]]] = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    "deepcopy in a dict": lambda one: copy.deepcopy({"client": [one]}),
    "pickle": pickle.dumps,
    "pickle 2": lambda one: pickle.dumps(one, 2),
}


def holders(client: AsyncCircleCI) -> dict[str, object]:
    run = client.runs.attach(ID)
    return {
        "client": client,
        "with_options": client.with_options(timeout=1),
        "v1": client.v1,
        "v2": client.v2,
        "resource": client.v2.jobs,
        "resource of v1": client.v1.builds,
        "runs": client.runs,
        "logs": client.logs,
        "history": client.history,
        "artifacts": client.artifacts,
        "secrets": client.secrets,
        "usage": client.usage,
        "pager": client.v2.pipelines.list_for_project(SLUG),
        "prefetch": client.v2.pipelines.list_for_project(SLUG).prefetch(),
        "run": run,
        "watch": run.watch(),
        "records": client.history.records(SLUG),
        "rows": client.usage.rows("gh/acme", start=date(2026, 1, 1), end=date(2026, 1, 2)),
    }


@pytest.mark.parametrize("how", COPIES)
@pytest.mark.parametrize("name", list(holders(AsyncCircleCI(TOKEN))))
def test_it_is_not_copied(name: str, how: str) -> None:
    client = AsyncCircleCI(TOKEN)
    holder = holders(client)[name]
    with pytest.raises(TypeError, match=rf"^{type(holder).__name__} cannot .*with_options\(\)") as caught:
        COPIES[how](holder)
    assert TOKEN not in str(caught.value)
    assert client.with_options().base_url == client.base_url


def finalized_classes() -> list[type]:
    found: set[type] = set()
    for module in pkgutil.walk_packages(circleci_sdk.__path__, "circleci_sdk."):
        if not module.name.endswith("__main__"):
            found |= {one for one in vars(importlib.import_module(module.name)).values() if isinstance(one, type)}
    ours = (one for one in found if hasattr(one, "__del__") and one.__module__.startswith("circleci_sdk"))
    return sorted(ours, key=lambda one: one.__qualname__)


def test_half_made_objects_end_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", told.append)
    classes = finalized_classes()
    assert Session in classes
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for one in (*classes, AsyncCircleCI):
            made = cast("Any", object.__new__(one))
            assert type(made) is one
            del made
        for options in ({"token": ""}, {"base_url": "ftp://x"}, {"timeout": -1}):
            with pytest.raises(CircleCIError):
                AsyncCircleCI(**{"token": TOKEN, **options})  # pyright: ignore[reportArgumentType]  # what is refused
        for refused in COPIES.values():
            with pytest.raises(TypeError):
                refused(AsyncCircleCI(TOKEN))
        gc.collect()
    assert (told, [str(one.message) for one in warned if "AsyncCircleCI" in str(one.message)]) == ([], [])


def test_a_subclass_may_know_how_to_be_pickled() -> None:
    copied = copy.deepcopy({"client": FromEnvironment(TOKEN)})
    assert copied["client"].base_url == "https://circleci.com"


class FromEnvironment(AsyncCircleCI):
    def __reduce__(self) -> tuple[Any, ...]:
        return FromEnvironment, ("another",)


def test_every_holder_is_one() -> None:
    assert all(isinstance(one, Uncopied) for one in holders(AsyncCircleCI(TOKEN)).values())
