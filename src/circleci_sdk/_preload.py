"""Everything at once, for those who would rather wait at the start than at the first call."""

from __future__ import annotations

from importlib import import_module
from pkgutil import walk_packages
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types import ModuleType

_PARTS: Final = ("client", "_core.transport.http", "v1._client", "v2._client", "v3._client")


def preload() -> None:
    """Load now what else is loaded when it is first used: httpx, pydantic, all resources and models, the sync client.

    For servers, before they take their first request or make their workers. It opens nothing and needs no event loop.
    Without it a first call takes some tenths of a second longer than the later ones.
    """
    from . import sync, v1, v2, v3
    from ._core.serialization.decode import decoder
    from ._core.transport import connections as transport

    for part in _PARTS:
        import_module(f".{part}", __package__)
    for module in walk_packages(sync.__path__, f"{sync.__name__}."):
        import_module(module.name)
    transport.preload()
    for api in (v1, v2, v3):
        for operation in api.OPERATIONS.values():
            if operation.response_body.models:
                decoder(operation)
        _build(import_module(f"{api.__name__}.models"))


def _build(models: ModuleType) -> None:
    """Make what reads and writes each model, also those that are only sent."""
    from ._core.serialization.model import Model

    for name in models.__all__:
        value = getattr(models, name)
        if isinstance(value, type) and issubclass(value, Model):
            value.model_rebuild()
