"""Damage anywhere in a file is damage to the file, also in storages that are left behind."""

from __future__ import annotations

from pathlib import Path

import pytest

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.errors import CheckpointError
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

TRAINING = Path(__file__).parents[1] / "golden" / "mask2former_r18" / "old.pth"


def test_a_flipped_bit_in_the_optimizer_is_refused(tmp_path: Path) -> None:
    with Source(TRAINING) as source:
        checkpoint = open_checkpoint(source)
    named = {t.storage for t in (*checkpoint.tensors.values(), *checkpoint.averaged.values())}
    extent = next(e for key, e in checkpoint.extents.items() if key not in named and e.size)
    damaged = bytearray(TRAINING.read_bytes())
    damaged[extent.offset] ^= 1
    old, new = tmp_path / "old.pth", tmp_path / "new.pth"
    old.write_bytes(damaged)
    with pytest.raises(CheckpointError, match=f"storage {extent.key} is damaged"):
        convert("auto", "-", old, new, Options(build=False))
    assert not new.exists()
