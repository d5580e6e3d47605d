"""Make `old_models.json.xz`: the resolved models of the configs that an old release shipped.

Run with the folders `.mim/configs` of mmsegmentation 1.0.0rc4 and mmdet 3.0.0rc4:

    python tests/configs/make_old_models.py MMSEG_CONFIGS MMDET_CONFIGS
"""

from __future__ import annotations

import json
import lzma
import sys
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.configs.read import read_config

FILE = Path(__file__).with_name("old_models.json.xz")
FOLDERS = ("maskformer", "mask2former")
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


def load() -> dict[str, Any]:
    """`mmseg::folder/name.py` to its `model`."""
    loaded: dict[str, Any] = from_json(json.loads(lzma.decompress(FILE.read_bytes())))
    return loaded


def main(mmseg: Path, mmdet: Path) -> None:
    models = {
        f"{package}::{path.relative_to(root).as_posix()}": to_json(read_config(path)["model"])
        for package, root in (("mmseg", mmseg), ("mmdet", mmdet))
        for folder in FOLDERS
        for path in sorted((root / folder).glob("*.py"))
    }
    text = json.dumps(models, separators=(",", ":")).encode()
    FILE.write_bytes(lzma.compress(text, preset=9 | lzma.PRESET_EXTREME))


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
