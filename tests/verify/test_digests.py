"""`Digests`: equal for equal bytes alone, whether two storages were compared or each was hashed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from edits_made import _POLYNOMIAL
from support.streams import Storage, mapping, stream, tensor
from support.zips import torch_zip

from mm_ckpt_migrate.convert.checks import digests
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

SIZE = 3 * digests._WORTH_COMPARING
FIRST, SECOND = os.urandom(SIZE), os.urandom(SIZE)
# Differs in a few bytes, late, by a multiple of the CRC's polynomial: its CRC-32 is equal.
FORGED = FIRST[: -len(_POLYNOMIAL)] + bytes(
    a ^ b for a, b in zip(FIRST[-len(_POLYNOMIAL) :], _POLYNOMIAL, strict=True)
)
Open = Callable[..., Checkpoint]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    with ExitStack() as stack:

        def open_(*storages: bytes) -> Checkpoint:
            entries = {
                str(n): tensor(Storage(str(n), SIZE // 4), shape=(SIZE // 4,)) for n in range(len(storages))
            }
            data = torch_zip(stream(mapping(entries)), {str(n): data for n, data in enumerate(storages)})
            path = tmp_path / f"{len(list(tmp_path.iterdir()))}.pth"
            path.write_bytes(data)
            return open_checkpoint(stack.enter_context(Source(path)))

        yield open_


@pytest.fixture
def hashed(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Keys of the storages of which a SHA-256 was computed."""
    seen: list[str] = []
    real = digests._read
    monkeypatch.setattr(digests, "_read", lambda c, e, crc: seen.append(e.key) or real(c, e, crc))
    return seen


def found(*files: Checkpoint) -> list[list[bytes]]:
    made = digests.Digests()
    made.read(files)
    return [[made(file, extent) for extent in file.extents.values()] for file in files]


def test_two_that_are_equal_are_compared_and_not_hashed(opened: Open, hashed: list[str]) -> None:
    old, new = found(opened(FIRST, SECOND), opened(SECOND, FIRST))
    assert old == new[::-1]
    assert old[0] != old[1]
    assert hashed == []


def test_other_bytes_with_an_equal_crc_are_told(opened: Open) -> None:
    old, new = found(opened(FIRST), opened(FORGED))
    assert old != new


def test_more_than_two_alike_are_hashed(opened: Open, hashed: list[str]) -> None:
    old, new = found(opened(FIRST, FIRST), opened(FIRST, FORGED))
    assert old[0] == old[1] == new[0] != new[1]
    assert len(hashed) == 4


def test_two_alike_in_one_file_are_no_pair(opened: Open) -> None:
    ((one, other),) = found(opened(FIRST, FORGED))
    assert one != other


def test_damage_in_both_is_damage(opened: Open) -> None:
    """Equal bytes under a CRC that neither has."""
    files = [opened(FIRST), opened(FIRST)]
    for file in files:
        with open(file.source.path, "r+b") as stream_:
            stream_.seek(file.extents["0"].offset)
            stream_.write(SECOND)
    with pytest.raises(CheckpointError, match="its CRC does not match"):
        found(*files)
