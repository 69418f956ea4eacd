"""The sync form of a small async module, and async code that is refused since it has none.

After an intended change, `CODEGEN_GOLDEN=write python -m pytest tests/codegen/test_sync.py` writes the new code; review
its diff.
"""

from __future__ import annotations

import os
from typing import Final

import pytest

from codegen.formatting import formatted
from codegen.sync.classes import Writer
from codegen.sync.files import Part, module_text
from codegen.sync.refusals import NoSyncFormError
from codegen.sync.source import read_module
from codegen.sync.texts import sync_text
from tests.codegen.support import HERE

ASYNC: Final = (HERE / "sync/async_things.txt").read_text(encoding="utf-8")
GOLDEN: Final = HERE / "sync/sync_things.txt"
NAME: Final = "circleci_sdk.helpers.things"
WRAPPED: Final = {
    **{(NAME, name): "circleci_sdk.sync.things" for name in ("Things", "Thing", "ThingOutput", "ThingRows")},
    ("circleci_sdk.helpers.parts", "PartStream"): "circleci_sdk.sync.parts",
    ("circleci_sdk._core.pagination", "AsyncPager"): "circleci_sdk.sync.pager",
}


def written(text: str) -> str:
    module = read_module(NAME, text)
    names = tuple(name for name in module.classes if not name.startswith("_"))
    part = Part("things.py", ((module, names),))
    return formatted({"things.py": module_text(part, WRAPPED, module.callbacks)}, "circleci_sdk.sync")["things.py"]


def test_everything_that_has_a_sync_form() -> None:
    text = written(ASYNC)
    if os.environ.get("CODEGEN_GOLDEN") == "write":
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")


METHODS: Final[dict[str, tuple[str, str]]] = {
    "variadic arguments": (
        "async def get(self, *ids: str) -> str: ...",
        "get: *args and **kwargs are not passed on. Name the arguments.",
    ),
    "keywords": (
        "async def get(self, **more: str) -> str: ...",
        "get: *args and **kwargs are not passed on. Name the arguments.",
    ),
    "a lambda as a default": (
        "async def get(self, key: int = (lambda: 1)()) -> str: ...",
        "get: the default (lambda: 1)() is no literal value.",
    ),
    "a default that is made": (
        "async def get(self, key: float = _MADE) -> str: ...",
        "get: the default _MADE is no literal value.",
    ),
    "a default of a keyword": (
        "async def get(self, *, key: float = time()) -> str: ...",
        "get: the default time() is no literal value.",
    ),
    "a list of wrapped objects": (
        "async def get(self) -> list[Thing]: ...",
        "get: list[Thing] has Thing in it. Return it alone, or with None.",
    ),
    "wrapped objects in a tuple": (
        "async def get(self) -> tuple[str, dict[str, Thing]]: ...",
        "get: tuple[str, dict[str, Thing]] has Thing in it. Return it alone, or with None.",
    ),
    "a wrapped object or another one": (
        "async def get(self) -> Thing | str: ...",
        "get: Thing | str has Thing in it. Return it alone, or with None.",
    ),
    "a list of the same class": (
        "async def get(self) -> list[Things]: ...",
        "get: list[Things] has Things in it. Return it alone, or with None.",
    ),
    "an iterator of wrapped objects": (
        "def get(self) -> AsyncIterator[Thing]: ...",
        "get: AsyncIterator[Thing] has Thing in it. Return it alone, or with None.",
    ),
    "a list of the API of wrapped objects": (
        "def get(self) -> AsyncPager[Thing]: ...",
        "get: AsyncPager[Thing] has Thing in it. Return it alone, or with None.",
    ),
    "iterators in an object": (
        "async def get(self) -> dict[str, AsyncIterator[str]]: ...",
        "get: dict[str, AsyncIterator[str]] has AsyncIterator in it. Return it alone, or with None.",
    ),
    "the same class or None": (
        "async def get(self) -> Things | None: ...",
        "get: Things | None may be None, which is not expected here.",
    ),
    "a property that may be wrapped": (
        "@property\n    def get(self) -> Thing | None: ...",
        "get: Thing | None may be None, which is not expected here.",
    ),
    "Self": ("async def get(self) -> Self: ...", "get: write the name of the class in place of Self."),
    "an awaitable": (
        "def get(self) -> Awaitable[str]: ...",
        "get: Awaitable as a result has no sync form. Make it an async method.",
    ),
    "a nested awaitable": (
        "def get(self) -> list[Awaitable[str]]: ...",
        "get: Awaitable as a result has no sync form. Make it an async method.",
    ),
    "a block of the standard library": (
        "def get(self) -> AbstractAsyncContextManager[str]: ...",
        "get: AbstractAsyncContextManager as a result has no sync form. Make it an async method.",
    ),
    "an async generator": (
        "async def get(self) -> AsyncIterator[str]:\n        yield ''",
        "get: an async generator is no coroutine. Return an AsyncIterator of a plain method.",
    ),
    "a quoted type": ("async def get(self) -> 'Thing': ...", "get: write the type Thing without quotes."),
    "a quoted type of an argument": (
        "async def get(self, one: 'str') -> str: ...",
        "get: write the type str without quotes.",
    ),
    "no type of the result": ("async def get(self): ...", "get: it has no return type."),
    "no type of an argument": ("async def get(self, one) -> str: ...", "get: the argument one has no type."),
    "a wrapped argument": (
        "async def get(self, one: Thing) -> str: ...",
        "get: the argument one takes Thing, which is async.",
    ),
    "an async argument": (
        "async def get(self, one: AsyncIterator[str]) -> str: ...",
        "get: the argument one takes AsyncIterator, which is async.",
    ),
    "a function without an alias": (
        "async def get(self, one: Callable[[], str]) -> str: ...",
        "get: give the functions that one takes a type alias.",
    ),
    "a class method": (
        "@classmethod\n    async def get(cls) -> str: ...",
        "get: the decorator classmethod has no sync form.",
    ),
    "an async block as a method": (
        "@asynccontextmanager\n    async def get(self) -> AsyncIterator[str]: ...",
        "get: the decorator asynccontextmanager has no sync form.",
    ),
    "an operator": ("def __len__(self) -> int: ...", "__len__: the operator has no sync form."),
    "an attribute that is not declared": (
        "def __init__(self) -> None:\n        self.kind = 1",
        "kind: declare the public attribute in the body of the class.",
    ),
    "an attribute that is wrapped": ("kind: Thing", "kind: Thing has a sync form. Make it a property."),
    "a method of the base and the class": (
        "async def inherited(self) -> int: ...",
        "inherited: it is defined twice, perhaps in a base too.",
    ),
}
"""A member of the class `Things`, and why it is refused."""


