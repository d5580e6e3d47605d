"""A batch neither migrates nor copies what somebody else wrote, nor what no rule knows."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from zoos import batch, command, golden_path

from mm_ckpt_migrate.errors import ExitCode

pytestmark = pytest.mark.mm


@pytest.fixture
def zoo(tmp_path: Path) -> Path:
    import torch

    folder = tmp_path / "zoo"
    folder.mkdir()

    def save(name: str, golden: str, more: tuple[str, ...] = (), **meta: str) -> None:
        state = torch.load(golden_path(golden), weights_only=False)["state_dict"]
        state.update(dict.fromkeys(more, next(iter(state.values()))))
        torch.save({"meta": meta, "state_dict": state}, folder / name)

    save("classifier.pth", "vit_upernet", mmcls_version="0.25.0")
    save("proposals.pth", "rpn_r18", mmdet_version="1.2.0")
    save("video.pth", "mask2former_r18", cfg="default_scope = 'mmtrack'\nmodel = dict(type='X')\n")
    save("distilled.pth", "mask2former_r18", ("teacher_model.w",))
    shutil.copy(golden_path("maskformer_r18"), folder / "right.pth")
    return folder


def planned(*arguments: str | Path, build: bool = False) -> dict[str, dict[str, Any]]:
    line = [*command(*arguments, "--dry-run", "--json"), *([] if build else ["--no-build"])]
    done = subprocess.run(line, capture_output=True, text=True, timeout=120, check=True)
    return {item["source"]: item for item in json.loads(done.stdout)}


def test_each_is_refused_with_the_reason(zoo: Path, tmp_path: Path) -> None:
    found = planned(zoo, tmp_path / "new")
    assert found.pop("right.pth")["action"] == "migrate"
    reasons = {
        "classifier.pth": "mmcls 0.25.0",
        "proposals.pth": "mmdet 1.x",
        "video.pth": "MMTracking",
        "distilled.pth": "teacher_model.w",
    }
    assert found.keys() == reasons.keys()
    for source, item in found.items():
        assert (item["action"], item["exit_code"]) == ("refuse", ExitCode.FAMILY_REFUSED)
        assert reasons[source] in item["reason"]
    done = batch(zoo, tmp_path / "new")
    assert done.returncode == ExitCode.INCOMPLETE
    made = {path.name for path in (tmp_path / "new").rglob("*.pth")}
    assert made == {"right.pth"}


def test_where_targets_are_built_they_settle_it(zoo: Path, tmp_path: Path) -> None:
    """No config tells of this one; with one it would be converted, and its model would tell."""
    item = planned(zoo, tmp_path / "new", build=True)["distilled.pth"]
    assert (item["action"], item["exit_code"]) == ("refuse", ExitCode.BAD_TARGET)
    assert "give its config" in item["reason"]
