"""Components -> model modules, through datamodel-code-generator used as a library."""

from __future__ import annotations

import ast
import re
from typing import TYPE_CHECKING, Final

from datamodel_code_generator import GenerateConfig, InputFileType, generate
from datamodel_code_generator.enums import (
    AllOfClassHierarchy,
    AllOfMergeMode,
    DataModelType,
    NamingStrategy,
    OpenAPIScope,
)
from datamodel_code_generator.format import PythonVersion
from datamodel_code_generator.parser import LiteralType

from .lowering import MODEL_BASE, lower
from .shapes import Anything, Components, Record, leaves

if TYPE_CHECKING:
    from .placement import Placement

_SETTINGS: Final = GenerateConfig(
    input_file_type=InputFileType.OpenAPI,
    openapi_scopes=[OpenAPIScope.Schemas],
    output_model_type=DataModelType.PydanticV2BaseModel,
    target_python_version=PythonVersion.PY_311,
    base_class=MODEL_BASE,
    # Real annotations: models have a public `__module__`, in which string annotations could not be resolved.
    disable_future_imports=True,
    enum_field_as_literal=LiteralType.All,
    use_type_alias=True,
    use_annotated=True,
    use_exact_imports=True,
    strict_nullable=True,
    naming_strategy=NamingStrategy.FullPath,
    # Without the empty prefix `_jobs` would become `field_jobs`.
    special_field_name_prefix="",
    allof_merge_mode=AllOfMergeMode.NoMerge,
    allof_class_hierarchy=AllOfClassHierarchy.Always,
    use_schema_description=True,
    use_field_description=True,
    use_single_line_docstring=True,
    strict_refs=True,
    allow_remote_refs=False,
    disable_timestamp=True,
    formatters=[],
)

_PATH: Final = re.compile(r"\balias=((['\"])[\w.]+\.\w+\2)")
"""The alias of a member of an inline object: its path, which no dump shows."""


def model_modules(components: Components, placement: Placement, header: str) -> dict[str, str]:
    """The unformatted content of every module of models by file name; each begins with the `header`."""
    if not placement.modules:
        return {}
    document, field_names = lower(components, placement)
    config = _SETTINGS.model_copy(update={"aliases": field_names, "custom_file_header": header})
    generated = generate(document, config=config)
    assert isinstance(generated, dict), "names with dots produce one string per module"
    modules = {
        "/".join(path): _PATH.sub(r"validation_alias=\1", text)
        for path, text in generated.items()
        if path[0] != "__init__.py"
    }
    _check(modules, components, placement)
    return modules


def _check(modules: dict[str, str], components: Components, placement: Placement) -> None:
    """Checks the generated models: exactly the names of the spec, and no `Any` that is not in the spec."""
    wanted: dict[str, dict[str, list[str]]] = {}
    free: set[str] = set()
    for name, module in placement.modules.items():
        content = components[name].content
        fields = [field.name for field in content.fields] if isinstance(content, Record) else []
        wanted.setdefault(f"{module}.py", {})[name] = fields
        if any(isinstance(leaf, Anything) for leaf in leaves(content)):
            free.add(f"{module}.py")
    trees = {path: ast.parse(text) for path, text in modules.items()}
    found = {path: _definitions(tree) for path, tree in trees.items()}
    if found != wanted:
        raise AssertionError(f"datamodel-code-generator produced {found} where {wanted} was requested")
    for path, tree in trees.items():
        uses_any = any(isinstance(node, ast.Name) and node.id == "Any" for node in ast.walk(tree))
        if uses_any and path not in free:
            raise AssertionError(f"datamodel-code-generator wrote `Any` into {path}, which is not in the spec")


def _definitions(tree: ast.Module) -> dict[str, list[str]]:
    """The classes with their fields, and the aliases without fields."""
    found: dict[str, list[str]] = {}
    for statement in tree.body:
        if isinstance(statement, ast.ClassDef):
            fields = (node.target for node in statement.body if isinstance(node, ast.AnnAssign))
            found[statement.name] = [target.id for target in fields if isinstance(target, ast.Name)]
        elif isinstance(statement, ast.Assign):
            found |= {target.id: [] for target in statement.targets if isinstance(target, ast.Name)}
    return found
