"""The end of the interpreter, with clients that were not closed: it is prompt, and prints nothing of its own."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from typing import Final

import pytest

from tests.support.clients import USER
from tests.support.scripted_server import ScriptedServer, hang, reply
from tests.support.sync_clients import ME, TIMEOUT

BEGIN: Final = """
import atexit, logging, os, sys, threading
{before}
from circleci_sdk import CircleCI, ClientClosedError, ConnectionFailedError
def new(**options):
    return CircleCI("token", base_url=sys.argv[1], **options)
client = new()
client.v2.users.me()
"""


@dataclass(frozen=True)
class Case:
    """The end of a program; what it prints, and its exit status."""

    code: str
    out: str = ""
    err: str = ""
    status: int = 0
    before: str = ""


CASES: Final = {
    "its last line": Case(""),
    "clients of many kinds": Case(
        """
copies = [client.with_options(timeout=3), new(), new(on_request=print)]
copies[1].v2.users.me()
items = iter(client.v2.pipelines.list())
""",
    ),
    "sys.exit": Case("sys.exit(3)", status=3),
    "an exception": Case("raise SystemExit('it failed')", err="it failed\n", status=1),
    "an open block": Case(
        """
prefetch = client.v2.pipelines.list(org_slug="gh/acme").prefetch()
prefetch.__enter__()
""",
    ),
    "daemon threads in calls and between them": Case(
        """
def wait():
    client.request("GET", "/api/v2/hang")
def work():
    while True:
        new().v2.users.me()
hung = threading.Event()
waiting = new(on_request=lambda request: hung.set())
for target in (lambda: waiting.request("GET", "/api/v2/hang"), wait, work, work):
    threading.Thread(target=target, daemon=True).start()
assert hung.wait(30)
""",
    ),
    "a daemon thread in a hook": Case(
        """
begun = threading.Event()
def block(request):
    begun.set()
    threading.Event().wait()
threading.Thread(target=new(on_request=block).v2.users.me, daemon=True).start()
assert begun.wait(30)
""",
    ),
    "a thread that outlives the main one": Case(
        """
def work():
    threading.main_thread().join()
    print(client.v2.users.me().login)
threading.Thread(target=work).start()
""",
        out="ada\n",
    ),
    "functions of atexit, before and after": Case(
        """
atexit.register(lambda: print(client.v2.users.me().login))
""",
        before="""
def late():
    try:
        client.v2.users.me()
    except ClientClosedError as error:
        print(error)
    client.close()
atexit.register(late)
""",
        out="ada\nThe interpreter exits, and has closed all clients.\n",
    ),
    "a finalizer that uses the client": Case(
        """
class Owner:
    def __del__(self):
        client.close()
owner = Owner()
""",
    ),
    "a forked child that touches nothing": Case(
        """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    child = os.fork()
if child == 0:
    sys.exit(4)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
client.v2.users.me()
""",
        out="4\n",
    ),
    "a forked child that uses the client": Case(
        """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    child = os.fork()
client.v2.users.me()
if child == 0:
    sys.exit(4)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
client.v2.users.me()
""",
        out="4\n",
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_end_of_a_program(server: ScriptedServer, case: Case) -> None:
    """In development mode, with each warning an error: a socket left open would be told of."""
    server.on("GET", ME, reply(json=USER))
    server.on("GET", "/api/v2/hang", hang())
    server.on("GET", "/api/v2/pipeline", reply(json={"items": [], "next_page_token": None}))
    code = BEGIN.format(before=case.before) + case.code
    command = [sys.executable, "-X", "dev", "-W", "error", "-c", code, server.url]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT)
    assert (done.stdout, done.stderr, done.returncode) == (case.out, case.err, case.status)
    server.wait_for_ends(server.connections)
