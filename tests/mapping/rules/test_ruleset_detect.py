"""Every layout of six releases: ours are recognised, as old or new, and nothing else is."""

from __future__ import annotations

import pytest
from layouts.tables import DET2, DET_NEW, DET_OLD, NEW, OLD, all_names, configs, names

from mm_ckpt_migrate.mapping.rules.detect import Layout, detect, find_lookalike
from mm_ckpt_migrate.mapping.rules.library import Library

HEAD = "decode_head.transformer_decoder.layers.0"
OTHERS = [
    (OLD, "deeplabv3/deeplabv3_r50-d8_4xb4-160k_ade20k-512x512.py"),
    (OLD, "knet/knet-s3_swin-t_upernet_8xb2-adamw-80k_ade20k-512x512.py"),
    (OLD, "segformer/segformer_mit-b0_8xb1-160k_cityscapes-1024x1024.py"),
    (OLD, "beit/beit-base_upernet_8xb2-160k_ade20k-640x640.py"),
    (OLD, "mae/mae-base_upernet_8xb2-amp-160k_ade20k-512x512.py"),
    (NEW, "segmenter/segmenter_vit-b_mask_8xb1-160k_ade20k-512x512.py"),
    (NEW, "setr/setr_vit-l_pup_8xb2-160k_ade20k-512x512.py"),
    (OLD, "swin/swin-small-patch4-window7-in1k-pre_upernet_8xb2-160k_ade20k-512x512.py"),
    (DET_OLD, "faster_rcnn/faster-rcnn_r101_fpn_1x_coco.py"),
    (DET_OLD, "panoptic_fpn/panoptic-fpn_r50_fpn_1x_coco.py"),
    (DET_OLD, "queryinst/queryinst_r50_fpn_1x_coco.py"),
    (DET2, "cascade_rpn/crpn_r50_caffe_fpn_1x_coco.py"),
    (DET2, "cascade_rpn/crpn_faster_rcnn_r50_caffe_fpn_1x_coco.py"),
    (DET_NEW, "conditional_detr/conditional-detr_r50_8xb2-50e_coco.py"),
    (DET_NEW, "dab_detr/dab-detr_r50_8xb2-50e_coco.py"),
    (DET_NEW, "ddq/ddq-detr-4scale_r50_8xb2-12e_coco.py"),
    (DET_NEW, "dino/dino-4scale_r50_8xb2-12e_coco.py"),
    (DET_NEW, "mask2former_vis/mask2former_r50_8xb2-8e_youtubevis2019.py"),
]
# What the first part of a config's path, and for some a part of its name, says of its family.
FAMILIES = {
    "maskformer/": "maskformer",
    "mask2former/": "mask2former",
    "detr/": "detr",
    "deformable_detr/": "deformable_detr",
    "v3det/deformable": "deformable_detr",
    "yolact/": "yolact",
    "rpn/": "rpn",
    "guided_anchoring/ga-rpn": "rpn",
    "guided_anchoring/ga_rpn": "rpn",
    "dpt/": "vit",
    "segmenter/": "vit",
    "setr/": "vit",
    "vit/": "vit",
}
# Of each release, which names its layouts have.
LAYOUTS = {
    "mmsegmentation-0.30.0": {"vit": Layout.OLD},
    OLD: {"maskformer": Layout.OLD, "mask2former": Layout.OLD, "vit": Layout.OLD},
    NEW: {"maskformer": Layout.NEW, "mask2former": Layout.NEW, "vit": None},
    DET2: dict.fromkeys(
        ("maskformer", "mask2former", "detr", "deformable_detr", "yolact", "rpn"), Layout.OLD
    ),
    DET_OLD: {
        **dict.fromkeys(("maskformer", "mask2former", "detr", "deformable_detr"), Layout.OLD),
        **dict.fromkeys(("yolact", "rpn"), Layout.NEW),
    },
    DET_NEW: dict.fromkeys(
        ("maskformer", "mask2former", "detr", "deformable_detr", "yolact", "rpn"), Layout.NEW
    ),
}


