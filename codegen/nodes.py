"""A spec as nodes: plain data with file and line, so that an error can name its location."""

from __future__ import annotations

from collections.abc import Collection, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeAlias

Json: TypeAlias = "bool | int | float | str | list[Json] | dict[str, Json] | None"


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """A line of a file of the spec."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """An error in a spec: its location, the reason and the remedy."""

    place: Place
    pointer: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.pointer or '/'}: {self.sentence}"


class SpecError(Exception):
    """An invalid or unsupported spec. Contains all problems."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = tuple(sorted(set(problems)))

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class Problems:
    """Collects errors, so that one run reports all of them."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    @contextmanager
    def caught(self) -> Generator[None]:
        """A block whose error is collected instead of raised; use one for each independent part."""
        try:
            yield
        except SpecError as error:
            self._found += error.problems

    def raise_any(self) -> None:
        """Raises one error with all collected problems, if there are any."""
        if self._found:
            raise SpecError(*self._found)


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A value of the spec with its JSON pointer in the merged document and its place in a file."""

    value: bool | int | float | str | list[Node] | dict[str, Node] | None
    pointer: str
    place: Place

    def refusal(self, sentence: str) -> SpecError:
        """The error to raise for this node."""
        return SpecError(Problem(self.place, self.pointer, sentence))

    def mapping(self) -> dict[str, Node]:
        """The children of a mapping; raises otherwise."""
        if isinstance(self.value, dict):
            return self.value
        raise self.refusal(f"Expected a mapping, got {self._kind()}.")

    def sequence(self) -> list[Node]:
        """The items of a list; raises otherwise."""
        if isinstance(self.value, list):
            return self.value
        raise self.refusal(f"Expected a list, got {self._kind()}.")

    def text(self) -> str:
        """A non-empty string, without surrounding white space."""
        if isinstance(self.value, str) and self.value.strip():
            return self.value.strip()
        raise self.refusal(f"Expected a string, got {self._kind()}.")

    def get(self, key: str) -> Node | None:
        """The child under `key`, if there is one."""
        return self.mapping().get(key)

    def need(self, key: str) -> Node:
        """The child under `key`; raises if it is missing."""
        child = self.mapping().get(key)
        if child is None:
            raise self.refusal(f"`{key}` is missing; add it.")
        return child

    def text_of(self, key: str) -> str | None:
        """The string under `key`, if there is one."""
        child = self.get(key)
        return None if child is None else child.text()

    def integer_of(self, key: str) -> int | None:
        """The integer under `key`, if there is one."""
        child = self.get(key)
        if child is None:
            return None
        if isinstance(child.value, int) and not isinstance(child.value, bool):
            return child.value
        raise child.refusal(f"Expected an integer, got {child._kind()}.")

    def scalar_of(self, key: str) -> str | int | bool | None:
        """The string, integer or boolean under `key`, such as a default, if there is one."""
        child = self.get(key)
        if child is None:
            return None
        if isinstance(child.value, (str, int)):
            return child.value
        raise child.refusal(f"Expected a string, an integer or a boolean, got {child._kind()}.")

    def plain_of(self, key: str) -> Json:
        """The value under `key`, of whatever kind, without locations; None if there is none."""
        child = self.get(key)
        return None if child is None else child.plain()

    def texts_of(self, key: str) -> tuple[str, ...]:
        """The list of strings under `key`, empty if there is none."""
        child = self.get(key)
        return () if child is None else tuple(item.text() for item in child.sequence())

    def flag(self, key: str, *, default: bool = False) -> bool:
        """The boolean under `key`."""
        child = self.get(key)
        if child is None:
            return default
        if isinstance(child.value, bool):
            return child.value
        raise child.refusal(f"`{key}`: expected a boolean, got {child._kind()}.")

    def only(self, known: Collection[str], what: str) -> None:
        """Raises on keys that are not `known` for `what` ("an operation")."""
        problems = Problems()
        for key, child in self.mapping().items():
            if key not in known:
                with problems.caught():
                    raise child.refusal(_unknown_key(key, what))
        problems.raise_any()

    def plain(self) -> Json:
        """The value without locations."""
        if isinstance(self.value, dict):
            return {key: child.plain() for key, child in self.value.items()}
        if isinstance(self.value, list):
            return [child.plain() for child in self.value]
        return self.value

    def _kind(self) -> str:
        match self.value:
            case dict():
                return "a mapping"
            case list():
                return "a list"
            case None:
                return "nothing"
            case bool() | int() | float():
                return f"{self.plain()!r}".lower()
            case _:
                return f"`{self.value}`" if self.value.strip() else "an empty string"


def _unknown_key(key: str, what: str) -> str:
    if key.startswith("x-"):
        return f"`{key}` is not an extension of {what}; openapi/README.md lists those that are."
    return f"`{key}` is not supported in {what}; remove it, or implement it in codegen."


def escaped(key: str) -> str:
    """A key as one step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
