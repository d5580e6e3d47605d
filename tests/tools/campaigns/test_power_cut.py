"""A short slice of the power campaign, and what it says of programs that sync too little."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_crash import IN_PLACE, run

pytestmark = pytest.mark.thorough

_FILES = "lambda fd: None if os.path.isfile(f'/proc/self/fd/{fd}') else fsync(fd)"
_FOLDERS = "lambda fd: None if os.path.isdir(f'/proc/self/fd/{fd}') else fsync(fd)"
SYNC = "import os\nfsync = os.fsync\nos.fdatasync = os.fsync = "
# The names are synced, what is behind them is not.
NO_FILE_SYNC = SYNC + _FILES
# The other way round.
NO_FOLDER_SYNC = SYNC + _FOLDERS


def test_k2_a_slice(tmp_path: Path) -> None:
    only = ("--only", "over a file", "--rounds", "2", "--cases", "4")
    status, counts, wrong = run(tmp_path, *only, name="power_cut")
    assert not wrong
    assert status == 0
    assert counts["over a file: moments"] > 20
    assert counts["states after the end"] >= 4
    assert counts["left: the new file"]
    assert counts["left: what was there before"]
    assert counts["left: a temporary file, for the next start to sweep"]


def test_k2_a_slice_of_a_batch(tmp_path: Path) -> None:
    only = ("--only", "a batch", "--rounds", "1", "--cases", "6")
    status, counts, wrong = run(tmp_path, *only, name="power_cut")
    assert not wrong
    assert status == 0
    assert counts["a batch: moments"] > 20
    assert counts["started again"] > 6


@pytest.mark.parametrize(
    ("broken", "only", "words"),
    [
        (NO_FILE_SYNC, "a new file", "new.pth is broken"),
        (NO_FILE_SYNC, "over a file", "new.pth is broken"),
        (NO_FOLDER_SYNC, "a new file", "new.pth is absent after all"),
        (NO_FOLDER_SYNC, "over a file", "new.pth is before after all"),
        (NO_FOLDER_SYNC, "a batch", "batch.json is absent after all"),
        (IN_PLACE, "over a file", "new.pth is broken"),
    ],
)
def test_a_program_that_syncs_too_little_is_accused(
    broken: str, only: str, words: str, tmp_path: Path
) -> None:
    options = ("--only", only, "--rounds", "1", "--cases", "4")
    status, _, wrong = run(tmp_path, *options, first=broken, name="power_cut")
    assert status == 1
    assert any(words in line for line in wrong)