@pytest.mark.parametrize("release", LAYOUTS)
def test_exactly_our_families_are_recognised_in_a_release(release: str, library: Library) -> None:
    """As many as 781 configs: no other model of the release bears the marks."""
    for config, name in configs(release).items():
        family = next((f for start, f in FAMILIES.items() if config.startswith(start)), None)
        layout = LAYOUTS[release].get(family) if family else None
        found = [(hit.rules.family, hit.layout) for hit in detect(all_names()[name], library.families)]
        assert found == ([(family, layout)] if layout else []), config


@pytest.mark.parametrize(("release", "config"), OTHERS, ids=lambda value: value.partition("/")[0])
def test_other_models_are_neither_ours_nor_called_something_else(
    release: str, config: str, library: Library
) -> None:
    keys = names(release, config)
    assert len(keys) > 100
    assert detect(keys, library.families) == []
    assert find_lookalike(keys, library.lookalikes) is None


@pytest.mark.parametrize(
    ("keys", "name"),
    [
        (
            [
                "pts_bbox_head.transformer.decoder.layers.0.attentions.0.attn.in_proj_weight",
                "pts_bbox_head.memory_embed.0.weight",
            ],
            "StreamPETR",
        ),
        (["pts_bbox_head.transformer.encoder.layers.0.attentions.1.x.weight"], "BEVFormer"),
        (["pts_bbox_head.transformer.decoder.layers.0.attentions.0.attn.in_proj_weight"], "PETR"),
        (["model.pixel_level_module.encoder.embeddings.norm.weight"], "Hugging Face"),
        (["pixel_level_module.decoder.fpn.stem.0.weight"], "without its heads"),
        (["sem_seg_head.predictor.query_feat.weight", "backbone.stem.conv1.weight"], "detectron2"),
        (["transformer.encoder.layers.0.self_attn.in_proj_weight", "class_embed.bias"], "DETR"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_lookalike_is_named(keys: list[str], name: str, library: Library) -> None:
    assert detect(keys, library.families) == []
    found = find_lookalike(keys, library.lookalikes)
    assert found is not None
    assert name in found.name
    assert found.advice.endswith(".")


@pytest.mark.parametrize(
    ("extra", "layout"),
    [
        ([f"{HEAD}.attentions.0.attn.out_proj.bias"], Layout.OLD),
        ([f"{HEAD}.ffns.0.layers.1.bias"], Layout.OLD),
        ([f"{HEAD}.self_attn.attn.out_proj.bias"], Layout.NEW),
        ([f"{HEAD}.ffn.layers.1.bias"], Layout.NEW),
        ([f"{HEAD}.ffns.0.layers.1.bias", f"{HEAD}.cross_attn.attn.out_proj.bias"], Layout.MIXED),
        (
            [f"{HEAD}.ffns.0.layers.1.bias", "decode_head.pixel_decoder.encoder.layers.0.ffn.layers.1.bias"],
            Layout.MIXED,
        ),
        (["bbox_head.transformer_decoder.layers.0.ffns.0.layers.1.bias"], None),
    ],
)
def test_one_key_tells_the_layout(extra: list[str], layout: Layout | None, library: Library) -> None:
    keys = [
        "decode_head.query_feat.weight",
        "decode_head.pixel_decoder.level_encoding.weight",
        f"{HEAD}.norms.0.weight",
        *extra,
    ]
    found = detect(keys, library.families)
    assert [hit.layout for hit in found] == ([layout] if layout else [])


def test_the_two_families_exclude_each_other(library: Library) -> None:
    """MaskFormer's marks are Mask2Former's too, but for what must be absent."""
    keys = names(OLD, "mask2former/mask2former_r50_8xb2-160k_ade20k-512x512.py")
    marks = next(rules.marks for rules in library.families if rules.number == 1)
    assert {pattern.text for pattern in marks.absent} <= {
        "{head}.query_feat.weight",
        "{head}.pixel_decoder.level_encoding.weight",
    }
    assert [hit.rules.family for hit in detect(keys, library.families)] == ["mask2former"]


@pytest.mark.parametrize("head", ["{head}", "bbox_head", "decode_head "])
def test_another_head_is_not_ours(head: str, library: Library) -> None:
    keys = names(OLD, "maskformer/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py")
    changed = [key.replace("decode_head", head) for key in keys]
    assert detect(changed, library.families) == []
