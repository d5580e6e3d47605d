"""Convert both models, and do everything that needs the stack in one child."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from evaluations import NAMES, environment, evaluate_all, old_file


@pytest.fixture(scope="session")
def data_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import scenes

    root = tmp_path_factory.mktemp("scenes")
    scenes.write(root, {"validation": scenes.SPLITS["validation"]})
    return root


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with NAME.pth and NAME.py of each model, for the current release."""
    folder = tmp_path_factory.mktemp("converted")
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(lambda name: _convert(name, folder), NAMES))
    return folder


def _convert(name: str, folder: Path) -> None:
    command = [sys.executable, "-m", "mm_ckpt_migrate", "convert", "auto", "embedded"]
    paths = [str(old_file(name)), str(folder / f"{name}.pth")]
    done = subprocess.run(
        [*command, *paths, "--config-out", str(folder / f"{name}.py")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(folder),
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="session")
def answers(converted: Path, data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    folder = tmp_path_factory.mktemp("evaluate")
    jobs = {
        **{name: _job(converted, name, data_root) for name in NAMES},
        **{f"{name}/control": _job(converted, name, data_root) | {"exchange": True} for name in NAMES},
        "averaging": _job(converted, NAMES[1], data_root)
        | {"edits": {"custom_hooks": [{"type": "EMAHook"}]}},
        "limited": _job(converted, NAMES[0], data_root) | {"limit": 5, "samples": 2},
        **_wrong(converted, data_root, folder),
    }
    for number, job in enumerate(jobs.values()):
        job["out"] = str(folder / f"out{number}")
    return evaluate_all(sys.executable, jobs, folder)


def _job(converted: Path, name: str, data_root: Path) -> dict[str, Any]:
    return {
        "config": str(converted / f"{name}.py"),
        "checkpoint": str(converted / f"{name}.pth"),
        "data_root": str(data_root),
    }


def _wrong(converted: Path, data_root: Path, folder: Path) -> dict[str, Any]:
    """Data sets that are damaged in one way each, and files that do not fit."""
    from PIL import Image

    job = _job(converted, NAMES[0], data_root)
    roots = {}
    for name in ("colours", "size", "lonely", "label", "empty"):
        roots[name] = Path(shutil.copytree(data_root, folder / "data" / name))
    first = "annotations/validation/scene_0000.png"
    Image.open(roots["colours"] / first).convert("RGB").save(roots["colours"] / first)
    Image.open(roots["size"] / first).resize((40, 32)).save(roots["size"] / first)
    (roots["lonely"] / first).unlink()
    labels = Image.open(roots["label"] / first)
    labels.putpixel((3, 3), 151)
    labels.save(roots["label"] / first)
    for image in (roots["empty"] / "images/validation").iterdir():
        image.unlink()
    dataset = "test_dataloader.dataset"
    return {
        **{name: job | {"data_root": str(root)} for name, root in roots.items()},
        "nowhere": job | {"data_root": str(folder / "nowhere")},
        "above": job | {"data_root": str(folder / "data")},
        "another": job
        | {
            "edits": {
                f"{dataset}.type": "PascalVOCDataset",
                f"{dataset}.ann_file": "",
                f"{dataset}.data_prefix.img_path": "images/validation",
            }
        },
        "classes": job
        | {"edits": {f"{dataset}.type": "CityscapesDataset", f"{dataset}.seg_map_suffix": ".png"}},
        "unmigrated": job | {"checkpoint": str(old_file(NAMES[0]))},
        "evaluator": job | {"edits": {"test_evaluator": {"type": "DepthMetric", "_delete_": True}}},
        "device": job | {"device": "cuda:0"},
        "launcher": job | {"launcher": "pytorch"},
        "hostile": job | {"checkpoint": _hostile(folder)},
    }


class _Bomb:
    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (self.command,)


def _hostile(folder: Path) -> str:
    """A checkpoint whose pickle makes a file when it is loaded as pickles are."""
    import torch

    path = folder / "hostile.pth"
    torch.save({"state_dict": _Bomb(f"touch {folder / 'harmed'}")}, path)
    return str(path)


@pytest.fixture(scope="session")
def old_answers(data_root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The same in the old release, where the environment says where one is."""
    python = os.environ.get("MM_CKPT_MIGRATE_LEGACY_PYTHON")
    if not python:
        pytest.skip("MM_CKPT_MIGRATE_LEGACY_PYTHON names no old release")
    folder = tmp_path_factory.mktemp("legacy")
    jobs = {
        name: {
            "text_of": str(old_file(name)),
            "checkpoint": str(old_file(name)),
            "data_root": str(data_root),
            "out": str(folder / name),
        }
        for name in NAMES
    }
    return evaluate_all(python, jobs, folder)
