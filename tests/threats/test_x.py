"""X: damage that the other rooms' tests leave open: blocks moved about in all formats."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from program import convert
from support.files import write
from test_l import WHOLE as LEGACY
from test_s import toy as safetensors
from toys import toy

from mm_ckpt_migrate.errors import CheckpointError, ExitCode
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.transfer import measure_extents
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

SEEDS = {"zip": toy(), "legacy": LEGACY, "safetensors": safetensors(bytes(range(8)))}
Change = Callable[[bytes, int, int, int], bytes]
CHANGES: dict[str, Change] = {
    "overwritten": lambda d, a, n, b: d[:a] + bytes(n) + d[a + n :],
    "deleted": lambda d, a, n, b: d[:a] + d[a + n :],
    "inserted": lambda d, a, n, b: d[:a] + d[b : b + n] + d[a:],
    "copied": lambda d, a, n, b: d[:a] + d[b : b + n] + d[a + n :],
    "zeros_to_the_end": lambda d, a, n, b: d[:a] + bytes(len(d) - a),
}


def content(path: Path) -> object:
    """What a file holds, by its own word and by its bytes."""
    with Source(path) as source:
        found = open_checkpoint(source)
        crcs = [extent.crc for extent in measure_extents(source, found.extents.values())]
        return found.schema, dict(found.tensors), crcs


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seed", SEEDS)
def test_x3_x4_blocks_moved_about(seed: str, change: str, tmp_path: Path) -> None:
    """Refused by a CheckpointError; a zip file that passes all the same means what it meant.

    The other formats have no checksums: what passes there is what they cannot know.
    """
    data, dice = SEEDS[seed], random.Random(f"{seed} {change}")
    path = write(tmp_path, data)
    meant, refused = content(path), 0
    for _ in range(100):
        start, other = dice.randrange(len(data)), dice.randrange(len(data))
        path.write_bytes(CHANGES[change](data, start, dice.choice((1, 8, 64)), other))
        try:
            found = content(path)
        except CheckpointError:
            refused += 1
            continue
        assert seed != "zip" or found == meant
    assert refused > 25


@pytest.mark.parametrize("seed", SEEDS)
def test_x1_cut_anywhere_the_command_says_so(seed: str, tmp_path: Path) -> None:
    data = SEEDS[seed]
    for size in range(0, len(data), max(1, len(data) // 40)):
        done = convert(write(tmp_path, data[:size]))
        assert done.code == ExitCode.BAD_CHECKPOINT, size
        assert not (tmp_path / "new.pth").exists()


def test_x5_a_wrong_file_of_the_right_size_has_another_digest(tmp_path: Path) -> None:
    """Nothing but its digest tells, so the digest is in every report."""
    digests = set()
    for number in range(2):
        old = write(tmp_path, toy(None, {"0": bytes((number,)) * 8}))
        digests.add(convert(old, "--json", "--force").json["source_digest"])
    assert len(digests) == 2
