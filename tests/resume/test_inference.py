"""The new file alone segments an image; with the config that was written, mmseg loads it, too."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from recordings import HERE, environment

GOLDEN = HERE.parent / "golden"
NAMES = ("mask2former_r18", "maskformer_swin")  # one with a training's state, one published
CHILD = HERE / "infer_run.py"
PURPOSES = {"whole": (), "inference": ("--for", "inference")}


@pytest.fixture(scope="module")
def segmented(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """All files in one child: importing mmseg takes longer than everything else."""
    folder = tmp_path_factory.mktemp("inference")
    paths: list[str] = []
    for name in NAMES:
        for purpose, options in PURPOSES.items():
            new, config = folder / f"{name}-{purpose}.pth", folder / f"{name}-{purpose}.py"
            _convert(name, new, config, *options)
            paths += (str(new), str(config))
    done = _run(str(CHILD), *paths, folder=folder)
    results = json.loads(done.splitlines()[-1])
    return {Path(path).stem: result for path, result in results.items()}


def _convert(name: str, new: Path, config: Path, *options: str) -> None:
    old = next((GOLDEN / name).glob("*.pth"))
    command = ["-m", "mm_ckpt_migrate", "convert", "auto", "embedded", str(old), str(new)]
    _run(*command, "--config-out", str(config), *options, folder=new.parent)


def _run(*arguments: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env=environment(folder),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout


@pytest.mark.mm
@pytest.mark.parametrize("name", [f"{n}-{p}" for n in NAMES for p in PURPOSES])
def test_the_new_file_segments_an_image(name: str, segmented: dict[str, Any]) -> None:
    result = segmented[name]
    assert result["shape"] == [48, 64]
    assert result["alone"] == result["with_config"]
    assert result["classes"] == 150
    assert result["same_classes"]
