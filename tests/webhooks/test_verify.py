"""Signatures: what is accepted, what is refused, and with which words."""

from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import SecretStr

from circleci_sdk import InvalidArgumentError, SignatureError
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
    ],
)
def test_only_the_newest_known_version_counts(signature: str) -> None:
    verify(BODY, signature, "secret")


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        (None, "has no circleci-signature"),
        ("", "has no circleci-signature"),
        (f"v1={BAD}", "is wrong"),
        (f"v1={GOOD[:-2]}", "is wrong"),
        (f"v1={GOOD}00", "is wrong"),
        (f"v0={GOOD}", "no version that this package knows"),
        (f"v2={GOOD}", "no version that this package knows"),
        (f"v1={GOOD},v1={GOOD}", "twice"),
        (f"v1={BAD},v1={GOOD}", "twice"),
        (f"v1={GOOD},", "malformed"),
        (f"v1:{GOOD}", "malformed"),
        (f"V1={GOOD}", "malformed"),
        (GOOD, "malformed"),
        ("v1=", "malformed"),
        ("v1=xyz", "malformed"),
        (f"v1={GOOD[:-1]}", "malformed"),
        (f"v1={GOOD};", "malformed"),
        (f"v1={GOOD}\n", "malformed"),
        ("v1=" + "\N{FULLWIDTH DIGIT ONE}" * 64, "malformed"),
        ("v\N{FULLWIDTH DIGIT ONE}=" + GOOD, "malformed"),
        (",", "malformed"),
    ],
)
def test_what_is_missing_malformed_or_wrong_is_refused(signature: str | None, words: str) -> None:
    with pytest.raises(SignatureError, match=words) as failure:
        verify(BODY, signature, "secret")
    assert "secret" not in str(failure.value).replace("signing secret", "").replace("another secret", "")
    assert GOOD not in str(failure.value)


def test_two_headers_are_one_list() -> None:
    verify(BODY, [("circleci-signature", f"v2={BAD}"), ("Circleci-Signature", f"v1={GOOD}")], "secret")
    with pytest.raises(SignatureError, match="twice"):
        verify(BODY, [("circleci-signature", f"v1={GOOD}"), ("circleci-signature", f"v1={BAD}")], "secret")
    with pytest.raises(SignatureError, match="has no circleci-signature"):
        verify(BODY, {"x-circleci-signature": f"v1={GOOD}"}, "secret")


def test_while_a_secret_is_changed_either_will_do() -> None:
    verify(BODY, f"v1={GOOD}", ["new", "secret"])
    verify(BODY, f"v1={GOOD}", (SecretStr("secret"), b"new"))
    verify(BODY, signature(BODY, "new"), ["new", "secret"])
    with pytest.raises(SignatureError, match="is wrong"):
        verify(BODY, f"v1={GOOD}", ["new", "newer"])


def test_a_body_that_is_too_large_is_refused_before_it_is_hashed() -> None:
    body = b"x" * 11
    verify(body, signature(body), "a secret of tests", max_body=11)
    for big in (body, bytearray(body), memoryview(body)):
        with pytest.raises(SignatureError, match="11 bytes, more than the 10"):
            verify(big, signature(body), "a secret of tests", max_body=10)
    wide = memoryview(body + b"x").cast("H")
    assert len(wide) == 6
    with pytest.raises(SignatureError, match="12 bytes"):
        verify(wide, signature(body), "a secret of tests", max_body=11)


@pytest.mark.parametrize("secret", ["", b"", [], (), ["secret", ""], SecretStr(""), 5, None, [None]], ids=repr)
def test_an_empty_secret_proves_nothing(secret: object) -> None:
    with pytest.raises(InvalidArgumentError, match="secret"):
        verify(b"", "v1=b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", secret)  # type: ignore[arg-type]


@pytest.mark.parametrize("body", ["hello world", {"a": 1}, None, 5], ids=repr)
def test_only_raw_bytes_can_be_verified(body: object) -> None:
    with pytest.raises(InvalidArgumentError, match="raw bytes"):
        verify(body, f"v1={GOOD}", "secret")  # type: ignore[arg-type]


@pytest.mark.parametrize("headers", [5, [1], [("a",)], {"circleci-signature": 5}, [(None, "x")]], ids=repr)
def test_headers_of_another_kind_are_refused(headers: object) -> None:
    with pytest.raises(InvalidArgumentError, match="headers"):
        verify(BODY, headers, "secret")  # type: ignore[arg-type]


def test_no_frame_of_the_package_shows_a_hidden_secret() -> None:
    for given in (f"v1={BAD}", "v1=zz", None):
        with pytest.raises(SignatureError) as failure:
            verify(BODY, given, [SecretStr("hidden-one"), SecretStr("hidden-two")])
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
def test_what_is_not_needed_is_not_imported(code: str, absent: set[str]) -> None:
    script = f"import sys; {code}; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    assert absent.isdisjoint(loaded)


def test_functions_win_over_the_modules_of_the_same_name() -> None:
    script = (
        "import circleci_sdk.webhooks.verify, circleci_sdk.webhooks.follow, circleci_sdk.webhooks.asgi\n"
        "import circleci_sdk.webhooks as w\n"
        "assert w.verify.__name__ == 'verify' and callable(w.verify) and callable(w.follow)\n"
        "assert set(w.__all__) <= set(dir(w)) and all(getattr(w, name) is not None for name in w.__all__)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
