"""`python -m circleci_sdk.migrate`: its output, its exit status, the files that it reads, and how many it parses."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from circleci_sdk.migrate import _scan
from circleci_sdk.migrate.__main__ import main
from circleci_sdk.migrate._scan import Scan
from circleci_sdk.migrate._table import CLIENTS, ROUTES
from circleci_sdk.migrate._text import MOST_ADDRESSES
from circleci_sdk.migrate._walk import MAX_BYTES
from tests.migrate.test_cases import CASES

CALL = b"from circleci.api import Api\nApi('t').trigger_build('acme', 'web')\n"
OTHER = b"from circleci.api import Api\nApi('t').get_user_info()\n"


def lines(folder: Path, capsys: pytest.CaptureFixture[str]) -> list[str]:
    main([str(folder)])
    return [line.removeprefix(f"{folder}{os.sep}") for line in capsys.readouterr().out.splitlines()]


def test_the_output_as_text(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_bytes(CALL)
    (tmp_path / "b.sh").write_text("curl -X POST https://circleci.com/api/v1.1/project/gh/acme/web/7/ssh\n")
    assert main([str(tmp_path)]) == 1
    assert capsys.readouterr().out.replace(f"{tmp_path}{os.sep}", "").splitlines() == [
        "a.py:2:10: ends on 2027-02-01: circleci 1.2.2: Api.trigger_build",
        "    use: await circleci.v2.pipelines.trigger(slug, branch=branch, parameters=parameters)",
        "    Runs all workflows, not one job; no `revision`. Build parameters become pipeline parameters, which the",
        "    config declares. With the GitHub App use `v2.pipelines.trigger_run`; `circleci.runs.start` decides by the",
        "    slug.",
        "    see: docs/migration/circleci.md",
        "b.sh:1:14: ends on 2027-02-01: POST /project/{vcs-type}/{username}/{project}/{build_num}/ssh",
        "    use: await circleci.v2.workflows.rerun(workflow_id, jobs=[job_id], enable_ssh=True)",
        "    `latest_workflow.id` of `v2.jobs.get(slug, job_number)` is the workflow.",
        "    see: docs/migration/v1-to-v2-and-v3.md",
        "2 calls end, 0 other calls of replaced clients, in 2 of 2 files.",
    ]


def test_the_output_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_bytes(OTHER)
    assert main([str(tmp_path / "a.py"), "--format", "json"]) == 1
    output = json.loads(capsys.readouterr().out)
    assert output == {
        "findings": [
            {
                "path": str(tmp_path / "a.py"),
                "line": 2,
                "column": 10,
                "title": "circleci 1.2.2: Api.get_user_info",
                "client": "circleci",
                "is_ending": False,
                "ends": None,
                "use": "await circleci.v2.users.me()",
                "remark": "`id`, `login` and `name` only; v1.1 has keys, preferences and followed projects.",
                "page": "docs/migration/circleci.md",
            }
        ],
        "notes": [],
        "files": 1,
    }


def test_the_exit_status_in_a_process(tmp_path: Path) -> None:
    """It needs no token, and loads neither the client nor what it needs."""
    code = "import sys; from circleci_sdk.migrate.__main__ import main; main([sys.argv[1]]); print(sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert "0 calls end" in done.stdout
    assert not [name for name in ("httpx", "pydantic", "asyncio", "circleci_sdk.client") if f"'{name}'" in done.stdout]
    done = subprocess.run([sys.executable, "-m", "circleci_sdk.migrate", "nowhere"], capture_output=True, text=True)
    assert (done.returncode, "nowhere does not exist" in done.stderr) == (2, True)


def test_nothing_is_changed(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_bytes(CALL)
    before = [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.rglob("*"))]
    main([str(tmp_path)])
    assert [(path, path.stat().st_mtime_ns) for path in sorted(tmp_path.rglob("*"))] == before


def test_dependencies_are_not_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [
        ".git",
        "node_modules/x",
        ".venv/lib",
        "env/lib",
        "lib/site-packages",
        "src/__pycache__",
        ".github",
        "src",
    ]
    for name in folders:
        (tmp_path / name).mkdir(parents=True, exist_ok=True)
        (tmp_path / name / "a.py").write_bytes(CALL)
    (tmp_path / "env" / "pyvenv.cfg").touch()
    (tmp_path / "loop").symlink_to(tmp_path)
    found = [line.partition(":")[0] for line in lines(tmp_path, capsys) if "trigger_build" in line]
    assert found == [f".github{os.sep}a.py", f"src{os.sep}a.py"]


def test_what_cannot_be_read_is_noted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "a.py").write_bytes(CALL)
    (tmp_path / "b.py").write_bytes(CALL + b"print 'python 2'\n")
    (tmp_path / "c.py").write_bytes(CALL + b"#" * MAX_BYTES)
    (tmp_path / "d.py").write_bytes(b"\xef\xbb\xbf" + CALL)
    (tmp_path / "e.bin").write_bytes(b"\0" + CALL)
    (tmp_path / "f.py").write_bytes(b"# \xff\n" + CALL)
    (tmp_path / "g.ps1").write_bytes("curl -X POST https://circleci.com/api/v1.1/project/gh/a/b/build".encode("utf-16"))
    (tmp_path / "h.py").write_bytes(CALL + b"x = " + b"-" * 100_000 + b"1\n")
    found = [line.partition(": use")[0] for line in lines(tmp_path, capsys) if line[0] != " "]
    assert [line.partition(": ends")[0] for line in found] == [
        "a.py:2:10",
        "d.py:2:10",
        "f.py:3:10",
        "g.ps1:1:14",
        "b.py: is no valid Python; only its addresses were looked at",
        "c.py: is larger than 1 MB and was not read",
        "h.py: is no valid Python; only its addresses were looked at",
        "4 calls end, 0 other calls of replaced clients, in 4 of 8 files.",
    ]


def test_a_file_without_rights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*arguments: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(_scan, "open", refuse, raising=False)
    scan = Scan()
    scan.add_file("a.py")
    assert [(each.path, each.sentence) for each in scan.notes] == [("a.py", "cannot be read: Permission denied")]


def test_only_files_that_may_hold_a_call_are_parsed(tmp_path: Path) -> None:
    """What makes it fast: most files are searched for a word, and no more."""
    for number in range(100):
        (tmp_path / f"{number}.py").write_text("import requests\nrequests.post('https://example.com/project/a')\n")
    (tmp_path / "badge.md").write_text("https://circleci.com/gh/acme/web.svg")
    (tmp_path / "call.py").write_bytes(CALL)
    scan = Scan()
    scan.add([tmp_path, tmp_path / "call.py"])
    assert (scan.read, scan.parsed, len(scan.findings)) == (102, 1, 1)


@pytest.mark.parametrize("line", ["requests.post('{}')  #", "curl -X POST {}", "u={}\ncurl -X POST $u"])
def test_a_file_that_a_program_wrote(line: str) -> None:
    """Only so many addresses of a file are looked at."""
    scan = Scan()
    text = f"{line.format('https://circleci.com/api/v1.1/project/gh/a/b/build')}\n" * (MOST_ADDRESSES + 100)
    scan.add_bytes("a.py" if "requests" in line else "a.sh", text.encode())
    assert MOST_ADDRESSES / 3 < len(scan.findings) <= MOST_ADDRESSES


@pytest.mark.parametrize("suffix", ["py", "sh", "js", "ipynb", "md", "yml"])
@given(data=st.data())
def test_no_file_stops_it(suffix: str, data: st.DataObject) -> None:
    """Cut and mixed parts of the synthetic files, and bytes of any kind between them."""
    sources = [case.values[0].content.encode() for case in CASES]  # type: ignore[union-attr]  # a Case
    parts: list[bytes] = []
    for _ in range(data.draw(st.integers(1, 4))):
        source = data.draw(st.sampled_from(sources))
        start = data.draw(st.integers(0, len(source)))
        parts += [source[start : start + data.draw(st.integers(0, 600))], data.draw(st.binary(max_size=8))]
    scan = Scan()
    scan.add_bytes(f"a.{suffix}", b"# circleci project\n" + b"".join(parts))
    for each in scan.findings:
        assert each.line > 0
        assert each.column > 0


@pytest.mark.parametrize(
    "source",
    [
        "x = x.y\nx.trigger_build()",
        "def f(a): return f(a)\nf(f).trigger_build()",
        "class A(A): pass\nA().trigger_build()",
        "class A(B): pass\nclass B(A): pass\nA().trigger_build('project/gh/a/b/build')",
        "a = b + a\nb = a + b\nrequests.post(a)",
        "def f(x=lambda: f()): return x()\nrequests.post(f())",
        "a = [a for a in a]\nrequests.post(a['x'])",
        "requests.post('%s %s' % ())\nrequests.post('{} {}'.format())\nrequests.post('{9}'.format(1))",
        "def f(*a, **k): g(*a, **k)\ndef g(*a, **k): f(*a, **k)\nf('project/gh/a/b/build')",
        "global x\nx = 1\nlambda: (yield)",
        "class A:\n    def f(): self.x\n    @staticmethod\n    def g(): pass\nA.f()\nA().g()",
        "x = " + "+".join(f"y{n}" for n in range(500)) + "\nrequests.post(x)",
        "requests.post(" + "".join("a if b else " for _ in range(200)) + "c)",
    ],
)
def test_circles_and_odd_python(source: str) -> None:
    scan = Scan()
    scan.add_bytes("a.py", f"import circleci.api as project\n{source}\n".encode())
    assert scan.notes == []


def test_every_method_of_a_client_is_found() -> None:
    for client in CLIENTS:
        for dotted, class_name in client.classes.items():
            module, _, name = dotted.rpartition(".")
            for method in client.methods[class_name]:
                scan = Scan()
                scan.add_bytes("a.py", f"from {module} import {name} as C\nC('x').{method}()\n".encode())
                assert [(each.line, each.client) for each in scan.findings] == [(2, client.package)], method


def test_every_route_that_ends_is_found() -> None:
    for route in ROUTES:
        base = {"runner": "https://runner.circleci.com/api/v3", "insights": "https://circleci.com/api/v2"}
        url = base.get(route.kind, "https://circleci.com/api/v1.1") + re.sub(
            r"{[^}]*}", lambda name: name[0].replace("-", "_"), route.path
        )
        source = f"import requests\nrequests.{route.method.lower()}(f'{url}')['branches']\n"
        scan = Scan()
        scan.add_bytes("a.py", source.encode())
        assert [(each.title, each.use) for each in scan.findings] == [(route.title, route.use)]
