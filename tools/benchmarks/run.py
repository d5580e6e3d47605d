"""Time `convert` against `cp` and against the one-page script, side by side in one run.

    python tools/benchmarks/run.py [--training] [--folder DIR] [--rounds 5]

Every command is a process of its own, timed from outside; its memory is what the operating
system says of the finished process. Each round runs all of them, so that a machine whose speed
drifts drifts for all; ratios are taken within a round. The folder needs about 4 GB.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from make_checkpoint import CONFIG, TRAINING_CONFIG

HERE = Path(__file__).parent
# The same program that `convert` runs for the digest in its stamp.
DIGEST = f'"{sys.executable}" -I -S -c "$DIGEST_PROGRAM"'
TOOL = (sys.executable, "-m", "mm_ckpt_migrate")


@dataclass(frozen=True)
class Run:
    """Seconds and MiB of one finished process."""

    seconds: float
    peak: float


def measure(command: Sequence[str], new: Path) -> Run:
    """Run a command that makes the file or folder `new`, which is not there when it starts."""
    if new.is_dir():
        shutil.rmtree(new)
    new.unlink(missing_ok=True)
    os.sync()
    started = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed with {process.returncode}")
    return Run(seconds, usage.ru_maxrss / 1024)


def commands(old: Path, migrated: Path, new: Path, config: str) -> dict[str, Sequence[str]]:
    """`migrated` is made from `old` by now."""
    convert = (*TOOL, "convert", "2")
    return {
        "--help": (*TOOL, "--help"),
        "cp + sync": ("sh", "-c", f"cp '{old}' '{new}' && sync '{new}'"),
        "cp + sync beside SHA-256": (
            "sh",
            "-c",
            f"{DIGEST} <'{old}' & cp '{old}' '{new}' && sync '{new}'; wait",
        ),
        "convert --no-build": (*convert, "-", str(old), str(new), "--no-build"),
        "convert, cached schema": (*convert, config, str(old), str(new)),
        "convert, cold build": (*convert, config, str(old), str(new), "--no-cache"),
        "verify --source, without an old release": (
            *TOOL,
            "verify",
            str(migrated),
            "--source",
            str(old),
            "--cfg",
            config,
            "--legacy",
            "none",
        ),
        "one-page script": (
            sys.executable,
            str(HERE / "one_page_script.py"),
            "2",
            config,
            str(old),
            str(new),
        ),
    }


def ratio(runs: dict[str, list[Run]], first: str, second: str, less: str | None = None) -> str:
    """Median over the rounds of first / second; `less` is subtracted from the first."""
    ratios = [
        (a.seconds - (runs[less][i].seconds if less else 0)) / b.seconds
        for i, (a, b) in enumerate(zip(runs[first], runs[second], strict=True))
    ]
    return f"{statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})"


def report(runs: dict[str, list[Run]], size: int) -> None:
    print(f"\nOne file of {size / 1e6:.0f} MB; medians of {len(runs['--help'])} rounds\n")
    print("| command | seconds | peak MiB |\n| --- | --: | --: |")
    for name, rounds in runs.items():
        seconds = statistics.median(run.seconds for run in rounds)
        print(f"| {name} | {seconds:.2f} | {max(run.peak for run in rounds):.0f} |")
    extra = max(r.peak for r in runs["convert --no-build"]) - min(r.peak for r in runs["--help"])
    script = "one-page script"
    print("\n| ratio | median (min to max) | goal |\n| --- | --: | --: |")
    rows = (
        ("cp beside SHA-256 / cp", "cp + sync beside SHA-256", "cp + sync", ""),
        ("(convert --no-build less --help) / cp", "convert --no-build", "cp + sync", "1.30"),
        ("convert, cached / one-page script", "convert, cached schema", script, "0.15"),
        ("convert, cold / one-page script", "convert, cold build", script, "0.70"),
    )
    for title, first, second, goal in rows:
        less = "--help" if "less" in title else None
        print(f"| {title} | {ratio(runs, first, second, less)} | {goal} |")
    print(f"| memory of convert --no-build above --help | {extra:.0f} MiB | 32 MiB |")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", action="store_true", help="R50 with its optimizer")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        old, migrated, new = (Path(folder) / f"{name}.pth" for name in ("old", "migrated", "new"))
        make = [sys.executable, str(HERE / "make_checkpoint.py"), str(old)]
        subprocess.run([*make, "--training"] if args.training else make, check=True)
        from mm_ckpt_migrate.configs.read.find import find_config
        from mm_ckpt_migrate.files.archive.digest import PROGRAM

        os.environ["DIGEST_PROGRAM"] = PROGRAM

        config = str(find_config(TRAINING_CONFIG if args.training else CONFIG))
        table = commands(old, migrated, new, config)
        subprocess.run(
            [*TOOL, "convert", "2", config, str(old), str(migrated)], check=True, stdout=subprocess.DEVNULL
        )
        for name, command in table.items():
            print(f"warm-up: {name}", file=sys.stderr)
            measure(command, new)
        runs: dict[str, list[Run]] = {name: [] for name in table}
        for number in range(args.rounds):
            print(f"round {number + 1}", file=sys.stderr)
            for name, command in table.items():
                runs[name].append(measure(command, new))
        report(runs, old.stat().st_size)


if __name__ == "__main__":
    main()
