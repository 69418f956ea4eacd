"""Secrets are recognized in the spellings that servers use, and short ones are not looked for."""

from __future__ import annotations

import copy
import pickle
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk._core.messages import Headers
from circleci_sdk._core.redaction import LEFT_OUT, Secrets
from tests.support.spellings import SPELLINGS, mixed

# Of eight characters some may be lost as parts of escapes.
TOKENS = st.text(alphabet=st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=8, max_size=80).filter(
    lambda text: sum(char not in "\\%&" for char in text) >= 24 or not {*text} & {*"\\%&"}
)
AROUND = st.text(alphabet=" .,;:!?()[]{}=\n\t'", max_size=5)
SECRETS = (
    st.text(st.characters(exclude_characters="\\%&"), min_size=8, max_size=80)
    .map(str.strip)
    .filter(lambda text: len("".join(text.split()).encode("utf-8", "ignore")) >= 8 and len(text.splitlines()) == 1)
)


@pytest.mark.parametrize("spelling", SPELLINGS)
@given(token=TOKENS, before=AROUND, after=AROUND)
def test_every_spelling_of_a_token(spelling: str, token: str, before: str, after: str) -> None:
    text = before + SPELLINGS[spelling](token) + after
    secrets = Secrets([token])
    assert secrets.are_in(text)
    assert secrets.are_in(text.encode())
    assert Secrets(["another-token"]).__or__(secrets).are_in(text)


@given(token=TOKENS.filter(lambda token: not {*token} & {*"\\%&"}), seed=st.integers())
def test_mixed_spellings(token: str, seed: int) -> None:
    assert Secrets([token]).are_in(mixed(token, random.Random(seed)))


@pytest.mark.parametrize("spelling", ["verbatim", "base64", "percent", "JSON", "JSON escapes in JSON", "HTML numbers"])
@given(secret=SECRETS)
def test_secrets_in_any_script(spelling: str, secret: str) -> None:
    secret = secret.strip().encode("utf-8", "ignore").decode()
    if any(ord(char) > 0xFFFF for char in secret) and spelling.startswith("JSON escapes"):
        return  # the helper writes no pairs
    text = SPELLINGS[spelling](secret)
    assert Secrets([secret]).are_in(text)
    assert Secrets([secret]).are_in(text.encode().decode("latin-1"))  # as a header


@given(text=st.text(max_size=200), secret=TOKENS)
def test_only_what_is_there_is_found(text: str, secret: str) -> None:
    assert not Secrets([f"{secret}~~not~there~~"]).are_in(text)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be", "utf-32"])
def test_wide_encodings(encoding: str) -> None:
    assert Secrets(["CCIPAT_secret"]).are_in("the CCIPAT_secret is".encode(encoding))


@pytest.mark.parametrize("line", ["0123456789abcdef", "  c2VjcmV0IGtleQ=="])
def test_each_line_of_a_secret(line: str) -> None:
    secret = f"-----BEGIN PRIVATE KEY-----\n{line}\n-----END PRIVATE KEY-----\n"
    assert Secrets([secret]).are_in(f"cannot read {line.strip()!r}")


def test_a_secret_with_escapes_is_found_without_them() -> None:
    assert Secrets(["%41bcdefgh"]).are_in("ABCDEFGH")
    assert not Secrets(["%41bcdefg"]).are_in("ABCDEFG")  # too short


@pytest.mark.parametrize("short", ["", "1", "on", "prod", "staging", "{}", "p@ss!", "to do"])
def test_short_secrets_are_not_looked_for(short: str) -> None:
    assert not Secrets([short]).are_in(f"Changes on 'production' need staging rights: 1 {{}} p@ss! to do {short}")


def test_long_text_with_escapes_counts_as_a_repetition() -> None:
    secrets = Secrets(["CCIPAT_secret"])
    assert not secrets.are_in("x" * 5_000_000)
    assert secrets.are_in("x" * 5_000_000 + "%41")
    assert not Secrets().are_in("%41" * 5_000_000)


def test_secrets_show_nothing_of_themselves() -> None:
    secrets = Secrets(["CCIPAT_secret"])
    assert "ccipat" not in f"{secrets!r} {secrets}".lower()
    for duplicate in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="never pickled"):
            duplicate(secrets)


def test_headers_without_secrets() -> None:
    token = "CCIPAT_secret"
    raw = [(b"X-A", b"CCIPAT_secret"), (b"X-ccipat_secret", b"1"), (b"Date", b"x"), (b"X-A", b"plain")]
    found = Headers(raw).without(Secrets([token]))
    assert dict(found) == {"x-a": f"{LEFT_OUT}, plain", "date": "x"}
    assert found.raw == [(b"X-A", LEFT_OUT.encode()), (b"Date", b"x"), (b"X-A", b"plain")]
    same = Headers(raw[2:])
    assert same.without(Secrets([token])) is same


def _group(error: Exception) -> Exception:
    return ExceptionGroup("several", [error])


@given(chain=st.lists(st.sampled_from(["cause", "context", "group"]), max_size=4))
def test_secrets_in_what_an_exception_was_raised_from(chain: list[str]) -> None:
    below: Exception = ValueError("illegal header line: bytearray(b'x CCIPAT_secret')")
    error = below
    for link in chain:
        below, error = error, _group(error) if link == "group" else OSError("plain")
        if link == "cause":
            error.__cause__ = below
        elif link == "context":
            error.__context__ = below
    assert Secrets(["CCIPAT_secret"]).are_in_error(error)
    assert not Secrets(["CCIPAT_other"]).are_in_error(error)


@pytest.mark.parametrize("secret", ["CCIPAT_secret", "CCIPAT_other"])
def test_exceptions_in_a_circle(secret: str) -> None:
    one, two = ValueError("plain"), OSError("CCIPAT_secret")
    one.__cause__, two.__cause__ = two, one
    assert Secrets([secret]).are_in_error(one) is (secret == "CCIPAT_secret")


def test_secrets_in_notes_and_attributes_of_an_exception() -> None:
    noted, named = ValueError("plain"), ValueError("plain")
    noted.add_note("CCIPAT_secret")
    named.__dict__["header"] = b"CCIPAT_secret"
    assert Secrets(["CCIPAT_secret"]).are_in_error(noted)
    assert Secrets(["CCIPAT_secret"]).are_in_error(named)
