"""Metafiles to patch, and what may change in them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import yaml

from mm_ckpt_migrate.zoo.links import NewLinks, Patched

DATA = Path(__file__).parent / "data"
EXTRACTS = sorted(DATA.glob("*/*/*.y*ml"))


def rename_all(text: str) -> NewLinks:
    """New names for all files that a metafile names."""
    olds = (unquote(name) for name in re.findall(r"/([^/\s]+\.pth)", text))
    return NewLinks({old: re.sub(r"(-[0-9a-f]{8})?\.pth$", "-deadbeef.pth", old) for old in olds})


def check_lines(before: str, patched: Patched) -> None:
    """The lines that changed are those reported, and they changed in the file's name alone."""
    old, new = before.splitlines(keepends=True), patched.text.splitlines(keepends=True)
    assert len(old) == len(new)
    changed = [number for number, pair in enumerate(zip(old, new, strict=True), 1) if len({*pair}) > 1]
    assert changed == [replacement.line for replacement in patched.replaced]
    for line in changed:
        assert re.sub(r"(-[0-9a-f]{8})?\.pth", "-deadbeef.pth", old[line - 1]) == new[line - 1]


def without_weights(text: str) -> Any:
    """What a metafile says, as mim reads it, but for the weights."""
    return _without(yaml.safe_load(text))


def _without(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: _without(value) for key, value in data.items() if key != "Weights"}
    return [_without(item) for item in data] if isinstance(data, list) else data
