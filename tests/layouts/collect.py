"""Pack a folder of layout tables into three small files for the tests.

    python collect.py SOURCE_FOLDER

SOURCE_FOLDER holds `PACKAGE-VERSION.json` (config to layout id) and `tables/ID.json.gz` (the
layout). The files are written beside this script.
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


def read_parameters(source: Path, name: str) -> dict[str, list[list[int]]]:
    """`named_parameters()` in its order, as runs of places in the state dict; and the ties."""
    with gzip.open(source / "tables" / f"{name}.json.gz", "rt") as file:
        table = json.load(file)
    place = {key[0]: number for number, key in enumerate(table["keys"])}
    runs: list[list[int]] = []
    for number in (place[parameter] for parameter in table["param_order"]):
        if runs and number == sum(runs[-1]):
            runs[-1][1] += 1
        else:
            runs.append([number, 1])
    return {"runs": runs, "ties": [[place[key] for key in group] for group in table["ties"]]}


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
    write("parameters.json.xz", {name: read_parameters(source, name) for name in sorted(every)})
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
