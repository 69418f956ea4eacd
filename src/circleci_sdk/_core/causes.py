"""The exceptions that an exception carries."""

from __future__ import annotations

from collections.abc import Iterator


def with_causes(error: BaseException, known: BaseException | None = None) -> Iterator[BaseException]:
    """An exception, its causes, contexts and those of a group, each once. `known` and what only it carries is not."""
    seen = {id(known)}
    todo: list[BaseException | None] = [error]
    while todo:
        one = todo.pop()
        if one is None or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        todo += [one.__cause__, one.__context__, *getattr(one, "exceptions", ())]
