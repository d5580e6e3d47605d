"""`--publish`: new names by config and digest, a table of them, and a zoo that has them."""

from __future__ import annotations

import csv
import os
import re
import shutil
from pathlib import Path

import pytest
from zoos import batch, digest, digests, entries, golden_path

from mm_ckpt_migrate.errors import ExitCode

OLD = "detr_r18_2x_coco_20200101_010203-0badbeef.pth"


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """A checkout of configs and pages that name two files, one of them to be migrated."""
    folder = tmp_path / "checkout" / "configs" / "detr"
    folder.mkdir(parents=True)
    (folder / "detr_r18_8xb2_coco.py").write_text("model = dict(type='DETR')\n")
    (folder / "metafile.yml").write_text(
        "Models:\n- Name: detr_r18_8xb2_coco\n  Config: configs/detr/detr_r18_8xb2_coco.py\n"
        f"  Weights: https://example.com/{OLD}\n"
    )
    (folder / "README.md").write_text(f"[model](https://example.com/{OLD}) and its text\n")
    return tmp_path / "checkout"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    (folder / "detr").mkdir(parents=True)
    shutil.copy(golden_path("detr_r18"), folder / "detr" / OLD)
    shutil.copy(golden_path("vit_upernet"), folder / "vit.pth")
    return folder


def test_a_zoo_is_published_anew(zoo: Path, files: Path, tmp_path: Path) -> None:
    new, checkout = tmp_path / "new", digests(zoo)
    assert batch(files, new, "--publish", "--zoo", zoo).returncode == 0
    name = Path(entries(new)[f"detr/{OLD}"]["outcome"]["destination"])
    sha = digest(new / name)
    assert str(name) == f"detr/detr_r18_8xb2_coco_20200101_010203-{sha[:8]}.pth"
    with (new / "renamed.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["old_name"], row["new_name"], row["digest"]) == (OLD, name.name, sha)
    for page in ("metafile.yml", "README.md"):
        before = (zoo / "configs/detr" / page).read_text()
        after = (new / "zoo/configs/detr" / page).read_text()
        assert after == before.replace(OLD, name.name)
    assert digests(zoo) == checkout
    assert (new / "vit.pth").exists()


def test_it_holds_weights_alone(zoo: Path, files: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    batch(files, new, "--publish", "--zoo", zoo)
    batch(files, tmp_path / "other", "--for", "inference")
    name = entries(new)[f"detr/{OLD}"]["outcome"]["destination"]
    assert digest(new / name) == digest(tmp_path / "other" / "detr" / OLD)


def test_again_nothing_is_done(zoo: Path, files: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    batch(files, new, "--publish", "--zoo", zoo)
    before = digests(new)
    done = batch(files, new, "--publish", "--zoo", zoo)
    assert "; 0 to be done now" in done.stderr
    assert digests(new) == before


def test_without_a_metafile_the_name_stays_but_for_the_digest(files: Path, tmp_path: Path) -> None:
    batch(files, tmp_path / "new", "--publish")
    name = entries(tmp_path / "new")[f"detr/{OLD}"]["outcome"]["destination"]
    assert re.fullmatch(r"detr/detr_r18_2x_coco_20200101_010203-[0-9a-f]{8}\.pth", name)
    assert "0badbeef" not in name


def test_b11_two_inputs_with_one_published_name(files: Path, tmp_path: Path) -> None:
    """The same weights under two names give one file: the second input is refused."""
    twin = OLD.replace("0badbeef", "0badcafe")
    shutil.copy(files / "detr" / OLD, files / "detr" / twin)
    for _ in range(2):
        assert batch(files, tmp_path / "new", "--publish").returncode == ExitCode.INCOMPLETE
        found = entries(tmp_path / "new")
        assert found[f"detr/{OLD}"]["outcome"]["status"] == "migrated"
        assert found[f"detr/{twin}"]["outcome"]["status"] == "refused"
        assert OLD in found[f"detr/{twin}"]["outcome"]["summary"]
        assert len(os.listdir(tmp_path / "new" / "detr")) == 1


def test_a_published_name_that_another_file_has(files: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    batch(files, new, "--publish")
    name = entries(new)[f"detr/{OLD}"]["outcome"]["destination"]
    shutil.rmtree(new)
    (new / "detr").mkdir(parents=True)
    (new / name).write_text("mine")
    assert batch(files, new, "--publish").returncode == ExitCode.INCOMPLETE
    assert (new / name).read_text() == "mine"
