"""I1, I2, X6 to X8: a file that is carried as it is; storages that are laid out in other ways."""

from __future__ import annotations

import errno
import hashlib
import os
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from support.files import write
from support.streams import Storage, mapping, stream, tensor
from support.zips import torch_zip

from mm_ckpt_migrate.errors import CheckpointError, DestinationError, IntegrityError, MigrateError
from mm_ckpt_migrate.files.archive import source as source_module
from mm_ckpt_migrate.files.archive import transfer as transfer_module
from mm_ckpt_migrate.files.archive.image import Extent, Image, Piece
from mm_ckpt_migrate.files.archive.publish import Draft
from mm_ckpt_migrate.files.archive.source import CHUNK, Source
from mm_ckpt_migrate.files.archive.torchzip import read_zip
from mm_ckpt_migrate.files.archive.transfer import Transfer, copy_whole, measure

DATA = os.urandom(2 * CHUNK + 11)
STORAGES = {str(n): os.urandom(9000 + n) for n in range(4)}
WHOLE = torch_zip(
    stream(
        mapping(
            {
                f"w{key}": tensor(Storage(key, len(data), "torch.ByteStorage"), shape=(len(data),))
                for key, data in STORAGES.items()
            }
        )
    ),
    STORAGES,
)
Copied = Callable[[int, int, int, int, int], int]


def carry(folder: Path) -> str:
    with Source(write(folder, DATA)) as source, Draft(folder / "new.pth", 0o644) as draft:
        digest = copy_whole(source, draft)
        draft.publish(force=False)
    return digest


@pytest.mark.parametrize("beside", [False, True])
def test_it_is_the_same_file(beside: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With its digest computed by a process of its own, and without."""
    monkeypatch.setattr(source_module, "_WORTH_A_PROCESS", 0 if beside else len(DATA) + 1)
    assert carry(tmp_path) == hashlib.sha256(DATA).hexdigest()
    assert (tmp_path / "new.pth").read_bytes() == DATA


def failing(number: int) -> Callable[..., int]:
    def fail(*_: object) -> int:
        raise OSError(number, os.strerror(number))

    return fail


def test_i1_the_disk_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", failing(errno.ENOSPC))
    with pytest.raises(DestinationError, match="disk is full"):
        carry(tmp_path)
    assert os.listdir(tmp_path) == ["old.pth"]


@pytest.mark.parametrize(
    ("call", "kind", "said"),
    [
        ("pread", CheckpointError, "old.pth: the disk failed to read it"),
        ("pwrite", DestinationError, "new.pth: cannot be written"),
    ],
)
def test_i2_which_of_the_two_disks_fails(
    call: str, kind: type[MigrateError], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The kernel, which copies from one to the other, does not tell."""
    monkeypatch.setattr(os, "copy_file_range", failing(errno.EIO))
    monkeypatch.setattr(os, call, failing(errno.EIO))
    with pytest.raises(kind, match=said):
        carry(tmp_path)
    assert os.listdir(tmp_path) == ["old.pth"]


def test_i2_a_fault_that_is_gone_when_it_is_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "copy_file_range", failing(errno.EIO))
    assert carry(tmp_path) == hashlib.sha256(DATA).hexdigest()
    assert (tmp_path / "new.pth").read_bytes() == DATA


def changing(real: Copied, at: int) -> Copied:
    """Copy, and spoil one byte of what arrived."""

    def copy(first: int, second: int, size: int, start: int, offset: int) -> int:
        count = real(first, second, size, start, offset)
        if offset <= at < offset + count:
            byte = os.pread(second, 1, at)[0]
            os.pwrite(second, bytes((byte ^ 1,)), at)
        return count

    return copy


@pytest.mark.parametrize("at", [0, CHUNK, len(DATA) - 1])
def test_x8_a_byte_arrives_changed(at: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "copy_file_range", changing(os.copy_file_range, at))
    with pytest.raises(IntegrityError, match="arrived changed"):
        carry(tmp_path)
    assert os.listdir(tmp_path) == ["old.pth"]


def test_x7_the_source_is_cut_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.copy_file_range

    def cut(first: int, second: int, size: int, start: int, offset: int) -> int:
        os.truncate(tmp_path / "old.pth", 100)
        return real(first, second, size, start, offset)

    monkeypatch.setattr(os, "copy_file_range", cut)
    with pytest.raises(CheckpointError):
        carry(tmp_path)
    assert os.listdir(tmp_path) == ["old.pth"]


def laid_out(extents: Sequence[Extent], gap: int) -> tuple[Image, dict[int, Extent]]:
    """These storages, with so many bytes between them; and where each one is."""
    pieces: list[Piece] = []
    for extent in extents:
        pieces += [b"-" * gap, extent] if gap else [extent]
    image = Image(pieces)
    return image, dict(image.extents())


