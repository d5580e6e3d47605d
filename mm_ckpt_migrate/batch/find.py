"""Find the checkpoints in a folder tree."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from mm_ckpt_migrate.batch.model import Signature
from mm_ckpt_migrate.errors import CheckpointError

SUFFIXES: Final = (".pth", ".pt", ".ckpt", ".safetensors")


def find_checkpoints(folder: Path, *, without: Path) -> Iterator[tuple[str, Signature]]:
    """Relative path and signature of each, in the order of their names.

    Links are followed, each folder is entered once. Hidden files and folders are left out.

    Args:
        without: a folder that is not entered: the results may lie among the sources.

    Raises:
        CheckpointError: `folder` is no folder that can be listed.
    """
    try:
        seen = {_identity(without)} if without.exists() else set()
        yield from _walk(folder, "", seen)
    except NotADirectoryError as error:
        raise CheckpointError(folder, "it is no folder", hint="Give convert a file.") from error
    except OSError as error:
        raise CheckpointError(error.filename or folder, str(error.strerror)) from error


def _walk(folder: Path, below: str, seen: set[tuple[int, int]]) -> Iterator[tuple[str, Signature]]:
    identity = _identity(folder)
    if identity in seen:
        return
    seen.add(identity)
    for name in sorted(os.listdir(folder)):
        if name.startswith("."):
            continue
        path = folder / name
        try:
            status = path.stat()
        except OSError:  # a link to nowhere, or gone meanwhile
            continue
        if stat.S_ISDIR(status.st_mode):
            yield from _walk(path, f"{below}{name}/", seen)
        elif stat.S_ISREG(status.st_mode) and path.suffix in SUFFIXES:
            yield below + name, signature(status)


def _identity(folder: Path) -> tuple[int, int]:
    status = folder.stat()
    return status.st_dev, status.st_ino


def signature(status: os.stat_result) -> Signature:
    return Signature(
        status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )
