"""The tables of `api/v3.md`: every known operation of API v3 as a `Row`, independent of our own specs.

The document writes bodies in a short notation, `{id:uuid, attributes{name:str, ended_at?:time or null}}`. A row with
notation that is not understood raises `NotationError`.

Nothing here imports the SDK.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Final, Literal, NoReturn, TypeAlias, cast

from tests.support import places

Grade: TypeAlias = Literal["A", "B"]
Method: TypeAlias = Literal["GET", "POST", "DELETE"]
Kind: TypeAlias = Literal[
    "object", "list", "map", "union", "str", "uuid", "time", "int", "float", "bool", "base64", "any", "constant"
]
Form: TypeAlias = Literal["nothing", "unread", "json", "bytes", "text", "lines", "events"]

SCALARS: Final = frozenset({"str", "uuid", "time", "int", "float", "bool", "base64", "any"})
HEADINGS: Final = {"## Operations of grade A": "A", "## Operations of grade B": "B"}
PAGE: Final = "page?{next?:str or null, prev?:str or null}"


class NotationError(ValueError):
    """Text of the document that this module does not understand."""


@dataclass(frozen=True, slots=True)
class Tree:
    """A value: a scalar, an object with `members`, a list or a map of `items`, one of `variants`.

    `open` marks an object written with `...`: it has members that the document does not list. `value` is the only
    value of a constant.
    """

    kind: Kind
    members: tuple[Member, ...] = ()
    items: Tree | None = None
    variants: tuple[Tree, ...] = ()
    nullable: bool = False
    open: bool = False
    value: str = ""

    def __getitem__(self, name: str) -> Tree:
        """The value of a member."""
        return next(member.tree for member in self.members if member.name == name)

    def paths(self, prefix: str = "") -> Iterator[tuple[str, Tree, bool]]:
        """The place, value and required flag of every member at any depth: `data[].attributes.name`."""
        match self.kind:
            case "object":
                for member in self.members:
                    place = f"{prefix}.{member.name}" if prefix else member.name
                    yield place, member.tree, member.required
                    yield from member.tree.paths(place)
            case "list" | "map" if self.items:
                yield from self.items.paths(prefix + ("[]" if self.kind == "list" else "{*}"))
            case _:
                for variant in self.variants:
                    yield from variant.paths(prefix)


@dataclass(frozen=True, slots=True)
class Member:
    """One key of an object."""

    name: str
    tree: Tree
    required: bool


@dataclass(frozen=True, slots=True)
class Parameter:
    """One query parameter. `alternatives` are the names of its group, itself included; of a group one is sent.

    `required` on a member of a group says that one of the group is required.
    """

    name: str
    required: bool
    alternatives: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the tables. `path` is below `/api/v3`, with the nameless `{id}` of the document.

    `response` is the whole body, envelope included, for `json`, and one line for `lines`. `notes` and `source` are the
    text of the document.
    """

    grade: Grade
    method: Method
    path: str
    query: tuple[Parameter, ...]
    body: Tree | None
    form: Form
    response: Tree | None
    notes: str = field(repr=False)
    source: str = field(repr=False)

    @property
    def key(self) -> str:
        """Method and path."""
        return f"{self.method} {self.path}"


@cache
def rows() -> tuple[Row, ...]:
    """All rows of both grades, in the order of the document."""
    return tuple(parse_document((places.facts() / "api" / "v3.md").read_text(encoding="utf-8")))


def parse_document(text: str) -> Iterator[Row]:
    """The rows of the tables below the headings of the two grades."""
    grade = ""
    for line in text.splitlines():
        if line.startswith("#"):
            grade = HEADINGS.get(line, "")
        elif grade and line.startswith("|") and not re.match(r"\| method \||\|-", line):
            yield _row(cast(Grade, grade), line)


