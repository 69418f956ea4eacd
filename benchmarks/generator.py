"""The client of datamodel-code-generator, generated from our spec of v2 into a temporary folder."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

SPEC: Final = Path(__file__).parent.parent / "src" / "circleci_sdk" / "v2" / "openapi.json"


def generate(folder: Path) -> str:
    """Write the client and its models there; returns an error message or an empty string."""
    client, models = folder / "benchmarks_generated_client", folder / "benchmarks_generated_models"
    models.mkdir()
    (models / "py.typed").touch()
    command = [
        *(sys.executable, "-m", "datamodel_code_generator", "--input", str(SPEC), "--input-file-type", "openapi"),
        *("--output", str(models / "__init__.py"), "--generate-client", "httpx2"),
        *("--client-output", str(client), "--client-package", client.name),
        *("--client-model-package", models.name, "--target-python-version", "3.11"),
        *("--output-model-type", "pydantic_v2.BaseModel", "--output-datetime-class", "datetime"),
        *("--openapi-scopes", "schemas", "paths", "parameters", "tags", "api"),
        *("--enum-field-as-literal", "all", "--use-type-alias", "--formatters", "builtin"),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else done.stderr.strip().splitlines()[-1]
