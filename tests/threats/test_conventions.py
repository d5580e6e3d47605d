"""What REFUSE means, for every hostile file there is: one sentence, exit code 3, nothing changed.

That each is refused for its own reason is tested in its own room.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hostile import HOSTILE
from program import convert, run
from support.files import write

from mm_ckpt_migrate.errors import ExitCode

# Sound but for its storage, which nobody reads before the family is known; see `test_z.py`.
LATER = {"z11_crc_of_a_storage"}


@pytest.mark.parametrize("case", sorted(set(HOSTILE) - LATER))
def test_refused_in_one_sentence_and_nothing_changes(case: str, tmp_path: Path) -> None:
    data = HOSTILE[case]()
    old = write(tmp_path, data)
    os.utime(old, ns=(1, 1))
    before = old.stat()
    done = convert(old)
    assert done.code == ExitCode.BAD_CHECKPOINT
    assert done.out == ""
    error, *hint = done.err.splitlines()
    assert error.startswith(f"Error: {old}: ")
    assert len(hint) <= 1
    assert all(line.isprintable() for line in (error, *hint))
    assert os.listdir(tmp_path) == ["old.pth"]
    assert old.read_bytes() == data
    after = old.stat()
    assert (before.st_mtime_ns, before.st_ctime_ns) == (after.st_mtime_ns, after.st_ctime_ns)


@pytest.mark.parametrize("case", sorted(HOSTILE)[::5])
def test_looking_into_it_is_no_more_dangerous(case: str, tmp_path: Path) -> None:
    done = run("inspect", write(tmp_path, HOSTILE[case]()))
    assert done.code in (ExitCode.OK, ExitCode.BAD_CHECKPOINT)
    assert "Traceback" not in done.out + done.err
    assert os.listdir(tmp_path) == ["old.pth"]


def test_there_are_as_many_as_there_were() -> None:
    assert len(HOSTILE) >= 370
