"""Run the program in a child process in which one system call is struck by a signal or an error."""

from __future__ import annotations

import contextlib
import os
import pty
import subprocess
import sys
from pathlib import Path

_RUNNER = """
import errno, os, signal, sys

call, count, action, temporary, *arguments = sys.argv[1:]
real, seen = getattr(os, call), 0


def strike(*args, **kwargs):
    global seen
    seen += 1
    if seen == int(count) and action.startswith("SIG"):
        os.kill(os.getpid(), getattr(signal, action))
    if seen == int(count) and action.startswith("E"):
        raise OSError(getattr(errno, action), os.strerror(getattr(errno, action)))
    return real(*args, **kwargs)


def without_tmpfile(path, flags, mode=0o777, **kwargs):
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")
    return real_open(path, flags, mode, **kwargs)


if temporary == "named":
    real_open, os.open = os.open, without_tmpfile
setattr(os, call, strike)
sys.argv = ["mm-ckpt-migrate", *arguments]
from mm_ckpt_migrate.cli.main import run

run()
"""


def run(*arguments: str | Path, **kwargs: object) -> subprocess.CompletedProcess[bytes]:
    """`mm-ckpt-migrate ARGUMENTS`."""
    command = [sys.executable, "-m", "mm_ckpt_migrate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False, **kwargs)  # type: ignore[call-overload,no-any-return]


def run_in_terminal(*arguments: str | Path, cwd: Path | None = None) -> tuple[int, bytes]:
    """Exit code, and what a terminal was sent; it is one that has no colours to be asked for."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "mm_ckpt_migrate", *map(str, arguments)],
        stdout=follower,
        stderr=follower,
        cwd=cwd,
        env={**os.environ, "TERM": "dumb", "NO_COLOR": "1", "PYTHONIOENCODING": "utf-8:strict"},
    )
    os.close(follower)
    sent = bytearray()
    with contextlib.suppress(OSError):  # EIO, when the process has ended
        while block := os.read(leader, 65536):
            sent += block
    os.close(leader)
    return process.wait(60), bytes(sent).replace(b"\r\n", b"\n")


def run_struck(
    call: str, count: int, action: str, *arguments: str | Path, named: bool = False
) -> subprocess.CompletedProcess[bytes]:
    """The same, with the `count`-th call of `os.<call>` struck by a signal or an errno's name."""
    strike = [call, str(count), action, "named" if named else "unnamed"]
    command = [sys.executable, "-c", _RUNNER, *strike, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False)
