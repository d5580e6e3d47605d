"""Time our evaluation against mmseg's own `tools/test.py`, side by side in one run.

    python tools/benchmarks/evaluate.py [--rounds 3] [--images 200]     drawn scenes, a tiny model
    python tools/benchmarks/evaluate.py --model CONFIG FILE.pth DATA_ROOT   anything else

Both are processes of their own on the same images, one after the other in each round, ours with
the wall that `verify` builds; ratios are taken within a round. Threads that wait for each other on
a busy machine distort both kinds of seconds: `--threads 1` compares the programs, not the
neighbours.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.releases.allowed.literal import literal

ROOT = Path(__file__).resolve().parents[2]
SCENES = ROOT / "tests" / "evaluate"
# mmcv-lite has no compiled operators, and mmseg's script needs them to be there.
THEIRS = """
import runpy, sys
from mm_ckpt_migrate.releases.current.child import build
build.stand_in_for_operators()
sys.argv.pop(0)
runpy.run_path(sys.argv[0], run_name="__main__")
"""

# As `verify` asks its child, which builds the wall.
OURS = """
import json, sys
from mm_ckpt_migrate.releases.process import ReleaseProcess
with ReleaseProcess() as process:
    answer = process.ask(json.load(open(sys.argv[1])))
sys.exit(0 if answer["ok"] and not process.unconfined else str(answer))
"""

DRAW = """
import pathlib, sys
import scenes
scenes.write(pathlib.Path(sys.argv[1]), {"validation": int(sys.argv[2])})
"""


@dataclass(frozen=True)
class Model:
    """What is evaluated, and on how many of which images."""

    config: Path
    checkpoint: Path
    data_root: Path
    images: int


@dataclass(frozen=True)
class Run:
    """Seconds by the clock and of the processors."""

    wall: float
    processor: float


def measure(command: Sequence[str], folder: Path, threads: int | None) -> Run:
    """Run a command that says how it fared in its exit status."""
    environment = dict(os.environ)
    if threads is not None:
        environment["OMP_NUM_THREADS"] = str(threads)
    started = time.perf_counter()
    with (folder / "output.txt").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, cwd=folder, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        said = (folder / "output.txt").read_text(errors="replace")[-2000:]
        raise SystemExit(f"{' '.join(command)} failed:\n{said}")
    return Run(seconds, usage.ru_utime + usage.ru_stime)


def ours(model: Model, folder: Path) -> list[str]:
    request = {
        "do": "evaluate",
        "config": literal(read_config(model.config), model.config),
        "checkpoint": str(model.checkpoint),
        "data_root": str(model.data_root),
        "limit": model.images,
        "launcher": "none",
        "packages": [],
    }
    path = folder / "request.json"
    path.write_text(json.dumps(request), encoding="utf-8")
    return [sys.executable, "-c", OURS, str(path)]


def theirs(model: Model, folder: Path, workers: int) -> list[str]:
    spec = find_spec("mmseg")
    if spec is None or spec.origin is None:
        raise SystemExit("mmsegmentation is not installed")
    tool = Path(spec.origin).parent / ".mim" / "tools" / "test.py"
    options = {
        "dataset.data_root": model.data_root,
        "dataset.indices": model.images,
        "num_workers": workers,
        "persistent_workers": workers > 0,
    }
    return [
        *(sys.executable, "-c", THEIRS, str(tool)),
        *(str(model.config), str(model.checkpoint), "--work-dir", str(folder / "theirs")),
        *("--cfg-options", *(f"test_dataloader.{key}={value}" for key, value in options.items())),
    ]


def scenes_model(folder: Path, images: int) -> Model:
    """A model of the tests, migrated, and drawn images."""
    name = "mask2former_scenes"
    config, checkpoint, data = (folder / part for part in (f"{name}.py", f"{name}.pth", "data"))
    subprocess.run([sys.executable, "-c", DRAW, str(data), str(images)], check=True, cwd=SCENES)
    command = [sys.executable, "-m", "mm_ckpt_migrate", "convert", "auto", "embedded"]
    paths = [str(SCENES / checkpoint.name), str(checkpoint), "--config-out", str(config)]
    subprocess.run([*command, *paths], check=True, stdout=subprocess.DEVNULL)
    return Model(config, checkpoint, data, images)


def compare(model: Model, folder: Path, rounds: int, workers: int, threads: int | None) -> None:
    commands = {"mmseg's test.py": theirs(model, folder, workers)}
    commands["ours"] = ours(model, folder)
    runs: dict[str, list[Run]] = {name: [] for name in commands}
    for number in range(rounds):
        for name in list(commands)[:: 1 if number % 2 else -1]:
            runs[name].append(measure(commands[name], folder, threads))
    print(f"{model.images} images, {workers} workers of theirs; medians of {rounds} rounds\n")
    print("| command | seconds | of processors |\n| --- | --: | --: |")
    for name, found in runs.items():
        wall, processor = (statistics.median(v) for v in zip(*map(_pair, found), strict=True))
        print(f"| {name} | {wall:.1f} | {processor:.1f} |")
    pairs = list(zip(*runs.values(), strict=True))
    for what, ratios in (
        ("seconds", [mine.wall / other.wall for other, mine in pairs]),
        ("seconds of processors", [mine.processor / other.processor for other, mine in pairs]),
    ):
        low, middle, high = min(ratios), statistics.median(ratios), max(ratios)
        print(f"\nours / theirs, {what}: {middle:.2f} ({low:.2f} to {high:.2f}), goal 1.10")


def _pair(run: Run) -> tuple[float, float]:
    return run.wall, run.processor


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--model", nargs=3, type=Path, metavar=("CONFIG", "FILE", "DATA_ROOT"))
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--workers", type=int, default=0, help="theirs; ours has none")
    parser.add_argument("--threads", type=int)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        if args.model:
            config, checkpoint, data_root = (path.resolve() for path in args.model)
            model = Model(config, checkpoint, data_root, args.images)
        else:
            model = scenes_model(folder, args.images)
        compare(model, folder, args.rounds, args.workers, args.threads)


if __name__ == "__main__":
    main()
