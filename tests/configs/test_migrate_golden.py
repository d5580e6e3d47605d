"""The configs of genuine old checkpoints: migrated, they give the model of the new config."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
from golden_cases import CASES, few_by_default
from support.files import new_config, old_config

from mm_ckpt_migrate.configs.migrate.text import migrate_text
from mm_ckpt_migrate.configs.migrate.values import migrate_config
from mm_ckpt_migrate.configs.read.config import read_config, read_config_text
from mm_ckpt_migrate.mapping.rules.library import Library

# The configs of the others did not change.
GOLDEN = [name for name, case in CASES.items() if case.family not in ("rpn", "vit")]

BUILT = {
    "maskformer_r18_encoder",
    "mask2former_swin",
    "detr_r18",
    "deformable_detr_r18",
    "detr_g1_r18",
    "yolact_r18",
    "maskformer_panoptic_r18",
}
golden = pytest.mark.parametrize("name", GOLDEN)

# Where a golden new config, made from what ships, says something else: for each the reason is in
# the rule file, in test_migrate_shipped or in test_migrate_detr.
FFN_DROP = ("transformer_decoder.layer_cfg.ffn_cfg.ffn_drop", 0.0, 0.1)
NORMALISED = {f"data_preprocessor.{key}" for key in ("type", "mean", "std", "bgr_to_rgb")}
DIFFERENT = {
    "detr": {
        "encoder.layer_cfg.ffn_cfg.num_fcs",
        *(
            f"{coder}.layer_cfg.ffn_cfg.act_cfg.{key}"
            for coder in ("encoder", "decoder")
            for key in ("type", "inplace")
        ),
    },
    "deformable_detr": {"decoder.layer_cfg.ffn_cfg.num_fcs"},
    # What it leaves out of the costs is their default, and was.
    "detr_g1": {
        "bbox_head.num_reg_fcs",
        "encoder.layer_cfg.norm_cfg.type",
        "decoder.layer_cfg.norm_cfg.type",
        "decoder.post_norm_cfg.type",
        "train_cfg.assigner.match_costs",
        "data_preprocessor.pad_size_divisor",
        *NORMALISED,
    },
    "yolact": {"data_preprocessor.pad_mask", "train_cfg.sampler.type", *NORMALISED},
}
# mmdet's new configs of masks state less, and the dropout of attentions in another way.
LEFT_OUT = {
    "init_cfg",
    "type",
    "add_identity",
    "dropout_layer",
    "attn_drop",
    "proj_drop",
    "dropout",
    "im2col_step",
    "norm_cfg",
}


def flat(value: Any, path: str = "") -> dict[str, Any]:
    if not isinstance(value, dict) or not value:
        return {path: value}
    return {k: v for key, item in value.items() for k, v in flat(item, f"{path}.{key}").items()}


@golden
def test_the_model_is_that_of_the_new_config(name: str, library: Library) -> None:
    path = old_config(name)
    text = path.read_text()
    migrated = migrate_text(text, str(path), library.families)
    family = CASES[name].family
    assert migrated.family == family
    config: Any = read_config_text(migrated.text, "migrated")
    by_value = migrate_config(read_config(path), library.families, path)
    assert repr(config) == repr(by_value.config)
    assert migrated.changes == by_value.changes
    ours = flat(config["model"])
    theirs = flat(read_config(new_config(name))["model"])
    different = {k[1:] for k in ours | theirs if ours.get(k, "-") != theirs.get(k, "-")}
    head = next((name for name in ("decode_head", "panoptic_head") if f".{name}.type" in ours), "")
    if family == "maskformer":
        key, old, new = FFN_DROP
        assert (ours[f".{head}.{key}"], theirs[f".{head}.{key}"]) == (old, new)
        different.remove(f"{head}.{key}")
    if head == "panoptic_head" or name == "maskformer_r18_encoder":
        layers = tuple(f"{head}.{part}_decoder." for part in ("pixel", "transformer"))
        left_out = {k for k in different if k.startswith(layers) or k == f"{head}.pixel_decoder.init_cfg"}
        assert {key.rpartition(".")[2] for key in left_out} <= LEFT_OUT
        assert left_out
        different -= left_out
    assert different == DIFFERENT.get(family, set())


@golden
def test_outside_of_the_model_nothing_changes(name: str, library: Library) -> None:
    path = old_config(name)
    old = read_config(path)
    new = migrate_config(old, library.families, path).config
    assert list(old) == list(new)
    assert {k: v for k, v in old.items() if k != "model"} == {k: v for k, v in new.items() if k != "model"}


@pytest.mark.parametrize(
    "name",
    # One of each: every build starts torch anew, twice.
    few_by_default(sorted(BUILT), few={"mask2former_swin", "detr_g1_r18"}),
)
@pytest.mark.mm
def test_the_current_release_builds_it(
    name: str, library: Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("mmseg")
    from mm_ckpt_migrate.releases.current.resolve import resolve_target

    monkeypatch.setenv("MM_CKPT_MIGRATE_CACHE", str(tmp_path))
    path, schemas = old_config(name), []
    migrated: Any = migrate_config(read_config(path), library.families, path).config
    for config in (migrated, read_config(new_config(name))):
        model: Any = copy.deepcopy(config["model"])
        scope = "mmseg" if "decode_head" in model else "mmdet"
        with resolve_target(model, scope, imports=("mmdet.models",), source=path) as target:
            built = target.schema()
            schemas.append((built.schema, built.parameters))
    assert schemas[0] == schemas[1]
