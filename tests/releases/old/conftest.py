from __future__ import annotations

from pathlib import Path

import pytest

from mm_ckpt_migrate.releases.old.environment import FOLDER_VARIABLE, PYTHON_VARIABLE


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for environments."""
    path = tmp_path / "legacy"
    monkeypatch.setenv(FOLDER_VARIABLE, str(path))
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    return path
