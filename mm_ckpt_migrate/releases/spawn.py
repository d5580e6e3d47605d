"""Start the process of a child: an interpreter of its own, confined to nothing as yet."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

_PACKAGE = str(Path(__file__).resolve().parents[1])

# Not `-m`: that would put the working directory, where downloads lie, in front of sys.path. And an
# old release's Python gets this package's files without the folder that they are installed in, where
# the current release lies too; and without running this package's own `__init__`.
_BOOTSTRAP = """\
import sys, types
sys.path[:] = [p for p in sys.path if p]
package = types.ModuleType("mm_ckpt_migrate")
package.__path__ = [sys.argv[1]]
sys.modules["mm_ckpt_migrate"] = package
from mm_ckpt_migrate.releases.probe import serve
serve.begin(sys.argv[2], sys.argv[3])
"""


class Started(Protocol):
    """A process that was started, the leader of a group of its own."""

    @property
    def pid(self) -> int:
        """Its number; raises ProcessLookupError where it never came to be."""

    def wait(self, seconds: float) -> int | None:
        """Its status, negative for a signal; None while it runs. Raises `ChildGone`."""

    def kill(self) -> None:
        """Kill its group and wait for its end; harmless when repeated."""


Fork = Callable[[Mapping[str, object], int], Started]
"""Starts a child with these options and the number of its socket, where its streams come along."""


def bootstrap(module: str) -> tuple[str, ...]:
    """What an interpreter runs to be a child with a module's `main`; the options follow."""
    return (_BOOTSTRAP, _PACKAGE, f"mm_ckpt_migrate.releases.{module}")


class Spawned:
    """A child in an interpreter of its own."""

    def __init__(
        self,
        command: Sequence[str],
        options: Mapping[str, object],
        streams: tuple[int, int, int],
        files: int,
        environment: Mapping[str, str] | None,
    ) -> None:
        stdin, stdout, stderr = streams
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and code
            [*command, json.dumps({**options, "parent": os.getpid(), "files": files})],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            cwd="/",  # a relative path in a config must not find a file
            env=quiet_environment() if environment is None else environment,
            start_new_session=True,  # so that killing the group reaches grandchildren, not us
            pass_fds=(files,),
        )

    @property
    def pid(self) -> int:
        return self._process.pid

    def wait(self, seconds: float) -> int | None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            return self._process.wait(seconds)
        return None

    def kill(self) -> None:
        if self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)
        self._process.wait()


def quiet_environment() -> dict[str, str]:
    """Ours, less the GPUs and with no path in it that depends on the working directory."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}
    if paths := os.environ.get("PYTHONPATH"):
        absolute = (os.path.abspath(path) for path in paths.split(os.pathsep) if path)
        environment["PYTHONPATH"] = os.pathsep.join(absolute)
    return environment
