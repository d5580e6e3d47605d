"""Settings that have another place in the current release: unusual ones, and what is refused."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from make_old_models import load

from mm_ckpt_migrate.configs.migrate.values import migrate_config
from mm_ckpt_migrate.errors import ConfigError, ExitCode
from mm_ckpt_migrate.mapping.rules.library import Library

DETR = load("detr")["mmdet::detr/detr_r18_8xb2-500e_coco.py"]
DEFORMABLE = load("deformable_detr")[
    "mmdet::deformable_detr/deformable-detr_refine_twostage_r50_16xb2-50e_coco.py"
]
YOLACT = load("yolact", releases=("mmdet-2.28.2",))["mmdet-2.28.2::yolact/yolact_r50_1x8_coco.py"]
HEAD = "bbox_head"
TRANSFORMER = f"{HEAD}.transformer"
ENCODER, DECODER = f"{TRANSFORMER}.encoder", f"{TRANSFORMER}.decoder"
ENCODER_LAYER = f"{ENCODER}.transformerlayers"
DECODER_LAYER = f"{DECODER}.transformerlayers"
GONE = object()

Migrated = Callable[..., Any]


def at(model: Any, path: str) -> Any:
    for key in path.split("."):
        model = model[int(key) if isinstance(model, list) else key]
    return model


def changed(model: Any, changes: dict[str, Any]) -> Any:
    model = copy.deepcopy(model)
    for path, value in changes.items():
        parent, _, key = path.rpartition(".")
        settings = at(model, parent) if parent else model
        if value is GONE:
            settings.pop(key, None)
        else:
            settings[key] = value
    return model


@pytest.fixture
def migrated(library: Library) -> Migrated:
    """The current model of an old one with some settings changed."""

    def migrate(model: Any, changes: dict[str, Any] | None = None) -> Any:
        old = {"model": changed(model, changes or {})}
        return migrate_config(old, library.families, "old.py").config["model"]

    return migrate


@pytest.fixture
def refused(library: Library) -> Callable[..., str]:
    def refuse(model: Any, changes: dict[str, Any]) -> str:
        old = {"model": changed(model, changes)}
        before = copy.deepcopy(old)
        with pytest.raises(ConfigError) as caught:
            migrate_config(old, library.families, "old.py")
        assert old == before
        assert caught.value.exit_code is ExitCode.BAD_TARGET
        assert "\n" not in caught.value.message
        return caught.value.message

    return refuse


def narrow(model: Any, width: int) -> dict[str, Any]:
    """Every width of attentions, and the positional encoding that adds up to it."""
    changes: dict[str, Any] = {f"{HEAD}.positional_encoding.num_feats": width // 2}
    for layer in (ENCODER_LAYER, DECODER_LAYER):
        attentions = at(model, f"{layer}.attn_cfgs")
        single = isinstance(attentions, dict)
        for path in [""] if single else [f".{number}" for number in range(len(attentions))]:
            changes[f"{layer}.attn_cfgs{path}.embed_dims"] = width
    return changes


@pytest.mark.parametrize(
    ("model", "path", "value", "now"),
    [
        (DETR, f"{HEAD}.num_query", 7, ("num_queries", 7)),
        (DETR, f"{HEAD}.num_query", GONE, ("num_queries", 100)),
        (DETR, f"{HEAD}.in_channels", 99, ("neck.in_channels", [99])),
        (
            DETR,
            f"{HEAD}.positional_encoding",
            GONE,
            ("positional_encoding", {"num_feats": 128, "normalize": True}),
        ),
        (
            DETR,
            f"{HEAD}.positional_encoding.temperature",
            20,
            ("positional_encoding", {"num_feats": 128, "normalize": True, "temperature": 20}),
        ),
        (DETR, f"{HEAD}.num_reg_fcs", 3, ("bbox_head.num_reg_fcs", 3)),
        (DETR, f"{HEAD}.sync_cls_avg_factor", True, ("bbox_head.sync_cls_avg_factor", True)),
        (DETR, f"{DECODER}.return_intermediate", GONE, ("decoder.return_intermediate", False)),
        (
            DETR,
            f"{DECODER}.post_norm_cfg",
            {"type": "LN", "eps": 1e-3},
            ("decoder.post_norm_cfg", {"type": "LN", "eps": 1e-3}),
        ),
        (DETR, f"{DECODER_LAYER}.ffn_dropout", GONE, ("decoder.layer_cfg.ffn_cfg.ffn_drop", 0.0)),
        (DETR, f"{DECODER_LAYER}.ffn_num_fcs", 3, ("decoder.layer_cfg.ffn_cfg.num_fcs", 3)),
        (DEFORMABLE, f"{TRANSFORMER}.two_stage_num_proposals", 123, ("num_queries", 123)),
        (DEFORMABLE, f"{HEAD}.num_query", 7, ("num_queries", 300)),
        (DEFORMABLE, f"{HEAD}.as_two_stage", False, ("as_two_stage", False)),
        (DEFORMABLE, f"{HEAD}.as_two_stage", GONE, ("as_two_stage", False)),
        (DEFORMABLE, f"{HEAD}.with_box_refine", GONE, ("with_box_refine", False)),
        (DEFORMABLE, f"{TRANSFORMER}.num_feature_levels", 3, ("num_feature_levels", 3)),
        (DEFORMABLE, f"{TRANSFORMER}.num_feature_levels", GONE, ("num_feature_levels", 4)),
        (
            DEFORMABLE,
            f"{HEAD}.positional_encoding",
            GONE,
            ("positional_encoding", {"num_feats": 128, "normalize": True}),
        ),
        (
            DEFORMABLE,
            f"{DECODER_LAYER}.attn_cfgs.1.num_points",
            2,
            ("decoder.layer_cfg.cross_attn_cfg.num_points", 2),
        ),
        (
            DEFORMABLE,
            f"{DECODER_LAYER}.attn_cfgs.0.type",
            "mmcv.MultiheadAttention",
            (
                "decoder.layer_cfg.self_attn_cfg",
                {"embed_dims": 256, "num_heads": 8, "dropout": 0.1, "batch_first": True},
            ),
        ),
        (YOLACT, "segm_head.loss_segm.loss_weight", 2.5, ("mask_head.loss_segm.loss_weight", 2.5)),
        (YOLACT, "segm_head.num_classes", GONE, ("mask_head.with_seg_branch", True)),
    ],
)
def test_an_unusual_setting(
    model: Any, path: str, value: Any, now: tuple[str, Any], migrated: Migrated
) -> None:
    assert repr(at(migrated(model, {path: value}), now[0])) == repr(now[1])


def test_of_one_stage_the_head_says_how_many_queries(migrated: Migrated) -> None:
    model = migrated(
        DEFORMABLE,
        {
            f"{HEAD}.as_two_stage": False,
            f"{HEAD}.num_query": 7,
            f"{TRANSFORMER}.two_stage_num_proposals": 123,
        },
    )
    assert model["num_queries"] == 7
    assert "two_stage_num_proposals" not in str(model)


@pytest.mark.parametrize("model", [DETR, DEFORMABLE], ids=["detr", "deformable_detr"])
def test_another_width_is_meant_everywhere(model: Any, migrated: Migrated) -> None:
    """The old feed-forward network took it from the attention beside it."""
    new = migrated(model, narrow(model, 64))
    assert new[HEAD]["embed_dims"] == 64
    for coder in ("encoder", "decoder"):
        layer = new[coder]["layer_cfg"]
        assert {part["embed_dims"] for part in layer.values()} == {64}
        assert "ffn_cfg" in layer
    if model is DETR:
        assert new["neck"]["out_channels"] == 64


def test_layers_that_are_listed_one_by_one(migrated: Migrated) -> None:
    layer = DETR[HEAD]["transformer"]["encoder"]["transformerlayers"]
    listed = migrated(DETR, {ENCODER_LAYER: [copy.deepcopy(layer) for _ in range(6)]})
    assert listed == migrated(DETR)


def test_the_old_head_holds_nothing_of_it(migrated: Migrated) -> None:
    for model in (DETR, DEFORMABLE):
        new = migrated(model)
        gone = {"transformer", "positional_encoding", "num_query", "in_channels"}
        assert not gone & set(new[HEAD])
        assert list(new)[: len(model)] == list(model)
    assert "segm_head" not in migrated(YOLACT)


def test_what_has_no_part_in_it_is_shared_and_stays(migrated: Migrated, library: Library) -> None:
    old: Any = {"model": DETR, "optimizer": {"lr": 1e-4}, "num_queries": 3}
    new: Any = migrate_config(old, library.families, "old.py").config
    assert new["optimizer"] == {"lr": 1e-4}
    assert new["num_queries"] == 3
    assert new["model"]["backbone"] == DETR["backbone"]
    assert "num_queries" not in DETR


def test_each_move_is_a_sentence(library: Library) -> None:
    changes = migrate_config({"model": DEFORMABLE}, library.families, "old.py").changes
    for sentence in (
        "model.bbox_head.transformer.encoder.transformerlayers is now layer_cfg",
        "model.with_box_refine is now True: model.bbox_head.with_box_refine said it",
        "model.bbox_head.in_channels is gone: the old release did not use it",
        "model.bbox_head.transformer is gone: the current release has none",
    ):
        assert sentence in changes
    assert all(len(sentence) < 250 for sentence in changes)


# --- refused ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "path", "value", "words"),
    [
        (DETR, f"{TRANSFORMER}.pre_norm", True, "transformer.pre_norm has no counterpart"),
        (DETR, f"{HEAD}.aux_loss", True, "bbox_head.aux_loss has no counterpart"),
        (DETR, f"{ENCODER}.with_cp", 2, "encoder.with_cp has no counterpart"),
        (DETR, f"{ENCODER_LAYER}.batch_first", True, "batch_first is True"),
        (DETR, f"{DECODER_LAYER}.ffn_channels", 3, "ffn_channels has no counterpart"),
        (DETR, f"{HEAD}.positional_encoding.type", "LearnedPositionalEncoding", ""),
        (DETR, f"{TRANSFORMER}.type", "MyTransformer", ""),
        (DETR, "neck", {"type": "FPN"}, "model.neck.type stands already"),
        (DETR, "neck", None, "model.neck is no dict"),
        (DETR, "num_queries", 5, "half of it is for the current release"),
        (DETR, "encoder", {"layer_cfg": {}}, "half of it is for the current release"),
        (
            DETR,
            f"{DECODER_LAYER}.operation_order",
            ("cross_attn", "norm", "self_attn", "norm", "ffn", "norm"),
            "the order of none of",
        ),
        (
            DETR,
            f"{ENCODER_LAYER}.operation_order",
            ("norm", "self_attn", "norm", "ffn"),
            "the order of none of",
        ),
        (DEFORMABLE, f"{TRANSFORMER}.mixed_selection", True, "mixed_selection has no counterpart"),
        (DEFORMABLE, f"{HEAD}.use_dn", True, "bbox_head.use_dn has no counterpart"),
        (DEFORMABLE, f"{DECODER_LAYER}.attn_cfgs.0.type", "MultiScaleDeformableAttention", ""),
        (DEFORMABLE, f"{DECODER_LAYER}.attn_cfgs", [], "attn_cfgs has 0 elements"),
        (YOLACT, "segm_head.init_cfg", None, "model.segm_head.init_cfg has no counterpart"),
        (YOLACT, "segm_head.extra", 1, "model.segm_head.extra has no counterpart"),
        (YOLACT, "mask_head.loss_segm", {"type": "L"}, "half of it is for the current release"),
    ],
)
def test_what_is_refused(model: Any, path: str, value: Any, words: str, refused: Callable[..., str]) -> None:
    assert words in refused(model, {path: value})


def test_three_attentions_in_a_decoder(refused: Callable[..., str]) -> None:
    attentions = DEFORMABLE[HEAD]["transformer"]["decoder"]["transformerlayers"]["attn_cfgs"]
    message = refused(DEFORMABLE, {f"{DECODER_LAYER}.attn_cfgs": [*attentions, attentions[0]]})
    assert "attn_cfgs has 3 elements, and 2 are used" in message


def test_layers_of_two_kinds(refused: Callable[..., str]) -> None:
    layer = DETR[HEAD]["transformer"]["encoder"]["transformerlayers"]
    layers = [layer, {**layer, "ffn_dropout": 0.5}]
    assert "is a list of different dicts" in refused(DETR, {ENCODER_LAYER: layers})


# --- as built -----------------------------------------------------------------------------------


@pytest.mark.mm
@pytest.mark.parametrize(
    ("model", "changes"),
    [
        (DETR, {f"{HEAD}.num_query": 7, f"{HEAD}.positional_encoding": GONE}),
        (DETR, narrow(DETR, 64)),
        (DEFORMABLE, {f"{TRANSFORMER}.two_stage_num_proposals": 12}),
        (
            DEFORMABLE,
            {
                f"{HEAD}.as_two_stage": False,
                f"{HEAD}.num_query": 7,
                **{"neck.out_channels": 64, f"{TRANSFORMER}.num_feature_levels": 4},
                **narrow(DEFORMABLE, 64),
            },
        ),
    ],
    ids=["queries", "width", "two stages", "one stage"],
)
def test_an_unusual_model_builds(model: Any, changes: dict[str, Any], migrated: Migrated) -> None:
    pytest.importorskip("mmdet")
    import torch

    from mm_ckpt_migrate.releases.current.child.build import import_stack

    import_stack("mmdet", [], ("mmdet", "mmcv", "mmengine"), ())
    from mmdet.registry import MODELS
    from mmengine.config import ConfigDict

    new = migrated(model, changes)
    with torch.device("meta"):
        built = MODELS.build(ConfigDict(new | {"_scope_": "mmdet"}))
    width = new[HEAD]["embed_dims"]
    assert built.encoder.layers[0].ffn.embed_dims == built.encoder.embed_dims == width
    assert built.decoder.layers[0].ffn.layers[0][0].in_features == width
    assert built.num_queries == new["num_queries"]
    queries = [t.shape for n, t in built.state_dict().items() if n == "query_embedding.weight"]
    one_stage = width * (1 if model is DETR else 2)
    assert queries == ([] if new.get("as_two_stage") else [(new["num_queries"], one_stage)])
