"""A process in which torch loads a file in all its ways: with limits, and with nothing to do.

One of those ways executes the pickle. It gets files only that this tool accepted, that is, which
name nothing but the classes of genuine checkpoints. Should one of those do harm all the same, this
process can use 8 GiB of addresses and 64 MiB of a file, and a hook forbids it connections,
processes and changes to files, and tells of the attempt.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from meaning_nodes import Description

MODES = tuple((mmap, safe) for mmap in (False, True) for safe in (True, False))
_SECONDS = 30
_WRITING = os.O_WRONLY | os.O_RDWR
_MEMORY = 8 << 30
_FORBIDDEN = (
    "socket.",
    "subprocess.",
    "shutil.",
    "ctypes.dlopen",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
    "os.remove",
    "os.rename",
    "os.rmdir",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.truncate",
    "os.chmod",
    "os.chown",
    "os.kill",
    "code.__new__",
    "pty.",
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What torch did in one of its modes.

    Attributes:
        refused: why it did not load the file, or "".
        different: how what it loaded is not what this tool says, or "".
        attempts: forbidden actions.
    """

    refused: str = ""
    different: str = ""
    attempts: tuple[str, ...] = ()


class Torch:
    """Starts the process where there is none, and once more where it died."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "made.pth"
        self._pipe: Connection | None = None

    def ask(self, data: bytes, description: Description) -> list[Answer]:
        """One answer for each of MODES."""
        self._path.write_bytes(data)
        if self._pipe is None:
            self._start()
        assert self._pipe is not None
        try:
            self._pipe.send((str(self._path), description))
            if self._pipe.poll(_SECONDS):
                answers: list[Answer] = self._pipe.recv()
                return answers
            reason = "it takes too long"
        except (EOFError, OSError):
            reason = "the process dies"
        self.close()
        return [Answer(refused=reason)] * len(MODES)

    def close(self) -> None:
        if self._pipe is not None:
            self._pipe.close()
            self._process.kill()
            self._process.join()
            self._pipe = None

    def _start(self) -> None:
        context = get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(target=_serve, args=(theirs, os.getpid()), daemon=True)
        self._process.start()
        theirs.close()


def _serve(pipe: Connection, parent: int) -> None:
    # What a training's file may name is there beforehand.
    import meaning_torch  # noqa: F401
    import mmengine.config
    import mmengine.logging  # noqa: F401
    import torch

    from mm_ckpt_migrate.releases.probe.sandbox import die_with_parent

    die_with_parent(parent)

    torch.set_num_threads(1)
    torch.zeros(1).untyped_storage()
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (64 << 20, 64 << 20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    devnull = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1, 2):
        os.dup2(devnull, number)
    attempts = _watch()
    while True:
        try:
            path, description = pipe.recv()
        except EOFError:
            os._exit(0)
        pipe.send([_one(path, description, mode, attempts) for mode in MODES])


def _watch() -> list[str]:
    attempts: list[str] = []

    def hook(event: str, args: tuple[Any, ...]) -> None:
        writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if writes or event.startswith(_FORBIDDEN):
            attempts.append(f"{event} {args!r:.80}")
            raise PermissionError(event)

    sys.addaudithook(hook)
    return attempts


def _one(path: str, description: Description, mode: tuple[bool, bool], attempts: list[str]) -> Answer:
    import torch
    from meaning_torch import difference

    attempts.clear()
    mmap, safe = mode
    try:
        loaded = torch.load(path, map_location="cpu", mmap=mmap, weights_only=safe)
    except BaseException as error:
        return Answer(refused=_reason(error), attempts=tuple(attempts))
    try:
        found = difference(description, loaded) or ""
    except Exception as error:
        found = f"it cannot be compared: {error!r}"
    return Answer(different=found, attempts=tuple(attempts))


def _reason(error: BaseException) -> str:
    """A short name of the reason, the same for all files that are refused for it."""
    text = str(error)
    if "Weights only load failed" in text:
        text = text.partition("WeightsUnpickler error: ")[2] or text[:60]
    return f"{type(error).__name__}: {' '.join(_words(text))[:70]}"


def _words(text: str) -> Iterator[str]:
    lines = text.strip().splitlines()
    for word in (lines[0] if lines else "").split():
        yield word if word.isalpha() else "…"
