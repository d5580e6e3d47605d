"""Settings that the weights decide: a Vision Transformer's bias, where its config is silent."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from layouts.tables import NEW, OLD, configs, names

from mm_ckpt_migrate.configs.edits import Put
from mm_ckpt_migrate.configs.migrate.file import migrate_config_file
from mm_ckpt_migrate.configs.migrate.needs import needed, open_in
from mm_ckpt_migrate.configs.migrate.text import migrate_text
from mm_ckpt_migrate.configs.migrate.values import migrate_config
from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.configs.read.shipped import shipped_config, shipped_names
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.mapping.rules.library import Library

Write = Callable[..., Path]
BIAS = "backbone.patch_embed.projection.bias"
WITH = ("backbone.cls_token", BIAS, "decode_head.conv_seg.weight")
WITHOUT = tuple(key for key in WITH if key != BIAS)
SOURCE = """\
model = dict(
    type='EncoderDecoder',
    backbone=dict(type='VisionTransformer', img_size=(64, 64)),  # mine
    decode_head=dict(type='UPerHead'))
"""


def config(kind: str = "VisionTransformer", **settings: Any) -> Any:
    return {"model": {"type": "EncoderDecoder", "backbone": {"type": kind, **settings}}}


@pytest.mark.parametrize("kind", ["VisionTransformer", "mmseg.VisionTransformer"])
def test_the_bias_is_asked_for(kind: str, library: Library) -> None:
    (put,) = needed(config(kind), WITH, library.families)
    assert put == Put(("model", "backbone"), "patch_bias", True, put.reason)
    assert str(put).startswith("model.backbone.patch_bias is now True: ")


@pytest.mark.parametrize(
    ("stated", "keys"),
    [
        (config(), WITHOUT),
        (config(), ()),
        (config(patch_bias=True), WITH),
        (config(patch_bias=False), WITH),
        (config("BEiT"), WITH),
        (config("MAE"), WITH),
        (config("MyVisionTransformer"), WITH),
        (config("mmpretrain.VisionTransformer"), WITH),
        (config("ResNet"), WITH),
        (config(), ("model.backbone.patch_embed.projection.bias",)),
        (config(), (f"module.{BIAS}",)),
        (config(), (f"{BIAS}.x",)),
        ({"model": {"backbone": "VisionTransformer"}}, WITH),
        ({"model": None}, WITH),
        ({}, WITH),
    ],
)
def test_nothing_is_asked_for(stated: Any, keys: tuple[str, ...], library: Library) -> None:
    assert needed(stated, keys, library.families) == []


def test_what_the_weights_are_asked_about(library: Library) -> None:
    """Only where the config is silent; else they need not be read first."""
    assert [need.kind for need in open_in(config(), library.families)] == ["VisionTransformer"]
    for stated in (config(patch_bias=False), config(patch_bias=True), config("BEiT"), {}):
        assert open_in(stated, library.families) == []


def test_a_config_is_completed_for_its_weights(library: Library) -> None:
    old = config(img_size=(64, 64))
    before = copy.deepcopy(old)
    result: Any = migrate_config(old, library.families, "vit.py", WITH)
    assert result.config["model"]["backbone"]["patch_bias"] is True
    assert (result.family, len(result.edits)) == (None, 1)
    assert old == before
    again = migrate_config(result.config, library.families, "vit.py", WITH)
    assert (again.config, again.edits) == (result.config, ())


@pytest.mark.parametrize(
    ("stated", "keys"), [(config(), WITHOUT), (config(patch_bias=False), WITH), (config("BEiT"), WITH)]
)
def test_and_else_stays_as_it_is(stated: Any, keys: tuple[str, ...], library: Library) -> None:
    result = migrate_config(stated, library.families, "vit.py", keys)
    assert (result.config, result.family, result.edits) == (stated, None, ())


def test_without_weights_nothing_can_be_told(library: Library) -> None:
    with pytest.raises(ConfigError, match="nothing to migrate"):
        migrate_config(config(), library.families, "vit.py")


def test_in_a_file(write: Write, library: Library) -> None:
    old = write(old__py=SOURCE)
    new = old.with_name("new.py")
    result = migrate_config_file(old, new, library.families, keys=WITH)
    assert (result.form, result.family) == ("edited", None)
    assert "# mine" in new.read_text()
    expected = migrate_config(read_config(old), library.families, old, WITH).config
    assert repr(read_config(new)) == repr(expected)
    assert old.read_text() == SOURCE
    for keys in (WITH, WITHOUT):
        assert migrate_config_file(new, None, library.families, keys=keys).form == "unchanged"


def test_in_a_file_that_inherits_it(write: Write, library: Library) -> None:
    base = write(base__py=SOURCE)
    old = write(old__py="_base_ = 'base.py'\nmodel = dict(backbone=dict(img_size=(32, 32)))\n")
    new = old.with_name("new.py")
    migrate_config_file(old, new, library.families, keys=WITH)
    backbone: Any = read_config(new)["model"]["backbone"]
    assert backbone == {"type": "VisionTransformer", "img_size": (32, 32), "patch_bias": True}
    assert base.read_text() == SOURCE


def test_in_a_dump(library: Library) -> None:
    result = migrate_text(SOURCE, "the dump", library.families, WITH)
    found: Any = read_config_text(result.text, "the dump")
    assert found["model"]["backbone"]["patch_bias"] is True
    assert migrate_text(SOURCE, "the dump", library.families, WITHOUT).text == SOURCE


FOLDERS = ("vit/", "setr/", "segmenter/", "dpt/")


@pytest.mark.mm
def test_every_shipped_config_that_lost_the_bias(library: Library) -> None:
    """And no other config, whatever its weights."""
    pytest.importorskip("mmseg")
    completed = []
    for name in shipped_names("mmseg"):
        if "_base_" in name or name not in configs(NEW):
            continue
        stated = read_config(shipped_config(f"mmseg::{name}"))
        if needed(stated, WITH, library.families):
            completed.append(name)
    assert completed == sorted(name for name in configs(NEW) if name.startswith(FOLDERS))
    assert len(completed) == 24


def test_the_old_weights_of_all_of_them_have_it() -> None:
    own = [name for name in configs(OLD) if name.startswith(FOLDERS)]
    assert len(own) == 24
    assert all(BIAS in names(OLD, name) for name in own)
