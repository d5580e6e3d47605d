"""Pack layout tables, and what the metafiles of the releases say, into the package's two tables.

    python collect.py SOURCE_FOLDER RELEASE=PACKAGE_FOLDER...

SOURCE_FOLDER holds `PACKAGE-VERSION.json` (config to layout id) and `tables/ID.json.gz` (the
layout). Each PACKAGE_FOLDER is an unpacked wheel's `mmdet` or `mmseg`, such as
`mmdet-2.28.2=wheels/mmdet`. Afterwards run `collect_loading.py`.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from counterparts import counterparts, read_weights

from mm_ckpt_migrate.identify.layouts.outline import outline
from mm_ckpt_migrate.identify.layouts.table import LAYOUTS
from mm_ckpt_migrate.identify.layouts.weights import WEIGHTS

RELEASES = (
    "mmdet-2.28.2",
    "mmdet-3.0.0rc4",
    "mmdet-3.3.0",
    "mmsegmentation-0.30.0",
    "mmsegmentation-1.0.0rc4",
    "mmsegmentation-1.2.2",
)


class Packer:
    """Gives each segment, kind of tensor and module one number."""

    def __init__(self) -> None:
        self.segments: dict[str, int] = {}
        self.kinds: dict[tuple[Any, ...], int] = {}
        self.modules: dict[tuple[int, ...], int] = {}

    def module(self, rows: Sequence[tuple[list[str], int]]) -> int:
        """The number of the module with these keys; what is below a child stands together."""
        flat: list[int] = []
        start = 0
        while start < len(rows):
            path, kind = rows[start]
            end = start + 1
            while len(path) > 1 and end < len(rows) and rows[end][0][0] == path[0]:
                end += 1
            below = [(row[1:], number) for row, number in rows[start:end]]
            child = self.module(below) if len(path) > 1 else ~kind
            flat += (self.segments.setdefault(path[0], len(self.segments)), child)
            start = end
        assert len(set(flat[::2])) == len(flat) // 2, "a state dict in no order of modules"
        return self.modules.setdefault(tuple(flat), len(self.modules))

    def kind(self, shape: list[int], dtype: str, parameter: bool) -> int:
        return self.kinds.setdefault((tuple(shape), dtype, int(parameter)), len(self.kinds))

    def layout(self, table: dict[str, Any]) -> dict[str, Any]:
        rows = [(name.split("."), self.kind(*kind)) for name, *kind in table["keys"]]
        names = outline(name for name, *_ in table["keys"])
        outlined = sorted((name.split("."), self.kind([], "", False)) for name in names)
        return {
            "root": self.module(rows),
            "size": len(rows),
            "outline": self.module(outlined),
            "ties": table["ties"],
        }


def pack(source: Path, weights: dict[str, dict[str, str]]) -> dict[str, Any]:
    packer = Packer()
    numbers: dict[str, int] = {}
    layouts: list[dict[str, Any]] = []
    releases: dict[str, dict[str, int]] = {}
    for release in RELEASES:
        releases[release] = {}
        configs = json.loads((source / f"{release}.json").read_text())["configs"]
        for config, name in sorted(configs.items()):
            if name not in numbers:
                numbers[name] = len(layouts)
                table = (source / "tables" / f"{name}.json.gz").read_bytes()
                layouts.append(packer.layout(json.loads(gzip.decompress(table))))
            releases[release][config] = numbers[name]
    return {
        "segments": list(packer.segments),
        "kinds": list(packer.kinds),
        "modules": list(packer.modules),
        "layouts": layouts,
        "releases": releases,
        "counterparts": counterparts(releases, weights),
    }


def rows_by_file(weights: dict[str, dict[str, str]]) -> dict[str, Any]:
    files = sorted({file for listed in weights.values() for file in listed})
    return {
        "releases": RELEASES,
        "files": {file: [weights[release].get(file) for release in RELEASES] for file in files},
    }


def write(path: Path, data: object) -> None:
    text = json.dumps(data, separators=(",", ":")).encode()
    path.write_bytes(gzip.compress(text, 9, mtime=0))
    print(f"{path.name}: {path.stat().st_size:,} bytes")


def main() -> None:
    source, *packages = sys.argv[1:]
    folders = dict(package.split("=", 1) for package in packages)
    weights = {release: read_weights(Path(folders[release])) for release in RELEASES}
    write(LAYOUTS, pack(Path(source), weights))
    write(WEIGHTS, rows_by_file(weights))


if __name__ == "__main__":
    main()
