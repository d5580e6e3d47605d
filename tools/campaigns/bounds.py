"""Costly pickles: at most a second and 100 MB for each megabyte of them, or refused.

    python tools/campaigns/bounds.py [--megabytes 1,4,16] [--kinds NAME,…] [--save FILE.json]

"A megabyte" is one of pickle, beside what every file takes. Each command runs in a child of its
own, whose processor time and largest resident memory the kernel tells. `many tensors` makes files
with as many tensors as bytes allow, `safetensors` headers of as many; the others lie beside the
weights of a genuine file, in its newer and in its older format.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bounds_kinds import KINDS, STORAGES, Kind, grafted
from seeds import Parts, as_legacy, as_zip
from support.streams import Storage, stream, tensor, text
from tally import Tally

from mm_ckpt_migrate.errors import ExitCode
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.storages import storage_refs
from mm_ckpt_migrate.files.checkpoint.open import open_checkpoint
from mm_ckpt_migrate.files.pickles.build import find, mapping_of
from mm_ckpt_migrate.files.pickles.emit import emit
from mm_ckpt_migrate.files.pickles.nodes import walk
from mm_ckpt_migrate.files.pickles.parse import parse_whole

GOLDEN = Path(__file__).resolve().parents[2] / "tests" / "golden" / "maskformer_r18" / "old.pth"
# What a genuine file of a megabyte takes at most, and what each megabyte may take on top of it.
FREE_SECONDS, SECONDS = 2.0, 1.0
FREE_MEGABYTES, MEGABYTES = 100, 100
# Where a broken program is stopped.
_LAUNCHER = f"""
import os, resource, sys
child = os.fork()
if not child:
    resource.setrlimit(resource.RLIMIT_CPU, (120, 120))
    resource.setrlimit(resource.RLIMIT_AS, ({8 << 30}, {8 << 30}))
    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    os.execv(sys.argv[1], sys.argv[1:])
_, status, used = os.wait4(child, 0)
print(os.waitstatus_to_exitcode(status), used.ru_utime + used.ru_stime, used.ru_maxrss)
"""
_ALSO_LEGACY = ("lists", "a shared list", "tensors of shared parts")
_VIEW = tensor(Storage("0", 1, "torch.FloatStorage"), shape=(1,), stride=(1,))
COMMANDS: dict[str, tuple[str, ...]] = {
    "inspect": ("inspect", "OLD"),
    "plan": ("plan", "auto", "-", "OLD", "--no-build"),
    "convert": ("convert", "auto", "-", "OLD", "NEW", "--no-build"),
    "keep-as-is": ("convert", "auto", "-", "OLD", "NEW", "--no-build", "--keep-as-is"),
    "inference": ("convert", "auto", "-", "OLD", "NEW", "--no-build", "--for", "inference"),
    "safetensors": (
        "convert",
        "auto",
        "-",
        "OLD",
        "NEW",
        "--no-build",
        "--for",
        "inference",
        "--format",
        "safetensors",
    ),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What a command took: its exit code, processor seconds, and megabytes at its peak."""

    code: int
    seconds: float
    megabytes: float


def base() -> Parts:
    """A genuine file's weights and config, without what a training leaves beside them."""
    with Source(GOLDEN) as source:
        opened = open_checkpoint(source)
        assert opened.tree is not None
        meta = find(opened.tree.root, "meta")
        assert meta is not None
        root = mapping_of({"meta": meta, "state_dict": opened.tree.state_dict})
        keys = storage_refs(walk(root))
        found = {k: source.read(opened.extents[k].offset, opened.extents[k].size) for k in keys}
        return Parts(emit(root), found)


def made(whole: Parts, kind: Kind, size: int, *, pad: bool = True) -> Parts:
    """The same with a costly entry."""
    first = sum(node.memoized for node in walk(parse_whole(whole.pickle)))
    pickle = grafted(whole.pickle, kind, size, first, pad=pad)
    used = STORAGES if b"999" in pickle[len(whole.pickle) :] else {}
    return Parts(pickle, {**whole.storages, **used})


