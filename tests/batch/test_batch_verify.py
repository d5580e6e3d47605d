"""Each new file of a batch climbs the ladder of proof, if that is asked for."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
from zoos import batch, entries, golden_path

from mm_ckpt_migrate.errors import ExitCode

pytestmark = [pytest.mark.mm, pytest.mark.thorough]


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    """One file to migrate, one to copy, and one to refuse."""
    folder = tmp_path / "zoo"
    folder.mkdir()
    for name in ("detr_r18", "vit_upernet"):
        shutil.copy(golden_path(name), folder / f"{name}.pth")
    (folder / "broken.pth").write_bytes(b"PK\3\4 and no more")
    return folder


def rungs(new: Path, source: str) -> dict[str, str]:
    verdicts = entries(new)[source]["outcome"]["verdicts"]
    return {verdict["rung"]: verdict["status"] for verdict in verdicts}


def test_each_new_file_is_verified_once(zoo: Path, tmp_path: Path) -> None:
    new = tmp_path / "new"
    done = batch(zoo, new, "--verify")
    assert done.returncode == ExitCode.INCOMPLETE  # one is broken
    assert "1 new files to verify" in done.stderr
    assert rungs(new, "detr_r18.pth") == {
        **dict.fromkeys(("integrity", "keys", "roles"), "pass"),
        **dict.fromkeys(("forward", "resume", "metric"), "skipped"),
    }
    assert not rungs(new, "vit_upernet.pth")
    page = (new / "detr_r18.pth.report/report.html").read_text(encoding="utf-8")
    assert "detr" in page
    assert "detr_r18.pth.report/report.html" in (new / "batch.html").read_text(encoding="utf-8")
    report = (new / "batch.json").read_bytes()
    assert "0 new files to verify" in batch(zoo, new, "--verify").stderr
    assert (new / "batch.json").read_bytes() == report


def test_a_proof_that_fails_fails_the_file_and_is_tried_again(zoo: Path, tmp_path: Path) -> None:
    new, wrong = tmp_path / "new", ("--verify", "--legacy-python", sys.executable)
    for _ in range(2):
        done = batch(zoo, new, *wrong)
        assert done.returncode == ExitCode.INCOMPLETE
        assert "1 new files to verify" in done.stderr
        outcome = entries(new)["detr_r18.pth"]["outcome"]
        assert (outcome["status"], outcome["destination"]) == ("failed", "detr_r18.pth")
        assert outcome["exit_code"]
        assert "the new file is there, but its proof failed" in outcome["summary"]
    assert "0 to be done now" in done.stderr  # the conversion holds
    batch(zoo, new, "--verify")
    assert entries(new)["detr_r18.pth"]["outcome"]["status"] == "migrated"


METAFILE = """Models:
- Name: maskformer
  Config: configs/maskformer.py
  Results:
  - Task: Semantic Segmentation
    Dataset: Scenes
    Metrics: {{mIoU: {score}}}
  Weights: https://example.com/maskformer.pth
"""


def test_the_metric_is_held_against_the_zoos(tmp_path: Path) -> None:
    sys.path.append(str(Path(__file__).parents[1] / "evaluate"))
    import scenes
    from evaluations import RECORDED, old_file

    zoo, new, data = tmp_path / "zoo", tmp_path / "new", tmp_path / "scenes"
    zoo.mkdir()
    shutil.copy(old_file("maskformer_scenes"), zoo / "maskformer.pth")
    scenes.write(data, {"validation": scenes.SPLITS["validation"]})
    score = RECORDED["maskformer_scenes"]["result"]["metrics"]["mIoU"]
    for stated, status in ((score, "pass"), (score - 1, "fail")):
        metafile = tmp_path / "metafile.yml"
        metafile.write_text(METAFILE.format(score=stated))
        done = batch(zoo, new, "--eval", "--data-root", data, "--zoo", metafile)
        assert rungs(new, "maskformer.pth")["metric"] == status, done.stderr
        code = ExitCode.OK if status == "pass" else ExitCode.INCOMPLETE
        assert done.returncode == code
