"""Writing: whole files or none, errors a user can act on, templates that travel along."""

from __future__ import annotations

import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest
from report_examples import short

import mm_ckpt_migrate.pages.write as module
from mm_ckpt_migrate.errors import DestinationError, MissingSoftwareError


def test_an_earlier_report_is_replaced(tmp_path: Path) -> None:
    folder = tmp_path / "made" / "on the way"
    first = module.write_report(folder, short())
    assert first == (folder / "report.json", folder / "report.html")
    first[1].write_text("old")
    module.write_report(folder, short())
    assert first[1].read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert sorted(path.name for path in folder.iterdir()) == ["report.html", "report.json"]


def test_a_folder_that_cannot_be_made_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(DestinationError, match="file"):
        module.write_report(tmp_path / "file", short())
    with pytest.raises(DestinationError):
        module.write_report(tmp_path / "file" / "below", short())
    folder = tmp_path / "folder"
    (folder / "report.html").mkdir(parents=True)
    with pytest.raises(DestinationError):
        module.write_report(folder, short())
    assert not list(folder.glob(".*.part"))


def test_missing_software_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: None if name == "jinja2" else name)
    with pytest.raises(MissingSoftwareError, match="Jinja2") as caught:
        module.write_report(tmp_path / "report", short())
    assert "mm-ckpt-migrate[report]" in caught.value.hint
    assert not (tmp_path / "report").exists()


def test_the_room_is_imported_without_its_libraries() -> None:
    code = (
        "import sys, mm_ckpt_migrate.pages.write, mm_ckpt_migrate.pages.folding;"
        "assert not {'jinja2', 'markupsafe', 'PIL', 'numpy', 'torch'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_the_templates_lie_in_the_package() -> None:
    found = {part.name for part in (files("mm_ckpt_migrate.pages") / "templates").iterdir()}
    assert {"base.html.j2", "report.html.j2", "report.css", "report.js"} <= found
    assert {"page.css", "tables.js", "batch.html.j2", "batch.css", "batch.js"} <= found
