"""X6, K5: somebody else writes to the source, or makes the destination, during a conversion."""

from __future__ import annotations

import os
import shutil
import threading
from pathlib import Path

import pytest
from support.files import golden_file, golden_id

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import CheckpointError, DestinationError
from mm_ckpt_migrate.files.archive import source as sources
from mm_ckpt_migrate.files.archive.digest import DigestProcess
from mm_ckpt_migrate.files.archive.source import Source

GOLDEN = [golden_file("maskformer_r18_encoder"), golden_file("maskformer_swin")]
each_container = pytest.mark.parametrize("golden", GOLDEN, ids=golden_id)


@pytest.fixture
def old(golden: Path, tmp_path: Path) -> Path:
    return Path(shutil.copy(golden, tmp_path / "old.pth"))


def migrate(old: Path, *, force: bool = False) -> None:
    options = Options(build=False, force=force)
    convert("auto", "-", old, old.with_name("new.pth"), options)


def flip_last_storage(path: Path) -> None:
    """A byte of a storage; both containers keep storages in the middle of the file."""
    with path.open("r+b") as file:
        file.seek(path.stat().st_size * 3 // 4)
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes((byte[0] ^ 1,)))


@each_container
@pytest.mark.timeout(60)
def test_x6_source_changed_between_digest_and_copy(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The worst moment: the digest is of the old bytes, and what is copied are the new ones."""
    digested = threading.Event()
    start, result, copy = DigestProcess.__init__, DigestProcess.result, os.copy_file_range
    processes: list[DigestProcess] = []
    results: list[str] = []

    def spy(process: DigestProcess, fd: int) -> None:
        start(process, fd)
        processes.append(process)

    def late(src: int, dst: int, size: int, offset: int, at: int) -> int:
        if not digested.is_set():
            results.append(result(processes[0]))
            digested.set()
            flip_last_storage(old)
        return copy(src, dst, size, offset, at)

    monkeypatch.setattr(sources, "_WORTH_A_PROCESS", 0)
    monkeypatch.setattr(DigestProcess, "__init__", spy)
    monkeypatch.setattr(DigestProcess, "result", lambda _: results[0])
    monkeypatch.setattr(os, "copy_file_range", late)
    with pytest.raises(CheckpointError):
        migrate(old)
    assert digested.is_set()
    assert os.listdir(old.parent) == ["old.pth"]


@each_container
def test_x6_source_changed_before_the_digest(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    digest = Source.digest

    def touched(source: Source) -> str:
        flip_last_storage(old)
        return digest(source)

    monkeypatch.setattr(Source, "digest", touched)
    with pytest.raises(CheckpointError):
        migrate(old)
    assert os.listdir(old.parent) == ["old.pth"]


@each_container
def test_k10_source_replaced_meanwhile(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The new file is that of the source that was opened."""
    migrate(old)
    expected = old.with_name("new.pth").read_bytes()
    copy = os.copy_file_range

    def replace(src: int, dst: int, size: int, start: int, at: int) -> int:
        if old.exists():
            old.unlink()
        return copy(src, dst, size, start, at)

    monkeypatch.setattr(os, "copy_file_range", replace)
    migrate(old, force=True)
    assert old.with_name("new.pth").read_bytes() == expected


@each_container
def test_k5_destination_appears_meanwhile(old: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    copy = os.copy_file_range
    new = old.with_name("new.pth")

    def appear(src: int, dst: int, size: int, start: int, at: int) -> int:
        new.write_bytes(b"somebody's")
        return copy(src, dst, size, start, at)

    monkeypatch.setattr(os, "copy_file_range", appear)
    with pytest.raises(DestinationError, match="by somebody else"):
        migrate(old)
    assert new.read_bytes() == b"somebody's"
    assert sorted(os.listdir(old.parent)) == ["new.pth", "old.pth"]


@each_container
def test_the_source_keeps_its_bytes_and_times(old: Path, golden: Path) -> None:
    os.utime(old, ns=(1, 1))
    before = old.stat()
    migrate(old)
    assert old.read_bytes() == golden.read_bytes()
    after = old.stat()
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)
