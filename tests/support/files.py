"""Files on disk and in memory, and the genuine old checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint

GOLDEN_FOLDER = Path(__file__).parents[1] / "golden"


def golden_files(container: str | None = None, *, holding: str | None = None) -> list[Path]:
    """The genuine old checkpoints, by container or by what they hold where that is named."""
    found = []
    for case in sorted(GOLDEN_FOLDER.glob("*/case.json")):
        facts = json.loads(case.read_text(encoding="utf-8"))
        if container in (None, facts["container"]) and holding in (None, *facts["entries"]):
            found.append(case.parent / facts["checkpoint"])
    return found


def golden_file(name: str) -> Path:
    """One genuine old checkpoint."""
    (found,) = [path for path in golden_files() if path.parent.name == name]
    return found


@cache
def old_config(name: str) -> Path:
    """The config that a genuine old checkpoint holds, as a file in a folder of that name."""
    with Source(golden_file(name)) as source:
        text = open_checkpoint(source).config
    assert text is not None
    path = Path(_folder_of_configs().name, name, "old_config.py")
    path.parent.mkdir()
    path.write_bytes(text.encode())
    return path


def old_configs() -> list[Path]:
    """`old_config` of all of them."""
    return [old_config(golden_id(path)) for path in golden_files()]


def new_config(name: str) -> Path:
    """The config of the current release for a genuine old checkpoint: of its model alone."""
    return GOLDEN_FOLDER / name / "new_config.py"


def new_configs() -> list[Path]:
    """`new_config` of all of them."""
    return sorted(GOLDEN_FOLDER.glob("*/new_config.py"))


@cache
def _folder_of_configs() -> TemporaryDirectory[str]:
    return TemporaryDirectory(prefix="old-configs-")


def golden_id(path: Path) -> str:
    return path.parent.name


def write(folder: Path, data: bytes, name: str = "old.pth") -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


@contextmanager
def in_memory(data: bytes) -> Iterator[int]:
    """The descriptor of a file that has no name."""
    fd = os.memfd_create("checkpoint")
    try:
        os.pwrite(fd, data, 0)
        yield fd
    finally:
        os.close(fd)
