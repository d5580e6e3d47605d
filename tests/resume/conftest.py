"""Convert every training checkpoint once, and train all of them on in two children."""

from __future__ import annotations

import json
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from recordings import CASES, HERE, Outcomes, Recorded, environment

CHILD = HERE.parents[1] / "tools" / "golden" / "resume_run.py"
PARALLEL = 2


def convert(case: Recorded, folder: Path) -> str:
    """Migrate with the config inside the checkpoint as the target; what the tool printed."""
    command = [sys.executable, "-m", "mm_ckpt_migrate", "convert", "auto", "embedded"]
    done = subprocess.run(
        [*command, str(case.checkpoint), str(folder / f"{case.name}.pth")],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env=environment(folder),
    )
    return done.stdout + done.stderr


def jobs_of(case: Recorded, folder: Path) -> dict[str, Any]:
    new = str(folder / f"{case.name}.pth")
    steps = {"kind": "steps", "checkpoint": new}
    return {
        f"{case.name}/steps": steps,
        f"{case.name}/plain": steps | {"optimizer": str(case.checkpoint)},
        f"{case.name}/runner": {
            "kind": "runner",
            "checkpoint": new,
            "work_dir": str(folder / f"run_{case.name}"),
        },
    }


def train_on(cases: list[Recorded], folder: Path) -> dict[str, Any]:
    """One child for several cases: importing the stack takes longer than training."""
    stem = folder / cases[0].name
    jobs, results = stem.with_suffix(".jobs.json"), stem.with_suffix(".results.json")
    jobs.write_text(json.dumps({k: v for case in cases for k, v in jobs_of(case, folder).items()}))
    done = subprocess.run(
        [sys.executable, str(CHILD), str(jobs), str(results)],
        capture_output=True,
        text=True,
        check=False,
        timeout=200,
        env=environment(folder),
        cwd=folder,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    found: dict[str, Any] = json.loads(results.read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="session")
def outcomes(tmp_path_factory: pytest.TempPathFactory) -> Outcomes:
    folder = tmp_path_factory.mktemp("resume")
    cases = list(CASES.values())
    with ThreadPoolExecutor(PARALLEL) as pool:
        said = list(pool.map(lambda case: convert(case, folder), cases))
        shares = [cases[n::PARALLEL] for n in range(PARALLEL)]
        results = list(pool.map(lambda share: train_on(share, folder), shares))
    names = [case.name for case in cases]
    merged = {key: value for part in results for key, value in part.items()}
    return Outcomes(dict(zip(names, said, strict=True)), merged)


@pytest.fixture(params=list(CASES))
def case(request: pytest.FixtureRequest) -> Recorded:
    return CASES[request.param]
