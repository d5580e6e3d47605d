"""I4, X5, X8: storages arrive by any route, and any change on the way is noticed."""

from __future__ import annotations

import errno
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from support.files import write
from support.streams import Storage, mapping, stream, tensor
from support.zips import torch_zip

from mm_ckpt_migrate.errors import CheckpointError, DestinationError, IntegrityError
from mm_ckpt_migrate.files.archive.publish import Draft
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.torchzip import compose_zip, read_zip
from mm_ckpt_migrate.files.archive.transfer import Transfer

# An odd size, an empty one, one beyond the size of a block, and a small one behind it.
STORAGES = {"0": os.urandom(1013), "1": b"", "2": os.urandom((1 << 20) + 7), "3": b"tail"}
PICKLE = stream(
    mapping(
        {
            f"w{key}": tensor(Storage(key, len(data), "torch.ByteStorage"), shape=(len(data),))
            for key, data in STORAGES.items()
        }
    )
)
WHOLE = torch_zip(PICKLE, STORAGES)


def copy(folder: Path, data: bytes = WHOLE, *, source_folder: Path | None = None) -> bytes:
    """Lay the file out anew and copy every storage; gives what was published."""
    seen: list[int] = []
    with Source(write(source_folder or folder, data)) as source:
        found = read_zip(source)
        image = compose_zip(found, found.pickle, found.extents)
        with Draft(folder / "new.pth", 0o644) as draft:
            draft.resize(image.size)
            with Transfer(source, image, draft, seen.append) as transfer:
                transfer.copied()
                for offset, literal in image.literals():
                    draft.write(offset, literal)
                copies = transfer.compared()
                transfer.flushed()
            draft.publish(force=False)
    assert sum(seen) == sum(map(len, STORAGES.values()))
    assert sorted(copies.source.values()) == sorted(copies.output.values())
    return (folder / "new.pth").read_bytes()


def leftovers(folder: Path) -> set[str]:
    return set(os.listdir(folder)) - {"old.pth"}


def test_arrives(tmp_path: Path) -> None:
    assert copy(tmp_path) == WHOLE


def refuse(number: int) -> Callable[..., int]:
    def fail(*_: int) -> int:
        raise OSError(number, os.strerror(number))

    return fail


ROUTES = ["EXDEV", "EINVAL", "ENOSYS", "EOPNOTSUPP", "EPERM", "ETXTBSY"]


@pytest.mark.parametrize("name", ROUTES)
def test_i4_the_kernel_cannot_copy(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", refuse(getattr(errno, name)))
    assert copy(tmp_path) == WHOLE


def test_i4_the_kernel_copies_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    assert copy(tmp_path) == WHOLE


def test_i4_no_such_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "copy_file_range")
    assert copy(tmp_path) == WHOLE


def test_i3_the_kernel_copies_a_part_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = os.copy_file_range, []

    def some(src: int, dst: int, size: int, start: int, at: int) -> int:
        calls.append(size)
        if len(calls) % 5 == 0:
            raise OSError(errno.EXDEV, "now and then")
        return real(src, dst, min(size, 100_003), start, at)

    monkeypatch.setattr(os, "copy_file_range", some)
    assert copy(tmp_path) == WHOLE
    assert len(calls) > 5


def test_i4_two_file_systems(tmp_path: Path) -> None:
    shared = Path("/dev/shm")
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system")
    folder = shared / f"mm-ckpt-migrate-test-{os.getpid()}"
    folder.mkdir()
    try:
        assert copy(tmp_path, source_folder=folder) == WHOLE
    finally:
        (folder / "old.pth").unlink()
        folder.rmdir()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG])
def test_i1_no_room_while_copying(number: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", refuse(number))
    with pytest.raises(DestinationError, match=r"full|written"):
        copy(tmp_path)
    assert leftovers(tmp_path) == set()


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        ("pread", CheckpointError, "old.pth: the disk failed to read it"),
        ("pwrite", DestinationError, "new.pth: cannot be written"),
    ],
)
def test_i2_which_of_the_two_disks_fails(
    call: str, kind: type[Exception], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel, which copies from one to the other, does not tell."""

    def copying(*_: object) -> int:
        monkeypatch.setattr(os, call, refuse(errno.EIO))
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "copy_file_range", copying)
    with pytest.raises(kind, match=said):
        copy(tmp_path)
    assert leftovers(tmp_path) == set()


def test_i1_the_fallback_meets_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", lambda *_: 0)
    monkeypatch.setattr(os, "pwrite", refuse(errno.ENOSPC))
    with pytest.raises(DestinationError, match="full"):
        copy(tmp_path)
    assert leftovers(tmp_path) == set()


def test_i2_fdatasync_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fdatasync", refuse(errno.EIO))
    with pytest.raises(DestinationError, match="cannot be written"):
        copy(tmp_path)
    assert leftovers(tmp_path) == set()


@pytest.mark.parametrize("key", ["0", "2", "3"])
def test_x8_a_byte_that_arrives_changed(key: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    middle = WHOLE.index(STORAGES[key]) + len(STORAGES[key]) // 2

    def corrupt(src: int, dst: int, size: int, start: int, at: int) -> int:
        data = bytearray(os.pread(src, size, start))
        if start <= middle < start + size:
            data[middle - start] ^= 4
        return os.pwrite(dst, data, at)

    monkeypatch.setattr(os, "copy_file_range", corrupt)
    with pytest.raises(IntegrityError, match=f"storage {key} arrived changed"):
        copy(tmp_path)
    assert leftovers(tmp_path) == set()


@pytest.mark.parametrize("key", ["0", "2", "3"])
def test_z11_a_byte_that_was_changed_before(key: str, tmp_path: Path) -> None:
    data = bytearray(WHOLE)
    data[WHOLE.index(STORAGES[key]) + len(STORAGES[key]) // 2] ^= 4
    with pytest.raises(CheckpointError, match=f"storage {key} is damaged"):
        copy(tmp_path, bytes(data))
    assert leftovers(tmp_path) == set()


@pytest.mark.timeout(30)
def test_x7_the_source_is_cut_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.copy_file_range

    def cut(src: int, dst: int, size: int, start: int, at: int) -> int:
        os.truncate(tmp_path / "old.pth", 3000)
        return real(src, dst, size, start, at)

    monkeypatch.setattr(os, "copy_file_range", cut)
    with pytest.raises(CheckpointError, match="ends at byte"):
        copy(tmp_path)
    assert leftovers(tmp_path) == set()


@pytest.mark.timeout(30)
def test_k3_interrupted_while_copying(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C comes while the other thread copies, and the main one waits for it."""
    real = os.copy_file_range

    def interrupt(src: int, dst: int, size: int, start: int, at: int) -> int:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.05)
        return real(src, dst, size, start, at)

    monkeypatch.setattr(os, "copy_file_range", interrupt)
    with pytest.raises(KeyboardInterrupt):
        copy(tmp_path)
    assert leftovers(tmp_path) == set()
