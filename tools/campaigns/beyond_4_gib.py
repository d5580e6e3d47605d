"""Z14: convert files past 4 GiB, and load what comes of them in all four modes of torch.

The storages are holes in a sparse file but for marks at their ends and at the border, so that only
the new file takes room on the disk: some 5 GB in `--folder`, one file at a time.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Final

import torch
from tally import Tally
from torch.utils.serialization import config

from mm_ckpt_migrate.convert.api import convert
from mm_ckpt_migrate.convert.options import Options
from mm_ckpt_migrate.files.archive.source import Source
from mm_ckpt_migrate.files.archive.torchzip import compose_zip, read_zip
from mm_ckpt_migrate.files.archive.transfer import measure_extents
from mm_ckpt_migrate.files.archive.zipread import read_records

FOUR_GIB: Final = 1 << 32
_HEAD: Final = "decode_head"
_LAYER: Final = f"{_HEAD}.transformer_decoder.layers.0"
_OLD: Final = ("attentions.0.attn.w", "attentions.1.attn.w", "ffns.0.layers.1.w")
_NEW: Final = ("self_attn.attn.w", "cross_attn.attn.w", "ffn.layers.1.w")
# Storages of bytes, in the order of the file: the header behind the first lies past the border,
# on it, or is cut by it in the new file, whose pickle is longer by the stamp.
LAYOUTS: Final = {
    "one storage of 4 GiB and more": (FOUR_GIB + 4096, 8, 16),
    "a header past the border": (FOUR_GIB - 1024, 40, 9),
    "a header that the stamp moves across": (FOUR_GIB - 6000, 40, 9),
    "two storages of 2.5 GiB": (5 << 29, 5 << 29, 9),
}


def make(path: Path, sizes: tuple[int, ...]) -> None:
    """A checkpoint of MaskFormer's names with storages of these sizes, and right checksums."""
    small = {f"{_LAYER}.{name}": torch.full((2,), float(n)) for n, name in enumerate(_OLD)}
    state_dict = {
        **{f"backbone.big{n}": torch.empty(n_bytes, dtype=torch.uint8) for n, n_bytes in enumerate(sizes)},
        f"{_HEAD}.query_embed.weight": torch.ones(2),
        f"{_HEAD}.pixel_decoder.mask_feature.weight": torch.ones(3),
        **small,
    }
    with torch.serialization.skip_data():
        torch.save({"state_dict": state_dict}, path)
    with Source(path) as source:
        found = read_zip(source, check_crc=False)
    with path.open("r+b") as file:
        for number, extent in enumerate(found.extents):
            for at in _marks(extent.size):
                file.seek(extent.offset + at)
                file.write(bytes([1 + number + at % 251]))
        file.flush()
        with Source(path) as source:
            measured = measure_extents(source, found.extents)
            literals = list(compose_zip(found, found.pickle, measured).literals())
        for offset, literal in literals:
            file.seek(offset)
            file.write(literal)


def _marks(size: int) -> list[int]:
    places = (0, 1, size // 2, FOUR_GIB - 1, FOUR_GIB, size - 1)
    return sorted({at for at in places if 0 <= at < size})


def check(name: str, folder: Path, tally: Tally) -> None:
    """Convert one layout, and load it in every mode."""
    old, new = folder / "old.pth", folder / "new.pth"
    make(old, LAYOUTS[name])
    report = convert("auto", "-", old, new, Options(build=False))
    if report.exit_code:
        tally.accuse(f"{name}: {report.verdicts}")
        return
    tally.count("converted")
    for path, which in ((old, "old"), (new, "new")):
        with Source(path) as source:
            past = sum(record.offset >= FOUR_GIB for record in read_records(source))
        tally.count(f"headers past 4 GiB, {which} files", past)
    expected = torch.load(old, mmap=True)["state_dict"]
    for mmap in (True, False):
        for computed in (False, True):
            with config.patch("load.calculate_storage_offsets", computed):
                found = torch.load(new, mmap=mmap)["state_dict"]
            wrong = _differences(found, expected)
            tally.count("loaded and compared")
            if wrong:
                tally.accuse(f"{name}, mmap={mmap}, computed offsets={computed}: {wrong}")
            del found


def _differences(found: Any, expected: Any) -> list[str]:
    names = {key: _new_name(key) for key in expected}
    if set(found) != set(names.values()):
        return ["other names"]
    return [new for old, new in names.items() if not _same(found[new], expected[old])]


def _same(first: Any, second: Any) -> bool:
    """The marks alone of a large one: the integrity rung has compared the rest."""
    if first.shape != second.shape or first.dtype != second.dtype:
        return False
    places = _marks(first.numel())
    return not places or bool(first[places].tolist() == second[places].tolist())


def _new_name(name: str) -> str:
    for old, new in zip(_OLD, _NEW, strict=True):
        name = name.replace(old, new)
    return name


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=int, default=len(LAYOUTS), help="how many of the layouts")
    parser.add_argument("--folder", type=Path, help="on a disk with 6 GB to spare")
    parser.add_argument("--save", type=Path)
    args = parser.parse_args()
    tally = Tally("Files past 4 GiB")
    for name in list(LAYOUTS)[: args.cases]:
        with tempfile.TemporaryDirectory(dir=args.folder) as folder:
            check(name, Path(os.fspath(folder)), tally)
    return tally.finish(args.save)


if __name__ == "__main__":
    sys.exit(main())
