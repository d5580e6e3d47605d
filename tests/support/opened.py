"""Open bytes as a checkpoint."""

from __future__ import annotations

from pathlib import Path

from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.checkpoint import Checkpoint
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from support.files import in_memory
from support.streams import stream
from support.zips import torch_zip


def opened(data: bytes) -> Checkpoint:
    """Of the checkpoint only what was read is of use: its source is closed."""
    with in_memory(data) as fd, Source(Path("old.pth"), fd) as source:
        return open_checkpoint(source)


def opened_stream(body: bytes, storages: dict[str, bytes] | None = None) -> Checkpoint:
    """A zip file of this object; storage 0 holds two floats where nothing else is said."""
    return opened(torch_zip(stream(body), storages))
