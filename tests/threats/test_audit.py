"""The hook itself: it sees whatever the package does, and is deaf to what a test does."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from support.audit import PACKAGE, watching

FORBIDDEN = {
    "import": "import sys; sys.modules.pop('colorsys', 0); __import__('colorsys')",
    "import_module": "import importlib, sys; sys.modules.pop('sched', 0)\nimportlib.import_module('sched')",
    "exec": "exec('1')",
    "eval": "eval('1')",
    "compile": "compile('1', 'x', 'eval')",
    "exec_of_code": "exec((lambda: 0).__code__)",
    "unpickle": "import pickle; pickle.loads(b'cos\\ngetcwd\\n)R.')",
    "system": "import os; os.system('true')",
    "popen": "import subprocess; subprocess.run(['true'])",
    "spawn": "import os; os.waitpid(os.posix_spawn('/bin/true', ['true'], {}), 0)",
    "socket": "import socket; socket.socket().close()",
    "library": "import ctypes; ctypes.CDLL(None)",
    "marshal": "import marshal; marshal.loads(marshal.dumps(1))",
    "write": "open('/dev/shm/mm-ckpt-migrate-canary', 'w').close()",
    "remove": "import os; os.remove('/dev/shm/mm-ckpt-migrate-canary')",
    "thread": "from concurrent.futures import ThreadPoolExecutor as P\n"
    "def f(): exec('1')\nP(1).submit(f).result()",
}
ALLOWED = {
    "import_statement": "import plistlib, wave",
    "from_import": "from xml.dom import pulldom",
    "tree": "import ast; ast.parse('import os; os.system(1)')",
    "read": "open('/proc/self/maps').close()",
    "null": "open('/dev/null', 'w').close()",
    "codec": "b''.decode('cp037')",
}


def as_package(source: str) -> None:
    """Run code as if it stood in a file of the package."""
    exec(compile(source, f"{PACKAGE}names.py", "exec"), {})


@pytest.mark.parametrize("case", FORBIDDEN)
def test_what_the_package_does_is_seen(case: str, tmp_path: Path) -> None:
    with watching(tmp_path) as seen:
        as_package(FORBIDDEN[case])
    assert seen


@pytest.mark.parametrize("case", ALLOWED)
def test_its_own_statements_are_its_own_affair(case: str, tmp_path: Path) -> None:
    with watching(tmp_path) as seen:
        as_package(ALLOWED[case])
    assert seen == []


def test_it_writes_below_the_folder_alone(tmp_path: Path) -> None:
    with watching(tmp_path / "here") as seen:
        (tmp_path / "here").mkdir()
        for place in ("here", "hereafter"):
            as_package(f"open({str(tmp_path / place)!r} + '/x' * {place == 'here'}, 'w').close()")
    assert len(seen) == 1
    assert "hereafter" in seen[0]


def test_a_test_may_do_as_it_likes(tmp_path: Path) -> None:
    with watching(tmp_path) as seen:
        exec("import cmd, code")
        subprocess.run(["true"], check=True)
        os.system("true")
    assert seen == []


def test_it_is_switched_off_again(tmp_path: Path) -> None:
    with watching(tmp_path) as seen:
        pass
    with watching(tmp_path):
        as_package("exec('1')")
    assert seen == []