@pytest.mark.parametrize("name", METHODS)
def test_what_has_no_sync_form_is_refused(name: str) -> None:
    member, why = METHODS[name]
    text = ASYNC.replace("    size: int\n", f"    size: int\n    {member}\n", 1).replace(
        "_KINDS: Final", "_MADE: Final = time()\n_KINDS: Final"
    )
    with pytest.raises(NoSyncFormError) as caught:
        written(text)
    assert str(caught.value) == f"{NAME}.Things.{why}"


def test_a_base_of_another_module_is_refused() -> None:
    text = ASYNC.replace("class Thing(Uncopied):", "class Thing(Uncopied, Part):")
    with pytest.raises(
        NoSyncFormError, match=r"Thing: the methods of its base Part, of another module, are not seen\."
    ):
        written(text)


def test_another_type_variable_is_refused() -> None:
    text = ASYNC.replace("T_co", "Row_co")
    with pytest.raises(NoSyncFormError, match=r"ThingRows: its type variable Row_co has no sync form; name it T_co\."):
        written(text)


@pytest.mark.parametrize("text", ["Await it: `x = await y`, in an async function.", "Returns an AsyncThing."])
def test_words_of_async_code_are_refused(text: str) -> None:
    with pytest.raises(NoSyncFormError, match=r"The word (async|Async) of a docstring has no sync form: "):
        sync_text(text, 0)


def test_a_function_that_would_be_called_in_the_event_loop_is_refused() -> None:
    text = (
        '"""A client."""\nclass AsyncCircleCI:\n    def __init__(self, *, on_retry: Hook | None = None) -> None: ...\n'
    )
    module = read_module("circleci_sdk.client", text)
    writer = Writer(module, {}, "", frozenset(), frozenset())
    with pytest.raises(NoSyncFormError, match="the argument on_retry is a function that has to be adapted"):
        list(writer.class_lines(module.classes["AsyncCircleCI"]))


@pytest.mark.parametrize(
    "text", ["def register(circleci: AsyncCircleCI) -> str: ...", "async def register(url: str) -> str: ..."]
)
def test_only_async_functions_of_a_client_have_a_sync_form(text: str) -> None:
    module = read_module("circleci_sdk.webhooks.registration", text)
    with pytest.raises(NoSyncFormError, match="register: only async functions whose first argument is `circleci`"):
        list(Writer(module, {}, "", frozenset(), frozenset()).function_lines(module.functions["register"]))
