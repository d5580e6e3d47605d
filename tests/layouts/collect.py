"""Pack a folder of layout tables into two small files for the tests.

    python collect.py SOURCE_FOLDER

SOURCE_FOLDER holds `PACKAGE-VERSION.json` (config to layout id) and `tables/ID.json.gz` (the
layout). Both files are written beside this script.
"""

from __future__ import annotations

import gzip
import json
import lzma
import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
FAMILIES = ("maskformer/", "mask2former/", "mask2former_vis/")


def read_configs(source: Path) -> dict[str, dict[str, str]]:
    """Release to config to layout id."""
    tables = {path.stem: json.loads(path.read_text()) for path in sorted(source.glob("*.json"))}
    return {release: dict(sorted(t["configs"].items())) for release, t in tables.items()}


def read_table(source: Path, name: str) -> list[list[Any]]:
    """The state dict of a layout: name, shape, dtype."""
    with gzip.open(source / "tables" / f"{name}.json.gz", "rt") as file:
        return [key[:3] for key in json.load(file)["keys"]]


def write(name: str, data: object) -> None:
    text = json.dumps(data, separators=(",", ":")).encode()
    (HERE / name).write_bytes(lzma.compress(text, preset=9))


def main() -> None:
    source = Path(sys.argv[1])
    configs = read_configs(source)
    every = {name for table in configs.values() for name in table.values()}
    tables = {name: read_table(source, name) for name in sorted(every)}
    names = {name: [key for key, _, _ in table] for name, table in tables.items()}
    write("names.json.xz", {"configs": configs, "names": names})
    ours = {
        name
        for table in configs.values()
        for config, name in table.items()
        if config.startswith(FAMILIES)
    }
    write("layouts.json.xz", {name: tables[name] for name in sorted(ours)})
    print(f"{len(names)} layouts by name, {len(ours)} in full")  # noqa: T201


if __name__ == "__main__":
    main()
