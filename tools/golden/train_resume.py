"""Train the checkpoints of `tests/resume` with the old release, and record how training goes on.

    python train_resume.py OUT_DIR [CASE ...]         (in the old environment)

The Runner trains SAVED_AT iterations, saves, and goes on to STOP without a break: those last
iterations are what a resumed run has to repeat.
"""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, TypeAlias

# The old mmengine predates torch's `weights_only`.
os.environ["TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"] = "1"

import numpy as np
import resume_run
import shapes_dataset
import torch
from mmengine.config import Config
from old_half import SCRATCH
from record_outputs import versions
from resume_cases import CASES, CROP, SAVED_AT, ResumeCase, build_config
from resume_detectors import DETECTORS, DetectorResumeCase, build_detector_config

PICTURES = 5
RUN = Path(resume_run.__file__)
Case: TypeAlias = ResumeCase | DetectorResumeCase


def write_pictures(path: Path) -> None:
    """A few shapes, stored: what OpenCV draws may change from release to release."""
    rng = np.random.default_rng(31)
    pairs = [shapes_dataset.draw(rng) for _ in range(PICTURES)]
    images = [image[:CROP, :CROP].transpose(2, 0, 1) for image, _ in pairs]
    classes = np.array(shapes_dataset.CLASSES)
    labels = [np.searchsorted(classes, label[:CROP, :CROP]).astype(np.uint8) for _, label in pairs]
    np.savez_compressed(path, images=np.stack(images), labels=np.stack(labels))


def train(case: Case) -> tuple[Path, list[dict[str, Any]]]:
    """The real Runner, from a config file; the checkpoint, and what the iterations did."""
    shutil.rmtree(Path("work_dirs") / case.name, ignore_errors=True)
    config_file = Path(f"{case.name}.py")
    build = build_config if isinstance(case, ResumeCase) else build_detector_config
    build(case).dump(config_file)
    iterations = resume_run.watched(Config.fromfile(str(config_file)))
    return Path("work_dirs") / case.name / f"iter_{SAVED_AT}.pth", iterations


def in_child(jobs: dict[str, Any]) -> dict[str, Any]:
    """Run jobs in a process of their own: nothing is left of the training."""
    Path("jobs.json").write_text(json.dumps(jobs))
    subprocess.run([sys.executable, RUN, "jobs.json", "results.json"], check=True)
    results: dict[str, Any] = json.loads(Path("results.json").read_text())
    return results


def relative(first: list[float], second: list[float]) -> float:
    """The largest relative difference of two lists."""
    return max(abs(a - b) / abs(b) for a, b in zip(first, second, strict=True))


def record(case: Case, checkpoint: Path, iterations: list[dict[str, Any]]) -> dict[str, Any]:
    """What the JSON file of a case says."""
    steps = {"kind": "steps", "checkpoint": str(checkpoint)}
    resume = {"kind": "runner", "checkpoint": str(checkpoint), "work_dir": "work_dirs/resumed"}
    results = in_child({"first": steps, "again": steps, "resumed": resume})
    first, rest = results["first"], iterations[SAVED_AT:]
    losses = [[entry["loss"] for entry in run] for run in (rest, results["resumed"])]
    return {
        "case": case.name,
        "family": case.family,
        "frozen": case.frozen,
        "paramwise": case.paramwise,
        "ema": case.ema,
        "batch_size": case.batch_size,
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "derived_from": case.derived_from,
        "seed": case.seed,
        "old_stack": versions(),
        "repeated_max_rel_diff": relative(results["again"]["losses"], first["losses"]),
        "resumed_by_old_max_rel_diff": relative(*losses),
        "steps": first,
        "iterations": rest,
    }


def make(case: Case, folder: Path) -> None:
    """Train, record, and keep the checkpoint."""
    trained, iterations = train(case)
    facts = record(case, trained, iterations)
    shutil.copyfile(trained, folder / f"{case.name}.pth")
    (folder / f"{case.name}.json").write_text(json.dumps(facts, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out_dir", type=Path)
    parser.add_argument("cases", nargs="*", metavar="CASE", default=[*CASES, *DETECTORS])
    args = parser.parse_args()
    folder = args.out_dir.resolve()
    torch.set_num_threads(1)
    resume_run.register()
    SCRATCH.mkdir(exist_ok=True)
    os.chdir(SCRATCH)
    if not resume_run.SHAPES.exists():
        write_pictures(resume_run.SHAPES)
    for name in args.cases:
        make(CASES.get(name) or DETECTORS[name], folder)


if __name__ == "__main__":
    main()
