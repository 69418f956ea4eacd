"""From a folder of specs to the content of every file of a package."""

from __future__ import annotations

from pathlib import Path

from .components import read_components
from .deliveries import read_deliveries
from .formatting import formatted
from .models import model_modules
from .operations import read_resources
from .placement import place
from .render import HEADER, package_files
from .spec import read_spec


def build(spec_dir: Path, package: str, api_name: str) -> dict[str, str]:
    """Every file of a package by its path.

    Args:
        spec_dir: the folder with the specs of one version.
        package: the full name of the package, such as `circleci_sdk.v2`.
        api_name: the short name of the API, such as `v2`.

    Raises:
        SpecError: the specs are invalid or not supported.
    """
    spec = read_spec(spec_dir)
    components = read_components(spec)
    resources = read_resources(spec, components, api_name)
    placement = place(resources, read_deliveries(spec, components), components)
    files = package_files(spec, resources, components, placement, package=package, api_name=api_name)
    header = f'{HEADER}\n"""Models, public as `{package}.models`."""'
    models = model_modules(components, placement, header)
    return formatted(files | {f"models/{path}": text for path, text in models.items()}, package)
