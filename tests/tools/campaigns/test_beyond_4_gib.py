"""Z14: the campaign in small, and as it is where there are time and 5 GB of disk for it."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

import beyond_4_gib as campaign
from tally import Tally


def run(name: str, folder: Path) -> Tally:
    tally = Tally(name)
    campaign.check(name, folder, tally)
    return tally


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> str:
    """A border at 8 KiB, across which the stamp moves two headers."""
    monkeypatch.setattr(campaign, "FOUR_GIB", 8192)
    monkeypatch.setitem(campaign.LAYOUTS, "small", (5000, 300, 9000, 0))
    return "small"


def test_in_small(small: str, tmp_path: Path) -> None:
    tally = run(small, tmp_path)
    assert tally.wrong == []
    assert tally.counts["loaded and compared"] == 4


def test_what_is_wrong_is_found(small: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(campaign, "_NEW", campaign._NEW[1:] + campaign._NEW[:1])
    assert len(run(small, tmp_path).wrong) == 4


@pytest.mark.thorough
@pytest.mark.timeout(1500)
@pytest.mark.parametrize("name", list(campaign.LAYOUTS))
def test_every_layout(name: str, tmp_path: Path) -> None:
    tally = run(name, tmp_path)
    assert tally.wrong == []
    assert tally.counts["headers past 4 GiB, new files"] > 0
