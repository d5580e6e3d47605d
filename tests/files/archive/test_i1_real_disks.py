"""I1, I5, I6: disks that are really full or read-only, in a mount namespace of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.files import golden_file

from mm_ckpt_migrate.errors import ExitCode

OLD = golden_file("maskformer_r18_encoder")


def on_tmpfs(folder: Path, options: str, script: str) -> subprocess.CompletedProcess[str]:
    """Run a shell script where `folder` is a small disk; skip where that is not allowed."""
    if not shutil.which("unshare") or os.geteuid() != 0:
        pytest.skip("only root can mount")
    mount = f"mount -t tmpfs -o {options} tmpfs {folder} || exit 77\n"
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", mount + script], capture_output=True, text=True, timeout=60, check=False
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip("this machine does not allow it")
    return done


def convert(new: Path) -> str:
    return f"{sys.executable} -m mm_ckpt_migrate convert auto - {OLD} {new} --no-build"


def test_i6_not_enough_space(tmp_path: Path) -> None:
    script = f"{convert(tmp_path / 'new.pth')}; echo $?; ls -A {tmp_path}"
    done = on_tmpfs(tmp_path, "size=128k", script)
    assert done.stdout.splitlines() == [str(int(ExitCode.BAD_DESTINATION))]
    assert "disk is full" in done.stderr


def test_i1_space_that_is_gone_when_it_is_needed(tmp_path: Path) -> None:
    """The file system reports room, and then runs out of it: here, of inodes."""
    script = f"touch {tmp_path}/a; {convert(tmp_path / 'new.pth')}; echo $?; ls -A {tmp_path}"
    done = on_tmpfs(tmp_path, "size=8m,nr_inodes=2", script)
    assert done.stdout.splitlines() == [str(int(ExitCode.BAD_DESTINATION)), "a"]
    assert "disk is full" in done.stderr


def test_i5_read_only_disk(tmp_path: Path) -> None:
    script = f"{convert(tmp_path / 'new.pth')}; echo $?; ls -A {tmp_path}"
    done = on_tmpfs(tmp_path, "size=8m,ro", script)
    assert done.stdout.splitlines() == [str(int(ExitCode.BAD_DESTINATION))]
    assert "cannot be written to" in done.stderr
