"""Config files and dumps of the later families: edited where they stand, or written out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.files import new_config, old_config

from mm_ckpt_migrate.configs.migrate.file import migrate_config_file
from mm_ckpt_migrate.configs.migrate.text import migrate_text
from mm_ckpt_migrate.configs.migrate.values import migrate_config
from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.mapping.rules.library import Library

CASES = {
    "detr_r18": "detr",
    "detr_g1_r18": "detr_g1",
    "deformable_detr_r18": "deformable_detr",
    "deformable_detr_refine_r18": "deformable_detr",
    "yolact_r18": "yolact",
}
SOURCE = """\
# A config of mine.
num_classes = 7
model = dict(
    type='DETR',
    backbone=dict(type='ResNet', depth=18),
    bbox_head=dict(
        type='DETRHead',
        num_classes=num_classes,  # mine
        in_channels=512,
        num_query=12,
        transformer=dict(
            type='Transformer',
            encoder=dict(
                type='DetrTransformerEncoder',
                num_layers=2,  # not six
                transformerlayers=dict(
                    type='BaseTransformerLayer',
                    attn_cfgs=[dict(type='MultiheadAttention', embed_dims=32, num_heads=2)],
                    feedforward_channels=64,
                    operation_order=('self_attn', 'norm', 'ffn', 'norm'))),
            decoder=dict(
                type='DetrTransformerDecoder',
                num_layers=2,
                transformerlayers=dict(
                    type='DetrTransformerDecoderLayer',
                    attn_cfgs=dict(type='MultiheadAttention', embed_dims=32, num_heads=2),
                    feedforward_channels=64,
                    operation_order=('self_attn', 'norm', 'cross_attn', 'norm', 'ffn', 'norm')))),
        positional_encoding=dict(type='SinePositionalEncoding', num_feats=16, normalize=True),
        loss_bbox=dict(type='L1Loss', loss_weight=5.0)))
# the rest
max_epochs = 12
"""


def old_file(folder: Path, text: str, name: str = "old.py") -> Path:
    path = folder / name
    path.write_text(text)
    return path


def held(old: Path, new: Path, library: Library) -> Any:
    """Migrate, and hold what was written against the values that are right."""
    before = old.read_bytes()
    expected = migrate_config(read_config(old), library.families, old)
    result = migrate_config_file(old, new, library.families)
    assert old.read_bytes() == before
    assert repr(read_config(new)) == repr(expected.config)
    assert (result.family, result.changes) == (expected.family, expected.changes)
    return result


@pytest.mark.parametrize("name", CASES)
def test_a_genuine_dump_as_a_file(name: str, tmp_path: Path, library: Library) -> None:
    old = old_file(tmp_path, old_config(name).read_text())
    result = held(old, tmp_path / "new.py", library)
    assert (result.form, result.family) == ("edited", CASES[name])
    again = migrate_config_file(tmp_path / "new.py", tmp_path / "newer.py", library.families)
    assert (again.form, again.changes) == ("unchanged", ())
    assert not (tmp_path / "newer.py").exists()


@pytest.mark.parametrize("name", CASES)
def test_a_genuine_dump_as_text(name: str, library: Library) -> None:
    text = old_config(name).read_text()
    result = migrate_text(text, "the dump", library.families)
    expected = migrate_config(read_config_text(text, "old"), library.families, "old").config
    assert repr(read_config_text(result.text, "new")) == repr(expected)
    again = migrate_text(result.text, "the dump", library.families)
    assert (again.form, again.text) == ("unchanged", result.text)


@pytest.mark.parametrize("name", CASES)
def test_what_is_not_of_the_model_keeps_its_lines(name: str, library: Library) -> None:
    text = old_config(name).read_text()
    new = migrate_text(text, "the dump", library.families).text
    # The model is one statement.
    for source in (text, new):
        assert source.count("\nmodel = dict(") == 1
    outside = [source.partition("\nmodel = dict(")[0] for source in (text, new)]
    assert outside[0] == outside[1]
    assert outside[0]


@pytest.mark.parametrize("name", ["detr_r18", "deformable_detr_r18", "yolact_r18", "rpn_r18"])
def test_a_config_of_the_current_release_is_left_alone(name: str, tmp_path: Path, library: Library) -> None:
    new = old_file(tmp_path, new_config(name).read_text())
    if name == "rpn_r18":
        with pytest.raises(ConfigError, match="nothing to migrate"):
            migrate_config_file(new, None, library.families)
    else:
        assert migrate_config_file(new, None, library.families).form == "unchanged"


def test_what_is_written_by_hand_keeps_its_comments(tmp_path: Path, library: Library) -> None:
    result = held(old_file(tmp_path, SOURCE), tmp_path / "new.py", library)
    assert (result.form, result.family) == ("edited", "detr")
    for line in ("# A config of mine.", "num_classes=num_classes,  # mine", "max_epochs = 12"):
        assert line in result.text
    model: Any = read_config(tmp_path / "new.py")["model"]
    assert (model["num_queries"], model["neck"]["out_channels"]) == (12, 32)
    assert model["encoder"]["num_layers"] == 2


def test_old_settings_in_a_base_are_written_out(tmp_path: Path, library: Library) -> None:
    old_file(tmp_path, SOURCE, "base.py")
    old = old_file(tmp_path, "_base_ = 'base.py'\nmodel = dict(bbox_head=dict(num_query=33))\n")
    result = held(old, tmp_path / "new.py", library)
    assert (result.form, "_base_" in result.text) == ("flattened", False)
    model: Any = read_config(tmp_path / "new.py")["model"]
    assert model["num_queries"] == 33


def test_a_child_of_a_migrated_base_says_too_little(tmp_path: Path, library: Library) -> None:
    """What it overrode is elsewhere now: no config may half belong to a release."""
    migrate_config_file(
        old_file(tmp_path, SOURCE), old_file(tmp_path, "", "base.py"), library.families, force=True
    )
    child = old_file(tmp_path, "_base_ = 'base.py'\nmodel = dict(bbox_head=dict(num_query=33))\n", "child.py")
    with pytest.raises(ConfigError, match="half of it is for the current release"):
        migrate_config_file(child, None, library.families)


def test_an_unknown_setting_is_told_and_nothing_written(tmp_path: Path, library: Library) -> None:
    text = SOURCE.replace("type='Transformer',", "type='Transformer', pre_norm=True,")
    old = old_file(tmp_path, text)
    with pytest.raises(ConfigError, match=r"transformer\.pre_norm has no counterpart"):
        migrate_config_file(old, tmp_path / "new.py", library.families)
    assert not (tmp_path / "new.py").exists()
