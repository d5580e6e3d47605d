"""The registries of the installed release, with everything that its packages register."""

from __future__ import annotations

import gc
import importlib
import importlib.util
import pkgutil
import warnings
from collections.abc import Iterator
from typing import Any

from mm_ckpt_migrate.releases.allowed import classes
from mm_ckpt_migrate.releases.current.child import build

PACKAGES = ("mmengine", "mmcv", "mmdet", "mmseg", "mmpretrain")
_LEFT_OUT = (".configs", ".mim", ".testing")


def import_all() -> None:
    """Import every module, since a registry holds only what was imported."""
    warnings.simplefilter("ignore")
    build.stand_in_for_operators()
    for package in PACKAGES:
        if importlib.util.find_spec(package) is None:
            continue
        found = importlib.import_module(package)
        for module in pkgutil.walk_packages(found.__path__, f"{package}.", onerror=lambda _: None):
            if not any(part in module.name for part in _LEFT_OUT):
                try:
                    importlib.import_module(module.name)
                except BaseException:
                    continue


def registered() -> Iterator[tuple[str, str, str, Any]]:
    """The scope, the kind of registry, the name and the thing, sorted."""
    registry: Any = importlib.import_module("mmengine.registry").Registry
    rows: list[tuple[str, str, str, Any]] = []
    for found in gc.get_objects():
        if isinstance(found, registry):
            kind = classes.kind_of(found)
            rows += [(found.scope, kind, name, value) for name, value in found.module_dict.items()]
    return iter(sorted(rows, key=lambda row: row[:3]))
