"""I, X6: one file of a batch whose disk fails, or that changes; the others are done as ever."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from test_batch_faults import on_tmpfs
from zoos import STATE, batch, command, digests, entries, golden_path

from mm_ckpt_migrate.errors import ExitCode

pytestmark = pytest.mark.thorough

# The calls named in FAULTY fail, or write to the file first, where they are about bad.pth.
_FAULTY = """
import errno, os

calls, what = os.environ["FAULTY"].split(":")


def struck(real, name):
    def call(fd, *arguments, **options):
        file = os.readlink(f"/proc/self/fd/{fd}")
        if os.path.basename(file) == "bad.pth" or name == "fsync" and "scratch" in file:
            if what != "WRITE":
                raise OSError(getattr(errno, what), os.strerror(getattr(errno, what)))
            with open(file, "r+b") as source:
                source.seek(-1, os.SEEK_END)
                last = source.read(1)
                source.seek(-1, os.SEEK_END)
                source.write(last)
        return real(fd, *arguments, **options)
    return call


for name in calls.split(","):
    setattr(os, name, struck(getattr(os, name), name))
"""


def faulty(folder: Path, calls: str, what: str) -> dict[str, str]:
    """The environment in which these calls fail, in the batch and in its workers."""
    site = folder / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text(_FAULTY)
    return {**os.environ, "PYTHONPATH": str(site), "FAULTY": f"{calls}:{what}"}


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    folder = tmp_path / "zoo"
    folder.mkdir()
    for name in ("a.pth", "bad.pth", "z.pth"):
        shutil.copy(golden_path("rpn_r18"), folder / name)
    return folder


def check_only_bad_was_left_out(zoo: Path, new: Path, before: dict[str, str]) -> None:
    statuses = {name: entry["outcome"]["status"] for name, entry in entries(new).items()}
    assert statuses == {"a.pth": "migrated", "bad.pth": "refused", "z.pth": "migrated"}
    assert {"a.pth", "z.pth"} == set(digests(new)) - {"batch.json", "batch.html"}
    assert set(os.listdir(new / STATE)) == {"lock", "journal.sqlite"}
    assert digests(zoo) == before


@pytest.mark.parametrize(
    ("calls", "code", "words"),
    [
        ("pread,preadv", ExitCode.BAD_CHECKPOINT, "the disk failed to read it"),
        ("preadv", ExitCode.BAD_CHECKPOINT, "the disk failed to read it"),
    ],
)
def test_i2_a_source_that_cannot_be_read(
    calls: str, code: ExitCode, words: str, zoo: Path, tmp_path: Path
) -> None:
    before, new = digests(zoo), tmp_path / "new"
    done = batch(zoo, new, env=faulty(tmp_path, calls, "EIO"))
    assert done.returncode == ExitCode.INCOMPLETE
    assert "Traceback" not in done.stderr
    check_only_bad_was_left_out(zoo, new, before)
    assert entries(new)["bad.pth"]["outcome"]["exit_code"] == code
    assert words in entries(new)["bad.pth"]["outcome"]["summary"]
    assert batch(zoo, new).returncode == 0  # the disk was at fault, and not the file


def test_i2_a_copy_within_the_kernel_that_fails_is_made_by_hand(zoo: Path, tmp_path: Path) -> None:
    """Which of both disks is at fault, reading and writing tell; here neither is."""
    done = batch(zoo, tmp_path / "new", env=faulty(tmp_path, "copy_file_range", "EIO"))
    assert done.returncode == 0, done.stderr
    statuses = {path: entry["outcome"]["status"] for path, entry in entries(tmp_path / "new").items()}
    assert set(statuses.values()) == {"migrated"}


def test_i2_a_disk_that_cannot_sync(zoo: Path, tmp_path: Path) -> None:
    """Whatever is refused for it, a clear end, and nothing but whole files."""
    before, new = digests(zoo), tmp_path / "new"
    done = batch(zoo, new, env=faulty(tmp_path, "fsync", "EIO"))
    assert done.returncode in (ExitCode.INCOMPLETE, ExitCode.BAD_DESTINATION)
    assert "Traceback" not in done.stderr
    assert not {"a.pth", "bad.pth", "z.pth"} & set(digests(new))
    assert digests(zoo) == before
    assert batch(zoo, new).returncode == 0


@pytest.mark.parametrize("calls", ["copy_file_range", "preadv"])
def test_x6_a_source_that_is_written_while_it_is_read(calls: str, zoo: Path, tmp_path: Path) -> None:
    before, new = digests(zoo), tmp_path / "new"
    done = batch(zoo, new, env=faulty(tmp_path, calls, "WRITE"))
    assert done.returncode == ExitCode.INCOMPLETE
    check_only_bad_was_left_out(zoo, new, before)
    assert "changed while it was read" in entries(new)["bad.pth"]["outcome"]["summary"]
    assert batch(zoo, new).returncode == 0


@pytest.mark.parametrize("options", ["size=1m,ro", "size=64k"])
def test_i5_a_subfolder_on_a_disk_that_cannot_take_it(options: str, zoo: Path, tmp_path: Path) -> None:
    """Read-only, or full."""
    (zoo / "sub").mkdir()
    (zoo / "bad.pth").rename(zoo / "sub" / "bad.pth")
    new = tmp_path / "new"
    new.mkdir()
    line = " ".join([*command(zoo, new), "--no-build"])
    done = on_tmpfs(new / "sub", options, f"{line}; echo $?; ls -A {new}/sub")
    assert done.stdout.splitlines()[-1] == str(int(ExitCode.INCOMPLETE))
    assert "Traceback" not in done.stderr
    found = {e["source"]: e["outcome"] for e in json.loads((new / "batch.json").read_text())["entries"]}
    assert [found[name]["status"] for name in sorted(found)] == ["migrated", "refused", "migrated"]
    assert found["sub/bad.pth"]["exit_code"] == ExitCode.BAD_DESTINATION


def test_i5_a_file_where_a_subfolder_should_be(zoo: Path, tmp_path: Path) -> None:
    (zoo / "sub").mkdir()
    (zoo / "bad.pth").rename(zoo / "sub" / "bad.pth")
    new = tmp_path / "new"
    new.mkdir()
    (new / "sub").write_text("mine")
    done = batch(zoo, new)
    assert done.returncode == ExitCode.INCOMPLETE
    assert entries(new)["sub/bad.pth"]["outcome"]["exit_code"] == ExitCode.BAD_DESTINATION
    assert (new / "sub").read_text() == "mine"
