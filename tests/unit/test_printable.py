"""Control characters of a server become visible escapes in errors, logs and reports."""

from __future__ import annotations

import copy
import io
import logging
import pickle
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

import circleci_sdk
from circleci_sdk import CircleCIError, FieldUnavailableError, Mismatch, StatusError, UnknownStr, printable
from circleci_sdk._core.logs import logger, logger_named
from circleci_sdk._core.serialization.model import Model
from circleci_sdk.helpers import SecretResult, SecretTarget, Skipped
from circleci_sdk.helpers.logs.step_output import readable

STEERING = "".join(
    map(chr, [*range(0x20), *range(0x7F, 0xA0), 0x61C, 0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)])
)
HOSTILE = f"a{STEERING}b\ud800c"
TEXTS = st.text(st.one_of(st.sampled_from(STEERING), st.characters()), max_size=50)
CLASSES = [
    value
    for name in circleci_sdk.__all__
    if isinstance(value := getattr(circleci_sdk, name), type) and issubclass(value, CircleCIError)
]


def steers(text: str, *, lines: bool = False) -> bool:
    """Whether any character of it steers a terminal."""
    return any(
        unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}
        or unicodedata.bidirectional(char) in {"LRE", "RLE", "PDF", "LRO", "RLO", "LRI", "RLI", "FSI", "PDI"}
        or char in "\u200e\u200f\u061c"
        for char in text
        if not (lines and char in "\n\t")
    )


@given(text=TEXTS)
def test_nothing_steers(text: str) -> None:
    assert not steers(printable(text))
    assert not steers(printable(text, lines=True), lines=True)
    assert printable(printable(text)) == printable(text)


@given(text=st.text(st.characters(exclude_categories=["Cc", "Cf", "Cs", "Zl", "Zp"])))
def test_other_characters_stay(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred", "\\x1b[31mred"),
        ("\x9b31m", "\\x9b31m"),
        ("a\r\nb\tc", "a\\r\\nb\\tc"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("\u2028", "\\u2028"),
        ("\ud800", "\\ud800"),
        ("\U0001f469\u200d\U0001f52c na\u00efve \\x1b", "\U0001f469\u200d\U0001f52c na\u00efve \\x1b"),
    ],
)
def test_escapes(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_lines_keeps_line_ends_and_tabs() -> None:
    assert printable("a\n\tb\r\x1b", lines=True) == "a\n\tb\\r\\x1b"


@pytest.mark.parametrize("cls", CLASSES)
def test_every_error(cls: type[CircleCIError]) -> None:
    error = cls(HOSTILE)
    for one in (error, pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert not steers(str(one), lines=True)
        assert not steers(repr(one))


def test_words_of_a_status_error() -> None:
    headers = {"X-Request-Id": "\x9b31m\x85"}
    error = StatusError("no\x1b[2J", status=400, headers=headers, body=b"\x1b")
    assert (error.message, error.request_id) == ("no\\x1b[2J", "\\x9b31m\\x85")
    assert (error.headers, error.body) == (headers, b"\x1b")  # as they came


@pytest.mark.parametrize(
    "text",
    [
        str(Mismatch(f"items.{HOSTILE}", "string", "null")),
        str(Skipped("v2.jobs.get", HOSTILE, ValueError("x"))),
        str(SecretTarget("context", "id", HOSTILE)),
        str(SecretResult(SecretTarget("context", "id", HOSTILE), HOSTILE[:5], "set")),
        repr(Model.model_validate({HOSTILE[:-2]: HOSTILE[:-2]})),
        repr(UnknownStr(HOSTILE)),
        repr(FieldUnavailableError(HOSTILE, place=HOSTILE)),
    ],
    ids=["mismatch", "skipped", "target", "result", "model", "unknown value", "unavailable"],
)
def test_texts_of_results(text: str) -> None:
    assert not steers(text)


@pytest.fixture
def records() -> list[logging.LogRecord]:
    return []


@pytest.fixture
def stream() -> io.StringIO:
    return io.StringIO()


@pytest.fixture(autouse=True)
def listening(records: list[logging.LogRecord], stream: io.StringIO) -> object:
    class Keep(logging.StreamHandler[io.StringIO]):
        def emit(self, record: logging.LogRecord) -> None:
            records.append(record)
            super().emit(record)

    handler = Keep(stream)
    logger.addHandler(handler)
    yield
    logger.removeHandler(handler)


@pytest.mark.parametrize("name", ["circleci_sdk", "circleci_sdk.drift"])
def test_log_records_are_one_line(name: str, stream: io.StringIO, records: list[logging.LogRecord]) -> None:
    logger_named(name).warning("%s in %.1f s (%d): %s", HOSTILE, 1.25, 7, ValueError(HOSTILE))
    [line] = stream.getvalue().splitlines()
    assert not steers(line)
    assert records[0].args is not None
    assert "in 1.2 s (7)" in line
    assert records[0].levelno == logging.WARNING


def test_tracebacks_in_logs(stream: io.StringIO) -> None:
    try:
        raise ValueError(HOSTILE)
    except ValueError:
        logger.exception("a handler failed")
    assert "ValueError: a" in stream.getvalue()
    assert not steers(stream.getvalue(), lines=True)


@pytest.mark.parametrize(
    ("log", "shown"),
    [
        ("\x1b[1;31mred\x1b[0m", "red"),
        ("\x9b31mred\x9b0m", "red"),
        ("\x1b]0;title\x07text", "text"),
        ("\x1b]8;;http://evil\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9d0;title\x9ctext", "text"),
        ("\x1bP+q\x1b\\x", "x"),
        ("\x1b(Bplain", "plain"),
        ("\x1b7saved\x1b8", "saved"),
        ("10%\r20%\r100%\n\tok", "100%\n\tok"),
        ("never ends \x1b]0;", "never ends "),
        ("\x1b]0;no end\nnext line", "\nnext line"),
        ("user\u202egnp", "user\\u202egnp"),
        ("a\x00\x7f\x85b", "ab"),
    ],
)
def test_readable_logs(log: str, shown: str) -> None:
    assert readable(log) == shown


@given(text=TEXTS)
def test_no_log_steers(text: str) -> None:
    assert not steers(readable(text), lines=True)
