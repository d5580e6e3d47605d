"""Which releases of torch and the OpenMMLab packages are installed, without importing any."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path

_DISTRIBUTIONS = {
    "torch": ("torch",),
    "mmengine": ("mmengine", "mmengine-lite"),
    "mmcv": ("mmcv", "mmcv-lite", "mmcv-full"),
    "mmdet": ("mmdet",),
    "mmseg": ("mmsegmentation",),
    "mmpretrain": ("mmpretrain",),
}
"""Importable package to the distributions that may provide it."""


@dataclass(frozen=True, slots=True)
class Stack:
    """The installed releases.

    Attributes:
        versions: distribution name to version, and `mmcv._ext` where compiled operators exist.
        pinned: whether the versions tell the code apart: nothing comes from a source checkout.
    """

    versions: Mapping[str, str]
    pinned: bool


def installed() -> Stack:
    """The stack that a child of this interpreter imports."""
    versions: dict[str, str] = {}
    pinned = True
    for package, names in _DISTRIBUTIONS.items():
        found = {name: dist for name in names if (dist := _distribution(name))}
        versions.update({name: dist.version for name, dist in found.items()})
        home = _home(package)
        if home is None:
            continue
        pinned = pinned and any(_provides(dist, home) for dist in found.values())
        if package == "mmcv" and any(home.glob("_ext*.*")):
            versions["mmcv._ext"] = "compiled"
    return Stack(versions, pinned)


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def _home(package: str) -> Path | None:
    """Where a top-level package would be imported from; looking does not import it."""
    try:
        spec = util.find_spec(package)
    except (ImportError, ValueError):
        return None
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _provides(dist: metadata.Distribution, home: Path) -> bool:
    """Whether the package comes from this distribution, and that from a release.

    A checkout (editable, a local folder, a git URL) changes under an unchanged version.
    """
    direct = json.loads(dist.read_text("direct_url.json") or "{}")
    released = not direct or "archive_info" in direct
    return released and Path(str(dist.locate_file(home.name))) == home
