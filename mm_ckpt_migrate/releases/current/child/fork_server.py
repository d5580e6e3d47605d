"""The fork server's side: import a scope's models once, and fork a child for each build.

    {"do": "fork", "options": {}, "descriptor": true}   the child's socket comes along
    {"do": "wait", "pid": ..., "seconds": ...}
    {"do": "kill", "pid": ..., "seconds": ...}

It reads no file of a user's, and imports nothing that a config names: a child does so, after it was
forked, and behind the same wall as one that has an interpreter of its own.
"""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import socket
import time
import traceback
from collections.abc import Mapping
from typing import Any, Final, NoReturn

from mm_ckpt_migrate.releases.current.child import deferred, probe
from mm_ckpt_migrate.releases.probe.serve import Service

_FILES: Final = 3
_TICK: Final = 0.01


def main(service: Service) -> None:
    """Import, and answer requests until they end.

    Options: `scope`, whose models are imported.
    """
    gc.disable()
    server = _Server(_import(str(service.options["scope"])))
    gc.freeze()  # a collection in a child would write to, and so copy, every page that is shared
    service.run(lambda request: getattr(server, request["do"])(request))


def _import(scope: str) -> str:
    """Why the stack cannot be imported; empty where it can."""
    try:
        deferred.install()
        from mm_ckpt_migrate.releases.current.child import build

        build.import_stack(scope, imports=[], packages=[], needs=[])
    except Exception as error:
        traceback.print_exc()
        return f"{type(error).__name__}: {error}"
    return ""


class _Server:
    def __init__(self, fault: str) -> None:
        self._fault = fault

    def fork(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Refused where a child would not be like one that imported everything itself."""
        fault = self._fault or _threads()
        if fault:
            return {"ok": False, "reason": fault}
        here = os.getpid()
        pid = os.fork()
        if pid == 0:
            _be_child({**request["options"], "parent": here, "files": _FILES}, request["descriptor"])
        return {"ok": True, "pid": pid}

    def wait(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """`status` is null while the child runs."""
        deadline = time.monotonic() + request["seconds"]
        while True:
            pid, status = os.waitpid(request["pid"], os.WNOHANG)
            if pid:
                return {"status": os.waitstatus_to_exitcode(status)}
            if time.monotonic() > deadline:
                return {"status": None}
            time.sleep(_TICK)

    def kill(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """Kill a child's group; the child is not yet reaped, so that the number is still its own."""
        for end in (os.kill, os.killpg):  # it may not have come to lead its group
            with contextlib.suppress(ProcessLookupError):
                end(request["pid"], signal.SIGKILL)
        return self.wait(request)


def _threads() -> str:
    threads = len(os.listdir("/proc/self/task"))
    return "" if threads == 1 else f"{threads} threads run, of which a fork would copy one"


def _be_child(options: dict[str, Any], files: int) -> NoReturn:
    """What `child.Child` and `serve.begin` do for an interpreter of its own; never returns."""
    try:
        os.setsid()
        os.dup2(files, _FILES)
        os.closerange(_FILES + 1, os.sysconf("SC_OPEN_MAX"))  # the server's own streams, above all
        with socket.socket(fileno=os.dup(_FILES)) as ours:
            streams = socket.recv_fds(ours, 1, 3)[1]
        for number, stream in enumerate(streams):
            os.dup2(stream, number)
            os.close(stream)
        probe.main(Service(options))
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)
