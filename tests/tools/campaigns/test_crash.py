"""A short slice of the crash campaign, and what it says of a program that writes in place."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.thorough

CAMPAIGNS = Path(__file__).parents[3] / "tools" / "campaigns"

# The destination itself is written, as by a program that thinks of no crash.
IN_PLACE = """
import os
from mm_ckpt_migrate.files.archive.publish import Draft
Draft._open = lambda self, mode: os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, mode)
Draft._name = lambda self, force: None
"""
# What killed runs left is left to others.
NO_SWEEP = """
from mm_ckpt_migrate.files.archive import publish
publish.sweep = lambda folder: []
"""


def run(
    folder: Path, *arguments: str, first: str = "", name: str = "crash"
) -> tuple[int, dict[str, int], list[str]]:
    """Exit status, counts and accusations of the campaign, after other code was run first."""
    facts = folder / "facts.json"
    program = f"{first}\nimport {name}, sys\nsys.exit({name}.main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments, "--jobs", "2", "--save", str(facts)],
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
        cwd=CAMPAIGNS,
    )
    if "processes be traced" in done.stderr or "on x86-64 only" in done.stderr:
        pytest.skip(done.stderr.splitlines()[-1])
    assert facts.exists(), done.stderr
    found = json.loads(facts.read_text())
    return done.returncode, found["counts"], found["wrong"]


def test_k1_a_slice(tmp_path: Path) -> None:
    status, counts, wrong = run(tmp_path, "--only", "over a file", "--cases", "12", "--moments", "4")
    assert not wrong
    assert status == 0
    assert counts["over a file: killed at a call"] > 6
    assert counts["over a file, without O_TMPFILE: killed at a call"] > 6
    assert counts["started again"] > 20
    assert counts["left: a temporary file, for the next start to sweep"]


def test_a_program_that_writes_in_place_is_accused(tmp_path: Path) -> None:
    status, _, wrong = run(
        tmp_path, "--only", "over a file", "--cases", "12", "--moments", "0", first=IN_PLACE
    )
    assert status == 1
    assert any("new.pth is broken" in line for line in wrong)


def test_a_program_that_never_sweeps_is_accused(tmp_path: Path) -> None:
    status, _, wrong = run(
        tmp_path, "--only", "a new file, without", "--cases", "12", "--moments", "0", first=NO_SWEEP
    )
    assert status == 1
    assert any("stays for ever" in line for line in wrong)