def _row(grade: Grade, line: str) -> Row:
    cells = [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")]
    if len(cells) != 7 or cells[0] not in {"GET", "POST", "DELETE"}:
        raise NotationError(line)
    method, path, query, body, response, source, notes = cells
    form, tree = _response(_code(response))
    return Row(
        grade=grade,
        method=cast(Method, method),
        path=_code(path),
        query=tuple(parse_query(query)),
        body=parse_tree(_code(body)) if body else None,
        form=form,
        response=tree,
        notes=notes,
        source=source,
    )


def _code(cell: str) -> str:
    return cell[1:-1] if cell.startswith("`") and cell.endswith("`") else cell


def parse_query(cell: str) -> Iterator[Parameter]:
    """The parameters of a cell such as `filter[slug] or filter[org_id]!, order_by`."""
    group: list[str] | None = None
    for text in cell.split(", ") if cell else ():
        start = re.match(r"(?:exactly )?one of ", text)
        names = text[start.end() if start else 0 :].removesuffix("!").split(" or ")
        if not all(re.fullmatch(r"[a-z][a-z_-]*(\[[a-z_]+\])?", name) for name in names):
            raise NotationError(cell)
        required = text.endswith("!")
        if start:
            group = []
        if group is None:
            yield from _group(names, required)
            continue
        group += names
        if required:
            yield from _group(group, required)
            group = None
    if group is not None:
        raise NotationError(cell)


def _group(names: list[str], required: bool) -> Iterator[Parameter]:
    alternatives = tuple(names) if len(names) > 1 else ()
    for name in names:
        yield Parameter(name, required, alternatives)


def _response(text: str) -> tuple[Form, Tree | None]:
    if not text:
        return "nothing", None
    if text == "(not read)":
        return "unread", None
    if text == "bytes" or text.startswith("bytes; "):
        return "bytes", None
    if text == "text/plain":
        return "text", None
    if text == "text/event-stream":
        return "events", None
    if line := re.fullmatch(r"application/x-ndjson: one (\{.*\}) a line", text):
        return "lines", parse_tree(line[1])
    if envelope := re.fullmatch(r"v3(Entity|List)<(.*)>(?: \([a-z ]+\))?`?", text):
        one = envelope[1] == "Entity"
        return "json", parse_tree(f"{{data{envelope[2]}}}" if one else f"{{data[]{envelope[2]}, {PAGE}}}")
    return "json", parse_tree(text)


def parse_tree(text: str) -> Tree:
    """The object of notation such as `{name:str, org?{id:uuid}}`."""
    notation = _Notation(text)
    tree = notation.object()
    notation.end()
    return tree


class _Notation:
    """Reads the notation from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def object(self) -> Tree:
        self._expect("{")
        members: list[Member] = []
        is_open = False
        while not self._take("}"):
            if members or is_open:
                self._expect(", ")
            if self._take("..."):
                is_open = True
            else:
                members.append(self._member())
        if len({member.name for member in members}) < len(members):
            self._fail("a name occurs twice")
        return Tree("object", tuple(members), open=is_open)

    def end(self) -> None:
        if self._at < len(self._text):
            self._fail("expected the end")

    def _member(self) -> Member:
        name = self._match(r"[A-Za-z_][A-Za-z0-9_]*")
        required = not self._take("?")
        return Member(name, self._value(), required)

    def _value(self) -> Tree:
        if self._take("[]"):
            return Tree("list", items=self.object())
        if self._take("{*}"):
            return Tree("map", items=self._typed() if self._take(":") else self.object())
        if self._text.startswith("{", self._at):
            return self.object()
        if self._take(":"):
            return self._typed()
        # A name alone, in the bodies of the old runner routes: the document has no type for it.
        return Tree("any")

    def _typed(self) -> Tree:
        tree = self._plain()
        while self._take(" or "):
            null = self._take("null")
            tree = replace(tree, nullable=True) if null else Tree("union", variants=(tree, self._plain()))
        return tree

    def _plain(self) -> Tree:
        if self._take('"'):
            value = self._match(r"[a-z_]+")
            self._expect('"')
            return Tree("constant", value=value)
        if self._text.startswith("{", self._at):
            return self.object()
        word = self._match(r"[a-z0-9]+")
        if word not in SCALARS:
            self._fail(f"unknown type {word}")
        tree = Tree(cast(Kind, word))
        return Tree("list", items=tree) if self._take("[]") else tree

    def _take(self, text: str) -> bool:
        found = self._text.startswith(text, self._at)
        self._at += len(text) if found else 0
        return found

    def _expect(self, text: str) -> None:
        if not self._take(text):
            self._fail(f"expected {text!r}")

    def _match(self, pattern: str) -> str:
        found = re.compile(pattern).match(self._text, self._at)
        if not found:
            self._fail(f"expected {pattern}")
        self._at = found.end()
        return found[0]

    def _fail(self, reason: str) -> NoReturn:
        raise NotationError(f"{reason} at {self._at}: {self._text[self._at : self._at + 60]!r} in {self._text!r}")
