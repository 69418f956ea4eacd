"""Decoding bytes to typed data: pages, a large build of API v1.1, and pages in which something does not fit."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.errors import CallFacts
from circleci_sdk._core.messages import Headers, Received
from circleci_sdk._core.serialization.decode import decode_page, decode_response
from circleci_sdk.v1 import OPERATIONS as OPERATIONS_V1
from circleci_sdk.v2 import OPERATIONS as OPERATIONS_V2
from circleci_sdk.v3 import OPERATIONS as OPERATIONS_V3

from . import plain, responses
from .clients.models import page_model
from .stats import ratios
from .tables import Budget, Report, Row, Run, Table

if TYPE_CHECKING:
    from pydantic import BaseModel

Decode = Callable[[], object]
_OBSTACLE: Final = "unknown fields are kept and a value that does not fit is reported with its place"
_ENVELOPES: Final = (
    "pydantic alone takes 1.6 x to read the flat fields by paths, without unknown members, and 2.4 x with nested models"
)
_FACTS: Final = CallFacts("v2.pipelines.list_for_project", "GET", "/api/v2/pipeline")


def report(run: Run) -> Report:
    """Decoding, relative to plain models and to a page in which everything fits."""
    rounds = run.rounds(25, 5)
    table, entities, odd = measure(rounds), measure_entities(rounds), measure_mismatches(rounds)
    mismatch = odd.figure("1 with a field")
    budgets = [
        Budget("decoding a page, x plain pydantic", table.figure("circleci_sdk"), None, 1.12, _OBSTACLE),
        Budget("decoding a large build, x plain pydantic", table.figure("circleci_sdk", 1), None, 1.12, _OBSTACLE),
        Budget(
            "v3 jobs, a page of 50 entities, x plain pydantic", entities.figure("circleci_sdk"), None, 1.3, _ENVELOPES
        ),
        Budget("decoding 30 builds with one that does not fit, x all that fit", mismatch, most=5),
    ]
    return Report(budgets, (table, entities, odd))


def measure(rounds: int) -> Table:
    """Decoding times of several libraries, relative to plain pydantic models."""
    failures: list[str] = []
    page, build = responses.page(), responses.build()
    pages: dict[str, Decode] = {
        "plain pydantic models": lambda: plain.Page.model_validate_json(page),
        "circleci_sdk": _our_page(page),
        "`json.loads`, no types": lambda: json.loads(page),
    }
    builds: dict[str, Decode] = {
        "plain pydantic models": lambda: plain.Build.model_validate_json(build),
        "circleci_sdk": _our_build(build),
        "`json.loads`, no types": lambda: json.loads(build),
    }
    for name, make in (("openai", _openai), ("datamodel-code-generator's models", _generated)):
        try:
            decode = pages[name] = make(page)
            decode()
        except Exception as error:  # noqa: BLE001  # every failure of another library belongs into the table
            pages.pop(name, None)
            failures.append(f"{name}: {error}")
    small, big = _rounds(pages, 60, rounds), _rounds(builds, 4, rounds)
    first = "plain pydantic models"
    rows = [
        Row(name, (ratios(small[name], small[first]), ratios(big[name], big[first]) if name in big else None))
        for name in pages
    ]
    return Table(
        "Decoding",
        f"Time from bytes to data, relative to plain pydantic models (dates as `datetime`, known values as "
        f"`Literal[...] | str`, no aliases); lower is better. The page has {len(page) // 1000} kB, the build "
        f"{len(build) // 1000} kB in {responses.STEPS * responses.CONTAINERS} actions.",
        ("page of 20 pipelines", "large build of v1.1"),
        tuple(rows),
        tuple(failures),
    )


def measure_entities(rounds: int) -> Table:
    """Decoding times of entities of API v3, relative to plain pydantic models that read them without envelopes."""
    flat, jobs, unknown = responses.flat_jobs(), responses.jobs(), responses.jobs(unknown=True)
    ways: dict[str, Decode] = {
        "plain pydantic models, flat": lambda: plain.FlatJobs.model_validate_json(flat),
        "circleci_sdk": _our_jobs(jobs),
        "circleci_sdk, with four unknown members in each": _our_jobs(unknown),
        "plain pydantic models, nested": lambda: plain.Jobs.model_validate_json(jobs),
    }
    taken = _rounds(ways, 30, rounds)
    rows = [Row(name, (ratios(taken[name], taken["plain pydantic models, flat"]),)) for name in ways]
    return Table(
        "Decoding entities of API v3",
        f"Time from bytes to models, relative to plain pydantic models of the same {responses.JOBS} jobs without "
        "envelopes; lower is better. circleci_sdk reads the envelopes into flat models and keeps unknown members.",
        (f"page of {responses.JOBS} jobs",),
        tuple(rows),
    )


def measure_mismatches(rounds: int) -> Table:
    """Decoding times of a page in which something does not fit, relative to the same page without."""
    ways = {odd: _our_builds(responses.builds(odd)) for odd in (0, 1, 4)}
    taken = _rounds({str(odd): decode for odd, decode in ways.items()}, 30, rounds)
    rows = [Row(f"{odd} with a field that does not fit", (ratios(taken[str(odd)], taken["0"]),)) for odd in ways if odd]
    return Table(
        "Decoding what does not fit",
        f"Time from bytes to models of API v1.1, relative to {responses.BUILDS} builds that fit; lower is better.",
        (f"page of {responses.BUILDS} builds",),
        tuple(rows),
    )


def _rounds(ways: dict[str, Decode], times: int, rounds: int) -> dict[str, list[float]]:
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for number in range(rounds + 1):
        for name, decode in ways.items():
            started = time.process_time()
            for _ in range(times):
                decode()
            if number:
                taken[name].append(time.process_time() - started)
    return taken


def _our_page(content: bytes) -> Decode:
    operation, response = OPERATIONS_V2["listPipelinesForProject"], Received(200, Headers([]), content)
    return lambda: decode_page(operation, response, _FACTS, strict=False, start=None, size=None)


def _our_build(content: bytes) -> Decode:
    operation, response = OPERATIONS_V1["getBuild"], Received(200, Headers([]), content)
    return lambda: decode_response(operation, response, _FACTS, strict=False)


def _our_builds(content: bytes) -> Decode:
    operation, response = OPERATIONS_V1["listProjectBuilds"], Received(200, Headers([]), content)
    return lambda: decode_page(operation, response, _FACTS, strict=False, start=None, size=None)


def _our_jobs(content: bytes) -> Decode:
    operation, response = OPERATIONS_V3["listJobs"], Received(200, Headers([]), content)
    return lambda: decode_page(operation, response, _FACTS, strict=False, start=None, size=None)


def _openai(content: bytes) -> Decode:
    models: Any = import_module("openai._models")
    page: Any = page_model(models.BaseModel)
    return lambda: models.construct_type(value=json.loads(content), type_=page)


def _generated(content: bytes) -> Decode:
    page: type[BaseModel] = import_module("benchmarks_generated_models").PipelinePage
    return lambda: page.model_validate_json(content)
