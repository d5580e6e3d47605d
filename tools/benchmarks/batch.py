"""Time `batch` on a zoo of full-size files against `cp` and against the one-page script.

    python tools/benchmarks/batch.py [--files 30] [--folder DIR] [--jobs N] [--script] [--build]
    python tools/benchmarks/batch.py --small 10000 [--folder DIR]

The files have the layouts of the models that old releases shipped, and random weights: 300 MB
each on average. The folder needs three times the zoo. `--build` has each target model built, as the
cache is empty; `--script` times the one-page script, which builds all of them, and a batch of the
same files, those of segmentors. `--small` times the plan of many small files instead.
"""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from run import Run

HERE = Path(__file__).parent
SEGMENTORS, DETECTORS = "mmsegmentation-1.0.0rc4", "mmdet-3.0.0rc4"
FAMILIES = ("maskformer", "mask2former", "detr", "deformable_detr", "rpn", "yolact")


def make_zoo(folder: Path, count: int) -> list[tuple[Path, str]]:
    """Files, and the current config of each."""
    import torch

    from mm_ckpt_migrate.identify.layouts.table import load_table

    table, made = load_table(), []
    for release, config in _models(table)[:count]:
        schema = table.schema(table.releases[release][config])
        first = {name: group[0] for group in schema.ties for name in group}
        state_dict: Any = OrderedDict()
        for spec in schema.tensors:
            dtype = getattr(torch, spec.dtype)
            new = torch.randn(spec.shape) if dtype.is_floating_point else torch.zeros(spec.shape)
            tied = state_dict.get(first.get(spec.name, ""))
            state_dict[spec.name] = new.to(dtype) if tied is None else tied
        path = folder / release / f"{Path(config).stem}.pth"
        path.parent.mkdir(parents=True, exist_ok=True)
        torch.save({"meta": {"iter": 1}, "state_dict": state_dict}, path)
        made.append((path, table.counterparts[release][config]))
    return made


def make_small(folder: Path, count: int) -> None:
    """Files of five tensors, with twenty layouts."""
    import io

    import torch

    texts = []
    for number in range(20):
        tensors = {f"head.layer{number}.{i}.weight": torch.randn(8, 8) for i in range(5)}
        buffer = io.BytesIO()
        torch.save({"meta": {"iter": number}, "state_dict": tensors}, buffer)
        texts.append(buffer.getvalue())
    for number in range(count):
        below = folder / f"{number % 100:02}"
        below.mkdir(parents=True, exist_ok=True)
        (below / f"{number}.pth").write_bytes(texts[number % 20])


def _models(table: Any) -> list[tuple[str, str]]:
    """Those of the families that current configs have counterparts for, large and small in turn."""
    return [
        (release, config)
        for release in (SEGMENTORS, DETECTORS)
        for config in sorted(table.releases[release])
        if config.partition("/")[0] in FAMILIES and table.counterparts[release].get(config)
    ]


def measure(command: Sequence[str | Path]) -> Run:
    """Seconds, and MiB of the largest of its processes."""
    os.sync()
    started = time.perf_counter()
    with subprocess.Popen(list(map(str, command)), stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command} ended with {process.returncode}")
    return Run(time.perf_counter() - started, usage.ru_maxrss / 1024)


def batch(zoo: Path, new: Path, *options: str) -> list[str | Path]:
    return [sys.executable, "-m", "mm_ckpt_migrate", "batch", zoo, new, "--json", *options]


def one_page_script(made: Sequence[tuple[Path, str]], new: Path) -> float:
    """Seconds for all of it that the script can do: the segmentors."""
    seconds = 0.0
    new.mkdir()
    for path, config in made:
        if path.parent.name == SEGMENTORS:
            family = "1" if config.startswith("maskformer") else "2"
            name = f"mmseg::{config}"
            from mm_ckpt_migrate.configs.read.find import find_config

            line: list[str | Path] = [
                HERE / "one_page_script.py",
                family,
                find_config(name),
                path,
                new / path.name,
            ]
            seconds += measure([sys.executable, *line]).seconds
            (new / path.name).unlink()
    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=30)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--jobs", type=int, help="as for batch")
    parser.add_argument("--build", action="store_true")
    parser.add_argument("--script", action="store_true")
    parser.add_argument("--small", type=int, default=0)
    args = parser.parse_args()
    if args.small:
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            make_small(Path(name) / "zoo", args.small)
            line = batch(Path(name) / "zoo", Path(name) / "new", "--dry-run", "--no-build")
            print(f"plan of {args.small} small files: {measure(line).seconds:.2f} seconds")
        return
    options = ["--jobs", str(args.jobs)] if args.jobs else []
    options += [] if args.build else ["--no-build"]
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        os.environ["MM_CKPT_MIGRATE_CACHE"] = str(folder / "cache")
        zoo, new, tiny = folder / "zoo", folder / "new", folder / "tiny"
        # In a process of its own: what is started from here begins with the memory of this one.
        with ProcessPoolExecutor(1, get_context("spawn")) as maker:
            made = maker.submit(make_zoo, zoo, args.files).result()
        size = sum(path.stat().st_size for path, _ in made)
        print(f"{len(made)} files, {size / 1e9:.2f} GB\n")
        print("| command | seconds | peak MiB of a process |\n| --- | --: | --: |")
        tiny.mkdir()
        shutil.copy(min((path for path, _ in made), key=lambda p: p.stat().st_size), tiny)
        rows: dict[str, list[str | Path]] = {
            "cp -r + sync": ["sh", "-c", f"cp -r {zoo} {folder}/copy && sync -f {folder}/copy"],
            "batch, the smallest file": batch(tiny, folder / "less", *options),
            "batch --dry-run": batch(zoo, new, "--dry-run", *options),
            "batch": batch(zoo, new, *options),
            "batch, again": batch(zoo, new, *options),
            "batch, schemas cached": batch(zoo, folder / "other", *options),
        }
        for title, command in rows.items():
            run = measure(command)
            print(f"| {title} | {run.seconds:.2f} | {run.peak:.0f} |", flush=True)
            shutil.rmtree(folder / "copy", ignore_errors=True)
            shutil.rmtree(folder / "other", ignore_errors=True)
        if args.script:
            for title in ("batch, segmentors", "batch, segmentors, schemas cached"):
                shutil.rmtree(new)
                if title == "batch, segmentors":
                    shutil.rmtree(folder / "cache", ignore_errors=True)
                run = measure(batch(zoo / SEGMENTORS, new, *options))
                print(f"| {title} | {run.seconds:.2f} | {run.peak:.0f} |", flush=True)
            print(f"| one-page script, segmentors | {one_page_script(made, folder / 's'):.2f} | |")


if __name__ == "__main__":
    main()
