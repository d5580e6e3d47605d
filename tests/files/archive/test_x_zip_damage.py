"""X1 to X4: one tiny file with every bit flipped, cut at every length, with blocks moved about.

Everything in torch's zip format is covered by a CRC or written twice, so nothing may get through.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.files import in_memory
from support.streams import Storage, mapping, stream, tensor, text
from support.zips import TWO_FLOATS, torch_zip

from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.transfer import measure_extents
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

SECOND = tensor(Storage("1", 3, "torch.ByteStorage"), shape=(3,))
PICKLE = stream(
    mapping(
        {"meta": mapping({"cfg": text("model = 1")}), "state_dict": mapping({"a": tensor(), "b": SECOND})}
    )
)
WHOLE = torch_zip(PICKLE, {"0": TWO_FLOATS, "1": b"abc"})


def accepted(fd: int) -> bool:
    """Whether the file is read and every storage's CRC fits; any other error is not caught."""
    with Source(Path("old.pth"), fd) as source:
        try:
            measure_extents(source, open_checkpoint(source).extents.values())
        except CheckpointError:
            return False
    return True


def test_the_whole_file_is_accepted() -> None:
    with in_memory(WHOLE) as fd:
        assert accepted(fd)


def test_x2_every_bit_flipped() -> None:
    passed = []
    with in_memory(WHOLE) as fd:
        for offset, byte in enumerate(WHOLE):
            for bit in range(8):
                os.pwrite(fd, bytes((byte ^ 1 << bit,)), offset)
                if accepted(fd):
                    passed.append((offset, bit))
            os.pwrite(fd, bytes((byte,)), offset)
        assert accepted(fd)
    assert passed == []


def test_x1_every_length() -> None:
    with in_memory(WHOLE) as fd:
        for size in reversed(range(len(WHOLE))):
            os.ftruncate(fd, size)
            assert not accepted(fd), size


def moved_about() -> Iterator[tuple[str, bytes]]:
    for start in range(0, len(WHOLE), 37):
        for size in (1, 8, 64, 300):
            head, block, tail = WHOLE[:start], WHOLE[start : start + size], WHOLE[start + size :]
            made = {
                "removed": head + tail,
                "inserted": head + b"\0" * size + block + tail,
                "doubled": head + block + block + tail,
                "zeroed": head + b"\0" * len(block) + tail,
                "ones": head + b"\xff" * len(block) + tail,
                "copied": block + WHOLE[len(block) :],
            }
            yield from ((f"{what} {start}+{size}", data) for what, data in made.items())


def test_x3_blocks_moved_about() -> None:
    passed = []
    for what, data in moved_about():
        with in_memory(data) as fd:
            if data != WHOLE and accepted(fd):
                passed.append(what)
    assert passed == []


@pytest.mark.parametrize("kept", [0, 1, 64, len(WHOLE) // 2, len(WHOLE) - 98, len(WHOLE) - 22])
def test_x4_zeros_to_the_end(kept: int) -> None:
    with in_memory(WHOLE[:kept] + b"\0" * (len(WHOLE) - kept)) as fd:
        assert not accepted(fd)


def test_torch_itself_takes_many_flips() -> None:
    """The check above would fail for a reader as lenient as torch's: the storages alone show it."""
    torch = pytest.importorskip("torch")
    start = WHOLE.index(TWO_FLOATS)
    for offset in range(start, start + len(TWO_FLOATS)):
        data = bytearray(WHOLE)
        data[offset] ^= 1
        assert torch.load(io.BytesIO(bytes(data)))["state_dict"]["b"].tolist() == [97, 98, 99]
