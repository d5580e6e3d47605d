"""The parent's side of the fork server: a process that imported the stack, and forks for each build.

To import the stack takes 1.8 s of CPU, most of what a small model's build takes. A `batch` has each
of its workers pay that once for a scope (mmseg or mmdet). A single build has no use for it.
"""

from __future__ import annotations

import contextlib
import sys
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

from mm_ckpt_migrate.releases.child import Child, ChildGone, ChildOwner, ChildUnborn
from mm_ckpt_migrate.releases.spawn import Fork, bootstrap, quiet_environment

_OPTIONS: Final = {"memory": 16 * 1024**3, "file": 64 * 1024**2}
_SECONDS: Final = 300.0
_servers: dict[str, ForkServer] | None = None


def keep() -> None:
    """From now on, fork the builds of this process from servers that live as long as it does."""
    global _servers  # noqa: PLW0603 - one process, one way to start children
    if _servers is None and sys.platform == "linux":  # elsewhere libraries do not survive a fork
        _servers = {}


def fork_for(scope: str) -> Fork | None:
    """Forks children that have imported a scope's models; None where each has to do that itself."""
    if _servers is None:
        return None
    server = _servers.get(scope)
    if server is None:
        server = _servers[scope] = ForkServer(scope)
    return None if server.broken else server.fork


class ForkServer(ChildOwner):
    """One process; what it is asked, it does in turn.

    A server for each scope: registries that another scope's modules are in may find more.

    Attributes:
        broken: it forks nothing any more, or never did.
    """

    def __init__(self, scope: str) -> None:
        self.broken = False
        self._ended = False
        self._unborn: deque[_Forked] = deque()
        # A fork copies one thread alone, and OpenBLAS starts one per core when it is loaded.
        environment = {**quiet_environment(), "OPENBLAS_NUM_THREADS": "1"}
        options = {**_OPTIONS, "scope": scope}
        self._child = Child(
            options, bootstrap=bootstrap("current.child.fork_server"), environment=environment
        )

    def fork(self, options: Mapping[str, object], files: int) -> _Forked:
        """Have a child forked, without waiting for it: see `child.Fork`."""
        forked = _Forked(self)
        try:
            self._child.send({"do": "fork", "options": dict(options)}, files)
            self._unborn.append(forked)
        except ChildGone:
            self.close()
        return forked

    def ask(self, request: Mapping[str, object]) -> dict[str, Any]:
        """Have something done, and wait for the answer.

        Raises:
            ChildUnborn: the server has ended, and its children with it.
        """
        with contextlib.suppress(ChildGone):
            if not self._ended:
                self._child.send(request)
                return self._child.receive(_SECONDS)
        self.close()
        raise ChildUnborn("the fork server has ended")

    def deliver(self) -> None:
        """Wait until each child that was asked for has its number, or will get none."""
        try:
            while self._unborn:
                answer = self._child.receive(_SECONDS)
                self._unborn.popleft().number = answer.get("pid")
                self.broken = self.broken or not answer["ok"]
        except ChildGone:
            self.close()

    def close(self) -> None:
        """Kill it, and its children with it; harmless when repeated."""
        self.broken = self._ended = True
        self._unborn.clear()
        super().close()


class _Forked:
    """A child of a fork server: see `child.Started`."""

    def __init__(self, server: ForkServer) -> None:
        self.number: int | None = None
        self._server = server
        self._status: int | None = None

    @property
    def pid(self) -> int:
        self._server.deliver()
        if self.number is None:
            raise ProcessLookupError("the fork server gave no child")
        return self.number

    def wait(self, seconds: float) -> int | None:
        if self._status is None:
            self._ask("wait", seconds)
        return self._status

    def kill(self) -> None:
        if self._status is None:
            with contextlib.suppress(ChildUnborn):
                self._ask("kill", _SECONDS)

    def _ask(self, what: str, seconds: float) -> None:
        try:
            request = {"do": what, "pid": self.pid, "seconds": seconds}
        except ProcessLookupError as error:
            raise ChildUnborn(str(error)) from error
        self._status = self._server.ask(request)["status"]
