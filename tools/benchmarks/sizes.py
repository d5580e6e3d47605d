"""Time commands on files of 50 MB to 20 GB: what a further byte costs, and memory.

    python tools/benchmarks/sizes.py [--folder DIR] [--rounds 3] [--megabytes 50 500 5000 20000]

A file has the layout of MaskFormer R50, and further tensors up to its size; one of the largest
file is past 4 GiB. No model is built, since none has such a size, and the one-page script does
without one, too. Every command is a process of its own, timed from outside; each round runs all
of them. The folder needs three times the largest file.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from run import HERE, TOOL, Run, measure

CONFIG = "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
RELEASE = "mmsegmentation-1.0.0rc4"
PIECE, LARGE = 256 << 20, 5 << 30
# What is mapped from a file of holes takes no memory while torch saves it.
MAPPED_FROM = 10_000
# Loading all of a larger file takes more memory than most machines have.
LOADED_UNTIL = 6_000
TORCH = "import sys, torch; torch.save(torch.load(sys.argv[1], mmap={}), sys.argv[2])"
SAFETENSORS = (
    "import sys, torch; from safetensors.torch import save_file; "
    "save_file(torch.load(sys.argv[1], mmap=True)['state_dict'], sys.argv[2])"
)


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        until: the size in MB that it can do.
    """

    title: str
    line: Callable[[Path, Path], Sequence[str]]
    until: float = float("inf")


def tool(name: str, *options: str) -> Callable[[Path, Path], Sequence[str]]:
    return lambda old, new: (*TOOL, name, *(o.format(old=old, new=new) for o in options))


def python(program: str) -> Callable[[Path, Path], Sequence[str]]:
    return lambda old, new: (sys.executable, "-c", program, str(old), str(new))


COMMANDS = (
    Command("--help", tool("--help")),
    Command("cp + sync", lambda old, new: ("sh", "-c", f"cp '{old}' '{new}' && sync '{new}'")),
    Command("convert", tool("convert", "1", "-", "{old}", "{new}", "--no-build")),
    Command("plan", tool("plan", "1", "-", "{old}", "--no-build")),
    Command("inspect", tool("inspect", "{old}")),
    Command("batch", lambda old, new: (*TOOL, "batch", str(old.parent), str(new), "--no-build", "--json")),
    Command(
        "one-page script, without a model",
        lambda old, new: (sys.executable, str(HERE / "one_page_script.py"), "1", "-", str(old), str(new)),
        LOADED_UNTIL,
    ),
    Command("torch.load + torch.save", python(TORCH.format(False)), LOADED_UNTIL),
    Command("torch.load(mmap=True) + torch.save", python(TORCH.format(True))),
    Command("to safetensors by torch", python(SAFETENSORS), LOADED_UNTIL),
)


def make(path: Path, megabytes: int) -> None:
    """Random weights, up to the size."""
    import torch

    from mm_ckpt_migrate.identify.layouts.table import load_table

    table = load_table()
    schema = table.schema(table.releases[RELEASE][CONFIG])
    weights: Any = OrderedDict()
    for spec in schema.tensors:
        dtype = getattr(torch, spec.dtype)
        random = torch.randn(spec.shape) if dtype.is_floating_point else torch.zeros(spec.shape)
        weights[spec.name] = random.to(dtype)
    left = megabytes * 1_000_000 - sum(t.numel() * t.element_size() for t in weights.values())
    holes = path.with_suffix(".holes")
    for number, size in enumerate(_pieces(left, LARGE if megabytes >= MAPPED_FROM else PIECE)):
        name = f"backbone.further.{number}.weight"
        if megabytes < MAPPED_FROM:
            weights[name] = torch.randn(size // 4)
        else:
            with holes.open("wb") as file:
                file.truncate(size)
            weights[name] = torch.from_file(str(holes), shared=False, size=size // 4)
            holes.unlink()
    torch.save({"meta": {"iter": 1}, "state_dict": weights}, path)


def _pieces(left: int, first: int) -> Iterator[int]:
    """Sizes of whole floats; the first may be larger than the others."""
    while left >= 4:
        size = min(left, first) // 4 * 4
        yield size
        left, first = left - size, PIECE


def report(results: dict[int, dict[str, list[Run]]]) -> None:
    print("Seconds, times `cp` with a sync, peak MiB; medians\n")
    sizes = list(results)
    print("| command |" + "".join(f" {size:,} MB |" for size in sizes))
    print("| --- |" + " --: |" * len(sizes))
    for command in COMMANDS:
        cells = [_cell(results[size], command.title) for size in sizes]
        print(f"| {command.title} |" + "".join(f" {cell} |" for cell in cells))
    if len(growing := [size for size in sizes if size >= 500]) > 1:
        first, last = growing[0], growing[-1]
        cost = {
            title: _seconds(results[last], title) - _seconds(results[first], title)
            for title in ("cp + sync", "convert")
        }
        ratio = cost["convert"] / cost["cp + sync"]
        print(f"\nA further byte, {first:,} to {last:,} MB: convert costs {ratio:.2f} times cp.")
    extra = _peak(results[sizes[-1]], "convert") - _peak(results[sizes[-1]], "--help")
    print(f"Memory of convert above --help at {sizes[-1]:,} MB: {extra:.0f} MiB.")


def _cell(runs: dict[str, list[Run]], title: str) -> str:
    if title not in runs:
        return "–"
    times = _seconds(runs, title) / _seconds(runs, "cp + sync")
    return f"{_seconds(runs, title):.2f} s, {times:.2f}, {_peak(runs, title):.0f}"


def _seconds(runs: dict[str, list[Run]], title: str) -> float:
    return statistics.median(run.seconds for run in runs[title])


def _peak(runs: dict[str, list[Run]], title: str) -> float:
    return max(run.peak for run in runs[title])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--megabytes", type=int, nargs="+", default=[50, 500, 5000, 20000])
    args = parser.parse_args()
    results: dict[int, dict[str, list[Run]]] = {}
    for megabytes in args.megabytes:
        with tempfile.TemporaryDirectory(dir=args.folder) as name:
            old, new = Path(name) / "zoo/old.pth", Path(name) / "new.pth"
            old.parent.mkdir()
            # In a process of its own: what is started from here begins with the memory of this one.
            with ProcessPoolExecutor(1, get_context("spawn")) as maker:
                maker.submit(make, old, megabytes).result()
            runs: dict[str, list[Run]] = {}
            for number in range(args.rounds):
                print(f"{megabytes} MB, round {number + 1}", file=sys.stderr)
                for command in COMMANDS:
                    if megabytes <= command.until:
                        run = measure(command.line(old, new), new)
                        runs.setdefault(command.title, []).append(run)
            results[megabytes] = runs
    report(results)


if __name__ == "__main__":
    main()
