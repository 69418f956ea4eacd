"""How a server may spell what it quotes."""

from __future__ import annotations

import html
import json
import random
from base64 import b64encode, encodebytes, urlsafe_b64encode
from collections.abc import Callable, Mapping
from typing import Final
from urllib.parse import quote, quote_plus


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _json_escapes(text: str) -> str:
    return "".join(f"\\u{ord(char):04x}" for char in text)


SPELLINGS: Final[Mapping[str, Callable[[str], str]]] = {
    "verbatim": lambda text: text,
    "in a sentence": lambda text: f"The token {text}, which was given, is wrong.",
    "upper case": lambda text: text.upper(),
    "lower case": lambda text: text.lower(),
    "Basic": lambda text: b64encode(f"{text}:".encode()).decode(),
    "Basic with a user": lambda text: b64encode(f"ada:{text}".encode()).decode(),
    "base64": lambda text: b64encode(text.encode()).decode(),
    "base64 inside": lambda text: b64encode(f"{{'t': '{text}'}}".encode()).decode(),
    "base64 for URLs": lambda text: urlsafe_b64encode(f"?{text}?".encode()).decode().rstrip("="),
    "percent": _percent,
    "percent, lower case": lambda text: _percent(text).lower(),
    "percent where needed": lambda text: quote(text, safe=""),
    "form": quote_plus,
    "percent twice": lambda text: quote(_percent(text), safe=""),
    "JSON": lambda text: json.dumps(text)[1:-1],
    "JSON escapes": _json_escapes,
    "JSON escapes, upper case": lambda text: _json_escapes(text).upper().replace("\\U", "\\u"),
    "JSON, slashes": lambda text: json.dumps(text)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda text: json.dumps(json.dumps({"token": text})),
    "JSON escapes in JSON": lambda text: json.dumps(_json_escapes(text))[1:-1],
    "hexadecimal": lambda text: text.encode().hex(),
    "hexadecimal, upper case": lambda text: text.encode().hex().upper(),
    "string": lambda text: "".join(f"\\x{byte:02x}" for byte in text.encode()),
    "HTML": html.escape,
    "HTML numbers": lambda text: "".join(f"&#{ord(char)};" for char in text),
    "HTML hexadecimal": lambda text: "".join(f"&#x{ord(char):X};" for char in text),
    "bytes": lambda text: repr(text.encode())[2:-1],
    "base64 in lines": lambda text: encodebytes(f"{'x' * 57}{text * 3}".encode()).decode(),
    "base64 in lines in JSON": lambda text: json.dumps(encodebytes(f"{text * 3}".encode()).decode()),
    "JavaScript": lambda text: "".join(f"\\u{{{ord(char):x}}}" for char in text),
    "percent of JavaScript": lambda text: "".join(f"%u{ord(char):04X}" for char in text),
    "spaced": " ".join,
    "percent in Basic": lambda text: quote(b64encode(f"{text}:".encode()).decode(), safe=""),
}


def _html_number(char: str) -> str:
    return f"&#{ord(char)};"


def mixed(text: str, rng: random.Random) -> str:
    """Each character in any spelling."""
    ways: list[Callable[[str], str]] = [str, _percent, _json_escapes, _html_number]
    return "".join(rng.choice(ways)(char) if char.isascii() and char != "\\" else char for char in text)
