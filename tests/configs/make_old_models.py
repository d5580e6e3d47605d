"""Make `old_models.json.xz`: the resolved models of the configs that old releases shipped.

Run with the folders of configs of mmsegmentation 1.0.0rc4, mmdet 3.0.0rc4 and mmdet 2.28.2, as
their wheels have them in `.mim`:

    python tests/configs/make_old_models.py MMSEG_CONFIGS MMDET_CONFIGS MMDET2_CONFIGS
"""

from __future__ import annotations

import json
import lzma
import sys
from functools import cache
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.configs.read.config import read_config

FILE = Path(__file__).with_name("old_models.json.xz")
MASKS = ("maskformer", "mask2former")
DETRS = ("detr", "deformable_detr")
# Of each release, in the order of the arguments; the first two names are those of the packages.
FOLDERS = {"mmseg": MASKS, "mmdet": MASKS + DETRS, "mmdet-2.28.2": (*MASKS, *DETRS, "yolact", "rpn")}
TUPLE = "(tuple)"


def to_json(value: Any) -> Any:
    """JSON has no tuples: one is a list that starts with a mark."""
    if isinstance(value, dict):
        return {key: to_json(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return [TUPLE, *map(to_json, value)]
    return [to_json(item) for item in value] if isinstance(value, list) else value


def from_json(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: from_json(item) for key, item in value.items()}
    if isinstance(value, list):
        items = [from_json(item) for item in value]
        return tuple(items[1:]) if items[:1] == [TUPLE] else items
    return value


@cache
def _read() -> Any:
    return json.loads(lzma.decompress(FILE.read_bytes()))


def load(*folders: str, releases: tuple[str, ...] = ("mmseg", "mmdet")) -> dict[str, Any]:
    """`mmseg::folder/name.py` to its `model`, of those folders and releases."""
    return {
        name: from_json(model)
        for name, model in _read().items()
        if name.partition("::")[0] in releases
        if name.partition("::")[2].partition("/")[0] in folders
    }


def main(*roots: Path) -> None:
    models = {
        f"{release}::{path.relative_to(root).as_posix()}": to_json(read_config(path)["model"])
        for (release, folders), root in zip(FOLDERS.items(), roots, strict=True)
        for folder in folders
        for path in sorted((root / folder).glob("*.py"))
    }
    text = json.dumps(models, separators=(",", ":")).encode()
    FILE.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
