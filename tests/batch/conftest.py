"""Folders of small checkpoints, and batches of them."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from zoos import make_zoo


@pytest.fixture(scope="session")
def golden_zoo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One of every kind; not to be changed."""
    return make_zoo(tmp_path_factory.mktemp("zoos") / "zoo")


@pytest.fixture
def zoo(golden_zoo: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(golden_zoo, tmp_path / "zoo"))
