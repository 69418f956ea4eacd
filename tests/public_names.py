"""The public names, one line each, in `public_names.txt`.

    python -m tests.public_names            compare; what CI does
    python -m tests.public_names --write    bring the file up to date

The names are read from the source, not from the imported package: annotations are listed as written, equally on
every Python. A package offers what a literal `__all__` lists, else what it imports in the form
`import name as name`; each name is followed through the imports to where it is defined. A property that returns a
class of the package that has no public name of its own (`client.runs`, `v2.jobs`) is followed, and the members of that
class are listed under the path of the property.

The comparison fails on three grounds: the file is not what the code says; the file was changed and CHANGELOG.md
has not been touched since; something changed since the last release and CHANGELOG.md does not name it.
"""

from __future__ import annotations

import ast
import difflib
import re
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from copy import copy
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src"
FILE = ROOT / "tests" / "public_names.txt"
CHANGELOG = ROOT / "CHANGELOG.md"
PACKAGE = "circleci_sdk"
PACKAGES = (
    *("", "v1", "v1.models", "v2", "v2.models", "v3", "v3.models"),
    *("helpers", "limiters", "sync", "webhooks", "testing"),
)
HEADER = (
    "# Every public name below circleci_sdk, written by `python -m tests.public_names --write`.\n"
    "# What changes here is explained in CHANGELOG.md.\n"
)
SPOKEN = re.compile(
    r"[^_]\w*|__(init|call|await|aiter|anext|aenter|aexit|iter|next|enter|exit|len|getitem|contains|bool)__"
)
"""Methods that users call by their name, or by the syntax that they stand for."""

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef | ast.Assign | ast.AnnAssign


@dataclass(frozen=True)
class Module:
    """A source file and its name."""

    name: str
    tree: ast.Module
    is_package: bool

    def absolute(self, node: ast.ImportFrom) -> str:
        """The module that a `from ... import` names."""
        if not node.level:
            return node.module or ""
        parents = self.name.split(".")
        up = node.level - 1 if self.is_package else node.level
        return ".".join([*parents[: len(parents) - up], *([node.module] if node.module else [])])


@cache
def load(name: str) -> Module | None:
    """The module of this name, if it is ours and exists."""
    path = SOURCE.joinpath(*name.split("."))
    for file in (path / "__init__.py", path.with_suffix(".py")):
        if name.split(".")[0] == PACKAGE and file.is_file():
            return Module(name, ast.parse(file.read_text(encoding="utf-8")), file.name == "__init__.py")
    return None


def statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Top-level statements, those under `if TYPE_CHECKING` included."""
    for node in body:
        yield node
        if isinstance(node, ast.If):
            yield from statements(node.body)
            yield from statements(node.orelse)


def find(module: Module, name: str, within: ast.AST | None = None) -> tuple[Module, Definition] | None:
    """Where a name of a module is defined; imports `within` a function count too."""
    imports = [*statements(module.tree.body), *(ast.walk(within) if within else ())]
    for node in statements(module.tree.body):
        match node:
            case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef() if node.name == name:
                return module, node
            case ast.AnnAssign(target=ast.Name(id=target)) if target == name and node.value:
                return module, node
            case ast.Assign(targets=[ast.Name(id=target)]) if target == name:
                return module, node
            case _:
                pass
    for node in imports:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                source = load(module.absolute(node))
                if (alias.asname or alias.name) == name and source and source is not module:
                    return find(source, alias.name)
    return None


def offered(module: Module) -> list[str]:
    """The names in a literal `__all__`, else those imported in the form `import name as name`; sorted."""
    found = find(module, "__all__")
    if found and isinstance(found[1], ast.Assign | ast.AnnAssign) and found[1].value:
        with suppress(ValueError):
            return sorted(ast.literal_eval(found[1].value))
    imports = (node for node in statements(module.tree.body) if isinstance(node, ast.ImportFrom))
    return sorted({alias.name for node in imports for alias in node.names if alias.name == alias.asname})


class Listing:
    """All lines, in a stable order: packages, names by alphabet, members in the order of the source."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.public: set[tuple[str, str]] = set()
        self.bases: dict[tuple[str, str], tuple[Module, ast.ClassDef]] = {}
        roots: list[tuple[str, str, tuple[Module, Definition] | None]] = []
        for package in PACKAGES:
            if module := load(f"{PACKAGE}.{package}".rstrip(".")):
                for name in offered(module):
                    found = find(module, name)
                    roots.append((package, name, found))
                    if found:
                        self.public.add((found[0].name, name))
        for package, name, found in roots:
            path = f"{package}.{name}".lstrip(".")
            if found is None:
                raise SystemExit(f"{PACKAGE}.{path} is offered in __all__, but nothing says where it comes from.")
            self.definition(path, *found, inside=package if name in {"V1", "V2"} else path)
        done: set[tuple[str, str]] = set()
        while waiting := sorted(self.bases.keys() - done):
            for key in waiting:
                done.add(key)
                module, node = self.bases[key]
                path = f"{module.name.removeprefix(PACKAGE + '.')}.{node.name}"
                self.definition(path, module, node, inside=path)

    def definition(self, path: str, module: Module, node: Definition, *, inside: str) -> None:
        """A name that a package offers."""
        match node:
            case ast.ClassDef():
                bases = ", ".join(ast.unparse(base) for base in node.bases)
                self.lines.append(f"class {path}({bases})" if bases else f"class {path}")
                self.note_bases(module, node)
                self.members(inside, module, node)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self.function(path, node, drop_first=False)
            case ast.Assign() if path == "__version__":
                self.lines.append(path)
            case ast.Assign():
                self.lines.append(f"{path} = {ast.unparse(node.value)}")
            case ast.AnnAssign():
                self.lines.append(variable(path, node, value_of=("Final", "TypeAlias")))

    def note_bases(self, module: Module, node: ast.ClassDef) -> None:
        """What users inherit from classes that no package offers is listed once, under the class."""
        for base in node.bases:
            expression = base.value if isinstance(base, ast.Subscript) else base
            if isinstance(expression, ast.Name) and (found := find(module, expression.id)):
                home, definition = found
                if isinstance(definition, ast.ClassDef) and (home.name, definition.name) not in self.public:
                    self.bases[home.name, definition.name] = home, definition

    def members(self, path: str, module: Module, cls: ast.ClassDef) -> None:
        """What the body of a class says."""
        seen: set[str] = set()
        for node in cls.body:
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() if SPOKEN.fullmatch(node.name):
                    self.method(path, module, node)
                    if node.name == "__init__":
                        self.attributes(path, node, seen)
                case ast.AnnAssign(target=ast.Name(id=name)) if not name.startswith("_"):
                    seen.add(name)
                    self.lines.append(variable(f"{path}.{name}", node))
                case ast.Assign(targets=[ast.Name(id=name)]) if not name.startswith("_") and name != "model_config":
                    seen.add(name)
                    self.lines.append(f"{path}.{name} = {ast.unparse(node.value)}")
                case _:
                    pass

    def method(self, path: str, module: Module, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """A method, or a property and what lies behind it."""
        decorators = {ast.unparse(item).partition("(")[0].rpartition(".")[2] for item in node.decorator_list}
        if decorators & {"setter", "deleter"}:
            return
        if not decorators & {"property", "cached_property"}:
            self.function(f"{path}.{node.name}", node, drop_first="staticmethod" not in decorators)
            return
        self.lines.append(f"property {path}.{node.name}: {ast.unparse(node.returns) if node.returns else 'Any'}")
        if isinstance(node.returns, ast.Name) and (found := find(module, node.returns.id, within=node)):
            home, definition = found
            if isinstance(definition, ast.ClassDef) and (home.name, definition.name) not in self.public:
                self.note_bases(home, definition)
                self.members(f"{path}.{node.name}", home, definition)

    def function(self, path: str, node: ast.FunctionDef | ast.AsyncFunctionDef, *, drop_first: bool) -> None:
        """A signature."""
        arguments = copy(node.args)
        if drop_first and arguments.posonlyargs:
            arguments.posonlyargs = arguments.posonlyargs[1:]
        elif drop_first:
            arguments.args = arguments.args[1:]
        words: list[str] = [
            word
            for decorator in node.decorator_list
            for word in ("deprecated", "overload", "classmethod", "staticmethod")
            if ast.unparse(decorator).partition("(")[0].rpartition(".")[2] == word
        ]
        if isinstance(node, ast.AsyncFunctionDef):
            words.append("async")
        returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
        self.lines.append(" ".join([*words, f"{path}({ast.unparse(arguments)}){returns}"]))

    def attributes(self, path: str, init: ast.FunctionDef | ast.AsyncFunctionDef, seen: set[str]) -> None:
        """What a constructor puts on the object."""
        types = {item.arg: item.annotation for item in (*init.args.args, *init.args.kwonlyargs)}
        for node in ast.walk(init):
            match node:
                case ast.AnnAssign(target=ast.Attribute(value=ast.Name(id="self"), attr=name)):
                    annotation: ast.expr | None = node.annotation
                case ast.Assign(targets=[ast.Attribute(value=ast.Name(id="self"), attr=name)]):
                    annotation = types.get(node.value.id) if isinstance(node.value, ast.Name) else None
                case _:
                    continue
            if not name.startswith("_") and name not in seen:
                seen.add(name)
                self.lines.append(f"{path}.{name}" + (f": {ast.unparse(annotation)}" if annotation else ""))


def variable(path: str, node: ast.AnnAssign, *, value_of: tuple[str, ...] | None = None) -> str:
    """An annotated name; its value where the annotation says nothing of it."""
    annotation = ast.unparse(node.annotation)
    if node.value is None or (value_of is not None and annotation not in value_of):
        return f"{path}: {annotation}"
    return f"{path}: {annotation} = {ast.unparse(node.value)}"


def by_name(text: str) -> dict[str, set[str]]:
    """The lines of a listing by the name they speak of."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in text.splitlines():
        if match := re.match(r"(?:(?!#)[a-z]+ )*([\w.]+)", line):
            found[match[1]].add(line)
    return found


def unexplained(before: str, now: str, news: str) -> list[str]:
    """Names that changed and that the news name neither themselves nor by their owner."""
    old, new = by_name(before), by_name(now)
    named = set(re.findall(r"`([\w.]+)", news))
    changed = {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}
    return sorted(name for name in changed if not {name, name.rpartition(".")[0]} & named)


def git(*arguments: str) -> str | None:
    """What git says, or None where it has nothing to say."""
    try:
        done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def changelog_is_older() -> bool:
    """The listing was changed, now or by a commit, and CHANGELOG.md has not been touched since."""
    listing, changelog = str(FILE.relative_to(ROOT)), CHANGELOG.name
    if git("status", "--porcelain", "--", changelog) != "":
        return False
    if git("status", "--porcelain", "--", listing):
        return True
    last = git("log", "-1", "--format=%H", "--diff-filter=M", "--", listing)
    return bool(last) and not git("rev-list", "-1", "HEAD", "--not", f"{last}^@", "--", changelog)


def complaints(now: str) -> Iterator[str]:
    """Everything that is wrong, in sentences."""
    committed = FILE.read_text(encoding="utf-8") if FILE.exists() else ""
    if committed != now:
        yield "\n".join(
            difflib.unified_diff(
                committed.splitlines(), now.splitlines(), "tests/public_names.txt", "the code", lineterm="", n=0
            )
        )
        yield (
            "The public names are not those in tests/public_names.txt. If users are meant to see this change, run\n"
            "`python -m tests.public_names --write` and explain it under Unreleased in CHANGELOG.md."
        )
    if changelog_is_older():
        yield (
            "tests/public_names.txt has changed and CHANGELOG.md has not been touched since.\n"
            "Say under Unreleased what the change means for users."
        )
    release = git("describe", "--tags", "--abbrev=0", "--match", "v[0-9]*")
    before = git("show", f"{release}:tests/public_names.txt") if release else None
    if release and before:
        news = CHANGELOG.read_text(encoding="utf-8").partition(f"\n## [{release[1:]}]")[0]
        if names := unexplained(before, now, news):
            yield (
                f"Changed since {release} and named nowhere above it in CHANGELOG.md, neither themselves nor their"
                " owner (write names in backticks):\n  " + "\n  ".join(names)
            )


def listing() -> str:
    """What the file should say."""
    return HEADER + "".join(f"{line}\n" for line in Listing().lines)


def main() -> int:
    now = listing()
    if sys.argv[1:] == ["--write"]:
        FILE.write_text(now, encoding="utf-8")
        return 0
    if sys.argv[1:]:
        print(__doc__)
        return 2
    found = list(complaints(now))
    print("\n\n".join(found) if found else "Public names: as written down, and explained.")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
