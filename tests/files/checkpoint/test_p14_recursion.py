"""P14, P27: cycles that are shallow from where they were made, and endless from anywhere else."""

from __future__ import annotations

import pickletools
import zipfile
from pathlib import Path

import pytest
from support.faults import run
from support.files import golden_file, write
from support.streams import text
from support.zips import Member, build_zip

from mm_ckpt_migrate.errors import ExitCode

LEVELS, BRANCH = 40, 150


def put(number: int) -> bytes:
    return b"r" + number.to_bytes(4, "little")


def get(number: int) -> bytes:
    return b"j" + number.to_bytes(4, "little")


def maze(first: int) -> bytes:
    """Lists in lists; each also holds a long branch, at the end of which stands the list around it.

    No object is deeper than 200 levels from the outermost list on. From the innermost one, which
    a second section names, the way leads through all branches, one behind the other.
    """
    opened = b"".join(b"]" + put(first + i) + b"(" for i in range(LEVELS))
    closed = b""
    for i in reversed(range(LEVELS)):
        around = get(first + i - 1) if i else b"N"
        closed += b"]" * BRANCH + around + b"a" * BRANCH + b"e"
    return opened + closed


@pytest.mark.parametrize("command", ["convert", "inspect"])
def test_p14_a_maze_of_cycles(command: str, tmp_path: Path) -> None:
    golden = golden_file("maskformer_r18_encoder")
    with zipfile.ZipFile(golden) as archive:
        members = [Member(name, archive.read(name)) for name in archive.namelist()]
    stream = members[0].data
    first = sum(op.name in ("BINPUT", "LONG_BINPUT") for op, _, _ in pickletools.genops(stream))
    sections = text("outer") + maze(first) + text("inner") + get(first + LEVELS - 1)
    members[0].data = stream[:-2] + sections + b"u."
    path = write(tmp_path, build_zip(members))
    more = ("auto", "-", path, tmp_path / "new.pth", "--no-build")
    done = run(command, *(more if command == "convert" else (path,)))
    assert b"Traceback" not in done.stderr
    assert done.returncode == (ExitCode.BAD_CHECKPOINT if command == "convert" else ExitCode.OK)
