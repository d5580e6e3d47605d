from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where temporary files go; nothing may be left there, however the test ends."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    yield folder
    assert [path for path in folder.rglob("*") if path.is_file()] == []


Load = Callable[..., Any]


@pytest.fixture
def load(temporary: Path) -> Load:
    """Load through mmengine's own front door, from which the scheme is found by its prefix."""
    from mmengine.runner import CheckpointLoader

    import mm_ckpt_migrate.mmengine_loader  # noqa: F401

    def run(path: Path | str, map_location: Any = "cpu") -> Any:
        return CheckpointLoader.load_checkpoint(f"migrate://{path}", map_location)

    return run


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, str]]:
    """What the loader logs: level and text."""
    from mm_ckpt_migrate import mmengine_loader

    lines: list[tuple[int, str]] = []

    def note(text: str, logger: str, level: int) -> None:
        assert logger == "current"
        lines.append((level, text))

    monkeypatch.setattr(mmengine_loader, "print_log", note)
    return lines
