"""What the old release recorded on the scenes, and how both releases are asked."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NAMES = ("maskformer_scenes", "mask2former_scenes")
RECORDED: dict[str, dict[str, Any]] = {
    name: json.loads((HERE / f"{name}.json").read_text(encoding="utf-8")) for name in NAMES
}
LEGACY_PYTHON = os.environ.get("MM_CKPT_MIGRATE_LEGACY_PYTHON")
MEASURED = ("metrics", "exact", "classes", "images", "all_images", "dataset", "inputs_crc32")


def old_file(name: str) -> Path:
    return HERE / f"{name}.pth"


def environment(folder: Path) -> dict[str, str]:
    """As a user has it: no leave to load pickled objects, and no accelerator."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("TORCH_")}
    return kept | {
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",  # for models as small as these, threads cost more than they save
        "MM_CKPT_MIGRATE_CACHE": str(folder / "cache"),
    }


def evaluate_all(python: str, jobs: dict[str, Any], folder: Path) -> dict[str, Any]:
    """One child for several jobs."""
    folder.mkdir(parents=True, exist_ok=True)
    asked, answered = folder / "jobs.json", folder / "results.json"
    asked.write_text(json.dumps(jobs), encoding="utf-8")
    done = subprocess.run(
        [python, str(HERE / "evaluate_run.py"), str(asked), str(answered)],
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
        env=environment(folder),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(answered.read_text(encoding="utf-8"))
    return found
