"""Any bytes and headers give an event or an error of this package."""

from __future__ import annotations

import json
import sys
from functools import partial
from typing import Any, cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from circleci_sdk import CircleCIError, InvalidArgumentError, SignatureError
from circleci_sdk.webhooks import (
    UnknownEvent,
    branch_of,
    delivery_id,
    parse,
    project_slug_of,
    status_of,
    tag_of,
    verify,
)
from tests.webhooks import deliveries

SECRET = deliveries.SECRET
any_text = some.text(some.characters())  # with lone surrogates, which `some.text()` omits
json_values = some.recursive(
    some.none() | some.booleans() | some.integers() | some.floats() | any_text,
    lambda inner: some.lists(inner, max_size=4) | some.dictionaries(any_text, inner, max_size=4),
    max_leaves=12,
)
names = some.sampled_from(["circleci-signature", "Circleci-Signature", "circleci-event-type", "x"]) | some.text()
digests = some.binary(max_size=40).map(bytes.hex)
signatures = some.lists(
    some.builds(
        "{}={}".format, some.sampled_from(["v1", "v2", "v0", "", "v"]) | some.text(max_size=3), digests | some.text()
    ),
    max_size=4,
).map(",".join)
headers = (
    some.none()
    | some.dictionaries(names, signatures | some.text())
    | some.lists(some.tuples(names | some.binary(), signatures | some.text() | some.binary()), max_size=5)
)
KINDS = ["workflow-completed", "job-completed", "ping", "deploy-completed", None]
WHOLE: dict[str | None, Any] = {
    "workflow-completed": deliveries.workflow(),
    "job-completed": deliveries.job(),
    "ping": deliveries.ping(),
    "deploy-completed": {"type": "deploy-completed"},
    None: {"payload": {"build_num": 1, "vcs_url": "https://github.com/a/b", "all_commit_details": [{}], "steps": [{}]}},
}


@given(
    body=some.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()), given_headers=headers
)
def test_verify_only_raises_signature_errors(body: bytes, given_headers: Any) -> None:
    try:
        verify(body, given_headers, SECRET)
    except SignatureError:
        return
    raise AssertionError("a random signature was accepted")


@given(
    body=some.binary(max_size=300) | json_values.map(lambda value: json.dumps(value).encode()), given_headers=headers
)
def test_parse_only_raises_errors_of_this_package(body: bytes, given_headers: Any) -> None:
    for secret in (None, SECRET):
        try:
            event = parse(body, given_headers, secret=secret)
        except CircleCIError:
            continue
        look_at(event)
        assert secret is None


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The path of every value in a body, without the root."""
    items: Any = ()
    if isinstance(value, dict):
        items = cast("Any", value).items()
    elif isinstance(value, list):
        items = enumerate(cast("Any", value))
    below = [found for key, child in items for found in paths(child, (*path, key))]
    return below + ([path] if path else [])


@given(data=some.data(), kind=some.sampled_from(KINDS))
@settings(max_examples=300)
def test_a_signed_body_with_any_value_in_any_field(data: some.DataObject, kind: str | None) -> None:
    body = json.loads(json.dumps(WHOLE[kind]))
    for _ in range(data.draw(some.integers(1, 3))):
        *above, last = data.draw(some.sampled_from(paths(body)))
        inner = body
        for key in above:
            inner = inner[key]
        inner[last] = data.draw(json_values)
    content = json.dumps(body).encode()
    event = parse(content, deliveries.headers(content), secret=SECRET)
    look_at(event)
    if kind == "deploy-completed" and body["type"] == kind:
        assert isinstance(event, UnknownEvent)


LONG = "7" * 4200
"""An integer that Python reads from JSON and, with a lower limit, does not write."""


@pytest.mark.parametrize(
    "body",
    [
        f'{{"type": "x", "zz": {LONG}}}',
        f'{{"payload": {{"build_num": 1, "vcs_url": {LONG}}}}}',
        f'{{"type": "ping", "happened_at": {LONG}}}',
        f'{{"type": "workflow-completed", "id": {LONG}}}',
    ],
)
def test_integers_that_the_interpreter_does_not_convert(body: str, request: pytest.FixtureRequest) -> None:
    request.addfinalizer(partial(sys.set_int_max_str_digits, sys.get_int_max_str_digits()))
    sys.set_int_max_str_digits(640)
    look_at(parse(body.encode(), secret=None))


def released() -> memoryview:
    body = memoryview(b"{}")
    body.release()
    return body


@pytest.mark.parametrize(
    ("body", "options"),
    [(b"{}", {"max_body": limit}) for limit in (None, "5", 0, -1, 1.5, True)] + [(released(), {})],
)
def test_arguments_of_another_type_are_refused(body: Any, options: dict[str, Any]) -> None:
    with pytest.raises(InvalidArgumentError):
        parse(body, secret=None, **options)
    with pytest.raises(InvalidArgumentError):
        verify(body, "v1=00", SECRET, **options)


def look_at(event: Any) -> None:
    """The functions on events do not fail either."""
    assert isinstance(delivery_id(event), str)
    for ask in (branch_of, tag_of, status_of, project_slug_of):
        assert isinstance(ask(event), str | None)
