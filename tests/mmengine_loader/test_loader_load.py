"""`migrate://` gives what `torch.load` gives of the file that `convert` makes."""

from __future__ import annotations

import hashlib
import importlib
import logging
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.equal import same
from support.files import GOLDEN_FOLDER, golden_file

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options

torch = pytest.importorskip("torch")
pytestmark = [pytest.mark.thorough, pytest.mark.mm]

Load = Callable[..., Any]
Said = list[tuple[int, str]]
TRAINED = GOLDEN_FOLDER / "mask2former_r18" / "old.pth"


def converted(old: Path, new: Path) -> Any:
    """By the library, with the model that an optimizer needs."""
    trained = "optimizer" in torch.load(old, "cpu", weights_only=False)
    convert("auto", "embedded" if trained else "-", old, new, Options(build=trained))
    return torch.load(new, "cpu")


def edited(path: Path, change: Callable[[Any], Any]) -> Path:
    content = torch.load(TRAINED, "cpu", weights_only=False)
    change(content)
    torch.save(content, path)
    return path


@pytest.mark.parametrize(
    "name", ["mask2former_r18", "maskformer_swin", "detr_g1_r18", "deformable_detr_r18", "vit_upernet"]
)
def test_it_is_what_convert_makes(name: str, tmp_path: Path, load: Load) -> None:
    old = golden_file(name)
    before = hashlib.sha256(old.read_bytes()).digest(), old.stat().st_mtime_ns
    loaded = load(old)
    expected = converted(old, tmp_path / "new.pth")
    assert same(loaded, expected)
    assert same(*(getattr(c["state_dict"], "_metadata", None) for c in (loaded, expected)))
    assert (hashlib.sha256(old.read_bytes()).digest(), old.stat().st_mtime_ns) == before


def test_relative_paths_and_the_home_folder(load: Load, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = load(TRAINED)
    monkeypatch.chdir(TRAINED.parent)
    assert same(load("old.pth"), expected)
    assert same(load(os.path.join("..", TRAINED.parent.name, "old.pth")), expected)
    monkeypatch.setenv("HOME", str(TRAINED.parents[1]))
    assert same(load(f"~/{TRAINED.parent.name}/old.pth"), expected)


def test_the_tensors_go_where_they_are_sent(load: Load) -> None:
    for place in ("meta", torch.device("meta"), lambda storage, location: storage):
        weights = load(TRAINED, place)["state_dict"].values()
        expected = "cpu" if callable(place) else "meta"
        assert {tensor.device.type for tensor in weights} == {expected}


def test_importing_it_again_is_harmless() -> None:
    from mmengine.runner import CheckpointLoader

    from mm_ckpt_migrate import mmengine_loader

    schemes = set(CheckpointLoader._schemes)
    again = importlib.reload(mmengine_loader)
    assert set(CheckpointLoader._schemes) == schemes
    assert CheckpointLoader._get_checkpoint_loader("migrate:///a.pth") is again.load_from_migrate
    assert CheckpointLoader._get_checkpoint_loader("/migrate/a.pth").__name__ == "load_from_local"


def test_it_says_what_was_done_and_proven(load: Load, said: Said) -> None:
    load(TRAINED)
    [(level, text)] = said
    assert level == logging.INFO
    first, *notes = text.split("\n")
    assert first == (
        f"Migrated {TRAINED} while loading it (mask2former: 60 names change, 180 stay; "
        "integrity pass, keys pass, roles pass)"
    )
    assert any(note.startswith("Note: optimizer: 140 parameters keep") for note in notes)


def test_weights_alone_need_no_model(load: Load, said: Said) -> None:
    load(golden_file("maskformer_swin"))
    assert "integrity pass, keys skipped, roles pass" in said[0][1]


@pytest.mark.parametrize("what", ["migrated", "new"])
def test_a_file_in_the_new_layout_is_loaded_as_it_is(
    what: str, tmp_path: Path, load: Load, said: Said
) -> None:
    new = tmp_path / "new.pth"
    expected = converted(TRAINED, new)
    if what == "new":
        del expected["meta"]["mm_ckpt_migrate"]
        torch.save(expected, new)
    assert same(load(new), expected)
    assert said[-1][1].endswith("nothing to do")


def test_an_optimizer_without_a_model_to_follow_is_left_out_with_a_warning(
    tmp_path: Path, load: Load, said: Said
) -> None:
    def change(content: Any) -> None:
        text = content["meta"]["cfg"].replace("type='ResNet'", "type='SomebodysOwn'", 1)
        content["meta"]["cfg"] = text

    loaded = load(edited(tmp_path / "old.pth", change))
    assert "optimizer" not in loaded
    assert same(loaded["state_dict"], load(TRAINED)["state_dict"])
    (first, cannot), (second, done) = said[:2]
    assert (first, second) == (logging.WARNING, logging.WARNING)
    assert "cannot be built" in cannot
    assert "SomebodysOwn" in cannot
    assert "keys skipped" in done
    assert "optimizer and param_schedulers left out" in done
