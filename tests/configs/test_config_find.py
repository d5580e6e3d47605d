"""Finding a config by path or name, and its scope."""

from __future__ import annotations

from importlib.machinery import PathFinder
from pathlib import Path

import pytest

from mm_ckpt_migrate.configs.read import shipped
from mm_ckpt_migrate.configs.read.find import config_scope, find_config
from mm_ckpt_migrate.errors import ConfigError

NAMES = {
    "mmseg": [
        "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py",
        "maskformer/maskformer_r50_8xb2-160k_ade20k-512x512.py",
        "_base_/default_runtime.py",
    ],
    "mmdet": [
        "mask2former/mask2former_r50_8xb2-lsj-50e_coco.py",
        "_base_/default_runtime.py",
        "seg/runtime.py",
        "sub/seg/runtime.py",
    ],
}


@pytest.fixture
def installed(tmp_path: Path, monkeypatch) -> Path:
    """Packages `mmseg` (installed) and `mmdet` (a source checkout), found but not importable."""
    roots = {"mmseg": tmp_path / "mmseg/.mim/configs", "mmdet": tmp_path / "repo/configs"}
    for package, root in roots.items():
        for name in NAMES[package]:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text("a = 1")
    _package(tmp_path / "mmseg")
    _package(tmp_path / "repo" / "mmdet")
    _search(monkeypatch, tmp_path, tmp_path / "repo")
    return tmp_path


def _package(folder: Path) -> None:
    folder.mkdir(exist_ok=True)
    (folder / "__init__.py").write_text("raise RuntimeError('imported')")


def _search(monkeypatch, *folders: Path) -> None:
    search = [str(folder) for folder in folders]

    def find_spec(name: str):
        return PathFinder.find_spec(name, search)

    monkeypatch.setattr(shipped, "find_spec", find_spec)


@pytest.mark.parametrize(
    "name",
    [
        "mask2former_r50_8xb2-160k_ade20k-512x512",
        "mask2former_r50_8xb2-160k_ade20k-512x512.py",
        "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512",
        "configs/mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py",
        "mmseg::mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py",
    ],
)
def test_a_shipped_name(installed: Path, name: str) -> None:
    assert find_config(name) == installed / "mmseg/.mim/configs" / NAMES["mmseg"][0]


def test_a_source_checkout(installed: Path) -> None:
    found = find_config("mask2former_r50_8xb2-lsj-50e_coco")
    assert found == installed / "repo/configs" / NAMES["mmdet"][0]


def test_a_path_wins_over_a_name(installed: Path, monkeypatch) -> None:
    monkeypatch.chdir(installed)
    Path("default_runtime").write_text("a = 2")
    assert find_config("default_runtime") == Path("default_runtime")
    assert find_config(str(installed / "default_runtime")) == installed / "default_runtime"


def test_the_whole_name_wins_over_its_end(installed: Path) -> None:
    assert find_config("seg/runtime") == installed / "repo/configs/seg/runtime.py"


def test_an_ambiguous_name(installed: Path) -> None:
    with pytest.raises(ConfigError, match="2 shipped configs have this name") as caught:
        find_config("default_runtime")
    assert "mmseg::_base_/default_runtime.py, mmdet::_base_/default" in caught.value.hint


@pytest.mark.parametrize(
    "name",
    [
        "mask2former_r50_8xb2-160k_ade20k-640x640",
        "work_dirs/mask2former_r50_8xb2_ade20k-512x512.py",
        "/nowhere/mask2former_r50_8xb2-160k_ade20k.py",
    ],
)
def test_a_misspelt_name(installed: Path, name: str) -> None:
    with pytest.raises(ConfigError, match="no such file, and no shipped config") as caught:
        find_config(name)
    assert caught.value.hint.startswith(f"did you mean mmseg::{NAMES['mmseg'][0]}")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("", "no such file"),
        ("a\0b", "no such file"),
        ("x" * 5000, "no such file"),
        ("nothing like it", "no such file"),
        ("mmseg::nothing", "ships no config of this name"),
        ("mmseg::../../__init__", "leads out of the configs"),
        ("mmseg::/etc/passwd", "leads out of the configs"),
        ("mmpose::a/b", "mmpose is not installed"),
        ("os::path", "not a package of OpenMMLab"),
        ("mmseg::a\x1b[2J", "not of the form"),
    ],
)
def test_not_found(installed: Path, name: str, reason: str) -> None:
    with pytest.raises(ConfigError) as caught:
        find_config(name)
    assert reason in str(caught.value)


def test_a_folder(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a folder"):
        find_config(str(tmp_path))


def test_nothing_installed(tmp_path: Path, monkeypatch) -> None:
    _search(monkeypatch, tmp_path)
    with pytest.raises(ConfigError) as caught:
        find_config("mask2former_r50")
    assert "install one of mmsegmentation, mmdet" in caught.value.hint


def test_one_package_missing(installed: Path, monkeypatch) -> None:
    _search(monkeypatch, installed / "repo")
    with pytest.raises(ConfigError) as caught:
        find_config("mask2former_r50_8xb2-160k_ade20k-512x512")
    assert "mmsegmentation is not installed" in caught.value.hint


def test_an_installed_package_is_not_imported() -> None:
    assert shipped.config_root("antigravity") is None
    assert shipped.config_root("no_such_package_at_all") is None


@pytest.mark.parametrize(
    ("config", "scope"),
    [
        ({"default_scope": "mmdet"}, "mmdet"),
        ({"default_scope": "mmseg", "model": {"type": "mmdet.X"}}, "mmseg"),
        ({"model": {"type": "mmdet.MaskFormer"}}, "mmdet"),
        ({"model": {"type": "EncoderDecoder", "decode_head": {}}}, "mmseg"),
        ({"model": {"type": "DETR", "bbox_head": {}}}, "mmdet"),
        ({"model": {"type": "MaskFormer", "panoptic_head": {}}}, "mmdet"),
        ({"model": {"type": "Custom"}}, "mmseg"),
        ({"model": None}, "mmseg"),
        ({}, "mmseg"),
    ],
)
def test_scope(config, scope: str) -> None:
    assert config_scope("my.py", config) == scope
    assert config_scope(None, config) == scope


def test_scope_of_a_shipped_file(installed: Path) -> None:
    config = {"model": {"type": "EncoderDecoder", "decode_head": {}}}
    path = installed / "repo/configs" / NAMES["mmdet"][0]
    assert config_scope(path, config) == "mmdet"
    assert config_scope("mmdet::a", config) == "mmdet"
    assert config_scope(path, {"default_scope": "mmseg"}) == "mmseg"


def test_another_scope_is_refused() -> None:
    with pytest.raises(ConfigError, match="default_scope is 'mmdet3d'"):
        config_scope("my.py", {"default_scope": "mmdet3d"})
