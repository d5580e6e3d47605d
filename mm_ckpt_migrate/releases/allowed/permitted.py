"""Which dotted names a config may use."""

from __future__ import annotations

from collections.abc import Sequence

OPENMMLAB = ("mmcls", "mmcv", "mmdet", "mmengine", "mmpretrain", "mmseg")
"""Packages that a config may name without being asked."""


def permitted(name: str, packages: Sequence[str] = ()) -> bool:
    """Whether a dotted name lies in one of these packages, of OpenMMLab's, or in `torch.nn`.

    Names are words: `mmdet./tmp/x` lies nowhere.
    """
    words = all(word.isidentifier() for word in name.split("."))
    return words and within(name, (*packages, *OPENMMLAB, "torch.nn"))


def within(name: str, packages: Sequence[str]) -> bool:
    """Whether a dotted name is one of the packages, or lies in one."""
    return any(name == p or name.startswith(f"{p}.") for p in packages)
