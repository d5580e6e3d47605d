"""The layouts of real models, from the package's table; see README.md."""

from __future__ import annotations

import json
import lzma
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from mm_ckpt_migrate.identify.layouts.table import load_table
from mm_ckpt_migrate.schema import Schema

HERE = Path(__file__).parent
OLD, NEW = "mmsegmentation-1.0.0rc4", "mmsegmentation-1.2.2"
DET2, DET_OLD, DET_NEW = "mmdet-2.28.2", "mmdet-3.0.0rc4", "mmdet-3.3.0"
FOLDERS = ("maskformer/", "mask2former/")


@cache
def _modules() -> Any:
    return json.loads(lzma.decompress((HERE / "modules.json.xz").read_bytes()))


def configs(release: str) -> Mapping[str, int]:
    """Number of the layout of every config of a release."""
    return load_table().releases[release]


@cache
def all_names() -> dict[int, list[str]]:
    """Keys of every layout, by its number."""
    table = load_table()
    return {number: list(table.schema(number).names) for number in range(len(table))}


def names(release: str, config: str) -> list[str]:
    return all_names()[configs(release)[config]]


def modules(release: str, config: str) -> dict[str, int | None]:
    """`_metadata` of the model that a config builds; recorded for four configs."""
    return _modules()[release][config]


def recorded_modules(release: str) -> list[str]:
    return list(_modules()[release])


def layout(release: str, config: str) -> Schema:
    """The state dict of a config, with `_metadata` where recorded; ties are in `ties`."""
    schema = load_table().schema(configs(release)[config])
    return Schema(schema.tensors, _modules().get(release, {}).get(config))


def parameters(number: int) -> list[str]:
    """`named_parameters()` of the model that a layout was read off."""
    return list(load_table().parameters(number))


def ties(number: int) -> tuple[tuple[str, ...], ...]:
    """Groups of keys that share one tensor in the model that a layout was read off."""
    return load_table().ties[number]


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
