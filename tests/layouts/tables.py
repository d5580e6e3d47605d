"""Read the packed layouts; see README.md."""

from __future__ import annotations

import json
import lzma
from functools import cache
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.schema import Schema, TensorSpec

HERE = Path(__file__).parent
OLD, NEW = "mmsegmentation-1.0.0rc4", "mmsegmentation-1.2.2"
DET2, DET_OLD, DET_NEW = "mmdet-2.28.2", "mmdet-3.0.0rc4", "mmdet-3.3.0"
FOLDERS = ("maskformer/", "mask2former/")


@cache
def _read(name: str) -> Any:
    return json.loads(lzma.decompress((HERE / name).read_bytes()))


def configs(release: str) -> dict[str, str]:
    """Layout id of every config of a release."""
    return _read("names.json.xz")["configs"][release]


def all_names() -> dict[str, list[str]]:
    """Keys of every layout, by id."""
    return _read("names.json.xz")["names"]


def names(release: str, config: str) -> list[str]:
    return all_names()[configs(release)[config]]


def modules(release: str, config: str) -> dict[str, int | None]:
    """`_metadata` of the model that a config builds; recorded for four configs."""
    return _read("modules.json.xz")[release][config]


def recorded_modules(release: str) -> list[str]:
    return list(_read("modules.json.xz")[release])


def layout(release: str, config: str) -> Schema:
    """The state dict of a MaskFormer or Mask2Former config, with `_metadata` where recorded."""
    table = _read("layouts.json.xz")[configs(release)[config]]
    specs = tuple(TensorSpec(name, tuple(shape), dtype) for name, shape, dtype in table)
    return Schema(specs, _read("modules.json.xz").get(release, {}).get(config))


def parameters(name: str) -> list[str]:
    """`named_parameters()` of the model that a layout was read off, by its id."""
    keys = all_names()[name]
    runs = _read("parameters.json.xz")[name]["runs"]
    return [keys[start + step] for start, length in runs for step in range(length)]


def ties(name: str) -> tuple[tuple[str, ...], ...]:
    """Groups of keys that share one tensor in the model that a layout was read off."""
    keys = all_names()[name]
    groups = _read("parameters.json.xz")[name]["ties"]
    return tuple(tuple(keys[number] for number in group) for group in groups)


def family_of(config: str) -> str:
    return config.partition("/")[0]


def pairs() -> list[tuple[str, str, str, str]]:
    """Old release, old config, new release, new config: of one model, 17 + 13 + 13 of them."""
    same = [(OLD, c, NEW, c) for c in configs(OLD) if c.startswith(FOLDERS)]
    det = [(DET_OLD, c, DET_NEW, c) for c in configs(DET_OLD) if c.startswith(FOLDERS)]
    # 2.28.2 names its configs otherwise; the layouts are those of 3.0.0rc4.
    later = {configs(DET_OLD)[config]: config for _, config, _, _ in det}
    two = [
        (DET2, config, DET_NEW, later[name])
        for config, name in configs(DET2).items()
        if config.startswith(FOLDERS)
    ]
    return same + det + two
