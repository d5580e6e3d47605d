"""What a batch does, and what it does not do again."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from zoos import COPIED, MIGRATED, REFUSED, STATE, batch, digest, digests, entries, golden_path

from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.leftovers import draft_name

pytestmark = pytest.mark.thorough


@pytest.fixture(scope="module")
def expected(golden_zoo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an undisturbed batch."""
    new = tmp_path_factory.mktemp("expected") / "new"
    assert batch(golden_zoo, new).returncode == ExitCode.INCOMPLETE
    return new


def inodes(folder: Path) -> dict[str, int]:
    names = {*MIGRATED.values(), *COPIED.values()}
    return {name: (folder / name).stat().st_ino for name in names}


def test_every_input_once_with_its_outcome(expected: Path) -> None:
    found = entries(expected)
    status = {source: entry["outcome"]["status"] for source, entry in found.items()}
    assert status == {
        **dict.fromkeys(MIGRATED.values(), "migrated"),
        **dict.fromkeys(COPIED.values(), "copied"),
        **dict.fromkeys(REFUSED, "refused"),
    }
    for source, entry in found.items():
        outcome = entry["outcome"]
        assert bool(outcome["exit_code"]) == (outcome["status"] == "refused"), source
        made = expected / outcome["destination"]
        assert not outcome["result"] or outcome["result"] == digest(made)


def test_results_are_those_of_convert(golden_zoo: Path, expected: Path, tmp_path: Path) -> None:
    for source in MIGRATED.values():
        new = tmp_path / "new.pth"
        line = ["convert", "auto", "-", golden_zoo / source, new, "--no-build", "--force"]
        subprocess.run([sys.executable, "-m", "mm_ckpt_migrate", *line], check=True, stdout=-3)
        assert digest(new) == digest(expected / source)
    for source in COPIED.values():
        assert digest(golden_zoo / source) == digest(expected / source)


def test_nothing_else_is_there(expected: Path) -> None:
    assert set(digests(expected)) == {*MIGRATED.values(), *COPIED.values(), "batch.json", "batch.html"}
    assert set(os.listdir(expected / STATE)) == {"lock", "journal.sqlite"}


