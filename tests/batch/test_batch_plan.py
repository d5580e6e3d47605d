"""What a batch decides on each file, and how it finds them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from zoos import COPIED, MIGRATED, REFUSED, batch, digests, golden_path, save

from mm_ckpt_migrate.batch.find import find_checkpoints, find_named
from mm_ckpt_migrate.batch.listed import read_listed
from mm_ckpt_migrate.batch.pair import Pairing, pair
from mm_ckpt_migrate.batch.shard import Shard, ShardError, read_shard
from mm_ckpt_migrate.convert.options import EMBEDDED
from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.identify.diagnosis.judge import diagnose
from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.mapping.rules.library import load_rules


def plan(*arguments: str | Path) -> dict[str, dict[str, Any]]:
    done = batch(*arguments, "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    return {item["source"]: item for item in json.loads(done.stdout)}


def test_each_kind_has_its_verdict(golden_zoo: Path, tmp_path: Path) -> None:
    found = plan(golden_zoo, tmp_path / "new")
    actions = {source: item["action"] for source, item in found.items()}
    assert actions == {
        **dict.fromkeys(MIGRATED.values(), "migrate"),
        **dict.fromkeys(COPIED.values(), "copy"),
        **dict.fromkeys(REFUSED, "refuse"),
    }
    for source, words in REFUSED.items():
        assert words in found[source]["reason"]
        assert found[source]["exit_code"] in (ExitCode.BAD_CHECKPOINT, ExitCode.FAMILY_REFUSED)
    assert found["detr/old.pth"]["family"] == "detr"
    assert found["seg/maskformer.pth"]["family"] == "maskformer"


def test_what_was_migrated_is_to_be_copied(zoo: Path, tmp_path: Path) -> None:
    batch(zoo, tmp_path / "new")
    again = plan(tmp_path / "new", tmp_path / "newer")
    assert {item["action"] for item in again.values()} == {"copy"}
    assert set(again) == {*MIGRATED.values(), *COPIED.values()}


def test_b13_a_dry_run_writes_nothing(zoo: Path, tmp_path: Path) -> None:
    before = digests(tmp_path)
    done = batch(zoo, tmp_path / "new", "--dry-run")
    assert done.returncode == 0
    assert "6 to migrate, 1 to copy, 5 to refuse" in done.stdout
    assert digests(tmp_path) == before
    assert not (tmp_path / "new").exists()


def paired(path: Path, listed: Mapping[str, Sequence[str]]) -> Pairing:
    table = load_table()
    with Source(path) as source:
        checkpoint = open_checkpoint(source)
        diagnosis = diagnose(checkpoint.schema, load_rules(), table)
        return pair(path.name, checkpoint, diagnosis, table, listed)


def test_a_metafile_pairs_before_the_config_inside() -> None:
    path = golden_path("mask2former_r18")
    assert paired(path, {path.name: ["mine.py"]}) == Pairing("mine.py", "the metafile")
    assert paired(path, {}) == Pairing(EMBEDDED, "the config inside")


def test_an_ambiguous_pair_is_listed_not_guessed() -> None:
    path = golden_path("mask2former_r18")
    found = paired(path, {path.name: ["b.py", "a.py"]})
    assert found == Pairing("", "the metafile names several configs: a.py, b.py")


def test_the_zoo_and_its_metafile_say_the_same(tmp_path: Path) -> None:
    folder = tmp_path / "configs" / "detr"
    folder.mkdir(parents=True)
    (folder / "detr_r18.py").touch()
    (folder / "metafile.yml").write_text(
        "Models:\n- Name: detr_r18\n  Config: configs/detr/detr_r18.py\n"
        "  Weights: https://example.com/v2/detr_r18_20200101-0badbeef.pth\n"
        "- Name: gone\n  Config: configs/detr/gone.py\n  Weights: https://example.com/gone.pth\n"
    )
    expected = {"detr_r18_20200101-0badbeef.pth": (str(folder / "detr_r18.py"),)}
    assert read_listed(folder / "metafile.yml").configs == expected
    assert read_listed(tmp_path).configs == expected
    (tmp_path / "model-index.yml").write_text("Import:\n- configs/detr/metafile.yml\n")
    assert read_listed(tmp_path / "model-index.yml").configs == expected


@pytest.mark.mm
@pytest.mark.parametrize(("package", "least"), [("mmseg", 500), ("mmdet", 400)])
def test_an_installed_zoo(package: str, least: int) -> None:
    listed = read_listed(Path(package)).configs
    assert len(listed) > least
    sure = [configs[0] for configs in listed.values() if len(configs) == 1]
    assert len(sure) > least
    assert all(Path(config).is_file() for config in sure)


def test_b10_a_loop_of_links_is_entered_once(tmp_path: Path) -> None:
    deep = tmp_path / "a" / "b"
    deep.mkdir(parents=True)
    (deep / "x.pth").touch()
    (deep / "loop").symlink_to(tmp_path)
    (tmp_path / "a" / "again").symlink_to(deep)
    (tmp_path / "self").symlink_to("self")
    (tmp_path / "0").symlink_to(deep)
    found = find_checkpoints(tmp_path, without=tmp_path / "none")
    assert [one.source for one in found] == ["a/b/x.pth"]


@pytest.fixture
def linked(tmp_path: Path) -> Path:
    """A zoo with links that stay within it and such that lead out, of files and of folders."""
    zoo, home = tmp_path / "zoo", tmp_path / "home"
    for path in (zoo / "real" / "x.pth", home / "private.pth", tmp_path / "zoo2" / "y.pth"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    (zoo / "one").symlink_to("real")
    (zoo / "within.pth").symlink_to("real/x.pth")
    (zoo / "roundabout.pth").symlink_to("../zoo/real/x.pth")
    (zoo / "models").symlink_to(home)
    (zoo / "beside").symlink_to(tmp_path / "zoo2")  # whose name begins alike
    (zoo / "file.pth").symlink_to(home / "private.pth")
    (zoo / "notes.txt").symlink_to(home / "private.pth")
    (zoo / "real" / "twice.pth").symlink_to("../file.pth")
    return zoo


OUT = ["beside", "file.pth", "models", "real/twice.pth"]


def test_links_that_lead_out_are_left_out_and_said(linked: Path) -> None:
    found = find_checkpoints(linked, without=linked / "none")
    faults = {one.source: one.fault for one in found}
    assert [name for name, fault in faults.items() if fault] == OUT
    assert set(faults.values()) == {"", "it is a link that leads out of the folder, and is left out"}
    assert [n for n, f in faults.items() if not f] == ["real/x.pth", "roundabout.pth", "within.pth"]


def test_links_that_lead_out_are_not_listed_either(linked: Path) -> None:
    names = ["models/private.pth", "file.pth", "one/x.pth", "real/twice.pth", "beside/y.pth"]
    found = find_named(linked, names, without=linked / "none")
    assert [one.source for one in found if not one.fault] == ["one/x.pth"]
    assert all(one.signature.size == one.signature.inode == 0 for one in found if one.fault)


def test_a_folder_that_is_itself_behind_a_link(linked: Path, tmp_path: Path) -> None:
    (tmp_path / "short").symlink_to(linked)
    found = find_checkpoints(tmp_path / "short", without=linked / "none")
    assert [one.source for one in found if one.fault] == OUT


def test_what_cannot_be_looked_into_is_listed(tmp_path: Path) -> None:
    zoo = tmp_path / "zoo"
    zoo.mkdir()
    (zoo / "gone.pth").symlink_to("nowhere")
    os.mkfifo(zoo / "pipe.pth")
    (zoo / os.fsdecode(b"\xff.pth")).touch()
    found = plan(zoo, tmp_path / "new")
    assert {item["action"] for item in found.values()} == {"refuse"}
    assert "leads nowhere" in found["gone.pth"]["reason"]
    assert "not a regular file" in found["pipe.pth"]["reason"]
    assert len(found) == 3


def test_i14_names_that_differ_by_case_alone(tmp_path: Path) -> None:
    zoo = tmp_path / "zoo"
    (zoo / "S").mkdir(parents=True)
    shutil.copy(golden_path("rpn_r18"), zoo / "A.pth")
    shutil.copy(golden_path("rpn_r18"), zoo / "a.pth")
    shutil.copy(golden_path("rpn_r18"), zoo / "S" / "a.pth")
    found = plan(zoo, tmp_path / "new")
    assert [found[name]["action"] for name in ("A.pth", "a.pth")] == ["refuse", "refuse"]
    assert "where case does not count" in found["A.pth"]["reason"]
    assert found["S/a.pth"]["action"] == "migrate"


def test_results_among_the_sources_are_no_sources(zoo: Path) -> None:
    assert batch(zoo, zoo / "new").returncode == ExitCode.INCOMPLETE
    assert not [name for name in plan(zoo, zoo / "new") if name.startswith("new")]


@pytest.mark.parametrize("results", [".", ".."])
def test_sources_among_the_results_are_refused(zoo: Path, results: str) -> None:
    before = digests(zoo.parent)
    done = batch(zoo, zoo / results)
    assert done.returncode == ExitCode.BAD_DESTINATION
    assert digests(zoo.parent) == before


def test_a_list_of_files(zoo: Path, tmp_path: Path) -> None:
    names = ["detr/old.pth", "./seg/../detr/old.pth", str(zoo / "yolact.pth"), "", "no.pth", "../x"]
    (tmp_path / "list").write_text("\n".join(names))
    found = plan(zoo, tmp_path / "new", "--list", tmp_path / "list")
    actions = {name: item["action"] for name, item in found.items()}
    assert actions == {
        "detr/old.pth": "migrate",
        "yolact.pth": "migrate",
        "no.pth": "refuse",
        "../x": "refuse",
    }
    assert "outside" in found["../x"]["reason"]


def test_a_listed_result_is_no_source(tmp_path: Path) -> None:
    new = tmp_path / "zoo" / "new"
    new.mkdir(parents=True)
    save(new / "x.pth", {"a": (1,)})
    (found,) = find_named(tmp_path / "zoo", ["new/x.pth"], without=new)
    assert "among the results" in found.fault


def test_shards_are_a_partition(golden_zoo: Path, tmp_path: Path) -> None:
    whole = set(plan(golden_zoo, tmp_path / "new"))
    parts = [set(plan(golden_zoo, tmp_path / "new", "--shard", f"{i}/3")) for i in (1, 2, 3)]
    assert set.union(*parts) == whole
    assert sum(map(len, parts)) == len(whole)


def test_names_that_may_collide_are_in_one_shard() -> None:
    for count in range(1, 20):
        for number in range(1, count + 1):
            shard = Shard(number, count)
            assert shard.has("x/Stra\u00dfe.pth") == shard.has("X/STRASSE.pth")


@pytest.mark.parametrize("text", ["0/2", "3/2", "1", "1/", "a/b", "1/2/3", "-1/2", "1/0"])
def test_no_shards(text: str) -> None:
    with pytest.raises(ShardError):
        read_shard(text)


def test_what_the_zoo_lists_and_is_not_there(zoo: Path, tmp_path: Path) -> None:
    (tmp_path / "zoo.py").write_text("model = dict()")
    entries = "".join(
        f"- Name: {name}\n  Config: zoo.py\n  Weights: https://example.com/{name}.pth\n"
        for name in ("yolactless", "yolact", "lost")
    )
    metafile = tmp_path / "metafile.yml"
    metafile.write_text(f"Models:\n{entries}")
    done = batch(zoo, tmp_path / "new", "--zoo", metafile)
    report = json.loads((tmp_path / "new/batch.json").read_text())
    assert report["absent"] == ["lost.pth", "yolactless.pth"]
    assert "2 that the zoo lists are not there" in done.stdout