@pytest.mark.parametrize("gap", [0, 1, 5000])
@pytest.mark.parametrize(
    "order",
    [[], [0], [0, 1, 2, 3], [3, 2, 1, 0], [0, 2], [1, 1], [2, 3, 0, 1]],
    ids=lambda order: "".join(map(str, order)) or "none",
)
def test_storages_in_any_order(
    order: list[int], gap: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Left out, twice, far from each other, or in runs that are too long for one go."""
    monkeypatch.setattr(transfer_module, "_RUN_BYTES", 20_000)
    told: list[int] = []
    with Source(write(tmp_path, WHOLE)) as source, Draft(tmp_path / "new", 0o644) as draft:
        extents = read_zip(source).extents
        image, placed = laid_out([extents[n] for n in order], gap)
        with Transfer(source, image, draft, told.append) as transfer:
            transfer.copied()
            copies = transfer.compared()
            transfer.flushed()
        for offset, extent in placed.items():
            assert os.pread(draft.fd, extent.size, offset) == STORAGES[extent.key]
        assert {at: extent.offset for at, extent in placed.items()} == copies.origin
        assert copies.output == {(at, one.size): one.crc for at, one in placed.items()}
        assert copies.source == {(one.offset, one.size): one.crc for one in placed.values()}
    assert sum(told) == sum(len(STORAGES[str(n)]) for n in order)


@pytest.mark.parametrize(
    ("first", "second", "moved", "limit", "together"),
    [
        (100, 100, 0, 150, True),
        (100, 100 + 4096, 0, 150 + 4096, True),
        (100, 101 + 4096, 0, 1 << 20, False),
        (100, 99, 0, 1 << 20, False),  # the same bytes twice
        (100, 100, 1, 1 << 20, False),
        (100, 100, 0, 149, False),
    ],
)
def test_what_is_copied_in_one_go(
    first: int, second: int, moved: int, limit: int, together: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A little between two storages is copied along, if they lie there as they lay before."""
    monkeypatch.setattr(transfer_module, "_RUN_BYTES", limit)
    placed = [(7, Extent("0", 900, first)), (7 + second + moved, Extent("1", 900 + second, 50))]
    runs = [placed] if together else [[one] for one in placed]
    assert list(transfer_module._runs(placed)) == runs


@pytest.mark.parametrize("damaged", [False, True])
def test_z11_what_is_left_out_is_checked_too(damaged: bool, tmp_path: Path) -> None:
    data = WHOLE.replace(STORAGES["3"], b"\0" + STORAGES["3"][1:]) if damaged else WHOLE
    with Source(write(tmp_path, data)) as source, Draft(tmp_path / "new", 0o644) as draft:
        *kept, last = read_zip(source).extents
        image, _ = laid_out(kept, 0)
        with Transfer(source, image, draft, lambda _: None, [last]) as transfer:
            if not damaged:
                assert len(transfer.compared().source) == 3
                return
            with pytest.raises(CheckpointError, match="storage 3 is damaged"):
                transfer.compared()


def test_k3_nothing_more_is_copied_once_it_is_not_wanted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile the disk is told to write what is there."""
    real, calls, flushes = os.copy_file_range, list[int](), list[int]()
    begun, may_end = threading.Event(), threading.Event()

    def slow(first: int, second: int, size: int, start: int, offset: int) -> int:
        calls.append(offset)
        begun.set()
        may_end.wait(60)
        return real(first, second, size, start, offset)

    def flush(fd: int) -> None:
        flushes.append(fd)
        transfer._stopping.set()
        may_end.set()

    monkeypatch.setattr(os, "copy_file_range", slow)
    monkeypatch.setattr(os, "fdatasync", flush)
    with Source(write(tmp_path, WHOLE)) as source, Draft(tmp_path / "new", 0o644) as draft:
        extents = read_zip(source).extents
        image, _ = laid_out(extents[::-1], 0)
        with Transfer(source, image, draft, lambda _: None, extents[:1]) as transfer:
            assert begun.wait(60)
            transfer.flushed()
            transfer.copied()
    assert len(calls) == 1
    assert len(flushes) == 1


def test_it_is_read_back_while_it_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a large file the first part leaves the memory before the last is copied."""
    real_copy, real_measure, read_back = os.copy_file_range, measure, threading.Event()
    waited: list[bool] = []

    def slow(first: int, second: int, size: int, start: int, offset: int) -> int:
        if offset > behind:
            waited.append(read_back.wait(60))
        return real_copy(first, second, size, start, offset)

    def told(fd: int, offset: int, size: int, path: Path) -> int:
        read_back.set()
        return real_measure(fd, offset, size, path)

    monkeypatch.setattr(os, "copy_file_range", slow)
    monkeypatch.setattr(transfer_module, "measure", told)
    with Source(write(tmp_path, WHOLE)) as source, Draft(tmp_path / "new", 0o644) as draft:
        image, placed = laid_out(read_zip(source).extents, 5000)
        _, behind, *_ = placed
        monkeypatch.setattr(transfer_module, "_BEHIND", behind - min(placed) - 1)
        with Transfer(source, image, draft, lambda _: None) as transfer:
            assert len(transfer.compared().output) == len(placed)
    assert waited
    assert all(waited)
