"""Generated ids, revisions and fingerprints. The same seed generates the same ones."""

from __future__ import annotations

import base64
import hashlib
import random  # noqa: TID251  # seeded, for reproducible ids
from uuid import UUID

_BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"


class Ids:
    """Generates ids from a seed."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def uuid(self) -> str:
        """A new id."""
        return str(UUID(int=self._random.getrandbits(128), version=4))

    def revision(self) -> str:
        """A commit id: 40 hexadecimal digits."""
        return f"{self._random.getrandbits(160):040x}"

    def number(self) -> int:
        """A numeric id, as code hosts use."""
        return self._random.randrange(10_000_000, 99_999_999)

    def secret(self) -> str:
        """A token or key: 40 hexadecimal digits."""
        return f"{self._random.getrandbits(160):040x}"

    def short(self) -> str:
        """A short id, as in slugs of standalone projects: 22 characters of base 58."""
        return "".join(self._random.choice(_BASE58) for _ in range(22))

    def ssh_key(self) -> str:
        """A public SSH key."""
        raw = b"\x00\x00\x00\x07ssh-rsa\x00\x00\x00\x03\x01\x00\x01" + self._random.randbytes(64)
        return f"ssh-rsa {base64.b64encode(raw).decode()}"


def fingerprints(public_key: str) -> tuple[str, str]:
    """The md5 and the sha256 fingerprint of a public key."""
    raw = base64.b64decode(public_key.split()[1])
    md5 = hashlib.md5(raw, usedforsecurity=False).hexdigest()
    sha256 = base64.b64encode(hashlib.sha256(raw).digest()).decode().rstrip("=")
    return ":".join(md5[at : at + 2] for at in range(0, 32, 2)), f"SHA256:{sha256}"
