"""A short slice of the campaign of costly pickles, and that it tells a program that is broken."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import bounds
from bounds_kinds import KINDS
from seeds import Parts, as_zip
from tally import Tally

from mm_ckpt_migrate.errors import ExitCode

pytestmark = pytest.mark.mm
SIZE = 500_000
UNBOUND = "from mm_ckpt_migrate.files.pickles import limits; limits.FREE_OBJECTS = 10**9"


@pytest.fixture(scope="module")
def whole() -> Parts:
    return bounds.base()


@pytest.mark.parametrize("kind", ["lists 190 deep", "tensors of shared parts", "a shared text"])
def test_a_slice(kind: str, whole: Parts, tmp_path: Path) -> None:
    """Of memory: how long something takes is no matter for a test."""
    old = tmp_path / "old.pth"
    old.write_bytes(as_zip(bounds.made(whole, KINDS[kind], SIZE)))
    tally = Tally("a slice")
    bounds.attempt(tally, kind, old, ["inspect", "convert"], timed=False)
    assert tally.wrong == []
    assert tally.counts["convert: exit code 0"] == 1


@pytest.mark.parametrize("kind", ["integers of one hash as keys", "a shared list of hundreds"])
def test_what_could_not_be_bounded_is_refused(kind: str, whole: Parts, tmp_path: Path) -> None:
    old = tmp_path / "old.pth"
    old.write_bytes(as_zip(bounds.made(whole, KINDS[kind], SIZE)))
    tally = Tally("a slice")
    bounds.attempt(tally, kind, old, ["convert"], timed=False)
    assert tally.wrong == []
    assert tally.counts[f"convert: exit code {ExitCode.BAD_CHECKPOINT:d}"] == 1


def test_a_program_without_limits_is_accused(whole: Parts, tmp_path: Path) -> None:
    old = tmp_path / "old.pth"
    old.write_bytes(as_zip(bounds.made(whole, KINDS["lists"], 2 * SIZE, pad=False)))
    assert bounds.faults(bounds.run(["inspect", str(old)]), SIZE, timed=False) == []
    broken = bounds.run(["inspect", str(old)], UNBOUND.replace("OBJECTS", "OPCODES") + "\n" + UNBOUND)
    assert any("MB" in fault for fault in bounds.faults(broken, SIZE, timed=False))


def test_faults() -> None:
    assert bounds.faults(bounds.Cost(0, 2.9, 190.0), 1_000_000) == []
    assert len(bounds.faults(bounds.Cost(-9, 9.0, 250.0), 1_000_000)) == 3
    assert bounds.faults(bounds.Cost(0, 9.0, 190.0), 1_000_000, timed=False) == []
