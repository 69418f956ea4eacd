"""Texts of the spec as docstrings: wrapped, in Google style.

Data of the spec (defaults of the API, bounds, rules, sunsets, retries) becomes sentences here, so descriptions do not
repeat it.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from .shapes import Scalar
from .tables import record_names

if TYPE_CHECKING:
    from .operations import Operation, Resource, Rule
    from .parameters import Parameter
    from .responses import Outcome
    from .shapes import Components

_MODEL_WIDTH: Final = 110  # without the indent and the quotes of a one-line docstring
_CLASS_WIDTH: Final = 116
_METHOD_WIDTH: Final = 112
_ENDS: Final = (".", "!", "?", ":")

EXCEPTIONS: Final[dict[int, str]] = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    410: "GoneError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
}
"""Exceptions by status; other statuses have a common one."""


def model_text(description: str | None, *, undocumented: bool = False, deprecated: bool = False) -> str | None:
    """The docstring of a model or of one of its fields, without quotes; None if empty."""
    text = marked(description, undocumented=undocumented, deprecated=deprecated)
    return "\n".join(_wrapped(text, _MODEL_WIDTH)) or None


def resource_docstring(resource: Resource) -> str:
    """The docstring of the class of a resource, quotes included."""
    lines: list[str] = []
    for description in resource.descriptions:
        lines += [*_wrapped(sentence(description), _CLASS_WIDTH), ""]
    return _quoted(lines)


def method_docstring(operation: Operation, components: Components) -> str:
    """The docstring of the method of an operation, quotes included."""
    lines = [sentence(operation.summary), ""]
    if operation.description:
        lines += [*_wrapped(sentence(operation.description), _METHOD_WIDTH), ""]
    if notes := " ".join(_notes(operation)):
        lines += [*_wrapped(notes, _METHOD_WIDTH), ""]
    lines += _section("Args", (_argument(parameter, components) for parameter in operation.parameters))
    lines += _section("Returns", returned(operation))
    lines += _section("Raises", (f"{name}: {text}" for name, text in raised(operation)))
    return _quoted(lines)


def deprecation_text(operation: Operation) -> str:
    """The message of type checkers on the use of a deprecated operation."""
    when = f"the API rejects it from {operation.sunset.isoformat()}" if operation.sunset else "it may be removed"
    return f"{when}; use {operation.replacement}" if operation.replacement else when


def _notes(operation: Operation) -> Iterator[str]:
    if operation.experimental:
        yield "Experimental: the API may change it without notice."
    if operation.on_server:
        yield "CircleCI Server has it too."
    if operation.undocumented:
        yield "Undocumented: known from other clients of the API."
    if operation.deprecated:
        yield f"Deprecated: {deprecation_text(operation)}."
    yield from map(rule_text, operation.rules)
    if not operation.replayable:
        yield "Not retried if the server may have processed the request."
    elif operation.method == "POST":
        yield "Retried after failures: the operation is idempotent."


def rule_text(rule: Rule) -> str:
    """A combination of arguments that the API refuses, as a sentence."""
    first, *others = (f"`{name}`" for name in rule.names)
    match rule.kind:
        case "exactly_one":
            return f"Takes exactly one of {', '.join((first, *others[:-1]))} and {others[-1]}."
        case "at_most_one":
            return f"Takes at most one of {', '.join((first, *others[:-1]))} and {others[-1]}."
        case "needs":
            return f"Takes {first} only together with {' or '.join(others)}."


def argument_text(parameter: Parameter) -> str:
    """What an argument means; empty if nothing is known of it."""
    text = marked(parameter.description, undocumented=parameter.undocumented, deprecated=parameter.deprecated)
    parts = [text] if text else []
    if isinstance(parameter.shape, Scalar):
        parts += _bounds(parameter.shape)
    if parameter.assumed is not None:
        parts.append(f"Defaults to `{_literal(parameter.assumed)}` on the server.")
    return " ".join(parts)


def _argument(parameter: Parameter, components: Components) -> str | None:
    text = argument_text(parameter)
    parts = [text] if text else []
    if names := [*record_names(parameter.shape, components)]:
        validated = " or ".join(f"`{name}.model_validate(mapping)`" for name in names)
        parts.append(f"Other spellings of the keys: {validated}.")
    return f"{parameter.name}: {' '.join(parts)}" if parts else None


def _bounds(scalar: Scalar) -> Iterator[str]:
    if scalar.minimum is not None and scalar.maximum is not None:
        yield f"From {scalar.minimum} to {scalar.maximum}."
    elif scalar.minimum is not None:
        yield f"At least {scalar.minimum}."
    elif scalar.maximum is not None:
        yield f"At most {scalar.maximum}."


def _literal(value: str | int | bool) -> str:
    return repr(value) if isinstance(value, bool) else str(value)


def returned(operation: Operation) -> Iterator[str]:
    """What the operation returns: a sentence, or one for each kind of response."""
    outcomes = operation.response.outcomes
    if operation.response.form != "json":
        yield " ".join(sentence(text) for outcome in outcomes for text in outcome.descriptions)
    elif operation.pagination is not None:
        whole = "all of them in one page" if operation.pagination.style == "all" else "page by page"
        yield f"{_types(outcomes[0])} items, {whole}."
    elif operation.response.models:
        for outcome in outcomes:
            text = " ".join(map(sentence, outcome.descriptions))
            yield text if len(outcomes) == 1 else f"{_types(outcome)}: {text}"


def _types(outcome: Outcome) -> str:
    return " or ".join(f"`{name}`" for name in outcome.models) or "`None`"


def raised(operation: Operation) -> Iterator[tuple[str, str]]:
    """The failures that the operation describes itself: each with its exception."""
    for failure in operation.failures:
        if failure.status == 416 and operation.response.form == "bytes":
            continue  # a stream has no bytes behind its offset yet, and just ends
        text = sentence(failure.description)
        if failure.status in EXCEPTIONS:
            yield EXCEPTIONS[failure.status], text
        else:
            yield "ServerError" if failure.status >= 500 else "StatusError", f"{failure.status}: {text}"


def _section(title: str, entries: Iterable[str | None]) -> list[str]:
    lines = [line for entry in entries if entry for line in _hanging(entry)]
    return [f"{title}:", *lines, ""] if lines else []


def _hanging(entry: str) -> list[str]:
    return textwrap.wrap(
        " ".join(entry.split()),
        _METHOD_WIDTH,
        initial_indent="    ",
        subsequent_indent="        ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def marked(description: str | None, *, undocumented: bool = False, deprecated: bool = False) -> str:
    """A description as a sentence, with what else is known of its subject."""
    parts = [sentence(description)] if description else []
    parts += ["Undocumented."] if undocumented else []
    parts += ["Deprecated."] if deprecated else []
    return " ".join(parts)


def sentence(text: str) -> str:
    """A description with a full stop."""
    return text if text.endswith(_ENDS) else f"{text}."


def _wrapped(text: str, width: int) -> list[str]:
    """Paragraphs wrapped to the width, separated by empty lines; lines that begin with `* ` stay separate."""
    lines: list[str] = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        if lines:
            lines.append("")
        for block in re.split(r"\n(?=\* )", paragraph):
            indent = "  " if block.startswith("* ") else ""
            lines += textwrap.wrap(
                " ".join(block.split()),
                width,
                subsequent_indent=indent,
                break_long_words=False,
                break_on_hyphens=False,
            )
    return lines


def _quoted(lines: list[str]) -> str:
    text = "\n".join(lines).rstrip().replace("\\", "\\\\").replace('"""', '\\"\\"\\"')
    if "\n" in text:
        return f'"""{text}\n"""'
    # A quote before the closing quotes would end the string one character early.
    return f'"""{text} """' if text.endswith('"') else f'"""{text}"""'
