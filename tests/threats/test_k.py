"""K: ends that come twice, readers that go away, and runs that meet at one name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from support.files import write
from toys import toy

from mm_ckpt_migrate.batch.lock import locked
from mm_ckpt_migrate.errors import DestinationError, ExitCode
from mm_ckpt_migrate.files.archive.publish import Draft

WHOLE = toy()
# Strikes `call` for the first time with each of the signals, and from then on each `os.close`.
_STRUCK = """
import errno, os, signal, sys

call, first, second, temporary, *arguments = sys.argv[1:]
real, real_close, real_open = getattr(os, call), os.close, os.open
struck = []


def strike(*args, **kwargs):
    if not struck:
        struck.append(call)
        os.kill(os.getpid(), int(first))
    return real(*args, **kwargs)


def close(fd):
    real_close(fd)
    if len(struck) == 1 and int(second):
        struck.append("close")
        os.kill(os.getpid(), int(second))


def without_tmpfile(path, flags, mode=0o777, **kwargs):
    if flags & os.O_TMPFILE == os.O_TMPFILE:
        raise OSError(errno.EOPNOTSUPP, "Operation not supported")
    return real_open(path, flags, mode, **kwargs)


if temporary == "named":
    os.open = without_tmpfile
setattr(os, call, strike)
os.close = close
sys.argv = ["mm-ckpt-migrate", *arguments]
from mm_ckpt_migrate.cli.main import run

run()
"""


def arguments(old: Path, *options: str) -> list[str]:
    return ["convert", "auto", "-", str(old), str(old.with_name("new.pth")), "--no-build", *options]


def struck(
    old: Path, first: int, second: int = 0, *, call: str = "copy_file_range", named: bool = True
) -> subprocess.CompletedProcess[bytes]:
    kinds = [call, str(int(first)), str(int(second)), "named" if named else "unnamed"]
    command = [sys.executable, "-c", _STRUCK, *kinds, *arguments(old)]
    return subprocess.run(command, capture_output=True, timeout=60, check=False)


ENDS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("first", ENDS)
def test_k3_a_second_ctrl_c_while_the_first_is_obeyed(first: int, second: int, tmp_path: Path) -> None:
    """At the worst a draft keeps its name; the next run sweeps it away."""
    old = write(tmp_path, WHOLE)
    done = struck(old, first, second)
    assert done.returncode == ExitCode.INTERRUPTED
    assert b"Traceback" not in done.stderr
    left = set(os.listdir(tmp_path)) - {"old.pth"}
    assert all(name.startswith(".mm-ckpt-migrate-") for name in left)
    assert struck(old, 0).returncode == ExitCode.OK
    assert sorted(os.listdir(tmp_path)) == ["new.pth", "old.pth"]


def test_k3_a_broken_pipe_is_no_end(tmp_path: Path) -> None:
    assert struck(write(tmp_path, WHOLE), signal.SIGPIPE).returncode == ExitCode.OK
    assert sorted(os.listdir(tmp_path)) == ["new.pth", "old.pth"]


@pytest.mark.parametrize("option", [[], ["--json"]], ids=["text", "json"])
def test_k3_a_reader_that_goes_away_costs_no_file(option: list[str], tmp_path: Path) -> None:
    old = write(tmp_path, WHOLE)
    command = [sys.executable, "-m", "mm_ckpt_migrate", *arguments(old, *option)]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(command, stdout=pipe, stderr=-1, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (ExitCode.OK, b"")
    assert sorted(os.listdir(tmp_path)) == ["new.pth", "old.pth"]


def started(commands: Sequence[list[str]]) -> list[tuple[int, bytes]]:
    """Exit code and stderr of programs that run at the same time."""
    running = [subprocess.Popen(command, stdout=-3, stderr=-1) for command in commands]
    errors = [process.communicate(timeout=60)[1] for process in running]
    return [(process.returncode, error) for process, error in zip(running, errors, strict=True)]


def test_k5_of_several_runs_exactly_one_wins(tmp_path: Path) -> None:
    sources = []
    for number in range(4):
        storage = {"0": bytes((number,)) * 8}
        (tmp_path / f"{number}").mkdir()
        sources.append(write(tmp_path / f"{number}", toy(None, storage)))
    new = tmp_path / "new.pth"
    program = [sys.executable, "-m", "mm_ckpt_migrate", "convert", "auto", "-"]
    done = started([[*program, str(old), str(new), "--no-build"] for old in sources])
    assert sorted(code for code, _ in done) == [0, *[ExitCode.BAD_DESTINATION] * 3]
    winner = next(number for number, (code, _) in enumerate(done) if not code)
    assert bytes((winner,)) * 8 in new.read_bytes()
    assert all(b"exists" in error or b"somebody else" in error for code, error in done if code)
    assert sorted(os.listdir(tmp_path)) == ["0", "1", "2", "3", "new.pth"]


def test_k2_a_replacement_is_synced_before_and_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, b"before", "new.pth")
    order: list[str] = []
    fsync, rename = os.fsync, os.rename

    def spy_fsync(fd: int) -> None:
        order.append("folder" if os.path.isdir(f"/proc/self/fd/{fd}") else "file")
        fsync(fd)

    def spy_rename(*args: str) -> None:
        order.append("rename")
        rename(*args)

    monkeypatch.setattr(os, "fsync", spy_fsync)
    monkeypatch.setattr(os, "rename", spy_rename)
    with Draft(path, 0o644) as draft:
        draft.write(0, b"after")
        draft.publish(force=True)
    assert order == ["file", "rename", "folder"]
    assert path.read_bytes() == b"after"


_HOLDER = """
import sys
from pathlib import Path
from mm_ckpt_migrate.batch.lock import locked

with locked(Path(sys.argv[1]), ""):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_k7_a_lock_ends_with_its_process_whatever_the_file_says(tmp_path: Path) -> None:
    """A number of a process proves nothing: the kernel's lock does."""
    (tmp_path / "lock").write_text('{"process": 1, "host": "elsewhere", "since": "today"}')
    with locked(tmp_path, ""):
        pass
    command = [sys.executable, "-c", _HOLDER, str(tmp_path)]
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(DestinationError, match=f"process {holder.pid}"), locked(tmp_path, ""):
            pass
        holder.kill()
    with locked(tmp_path, ""):
        pass
