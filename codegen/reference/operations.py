"""The page of a resource: a section for each operation."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from codegen.docstrings import argument_text, deprecation_text, raised, returned, rule_text, sentence
from codegen.render import returns
from codegen.signatures import signature

from .examples import example
from .text import exception, link, prose, table
from .types import type_of_argument

if TYPE_CHECKING:
    from codegen.operations import Operation, Resource
    from codegen.parameters import Parameter

    from .api import Api

_WIDTH: Final = 88
_COMMON_ERRORS: Final = (
    f"Each call may also raise {exception('AuthenticationError')}, {exception('RateLimitError')}, "
    f"{exception('ServerError')}, {exception('TransportError')} and {exception('DecodeError')}."
)
_PAGING: Final = {
    "token": "by token",
    "cursor": "by cursor",
    "offset": "by offset",
    "number": "by page number",
    "all": "all items in one response",
}


def resource_page(resource: Resource, api: Api) -> str:
    """The page of a resource."""
    parts = [f"# circleci.{api.name}.{resource.name} {{ #{api.name}.{resource.name} }}"]
    parts += [prose(sentence(text), api) for text in resource.descriptions]
    parts.append(_COMMON_ERRORS)
    parts += [section for operation in resource.operations for section in _section(operation, api)]
    return "\n\n".join(parts) + "\n"


def overview_row(operation: Operation, api: Api) -> tuple[str, str, str]:
    """Method, summary and request of an operation."""
    summary = prose(sentence(operation.summary), api)
    if states := [word for word in _states(operation) if word != "documented"]:
        summary += f" *{', '.join(states).capitalize()}.*"
    label = link(f"{operation.resource}.{operation.name}", api.label(operation))
    return label, summary, f"`{operation.method} {api.base}{operation.path}`"


def _section(operation: Operation, api: Api) -> Iterator[str]:
    yield f"## {operation.name} {{ #{api.label(operation)} }}"
    yield f"`{operation.method} {api.base}{operation.path}`{{ .endpoint }}"
    yield prose(sentence(operation.summary), api)
    if operation.description:
        yield prose(sentence(operation.description), api)
    if operation.deprecated:
        yield f'!!! warning "Deprecated"\n    {_deprecation(operation)}'
    yield f"```python\n{_signature(operation, api)}\n```"
    rows = [_argument_row(parameter, api) for parameter in operation.parameters]
    yield from filter(None, [table(("Argument", "Type", "Meaning"), rows)])
    yield from (prose(rule_text(rule), api) for rule in operation.rules)
    yield _facts(operation, api)
    yield f'```python title="Example"\n{example(operation, api)}\n```'


def _signature(operation: Operation, api: Api) -> str:
    """The method as it is defined, without `self`."""
    arguments = signature(operation, api.components).replace("'", '"').removeprefix("self").removeprefix(", ")
    is_plain = operation.pagination is not None or operation.response.is_stream
    before, after = f"{'' if is_plain else 'async '}def {operation.name}(", f") -> {returns(operation)}: ..."
    line = before + arguments + after
    if len(line) <= _WIDTH:
        return line
    parts = "".join(f"{part},\n" for part in _split(arguments))
    return before + "\n" + textwrap.indent(parts, "    ") + after


def _split(arguments: str) -> Iterator[str]:
    """Arguments at the commas outside of brackets."""
    depth, start = 0, 0
    for index, character in enumerate(arguments):
        depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth:
            yield arguments[start:index].strip()
            start = index + 1
    if arguments[start:].strip():
        yield arguments[start:].strip()


def _argument_row(parameter: Parameter, api: Api) -> tuple[str, str, str]:
    text = prose(argument_text(parameter), api)
    if parameter.required and parameter.default is None and not parameter.positional:
        text = f"*Required.* {text}"
    if parameter.default is not None:
        text = f"{text} `{parameter.default!r}` by default."
    return f"`{parameter.name}`", type_of_argument(parameter.shape, api), text.strip()


def _facts(operation: Operation, api: Api) -> str:
    """What else is known of a call, as a list."""
    lines = [f"**Returns** {text}" for text in _returned(operation, api)]
    if operation.pagination is not None:
        lines.append(f"**Paging** {_PAGING[operation.pagination.style]}")
    lines.append(f"**State** {', '.join(_states(operation))}")
    lines.append(f"**Retries** {_retries(operation)}")
    lines.append(f"**Rate limit** group `{operation.rate_group}`")
    errors = [f"{exception(name)} {prose(text, api)}" for name, text in raised(operation)]
    text = "\n".join(f"- {line}" for line in lines)
    if errors:
        text += "\n- **Raises**\n" + "\n".join(f"    - {error}" for error in errors)
    return text


def _returned(operation: Operation, api: Api) -> Iterator[str]:
    models = operation.response.models
    texts = [prose(text, api) for text in returned(operation)]
    if not models:
        yield from texts or ["nothing"]
    elif operation.pagination is not None or len(operation.response.outcomes) > 1:
        yield from texts
    else:
        types = " or ".join(link(name, api.anchor(name)) for name in models)
        yield f"{types}: {' '.join(texts)}" if texts else types


def _states(operation: Operation) -> Iterator[str]:
    """The state of the operation in the API."""
    if operation.deprecated:
        yield f"deprecated, rejected from {operation.sunset}" if operation.sunset else "deprecated"
    if operation.experimental:
        yield "experimental: it may change without notice"
    if operation.undocumented:
        yield "undocumented: known from other clients of the API"
    if not (operation.deprecated or operation.experimental or operation.undocumented):
        yield "documented"
    if operation.on_server:
        yield "on CircleCI Server too"


def _deprecation(operation: Operation) -> str:
    text = deprecation_text(operation)
    if operation.replacement:
        text = text.replace(operation.replacement, link(operation.replacement, operation.replacement))
    return sentence(text[0].upper() + text[1:])


def _retries(operation: Operation) -> str:
    if operation.replayable:
        return "sent again after 408, 429, 5xx and network errors"
    return "sent again only after a 429, or if the request was not sent"
