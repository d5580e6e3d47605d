from __future__ import annotations

import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# `support` lies beside the rooms' folders.
sys.path += [str(HERE.parent), str(HERE.parent / "convert")]

from golden_cases import skip_without_stack  # noqa: E402

from mm_ckpt_migrate.legacy.environment import FOLDER_VARIABLE, PYTHON_VARIABLE  # noqa: E402


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skip_without_stack(items, HERE)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder for environments."""
    path = tmp_path / "legacy"
    monkeypatch.setenv(FOLDER_VARIABLE, str(path))
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    return path
