"""A zoo's folder: index, metafiles that it lists, and those that it forgot."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.zoo.read import leads_out, read_zoo

ENTRY = "Models:\n- {Name: %s, Config: configs/x.py}\n"


def put(root: Path, name: str, text: str) -> None:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    put(tmp_path, "model-index.yml", "Import:\n- configs/b/metafile.yml\n- configs/a/a.yml\n")
    put(tmp_path, "configs/a/a.yml", ENTRY % "one")
    put(tmp_path, "configs/b/metafile.yml", ENTRY % "two")
    return tmp_path


def names(root: Path) -> list[str]:
    return [model.name for model in read_zoo(root).models]


def test_the_index_gives_the_order(root: Path) -> None:
    zoo = read_zoo(root)
    assert [model.name for model in zoo.models] == ["two", "one"]
    assert zoo.listed == ("configs/b/metafile.yml", "configs/a/a.yml")
    assert zoo.faults == ()


def test_forgotten_metafiles_are_found(root: Path) -> None:
    put(root, "configs/c/metafile.yaml", ENTRY % "three")
    assert names(root) == ["two", "one", "three"]


def test_other_yaml_is_left_alone(root: Path) -> None:
    put(root, "configs/c/dataset.yml", "Name: x\nclasses: [a, b]\n")
    put(root, ".circleci/config.yml", "jobs: {build: 1}\n")
    put(root, "dataset-index.yml", "ade20k: {dataset: x}\n")
    zoo = read_zoo(root)
    assert (len(zoo.models), zoo.faults) == (2, ())


def test_without_an_index(root: Path) -> None:
    (root / "model-index.yml").unlink()
    zoo = read_zoo(root)
    assert sorted(model.name for model in zoo.models) == ["one", "two"]
    assert zoo.listed is None


def test_an_installed_package(root: Path) -> None:
    package = root / "mmdet"
    put(package, ".mim/configs/x/metafile.yml", ENTRY % "inside")
    assert names(package) == names(package / ".mim") == ["inside"]


def test_a_configs_folder_that_is_a_link(root: Path, tmp_path: Path) -> None:
    """As in a package that was installed with `pip install -e`."""
    other = tmp_path / "linked"
    other.mkdir()
    (other / "configs").symlink_to(root / "configs")
    assert sorted(names(other)) == ["one", "two"]


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("configs/a/a.yml", "a: [\n", "not YAML"),
        ("configs/a/a.yml", "a: &x 1\n", "anchors"),
        ("model-index.yml", "Import: [../../secret.yml]\n", "outside the zoo"),
        ("model-index.yml", "Import: [/etc/passwd]\n", "outside the zoo"),
        ("model-index.yml", "Import: [configs/gone.yml]\n", "No such file"),
        ("model-index.yml", "Import: [configs]\n", "no regular file"),
    ],
)
def test_a_fault_does_not_stop_the_rest(root: Path, name: str, text: str, reason: str) -> None:
    put(root, name, text)
    zoo = read_zoo(root)
    assert [reason in fault.reason for fault in zoo.faults] == [True]
    assert "two" in [model.name for model in zoo.models]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs")
def test_a_pipe_is_not_waited_for(root: Path) -> None:
    os.mkfifo(root / "configs" / "x.yml")
    assert names(root) == ["two", "one"]


def test_no_zoo(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no metafile"):
        read_zoo(tmp_path)
    with pytest.raises(ConfigError, match="no folder"):
        read_zoo(tmp_path / "gone")


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "configs/../../x", "..\\x", "a\x00b"])
def test_paths_that_lead_out(root: Path, name: str) -> None:
    assert leads_out(name)
    assert read_zoo(root).path(name) is None


@pytest.mark.parametrize("name", ["configs/x.py", "configs/..x/y", "configs/gn%2Bws/x.py", "x"])
def test_paths_that_stay_inside(root: Path, name: str) -> None:
    assert read_zoo(root).path(name) == root / name
