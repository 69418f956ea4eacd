"""Verification of signatures, and its error texts."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from circleci_sdk import CallError, InvalidArgumentError, SignatureError
from circleci_sdk.webhooks import verify
from tests.webhooks.deliveries import signature

VECTORS = [
    ("hello world", "secret", "734cc62f32841568f45715aeb9f4d7891324e6d948e4c6c60c0621cdac48623a"),
    ("lalala", "another-secret", "daa220016c8f29a8b214fbfc3671aeec2145cfb1e6790184ffb38b6d0425fa00"),
    ("an-important-request-payload", "hunter123", "9be2242094a9a8c00c64306f382a7f9d691de910b4a266f67bd314ef18ac49fa"),
    ("foo", "secret", "773ba44693c7553d6ee20f61ea5d2757a9a4f4a44d2841ae4e95b52e4cd62db4"),
]
BODY = b"hello world"
GOOD = VECTORS[0][2]
BAD = "0" * 64


@pytest.mark.parametrize(("body", "secret", "digest"), VECTORS)
def test_a_signature_of_circleci_is_accepted(body: str, secret: str, digest: str) -> None:
    verify(body.encode(), f"v1={digest}", secret)
    verify(bytearray(body.encode()), {"circleci-signature": f"v1={digest}"}, secret.encode())
    verify(memoryview(body.encode()), [(b"Circleci-Signature", f"v1={digest}".encode())], SecretStr(secret))
    for wrong_body, wrong_secret in ((f"{body} ", secret), (body, f"{secret} ")):
        with pytest.raises(SignatureError, match="is wrong"):
            verify(wrong_body.encode(), f"v1={digest}", wrong_secret)


@pytest.mark.parametrize(
    "signature",
    [
        f"v1={GOOD}",
        f" v1={GOOD} ",
        f"v1={GOOD.upper()}",
        f"v1={GOOD},v2={BAD}",
        f"v2={BAD}, v1={GOOD}",
        f"v0=abcd,v1={GOOD},v99={BAD}",
        f"v1={GOOD}\n",
        f"v1={GOOD},v2=K7gNU3sdo+OL0wNhqoVWhr3g6s1xYv72ol/pe/Unols=",
        f"v2a={BAD},v1={GOOD},V1={BAD},ed25519={BAD},v1;alg=x",
        f",,v1={GOOD}, ,\t,",
        f"{BAD},v1={GOOD}",
        f"v1={BAD},v1={GOOD}",
        f"v1={GOOD},v1={BAD},v1={BAD}",
        f"v1=,v1=zz,v1={GOOD[:-2]},v1={GOOD}00,v1={GOOD}",
        f"=,==,v1,v1={GOOD}",
    ],
)
def test_one_valid_signature_in_the_list_suffices(signature: str) -> None:
    verify(BODY, signature, "secret")
    verify(BODY, signature, ["another", "secret"])
    verify(BODY, {"circleci-signature": signature}, "secret")
    with pytest.raises(SignatureError, match="is wrong"):
        verify(BODY, signature, "another")


@pytest.mark.parametrize(
    ("signature", "part"),
    [
        (None, "has no circleci-signature"),
        ("", "has no circleci-signature"),
        (f"v1={BAD}", "is wrong"),
        (f"v1={BAD},v1={BAD}", "is wrong"),
        (f"v1=zz,v1={BAD}", "is wrong"),
        (f"v0={GOOD}", "no signature of a known version"),
        (f"v2={GOOD}", "no signature of a known version"),
        (f"V1={GOOD}", "no signature of a known version"),
        (f"v1:{GOOD}", "no signature of a known version"),
        (GOOD, "no signature of a known version"),
        ("v\N{FULLWIDTH DIGIT ONE}=" + GOOD, "no signature of a known version"),
        (",", "no signature of a known version"),
        (" ", "no signature of a known version"),
        ("v1=", "malformed"),
        ("v1=xyz", "malformed"),
        (f"v1={GOOD[:-1]}", "malformed"),
        (f"v1={GOOD[:-2]}", "malformed"),
        (f"v1={GOOD}00", "malformed"),
        (f"v1={GOOD};", "malformed"),
        (f"v1={GOOD}v1={GOOD}", "malformed"),
        (f"v1={GOOD[:32]}\n{GOOD[32:]}", "malformed"),
        ("v1=" + "\N{FULLWIDTH DIGIT ONE}" * 64, "malformed"),
        ("v1=" + "0" * 16_382, "has 16385 characters, more than the limit of 16384"),
        ("v1=," * 1_000_000 + f"v1={GOOD}", "more than the limit"),
    ],
)
def test_missing_malformed_and_wrong_signatures_are_rejected(signature: str | None, part: str) -> None:
    with pytest.raises(SignatureError, match=part) as failure:
        verify(BODY, signature, "secret")
    assert "secret" not in str(failure.value).replace("signing secret", "").replace("another secret", "")
    assert GOOD not in str(failure.value)


ENTRIES = st.one_of(
    st.text(st.characters(exclude_characters=","), max_size=90),
    st.text("v1=0aF \t", max_size=80),
    st.from_regex(r"[ \t]*[vV]?[0-9a-z]{0,3}=?[0-9A-Za-z+/=]{0,70}[ \t]*", fullmatch=True),
    st.builds("v1={}".format, st.text("0123456789abcdefABCDEF", min_size=60, max_size=66)),
    st.builds("v{}={}".format, st.integers(2, 99), st.sampled_from([GOOD, BAD])),
)


@given(st.lists(ENTRIES, max_size=20), st.data())
def test_a_list_verifies_if_and_only_if_one_entry_is_valid(entries: list[str], data: st.DataObject) -> None:
    others = [entry for entry in entries if entry.strip().lower() != f"v1={GOOD}"]
    for secret in ("secret", ["another", "secret"]):
        with pytest.raises(SignatureError):
            verify(BODY, ",".join(others), secret)
    place = data.draw(st.integers(0, len(others)))
    valid = data.draw(st.sampled_from([GOOD, GOOD.upper()]))
    space = data.draw(st.text(" \t", max_size=2))
    mixed = ",".join([*others[:place], f"{space}v1={valid}{space}", *others[place:]])
    for secret in ("secret", ["another", "secret"]):
        verify(BODY, mixed, secret)
    with pytest.raises(SignatureError):
        verify(BODY, mixed, ["another"])


FORMS = st.one_of(st.sampled_from([*(f"v1={digest}" for digest in (GOOD, BAD, GOOD.upper())), ""]), ENTRIES)


@given(st.lists(FORMS, max_size=8), st.sampled_from(["secret", "another"]))
def test_only_the_known_part_of_a_list_counts(entries: list[str], secret: str) -> None:
    known = [entry.strip(" \t\r\n") for entry in entries]
    known = [entry for entry in known if re.fullmatch("v1=[0-9a-fA-F]{64}", entry)]

    def is_accepted(entries: list[str]) -> bool:
        try:
            verify(BODY, ",".join(entries), secret)
        except SignatureError:
            return False
        return True

    assert is_accepted(entries) == is_accepted(known) == (f"v1={GOOD}" in map(str.lower, known) and secret == "secret")


def test_two_headers_are_one_list() -> None:
    verify(BODY, [("circleci-signature", f"v2={BAD}"), ("Circleci-Signature", f"v1={GOOD}")], "secret")
    verify(BODY, [("circleci-signature", f"v1={GOOD}"), ("circleci-signature", f"v1={BAD}")], "secret")
    with pytest.raises(SignatureError, match="has no circleci-signature"):
        verify(BODY, {"x-circleci-signature": f"v1={GOOD}"}, "secret")


def test_either_secret_is_valid_during_a_rotation() -> None:
    verify(BODY, f"v1={GOOD}", ["new", "secret"])
    verify(BODY, f"v1={GOOD}", (SecretStr("secret"), b"new"))
    verify(BODY, signature(BODY, "new"), ["new", "secret"])
    with pytest.raises(SignatureError, match="is wrong"):
        verify(BODY, f"v1={GOOD}", ["new", "newer"])


def test_headers_of_another_type() -> None:
    with pytest.raises(InvalidArgumentError, match=r"expected circleci-signature, a mapping of str, .*, got 5"):
        verify(b"", 5, "secret")  # type: ignore[arg-type]  # what is refused


def test_a_large_body_is_rejected_before_it_is_hashed() -> None:
    body = b"x" * 11
    verify(body, signature(body), "a secret of tests", max_body=11)
    for big in (body, bytearray(body), memoryview(body)):
        with pytest.raises(SignatureError, match="11 bytes, more than the limit of 10"):
            verify(big, signature(body), "a secret of tests", max_body=10)
    most = b"x" * 1024 * 1024
    verify(most, signature(most), "a secret of tests")
    with pytest.raises(SignatureError, match="more than the limit of 1048576"):
        verify(most + b"x", signature(body), "a secret of tests")
    wide = memoryview(body + b"x").cast("H")
    assert len(wide) == 6
    with pytest.raises(SignatureError, match="12 bytes"):
        verify(wide, signature(body), "a secret of tests", max_body=11)


@pytest.mark.parametrize("secret", ["", b"", [], (), ["secret", ""], SecretStr(""), 5, None, [None]], ids=repr)
def test_an_empty_secret_is_rejected(secret: object) -> None:
    with pytest.raises(InvalidArgumentError, match="secret"):
        verify(b"", "v1=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", secret)  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize("body", ["hello world", {"a": 1}, None, 5], ids=repr)
def test_only_raw_bytes_can_be_verified(body: object) -> None:
    with pytest.raises(InvalidArgumentError, match="raw bytes"):
        verify(body, f"v1={GOOD}", "secret")  # type: ignore[arg-type]  # what is refused


@pytest.mark.parametrize("headers", [5, [1], [("a",)], {"circleci-signature": 5}, [(None, "x")]], ids=repr)
def test_invalid_headers_are_rejected(headers: object) -> None:
    with pytest.raises(InvalidArgumentError, match="headers"):
        verify(BODY, headers, "secret")  # type: ignore[arg-type]  # what is refused


def test_no_frame_of_the_package_shows_a_hidden_secret() -> None:
    for wrong in (f"v1={BAD}", "v1=zz", None):
        with pytest.raises(SignatureError) as failure:
            verify(BODY, wrong, [SecretStr("hidden-one"), SecretStr("hidden-two")])
        for entry in failure.traceback[1:]:
            assert "hidden-" not in repr(entry.frame.f_locals)


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import circleci_sdk.webhooks", {"httpx", "pydantic", "anyio"}),
        (
            f"from circleci_sdk.webhooks import verify; verify(b'hello world', 'v1={GOOD}', 'secret')",
            {"httpx", "pydantic", "anyio"},
        ),
        ("from circleci_sdk.webhooks import parse, Router, WebhookApp; parse(b'{}', secret=None)", {"httpx"}),
    ],
    ids=["import", "verify", "parse"],
)
def test_unused_modules_are_not_imported(code: str, absent: set[str]) -> None:
    script = f"import sys; {code}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert absent.isdisjoint(loaded)


def test_all_public_names_are_importable() -> None:
    script = (
        "import circleci_sdk.webhooks.verification, circleci_sdk.webhooks.following, circleci_sdk.webhooks.asgi\n"
        "import circleci_sdk.webhooks as w\n"
        "assert w.verify.__name__ == 'verify' and callable(w.verify) and callable(w.follow)\n"
        "assert set(w.__all__) <= set(dir(w)) and all(getattr(w, name) is not None for name in w.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_signature_error_has_no_attributes_of_a_call() -> None:
    with pytest.raises(SignatureError) as failure:
        verify(BODY, None, "secret")
    assert not isinstance(failure.value, CallError)
    assert not hasattr(failure.value, "request_outcome")
    assert SignatureError.__module__ == "circleci_sdk"
    copied = pickle.loads(pickle.dumps(failure.value))
    assert (type(copied), str(copied)) == (SignatureError, str(failure.value))
