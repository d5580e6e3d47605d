"""A child within the real wall that does one thing, and says what came of it; without torch."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.releases.child import Child

ROOT = str(Path(__file__).parents[3])

# What an attack has at hand once its code runs. `early` runs before the wall, as imports do.
_BOOTSTRAP = """\
import sys
sys.path.insert(0, sys.argv[1])
import ctypes, errno, json, mmap, os, signal, socket, struct, threading, time, _posixsubprocess
from mm_ckpt_migrate.releases.probe.serve import Service

options = json.loads(sys.argv[2])
service = Service(options)
libc = ctypes.CDLL(None, use_errno=True)
parent, here = options["parent"], options["folder"].encode()
names = globals()

def answer(asked):
    names["request"] = request = asked
    exec(request["early"], names)
    service.confine(request)
    ctypes.set_errno(0)
    exec(f"result = {request['line']}", names)
    return {"ok": True, "result": names["result"], "errno": ctypes.get_errno()}

service.run(answer)
"""


@contextmanager
def child(folder: Path) -> Iterator[Child]:
    options = {"memory": 8 << 30, "file": 1 << 20, "folder": str(folder)}
    walled = Child(options, bootstrap=(_BOOTSTRAP, ROOT))
    try:
        yield walled
    finally:
        walled.close()


def run(line: str, folder: Path, early: str = "") -> dict[str, Any]:
    """What an expression gives within the wall, and `errno`; raises ChildGone."""
    with child(folder) as walled:
        walled.send({"line": line, "early": early})
        return walled.receive(30)
