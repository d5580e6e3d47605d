"""I2: a disk that fails at some call is a sentence and the exit code of the file that it holds."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.faults import run, run_struck
from support.files import golden_file, write

from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive import digest, source


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    shutil.copy(golden_file("rpn_r18"), tmp_path / "old.pth")
    return tmp_path


def convert(folder: Path, *options: str) -> tuple[str | Path, ...]:
    return ("convert", "auto", "-", folder / "old.pth", folder / "new.pth", "--no-build", *options)


@pytest.mark.parametrize(
    ("call", "code", "words"),
    [
        ("fstat", ExitCode.BAD_CHECKPOINT, b"old.pth: the disk failed"),
        ("pread", ExitCode.BAD_CHECKPOINT, b"old.pth: the disk failed"),
        ("statvfs", ExitCode.BAD_DESTINATION, b"new.pth: cannot be written"),
        ("dup", ExitCode.BAD_DESTINATION, b"new.pth: cannot be opened"),
        ("preadv", ExitCode.BAD_DESTINATION, b"new.pth: the disk failed to read it"),
        ("listdir", ExitCode.BAD_RULES, b"rules: cannot be read"),
    ],
)
def test_i2_who_is_to_blame(call: str, code: ExitCode, words: bytes, folder: Path) -> None:
    struck = run_struck(call, 1, "EIO", *convert(folder))
    assert struck.returncode == code
    assert words in struck.stderr
    assert b"Input/output error" in struck.stderr
    assert b"Traceback" not in struck.stderr
    assert os.listdir(folder) == ["old.pth"]


@pytest.mark.parametrize("count", range(1, 6))
def test_i2_a_close_that_fails_spoils_nothing(count: int, folder: Path) -> None:
    """What was published was synced before, and the source was only read."""
    struck = run_struck("close", count, "EIO", *convert(folder, "--force"))
    assert b"Traceback" not in struck.stderr
    assert struck.returncode in (ExitCode.OK, ExitCode.BAD_DESTINATION)
    assert sorted(os.listdir(folder)) == ["new.pth", "old.pth"]


def test_i2_an_output_that_nobody_takes(folder: Path) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "mm_ckpt_migrate", *map(str, convert(folder))],
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    said = "Error: the output is not complete: No space left on device\n"
    assert done.stderr.decode() == said
    assert done.returncode == ExitCode.OK
    assert (folder / "new.pth").exists()


def test_i1_a_plan_is_whole_or_not_there(folder: Path) -> None:
    before = '{"plan": 1, "family": "", "from": "", "to": "", "rules_sha256": "", "rules": [], '
    before += '"keys": [], "modules": []}'
    (folder / "plan.json").write_text(before)
    arguments = convert(folder, "--plan", str(folder / "plan.json"), "--force")
    struck = run_struck("pwrite", 1, "ENOSPC", *arguments)
    assert struck.returncode == ExitCode.BAD_DESTINATION
    assert b"plan.json: the disk is full" in struck.stderr
    assert (folder / "plan.json").read_text() == before
    assert sorted(os.listdir(folder)) == ["old.pth", "plan.json"]


def test_i8_a_plan_is_never_written_through_a_link(folder: Path) -> None:
    (folder / "mine.txt").write_text("mine")
    (folder / "plan.json").symlink_to("mine.txt")
    done = run(*convert(folder, "--plan", str(folder / "plan.json")))
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert b"symbolic link" in done.stderr
    assert (folder / "mine.txt").read_text() == "mine"


@pytest.mark.parametrize(
    "program", ["", "print('0' * 63)", "raise SystemExit(3)", "import os; os.kill(os.getpid(), 9)"]
)
def test_k4_a_digest_process_that_fails_costs_time_only(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even one that ends as if all were well, but says nothing."""
    monkeypatch.setattr(digest, "PROGRAM", program)
    check_digest(tmp_path, monkeypatch)


def test_k4_a_digest_process_that_cannot_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(subprocess, "Popen", fail)
    check_digest(tmp_path, monkeypatch)


def check_digest(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "_WORTH_A_PROCESS", 0)
    with source.Source(write(folder, b"data")) as file:
        file.start_digest()
        assert file.digest() == hashlib.sha256(b"data").hexdigest()
