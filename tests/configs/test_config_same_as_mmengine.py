"""On the configs of mmseg and mmdet, the reader gives what mmengine gives by running them."""

from __future__ import annotations

import logging
import os
from pathlib import Path

import pytest

from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.configs.read.shipped import config_root, shipped_names
from mm_ckpt_migrate.errors import ConfigError

pytestmark = pytest.mark.mm

# All 1,626 take three minutes: MM_CKPT_MIGRATE_ALL_CONFIGS=1 asks for them.
ALL = bool(os.environ.get("MM_CKPT_MIGRATE_ALL_CONFIGS"))
OURS = ("maskformer/", "mask2former/", "detr/", "deformable_detr/")
STEP = 8


def _as_list(value: object) -> object:
    """`value` with every range as a list, the form in which the reader gives it."""
    if isinstance(value, dict):
        return {key: _as_list(item) for key, item in value.items()}
    if isinstance(value, tuple):
        return tuple(_as_list(item) for item in value)
    return [_as_list(item) for item in value] if isinstance(value, (list, range)) else value


def _run_by_mmengine(path: Path) -> dict[str, object] | None:
    from mmengine.config import Config

    try:
        config = Config.fromfile(path, import_custom_modules=False)
    except Exception:  # whatever a config that does not load raises
        return None
    return _as_list(config.to_dict())


@pytest.mark.parametrize("package", [pytest.param("mmseg", marks=pytest.mark.thorough), "mmdet"])
def test_same_values_in_the_same_order(package: str) -> None:
    pytest.importorskip("mmengine")
    root = config_root(package)
    if root is None:
        pytest.skip(f"{package} is not installed")
    logging.disable(logging.WARNING)
    same, broken = 0, []
    for number, name in enumerate(shipped_names(package)):
        if not (ALL or name.startswith(OURS) or (package == "mmseg" and number % STEP == 0)):
            continue
        expected = _run_by_mmengine(root / name)
        if expected is None:
            broken.append(name)
            with pytest.raises(ConfigError):
                read_config(root / name)
            continue
        assert repr(read_config(root / name)) == repr(expected), name
        same += 1
    logging.disable(logging.NOTSET)
    assert same > 15
    assert ALL or broken == []


@pytest.mark.thorough
def test_the_dump_that_a_checkpoint_holds() -> None:
    config_module = pytest.importorskip("mmengine.config")
    root = config_root("mmseg")
    if root is None:
        pytest.skip("mmseg is not installed")
    names = [name for name in shipped_names("mmseg") if name.startswith("mask2former/")]
    for name in names:
        config = config_module.Config.fromfile(root / name, import_custom_modules=False)
        assert read_config_text(config.pretty_text, name) == config.to_dict(), name
    assert names
