"""The tracer that the argument `instrument` of a client asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from circleci_sdk._core.checks import Accepted, check_configuration
from circleci_sdk._core.errors import ConfigError

if TYPE_CHECKING:
    from circleci_sdk._core.tracer import Tracer

_INSTRUMENT: Final = Accepted(
    "True, False or a TracerProvider of OpenTelemetry",
    lambda value: value is True or (not isinstance(value, type) and callable(getattr(value, "get_tracer", None))),
)


def tracer_of(instrument: Any) -> Tracer:
    """A tracer of the global provider for True, otherwise of this one."""
    check_configuration(instrument=(instrument, _INSTRUMENT))
    try:
        from .spans import Spans
    except ImportError:
        raise ConfigError("instrument: tracing needs another package: install the extra 'tracing'.") from None
    return Spans(None if instrument is True else instrument)
