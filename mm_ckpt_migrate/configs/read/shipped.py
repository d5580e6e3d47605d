"""Where the installed mmseg and mmdet keep their configs. Nothing is imported to find out."""

from __future__ import annotations

import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Final, Literal, TypeAlias

from mm_ckpt_migrate.errors import ConfigError

Scope: TypeAlias = Literal["mmseg", "mmdet"]

SCOPES: Final[tuple[Scope, ...]] = ("mmseg", "mmdet")
_REFERENCE: Final = re.compile(r"[A-Za-z_]\w*::[\w./+-]+", re.ASCII)
# What a config may inherit from with `package::`, as in mmengine, and what pip calls it.
_DISTRIBUTIONS: Final = {
    "mmaction": "mmaction2",
    "mmcls": "mmcls",
    "mmdet": "mmdet",
    "mmdet3d": "mmdet3d",
    "mmocr": "mmocr",
    "mmpose": "mmpose",
    "mmpretrain": "mmpretrain",
    "mmrotate": "mmrotate",
    "mmseg": "mmsegmentation",
    "mmselfsup": "mmselfsup",
    "mmtrack": "mmtrack",
    "mmyolo": "mmyolo",
}


def config_root(package: str) -> Path | None:
    """The folder with the configs of an installed package, or None where there is none.

    That is `.mim/configs` inside the package, or `configs` beside it in a source checkout.
    """
    try:
        # Imports nothing for a name without dots.
        spec = find_spec(package)
    except (ImportError, ValueError):
        return None
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location)
        for root in (folder / ".mim" / "configs", folder.parent / "configs"):
            if root.is_dir():
                return root
    return None


def shipped_names(package: str) -> list[str]:
    """Names of all configs that `package` ships, such as `mask2former/mask2former_r50.py`."""
    root = config_root(package)
    if root is None:
        return []
    found = []
    for folder, _, files in os.walk(root):
        parent = Path(folder).relative_to(root)
        found += [(parent / file).as_posix() for file in files if file.endswith(".py")]
    return sorted(found)


def shipped_config(reference: str) -> Path:
    """The file behind `package::folder/name.py`; `.py` may be left out.

    Raises:
        ConfigError: the reference has another form, or the package is not of OpenMMLab, is not
            installed, or ships no such config.
    """
    shown = f"{reference!r:.200}"
    if not _REFERENCE.fullmatch(reference):
        raise ConfigError(shown, "is not of the form package::folder/name.py")
    package, _, name = reference.partition("::")
    if package not in _DISTRIBUTIONS:
        raise ConfigError(shown, f"{package!r:.80} is not a package of OpenMMLab with configs")
    root = config_root(package)
    if root is None:
        hint = f"pip install {distribution(package)}"
        raise ConfigError(shown, f"{package} is not installed with its configs", hint=hint)
    path = root / (name if name.endswith(".py") else f"{name}.py")
    if ".." in path.parts or not path.is_relative_to(root):
        raise ConfigError(shown, f"the name leads out of the configs of {package}")
    if not os.path.isfile(path):
        raise ConfigError(shown, f"{package} ships no config of this name")
    return path


def distribution(package: str) -> str:
    """The name that pip knows an OpenMMLab package by."""
    return _DISTRIBUTIONS[package]
