"""Which config of the current release builds what a config of an older release built.

The current config of the same path; else the only one of the same name, as the releases spell
names; else the only one whose entry in the model zoo has the same file of weights. Names go before
files: a few entries of mmsegmentation 1.x name the file of another model.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TypeAlias
from urllib.parse import unquote

import yaml

CURRENT = {"mmdet": "mmdet-3.3.0", "mmsegmentation": "mmsegmentation-1.2.2"}
# What newer releases call otherwise; GPUs and batch size; and a word that they leave out.
_SPELLED = (("mstrain", "ms"), ("fp16", "amp"), ("_lr5e-3", ""))
_BATCH = re.compile(r"\d+xb\d+|\d{1,2}x([12]?\d|3[0-2])")

# The folder, and the words of the name in alphabetical order.
Name: TypeAlias = "tuple[str, tuple[str, ...]]"


def read_weights(package: Path) -> dict[str, str]:
    """Name of a zoo's file to its config, from all metafiles; not where it has several configs."""
    found: dict[str, set[str]] = {}
    for path in sorted((package / ".mim" / "configs").rglob("*.y*ml")):
        data = yaml.load(path.read_text(encoding="utf-8"), yaml.CSafeLoader)
        for model in data.get("Models") or () if isinstance(data, dict) else data:
            address, config = model.get("Weights"), model.get("Config")
            if isinstance(address, str) and config:  # a tracker has several files: parts of it
                file = unquote(address.rpartition("/")[2])
                found.setdefault(file, set()).add(config.removeprefix("configs/"))
    return {file: configs.pop() for file, configs in found.items() if len(configs) == 1}


def counterparts(
    releases: Mapping[str, Mapping[str, int]], weights: Mapping[str, Mapping[str, str]]
) -> dict[str, dict[str, str]]:
    """Of each older release: config to config of the current release."""
    return {
        release: _of_release(releases[release], releases[current], weights[release], weights[current])
        for release, current in ((r, CURRENT[r.partition("-")[0]]) for r in releases)
        if release != current
    }


def _of_release(
    old: Iterable[str], new: Iterable[str], old_weights: Mapping[str, str], new_weights: Mapping[str, str]
) -> dict[str, str]:
    old, new = list(old), set(new)
    old_names, new_names = _by_name(old), _by_name(new)
    by_weights = _by_weights(old_weights, new_weights)
    found = {}
    for config in old:
        name = _name(config)
        named = new_names.get(name, []) if len(old_names[name]) == 1 else []
        for fitting in ({config} & new, named, by_weights.get(config, set()) & new):
            if len(fitting) == 1:
                found[config] = next(iter(fitting))
                break
    return found


def _name(config: str) -> Name:
    folder, _, name = config.removesuffix(".py").lower().rpartition("/")
    for old, new in _SPELLED:
        name = name.replace(old, new)
    words = re.split("[_-]", name)
    return folder, tuple(sorted(word for word in words if not _BATCH.fullmatch(word)))


def _by_name(configs: Iterable[str]) -> dict[Name, list[str]]:
    found: dict[Name, list[str]] = {}
    for config in configs:
        found.setdefault(_name(config), []).append(config)
    return found


def _by_weights(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, set[str]]:
    """Files that differ in their digest alone are the same weights."""
    published: dict[str, set[str]] = {}
    for file, config in new.items():
        published.setdefault(_without_digest(file), set()).add(config)
    found: dict[str, set[str]] = {}
    for file, config in old.items():
        found.setdefault(config, set()).update(published.get(_without_digest(file), ()))
    return found


def _without_digest(file: str) -> str:
    return re.sub(r"-[0-9a-f]{8}\.pth$", "", file)