def test_a_rerun_does_nothing(zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    first = batch(zoo, new)
    before, report = inodes(new), digest(new / "batch.json")
    second = batch(zoo, new)
    assert first.returncode == second.returncode == ExitCode.INCOMPLETE
    assert "; 0 to be done now" in second.stderr
    assert (inodes(new), digest(new / "batch.json")) == (before, report)


def test_a_touched_source_is_not_done_again(zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    batch(zoo, new)
    before = inodes(new)
    os.utime(zoo / "yolact.pth")
    assert "; 0 to be done now" in batch(zoo, new).stderr
    assert inodes(new) == before


def test_b4_another_source_is_done(zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    batch(zoo, new)
    shutil.copy(golden_path("maskformer_swin"), zoo / "yolact.pth")
    done = batch(zoo, new)
    assert "; 1 to be done now" in done.stderr
    assert entries(new)["yolact.pth"]["family"] == "maskformer"
    assert entries(new)["yolact.pth"]["outcome"]["status"] == "migrated"


def test_b3_other_options_are_done(zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    batch(zoo, new)
    before = digests(new)
    done = batch(zoo, new, "--for", "inference")
    assert "; 7 to be done now" in done.stderr
    assert digests(new)["detr/old.pth"] != before["detr/old.pth"]
    batch(zoo, new)
    assert digests(new) == before


@pytest.mark.parametrize("how", ["changed", "gone"])
def test_a_result_that_is_not_what_it_was_is_made_again(how: str, zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    batch(zoo, new)
    before = digests(new)
    if how == "changed":
        (new / "yolact.pth").write_bytes(b"nothing")
    else:
        (new / "yolact.pth").unlink()
    assert "; 1 to be done now" in batch(zoo, new).stderr
    assert digests(new) == before


@pytest.mark.parametrize("journal", ["gone", "garbage", "other version", "cut"])
def test_b3_without_a_journal_results_are_recognised(
    journal: str, zoo: Path, expected: Path, tmp_path: Path
) -> None:
    new = tmp_path / "new"
    batch(zoo, new)
    path, before = new / STATE / "journal.sqlite", inodes(new)
    if journal == "gone":
        path.unlink()
    elif journal == "garbage":
        path.write_bytes(os.urandom(5000))
    elif journal == "cut":
        path.write_bytes(path.read_bytes()[:6000])
    else:
        subprocess.run(
            [
                sys.executable,
                "-c",
                f"import sqlite3; c = sqlite3.connect({str(path)!r});c.execute('PRAGMA user_version=99')",
            ],
            check=True,
        )
    assert "; 7 to be done now" in batch(zoo, new).stderr
    assert inodes(new) == before
    assert digests(new) == digests(expected)
    assert "; 0 to be done now" in batch(zoo, new).stderr


def test_a_file_of_somebody_else_is_kept(zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    new.mkdir()
    for name in ("yolact.pth", "vit"):
        (new / name).write_text("mine")
    for _ in range(2):
        assert batch(zoo, new).returncode == ExitCode.INCOMPLETE
        outcome = entries(new)["yolact.pth"]["outcome"]
        assert (outcome["status"], outcome["exit_code"]) == ("refused", ExitCode.BAD_DESTINATION)
        assert "--force" in outcome["summary"]
        assert (new / "yolact.pth").read_text() == "mine"
        assert entries(new)["vit/old.pth"]["outcome"]["exit_code"] == ExitCode.BAD_DESTINATION
    batch(zoo, new, "--force")
    assert entries(new)["yolact.pth"]["outcome"]["status"] == "migrated"
    assert (new / "vit").read_text() == "mine"


def test_links_among_the_results_are_not_followed(zoo: Path, tmp_path: Path) -> None:
    new, other = tmp_path / "new", tmp_path / "other"
    new.mkdir()
    other.mkdir()
    (other / "mine.pth").write_text("mine")
    (new / "yolact.pth").symlink_to(other / "mine.pth")
    (new / "detr").symlink_to(zoo / "detr")
    before = digests(zoo)
    batch(zoo, new, "--force")
    assert digests(zoo) == before
    assert (other / "mine.pth").read_text() == "mine"
    status = {name: entry["outcome"]["status"] for name, entry in entries(new).items()}
    assert [status[name] for name in ("yolact.pth", "detr/old.pth")] == ["refused", "refused"]


def test_hard_links_where_nothing_changes(zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    batch(zoo, new, "--link")
    assert (new / "vit/old.pth").samefile(zoo / "vit/old.pth")
    assert "; 0 to be done now" in batch(zoo, new, "--link").stderr
    (new / STATE / "journal.sqlite").unlink()
    batch(zoo, new, "--link")
    assert (new / "vit/old.pth").samefile(zoo / "vit/old.pth")
    batch(zoo, new)
    assert not (new / "vit/old.pth").samefile(zoo / "vit/old.pth")


def test_a_digest_in_the_name_that_is_another_files(tmp_path: Path) -> None:
    """A file with checksums was written anew; one without may be damaged."""
    zoo, new = tmp_path / "zoo", tmp_path / "new"
    zoo.mkdir()
    sound, silent = "detr_r50_20200101_000000-0badbeef.pth", "rpn_r50_20200101-0badbeef.pth"
    shutil.copy(golden_path("detr_r18"), zoo / sound)
    shutil.copy(golden_path("rpn_r18"), zoo / silent)
    assert batch(zoo, new).returncode == ExitCode.INCOMPLETE
    outcomes = {name: entry["outcome"] for name, entry in entries(new).items()}
    assert [outcomes[name]["status"] for name in (sound, silent)] == ["migrated", "refused"]
    for name, outcome in outcomes.items():
        assert "0badbeef" in outcome["summary"]
        assert digest(zoo / name)[:8] in outcome["summary"]


def test_k8_drafts_of_a_killed_batch_are_swept(zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    (new / "zoo" / "a").mkdir(parents=True)
    (new / STATE / "scratch").mkdir(parents=True)
    for place in (new, new / "zoo", new / "zoo" / "a", new / STATE / "scratch"):
        draft_name(place).touch()
    (new / "detr").mkdir()
    (new / "detr" / "mine.tmp").touch()
    batch(zoo, new)
    assert [path.name for path in new.rglob("*.tmp")] == ["mine.tmp"]


@pytest.mark.parametrize("name", ["rpn_20200101.pth", "rpn_20200101_000000.pth", "rpn.pth"])
def test_a_day_in_the_name_is_no_digest(name: str, tmp_path: Path) -> None:
    (tmp_path / "zoo").mkdir()
    shutil.copy(golden_path("rpn_r18"), tmp_path / "zoo" / name)
    batch(tmp_path / "zoo", tmp_path / "new")
    assert not [n for n in entries(tmp_path / "new")[name]["outcome"]["notices"] if "its name" in n]


def test_shards_side_by_side(zoo: Path, expected: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    for number in (1, 2):
        batch(zoo, new, "--shard", f"{number}/2")
    made, whole = digests(new), digests(expected)
    reports = [json.loads((new / f"batch-{i}-of-2.json").read_text()) for i in (1, 2)]
    assert sum(report["inputs"] for report in reports) == 12
    assert {n: d for n, d in made.items() if not n.startswith("batch")} == {
        n: d for n, d in whole.items() if not n.startswith("batch")
    }
