"""Files on disk and in memory, and the genuine old checkpoints."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
