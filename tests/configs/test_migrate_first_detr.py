"""A config of DETR's first generation goes to the current release in one step."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from support.files import old_config

from mm_ckpt_migrate.configs.migrate.values import is_old, migrate_config
from mm_ckpt_migrate.configs.read.config import read_config
from mm_ckpt_migrate.errors import ConfigError
from mm_ckpt_migrate.mapping.rules.library import Library

OLD: Any = read_config(old_config("detr_g1_r18"))["model"]
DEFAULTS = {"embed_dims": 512, "num_heads": 8, "dropout": 0.0, "feedforward_channels": 2048}
ATTENTIONS = [("encoder", "self_attn_cfg"), ("decoder", "self_attn_cfg"), ("decoder", "cross_attn_cfg")]


def migrated(library: Library, head: dict[str, Any] | None = None, **transformer: Any) -> Any:
    """The current model, of the genuine old one with some settings changed."""
    model = copy.deepcopy(OLD)
    model["bbox_head"].update(head or {})
    model["bbox_head"]["transformer"].update(transformer)
    return migrate_config({"model": model}, library.families, "old.py").config["model"]


def test_the_genuine_one_is_of_this_family(library: Library) -> None:
    assert is_old({"model": OLD}, library.families)
    result = migrate_config({"model": OLD}, library.families, "old.py")
    assert result.family == "detr_g1"
    again = migrate_config(result.config, library.families, "new.py")
    assert (again.config, again.family, again.edits) == (result.config, None, ())


def test_one_width_is_meant_everywhere(library: Library) -> None:
    new = migrated(library, embed_dims=64, num_heads=4, dropout=0.3)
    for coder, part in ATTENTIONS:
        assert new[coder]["layer_cfg"][part] == {
            "embed_dims": 64,
            "num_heads": 4,
            "dropout": 0.3,
            "batch_first": True,
        }
    for coder in ("encoder", "decoder"):
        network = new[coder]["layer_cfg"]["ffn_cfg"]
        assert (network["embed_dims"], network["ffn_drop"]) == (64, 0.3)
    assert new["neck"]["out_channels"] == new["bbox_head"]["embed_dims"] == 64


@pytest.mark.parametrize(
    ("setting", "value", "places"),
    [
        ("num_encoder_layers", 3, ["encoder.num_layers"]),
        ("num_decoder_layers", 5, ["decoder.num_layers"]),
        ("return_intermediate_dec", False, ["decoder.return_intermediate"]),
        (
            "feedforward_channels",
            99,
            [f"{c}.layer_cfg.ffn_cfg.feedforward_channels" for c in ("encoder", "decoder")],
        ),
        ("num_fcs", 3, [f"{c}.layer_cfg.ffn_cfg.num_fcs" for c in ("encoder", "decoder")]),
        ("act_cfg", {"type": "GELU"}, [f"{c}.layer_cfg.ffn_cfg.act_cfg" for c in ("encoder", "decoder")]),
        (
            "norm_cfg",
            {"type": "LN", "eps": 1e-3},
            [f"{c}.layer_cfg.norm_cfg" for c in ("encoder", "decoder")],
        ),
    ],
)
def test_a_setting_of_the_transformer(setting: str, value: Any, places: list[str], library: Library) -> None:
    new = migrated(library, **{setting: value})
    for place in places:
        found = new
        for key in place.split("."):
            found = found[key]
        assert repr(found) == repr(value)


def test_what_was_left_out_is_what_the_old_release_took(library: Library) -> None:
    model = copy.deepcopy(OLD)
    model["bbox_head"]["transformer"] = {"type": "Transformer"}
    new: Any = migrate_config({"model": model}, library.families, "old.py").config["model"]
    for coder, part in ATTENTIONS:
        attention = new[coder]["layer_cfg"][part]
        assert {k: attention[k] for k in ("embed_dims", "num_heads", "dropout")} == {
            k: DEFAULTS[k] for k in ("embed_dims", "num_heads", "dropout")
        }
    assert new["decoder"]["layer_cfg"]["ffn_cfg"]["feedforward_channels"] == 2048
    assert (new["encoder"]["num_layers"], new["decoder"]["num_layers"]) == (6, 6)
    assert new["decoder"]["return_intermediate"] is False
    assert new["neck"]["out_channels"] == 512


def test_the_head(library: Library) -> None:
    new = migrated(library, {"num_fcs": 3, "in_channels": 99})
    assert new["bbox_head"]["type"] == "DETRHead"
    assert new["bbox_head"]["num_reg_fcs"] == 3
    assert new["neck"]["in_channels"] == [99]
    assert not {"num_fcs", "in_channels", "transformer", "positional_encoding"} & set(new["bbox_head"])


def test_queries_are_as_many_as_were_detected(library: Library) -> None:
    """The old head made as many queries as it was to detect objects."""
    model = copy.deepcopy(OLD)
    model["test_cfg"] = {"max_per_img": 33}
    new: Any = migrate_config({"model": model}, library.families, "old.py").config["model"]
    assert new["num_queries"] == 33
    assert new["test_cfg"] == {"max_per_img": 33}


def test_a_head_that_is_called_otherwise_stays(library: Library) -> None:
    assert migrated(library, {"type": "mmdet.TransformerHead"})["bbox_head"]["type"] == "DETRHead"
    assert migrated(library, {"type": "MyHead"})["bbox_head"]["type"] == "MyHead"


@pytest.mark.parametrize(
    "change", [{"pre_norm": True}, {"extra": 1}, {"type": "DynamicConv"}, {"encoder": {}}]
)
def test_what_is_refused(change: dict[str, Any], library: Library) -> None:
    with pytest.raises(ConfigError) as caught:
        migrated(library, None, **change)
    assert "\n" not in caught.value.message


def test_costs_become_a_list(library: Library) -> None:
    old, new = OLD["train_cfg"]["assigner"], migrated(library)["train_cfg"]["assigner"]
    costs = [old[name] for name in ("cls_cost", "reg_cost", "iou_cost")]
    assert new == {"type": old["type"], "match_costs": costs}


def test_the_last_norm_is_of_the_same_kind(library: Library) -> None:
    """The old decoder built it as those of its layers."""
    norm = {"type": "LN", "eps": 1e-3}
    assert migrated(library, norm_cfg=norm)["decoder"]["post_norm_cfg"] == norm
