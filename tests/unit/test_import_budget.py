"""Numbers of modules loaded before and by a first call; and after `preload` nothing is loaded later.

The times are in `benchmarks/`: a count above its budget here is a slower start there.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Final

import pytest

from circleci_sdk._core.messages import Progress
from tests.support.scripted_server import ScriptedServer, reply

CALL: Final = """
import asyncio, httpx
from circleci_sdk import AsyncCircleCI
page = {"items": [], "next_page_token": None}
transport = httpx.MockTransport(lambda request: httpx.Response(200, json=page))
async def main():
    async with AsyncCircleCI("token", transport=transport) as client:
        assert not await client.v2.pipelines.list_for_project("gh/acme/web")
asyncio.run(main())
"""

SYNC_CALL: Final = """
import httpx
from circleci_sdk import CircleCI
page = {"items": [], "next_page_token": None}
transport = httpx.MockTransport(lambda request: httpx.Response(200, json=page))
with CircleCI("token", transport=transport) as client:
    assert not client.v2.pipelines.list_for_project("gh/acme/web").page().items
"""


def loaded(code: str, before: str = "") -> set[str]:
    """The modules loaded by `code`, after `before`, in a fresh interpreter."""
    ask = "print(json.dumps(sorted(set(sys.modules) - had)))"
    script = f"{before}\nimport json, sys\nhad = set(sys.modules)\n{code}\n{ask}"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    return set(json.loads(done.stdout))


@pytest.mark.parametrize(
    ("code", "budget"),
    [
        ("import circleci_sdk", 3),
        ("from circleci_sdk import AsyncCircleCI; AsyncCircleCI('token')", 36),
        ("from circleci_sdk import AsyncCircleCI; AsyncCircleCI('token').v2.pipelines", 41),
        (CALL, 53),
        ("from circleci_sdk import CircleCI; CircleCI('token')", 47),
        ("from circleci_sdk import CircleCI; CircleCI('token').v2.pipelines", 56),
        (SYNC_CALL, 66),
    ],
    ids=["the package", "a client", "a resource", "a call", "a sync client", "a resource of it", "a call of it"],
)
def test_modules_of_this_package(code: str, budget: int) -> None:
    assert len([name for name in loaded(code) if name.startswith("circleci_sdk")]) <= budget


def test_modules_of_a_client_beyond_asyncio() -> None:
    """The event loop is loaded already when a client is created."""
    modules = loaded("from circleci_sdk import AsyncCircleCI; AsyncCircleCI('token')", before="import asyncio")
    assert len(modules) <= 68
    assert not modules & {"opentelemetry", "circleci_sdk._tracing", "circleci_sdk._log_output"}


def test_modules_of_a_sync_client_beyond_asyncio() -> None:
    """It loads asyncio and anyio, but neither httpx nor pydantic."""
    modules = loaded("from circleci_sdk import CircleCI; CircleCI('token')", before="import anyio, asyncio")
    assert len(modules) <= 91
    assert not modules & {"httpx", "httpcore", "pydantic"}


def test_the_async_client_loads_nothing_of_the_sync_one() -> None:
    assert not [name for name in loaded(CALL) if name.startswith(("circleci_sdk.sync", "circleci_sdk._engine"))]


def test_modules_of_a_call_beyond_httpx_and_pydantic() -> None:
    modules = loaded(CALL, before="import asyncio, httpx, pydantic.main; class_ = type('M', (pydantic.BaseModel,), {})")
    assert len([name for name in modules if not name.startswith(("anyio", "pydantic"))]) <= 58


DEFINED: Final = """
import dataclasses, re._compiler, sys, typing
from collections import Counter
counts = Counter()
def count(module, name):
    function = getattr(module, name)
    def counted(*arguments, **named):
        frame = sys._getframe(1)
        while frame.f_globals["__name__"].partition(".")[0] in ("dataclasses", "re", "typing"):
            frame = frame.f_back
        counts[name] += frame.f_globals["__name__"].startswith("circleci_sdk")
        return function(*arguments, **named)
    setattr(module, name, counted)
for module, name in (dataclasses, "_process_class"), (typing, "_make_nmtuple"), (re._compiler, "compile"):
    count(module, name)
"""


def test_what_a_call_compiles() -> None:
    """Methods of dataclasses and named tuples, and regular expressions: most of the time of our own modules."""
    loaded(
        CALL + "assert counts['_process_class'] <= 14, counts\nassert 16 >= counts['_make_nmtuple'] > 0, counts\n"
        "assert counts['compile'] <= 1, counts",
        before=DEFINED,
    )


@pytest.mark.parametrize("call", [CALL, SYNC_CALL], ids=["async", "sync"])
def test_preload_loads_everything(call: str) -> None:
    forbids = (
        "from circleci_sdk._core.serialization import decode\n"
        "def new_decoder(operation): raise AssertionError('a decoder was built')\n"
        "decode.new_decoder = new_decoder\n"
    )
    modules = loaded(call, before=f"import asyncio, circleci_sdk\ncircleci_sdk.preload()\n{forbids}")
    assert {name.partition(".")[0] for name in modules} <= {"anyio"}


def test_preload_builds_every_model() -> None:
    code = (
        "import circleci_sdk\n"
        "circleci_sdk.preload()\n"
        "from circleci_sdk._core.serialization.model import Model\n"
        "from circleci_sdk.v1 import models as m1\n"
        "from circleci_sdk.v2 import models as m2\n"
        "from circleci_sdk.v3 import models as m3\n"
        "every = [getattr(m, name) for m in (m1, m2, m3) for name in m.__all__]\n"
        "models = [one for one in every if isinstance(one, type) and issubclass(one, Model)]\n"
        "assert len(models) > 250 and all(model.__pydantic_complete__ for model in models)\n"
    )
    assert "httpcore" in loaded(code)


LOADED_WHILE_WAITING: Final = """
import sys, anyio
from circleci_sdk import AsyncCircleCI
seen = []
async def look(message):
    seen.append("circleci_sdk.v2.models._shared" in sys.modules)
async def main():
    async with AsyncCircleCI("token", base_url="{url}", on_request=look, on_response=look) as client:
        assert (await client.v2.users.me()).login == "ada"
        await client.v2.users.me()
anyio.run(main, backend="{backend}")
assert seen == [False, True, True, True], seen
"""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_models_are_loaded_while_the_first_response_is_awaited(backend: str) -> None:
    with ScriptedServer() as server:
        server.on("GET", "/api/v2/me", reply(json={"id": "u", "login": "ada", "name": "Ada"}))
        loaded(LOADED_WHILE_WAITING.format(url=server.url, backend=backend))


async def test_what_fails_while_a_response_is_awaited_does_not_end_the_request() -> None:
    progress = Progress(lambda: {}["missing"], written=True)
    await progress.trace("http11.send_request_body.complete", {})
    assert progress.while_waiting is None
