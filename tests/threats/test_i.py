"""I: each fault that a disk may have, at each call of a conversion in this process."""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from program import Done, convert
from support.files import write
from toys import toy

from mm_ckpt_migrate.errors import ExitCode

WHOLE = toy(None, {"0": bytes(range(8))})


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """What a conversion without mishap makes."""
    folder = tmp_path_factory.mktemp("made")
    assert convert(write(folder, WHOLE)).code == ExitCode.OK
    return (folder / "new.pth").read_bytes()


def failing(number: int, calls: list[int]) -> Callable[..., Any]:
    def fail(*_: Any, **__: Any) -> Any:
        calls.append(number)
        raise OSError(number, os.strerror(number))

    return fail


def struck(call: str, number: int, old: Path, patch: pytest.MonkeyPatch, *options: str) -> tuple[Done, int]:
    """A conversion in which a system call always fails, and how often it was tried."""
    calls: list[int] = []
    with patch.context() as within:
        within.setattr(os, call, failing(number, calls))
        done = convert(old, *options)
    return done, len(calls)


WRITES = ["pwrite", "ftruncate", "copy_file_range", "fdatasync", "fsync", "link"]
FAULTS = ["ENOSPC", "EDQUOT", "EIO", "ESTALE", "EROFS", "EFBIG", "ENOTCONN"]


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("call", WRITES)
def test_i1_i2_i15_a_disk_that_fails_to_write(
    call: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(tmp_path, WHOLE)
    done, tried = struck(call, getattr(errno, fault), old, monkeypatch)
    if call == "copy_file_range" and fault not in ("ENOSPC", "EDQUOT", "EFBIG"):
        # The kernel does not tell which of two disks failed: reading and writing find out.
        assert done.code == ExitCode.OK
        assert old.read_bytes() == WHOLE
        return
    assert done.code == ExitCode.BAD_DESTINATION
    assert ("disk is full" in done.err) == (fault in ("ENOSPC", "EDQUOT"))
    assert os.listdir(tmp_path) == ["old.pth"]
    assert old.read_bytes() == WHOLE
    if "sync" in call:  # after a failure the kernel may call the same pages clean
        assert tried == 1


@pytest.mark.parametrize("fault", ["EIO", "ESTALE"])
@pytest.mark.parametrize("call", ["pread", "preadv"])
def test_i2_i15_a_disk_that_fails_to_read(
    call: str, fault: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(tmp_path, WHOLE)
    done, _ = struck(call, getattr(errno, fault), old, monkeypatch)
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert "failed to read it" in done.err
    assert os.listdir(tmp_path) == ["old.pth"]


@pytest.mark.parametrize("call", ["fsync", "rename", "link"])
def test_i1_i2_what_was_to_be_replaced_stays(
    call: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = write(tmp_path, WHOLE)
    write(tmp_path, b"before", "new.pth")
    done, _ = struck(call, errno.EIO, old, monkeypatch, "--force")
    assert done.code == ExitCode.BAD_DESTINATION
    assert sorted(os.listdir(tmp_path)) == ["new.pth", "old.pth"]
    assert (tmp_path / "new.pth").read_bytes() == b"before"


@pytest.mark.parametrize("number", range(1, 8))
def test_i2_a_close_that_fails(
    number: int, made: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Everything was synced before: there is the whole file, or an error and perhaps none."""
    old, real, calls = write(tmp_path, WHOLE), os.close, 0

    def close(fd: int) -> None:
        nonlocal calls
        calls += 1
        real(fd)
        if calls == number:
            raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as within:
        within.setattr(os, "close", close)
        done = convert(old)
    assert done.code in (ExitCode.OK, ExitCode.BAD_DESTINATION, ExitCode.BAD_CHECKPOINT)
    left = [path for path in tmp_path.iterdir() if path != old]
    assert all(path.read_bytes() == made for path in left)
    assert left or done.code != ExitCode.OK


def test_i3_signals_at_any_moment_interrupt_nothing(made: bytes, tmp_path: Path) -> None:
    """Calls that a signal interrupts are taken up again; its handler does nothing."""
    old = write(tmp_path, WHOLE)
    before, struck_by = signal.getsignal(signal.SIGALRM), []
    signal.signal(signal.SIGALRM, lambda *_: struck_by.append(1))
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)
        done = convert(old)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert struck_by
    assert done.code == ExitCode.OK
    assert (tmp_path / "new.pth").read_bytes() == made


@pytest.mark.parametrize("force", [False, True])
def test_i7_i9_a_source_of_two_names_keeps_both(force: bool, tmp_path: Path) -> None:
    """There is no way to write in place: the source's names are no destinations."""
    old = write(tmp_path, WHOLE)
    (tmp_path / "twin.pth").hardlink_to(old)
    assert convert(old, *["--force"] * force).code == ExitCode.OK
    assert old.stat().st_nlink == 2
    (tmp_path / "new.pth").unlink()
    (tmp_path / "new.pth").hardlink_to(old)
    done = convert(old, "--force")
    assert done.code == ExitCode.BAD_DESTINATION
    assert "source itself" in done.err
    assert old.read_bytes() == WHOLE


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o400, 0o664])
def test_i10_the_mode_stays_and_the_time_is_new(mode: int, tmp_path: Path) -> None:
    old = write(tmp_path, WHOLE)
    old.chmod(mode)
    os.utime(old, ns=(1, 1))
    before = os.umask(0o022)
    try:
        assert convert(old).code == ExitCode.OK
    finally:
        os.umask(before)
    new = (tmp_path / "new.pth").stat()
    assert new.st_mode & 0o777 == mode & ~0o022
    assert new.st_mtime > 1e9
    assert new.st_uid == os.geteuid()


NAMES = [
    b"\xff\xfe.pth",
    b"a\nb.pth",
    b"-rf.pth",
    b"\x1b[2J.pth",
    b"n" * 251 + b".pth",
    b" .pth",
    "ü\N{SNOWMAN}.pth".encode(),
    b"'; touch ran; '.pth",
    b"%s%n.pth",
]


@pytest.mark.parametrize("name", NAMES)
def test_i11_odd_names_on_both_sides(name: bytes, made: bytes, tmp_path: Path) -> None:
    """Also of a result whose folder and file are both as long as may be."""
    folder = tmp_path / os.fsdecode(name)
    folder.mkdir()
    old = folder / os.fsdecode(name)
    old.write_bytes(WHOLE)
    done = convert(old)
    assert done.code == ExitCode.OK
    assert (folder / "new.pth").read_bytes() == made
    assert all(line.isprintable() for line in done.out.splitlines())
