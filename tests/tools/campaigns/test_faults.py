"""A short slice of the fault campaign, and what it says of programs that are not careful."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_crash import IN_PLACE, run

pytestmark = pytest.mark.thorough

# Like much code, it takes for granted that all was written.
ONE_WRITE = """
import os
from mm_ckpt_migrate.files.archive.publish import Draft
Draft.write = lambda self, offset, data: os.pwrite(self.fd, data, offset)
"""
# The error of the disk gets out as it is.
BARE_ERRORS = """
from mm_ckpt_migrate.files.archive import publish
publish.as_destination_error = lambda path, error: error
"""


def test_i1_i2_i3_a_slice(tmp_path: Path) -> None:
    status, counts, wrong = run(tmp_path, "--only", "over a file, without", "--cases", "40", name="faults")
    assert not wrong
    assert status == 0
    assert counts["over a file, without O_TMPFILE: calls that failed"] > 30
    assert counts["EIO: refused"]
    assert counts["short: made all the same"]
    assert "short: refused" not in counts


@pytest.mark.parametrize(
    ("broken", "call", "words"),
    [
        (IN_PLACE, "pwrite64", "new.pth is broken"),
        (ONE_WRITE, "pwrite64", "refused for nothing"),
        (BARE_ERRORS, "fsync", "exit code 1"),
    ],
)
def test_a_careless_program_is_accused(broken: str, call: str, words: str, tmp_path: Path) -> None:
    only = ("--only", "to safetensors", "--call", call, "--cases", "12")
    status, _, wrong = run(tmp_path, *only, first=broken, name="faults")
    assert status == 1
    assert any(words in line for line in wrong)
