"""A spec as nodes: plain data that knows the file and line it came from, so that a refusal can name its place."""

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
    """What is wrong with a spec, where, and what to do about it."""

    place: Place
    pointer: str
    sentence: str

    def __str__(self) -> str:
        return f"{self.place}: {self.pointer or '/'}: {self.sentence}"


class SpecError(Exception):
    """A spec that cannot be turned into code. Holds every problem that was found."""

    def __init__(self, *problems: Problem) -> None:
        super().__init__(*problems)
        self.problems = tuple(sorted(set(problems)))

    def __str__(self) -> str:
        return "\n".join(map(str, self.problems))


class Problems:
    """Gathers refusals, so that one run reports all of them and not only the first."""

    def __init__(self) -> None:
        self._found: list[Problem] = []

    @contextmanager
    def caught(self) -> Generator[None]:
        """A block whose refusal is kept instead of raised; put one around each independent part."""
        try:
            yield
        except SpecError as error:
            self._found += error.problems

    def raise_any(self) -> None:
        """Raises one error with everything that was gathered, if anything was."""
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
        """The children of a mapping; anything else is refused."""
        if isinstance(self.value, dict):
            return self.value
        raise self.refusal(f"A mapping is expected here, not {self._kind()}.")

    def sequence(self) -> list[Node]:
        """The items of a list; anything else is refused."""
        if isinstance(self.value, list):
            return self.value
        raise self.refusal(f"A list is expected here, not {self._kind()}.")

    def text(self) -> str:
        """A text that is not empty, without white space around it."""
        if isinstance(self.value, str) and self.value.strip():
            return self.value.strip()
        raise self.refusal(f"A text is expected here, not {self._kind()}.")

    def get(self, key: str) -> Node | None:
        """The child under `key`, if there is one."""
        return self.mapping().get(key)

    def need(self, key: str) -> Node:
        """The child under `key`, refused when missing."""
        child = self.mapping().get(key)
        if child is None:
            raise self.refusal(f"`{key}` is missing; add it.")
        return child

    def text_of(self, key: str) -> str | None:
        """The text under `key`, if there is one."""
        child = self.get(key)
        return None if child is None else child.text()

    def integer_of(self, key: str) -> int | None:
        """The whole number under `key`, if there is one."""
        child = self.get(key)
        if child is None:
            return None
        if isinstance(child.value, int) and not isinstance(child.value, bool):
            return child.value
        raise child.refusal(f"A whole number is expected here, not {child._kind()}.")

    def scalar_of(self, key: str) -> str | int | bool | None:
        """The text, whole number or truth value under `key`, as defaults are, if there is one."""
        child = self.get(key)
        if child is None:
            return None
        if isinstance(child.value, (str, int)):
            return child.value
        raise child.refusal(f"A text, a whole number, true or false is expected here, not {child._kind()}.")

    def texts_of(self, key: str) -> tuple[str, ...]:
        """The list of texts under `key`, empty if there is none."""
        child = self.get(key)
        return () if child is None else tuple(item.text() for item in child.sequence())

    def flag(self, key: str, *, default: bool = False) -> bool:
        """The truth value under `key`."""
        child = self.get(key)
        if child is None:
            return default
        if isinstance(child.value, bool):
            return child.value
        raise child.refusal(f"`{key}` is true or false, not {child._kind()}.")

    def only(self, known: Collection[str], what: str) -> None:
        """Refuses every key that is not `known` for `what` ("an operation")."""
        problems = Problems()
        for key, child in self.mapping().items():
            if key not in known:
                with problems.caught():
                    raise child.refusal(_unknown_key(key, what))
        problems.raise_any()

    def plain(self) -> Json:
        """The value without places."""
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
                return f"`{self.value}`" if self.value.strip() else "an empty text"


def _unknown_key(key: str, what: str) -> str:
    if key.startswith("x-"):
        return f"`{key}` is no extension of {what}; openapi/README.md lists those that are."
    return f"`{key}` means nothing to the generator in {what}; remove it, or teach codegen what it means."


def escaped(key: str) -> str:
    """A key as one step of a JSON pointer."""
    return key.replace("~", "~0").replace("/", "~1")