def many_tensors(size: int) -> bytes:
    """A state dict of names that nobody knows, in a file of its own."""
    units = [text(f"a.{number}.w") + _VIEW for number in range(size // len(_VIEW))]
    pickle = stream(b"}(" + text("state_dict") + b"}(" + b"".join(units) + b"uu")
    return as_zip(Parts(pickle, {"0": b"\0" * 4}))


def many_headers(size: int) -> bytes:
    """A safetensors file of tensors without elements."""
    entry = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    raw = json.dumps({f"a.{number}.w": entry for number in range(size // 70)}).encode()
    return len(raw).to_bytes(8, "little") + raw


def files(whole: Parts, kinds: Sequence[str], size: int) -> Iterator[tuple[str, bytes]]:
    """Names of costly files, and their bytes."""
    for name in kinds:
        costly = made(whole, KINDS[name], size)
        yield name, as_zip(costly)
        if name in _ALSO_LEGACY:
            yield f"{name} (legacy)", as_legacy(costly)
    yield "many tensors", many_tensors(size)
    yield "safetensors header", many_headers(size)


def run(arguments: Sequence[str], prelude: str = "") -> Cost:
    """One command in a process of its own; `prelude` is run in it beforehand."""
    code = f"{prelude}\nfrom mm_ckpt_migrate.cli.main import run\nrun()"
    # Linux counts what a process was before it became another: hence a small one in between.
    launched = (sys.executable, "-S", "-c", _LAUNCHER, sys.executable, "-c", code, *arguments)
    said = subprocess.run(launched, capture_output=True, check=True).stdout.split()
    return Cost(int(said[0]), float(said[1]), float(said[2]) / 1000)


def faults(cost: Cost, size: int, *, timed: bool = True) -> list[str]:
    """How a command broke the promise for a file of `size` bytes."""
    millions = size / 1_000_000
    found = []
    if cost.code < 0 or cost.code not in map(int, ExitCode):
        found.append(f"ended with {cost.code}")
    if timed and cost.seconds > FREE_SECONDS + SECONDS * millions:
        found.append(f"took {cost.seconds:.1f} s")
    if cost.megabytes > FREE_MEGABYTES + MEGABYTES * millions:
        found.append(f"took {cost.megabytes:.0f} MB")
    return found


def attempt(tally: Tally, name: str, old: Path, commands: Sequence[str], *, timed: bool = True) -> None:
    """Every command on one file."""
    size = old.stat().st_size
    for command in commands:
        suffix = ".safetensors" if command == "safetensors" else ".pth"
        with tempfile.TemporaryDirectory(dir=old.parent) as folder:
            names = {"OLD": str(old), "NEW": f"{folder}/new{suffix}"}
            cost = run([names.get(word, word) for word in COMMANDS[command]])
        tally.count(f"{command}: exit code {cost.code}")
        share = max(0.0, cost.megabytes - FREE_MEGABYTES) / (size / 1_000_000)
        most = f"{command}: most megabytes for each, beside {FREE_MEGABYTES}"
        tally.counts[most] = max(tally.counts[most], round(share))
        print(f"{name}, {command}, {size:,} bytes: {cost}", file=sys.stderr, flush=True)
        for fault in faults(cost, size, timed=timed):
            tally.accuse(f"{name}, {size / 1e6:.1f} MB, {command}: {fault}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", default="1,4,16")
    parser.add_argument("--kinds", default=",".join(KINDS).replace(", ", ";"))
    parser.add_argument("--commands", default=",".join(COMMANDS))
    parser.add_argument("--save", type=Path)
    wanted = parser.parse_args()
    tally, whole = Tally("Costly pickles"), base()
    kinds = [kind.replace(";", ", ") for kind in wanted.kinds.split(",") if kind]
    with tempfile.TemporaryDirectory() as folder:
        for size in wanted.megabytes.split(","):
            for name, data in files(whole, kinds, int(float(size) * 1_000_000)):
                old = Path(folder, "o.safetensors" if "header" in name else "o.pth")
                old.write_bytes(data)
                attempt(tally, name, old, wanted.commands.split(","))
    return tally.finish(wanted.save)


if __name__ == "__main__":
    sys.exit(main())
