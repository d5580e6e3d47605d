"""Names in other projects' state dicts, built as those build their modules, one layer of a kind."""

from __future__ import annotations

from collections.abc import Iterable


def with_ends(stem: str, *ends: str) -> list[str]:
    return [f"{stem}.{end}" for end in ends]


def both(*stems: str) -> list[str]:
    """A weight and a bias each."""
    return [f"{stem}.{end}" for stem in stems for end in ("weight", "bias")]


IN_PROJ = ("in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias")
DEFORMABLE = ("sampling_offsets", "attention_weights", "value_proj", "output_proj")


def mmcv_layer(stem: str, attentions: Iterable[list[str]]) -> list[str]:
    """`BaseTransformerLayer` of mmcv, which several projects took over: lists of everything."""
    norms = both(*(f"{stem}.norms.{n}" for n in range(3)))
    ffn = both(f"{stem}.ffns.0.layers.0.0", f"{stem}.ffns.0.layers.1")
    return [*(key for keys in attentions for key in keys), *ffn, *norms]


def torch_layer(stem: str, *attentions: str) -> list[str]:
    """A layer as in facebookresearch/detr models/transformer.py."""
    names = with_ends(f"{stem}.self_attn", *IN_PROJ)
    for name in attentions:
        names += with_ends(f"{stem}.{name}", *IN_PROJ)
    return names + both(*(f"{stem}.{name}" for name in ("linear1", "linear2", "norm1", "norm2")))


def deformable(stem: str) -> list[str]:
    return both(*(f"{stem}.{name}" for name in DEFORMABLE))


def hugging_face_attention(stem: str) -> list[str]:
    return both(*(f"{stem}.{name}_proj" for name in ("q", "k", "v", "out")))


# Seen in a file, too: exiawsh/StreamPETR models/dense_heads/streampetr_head.py
STREAMPETR = [
    "pts_bbox_head.code_weights",
    "pts_bbox_head.pc_range",
    "pts_bbox_head.coords_d",
    *both("pts_bbox_head.cls_branches.0.0", "pts_bbox_head.reg_branches.0.0"),
    *both("pts_bbox_head.position_encoder.0", "pts_bbox_head.memory_embed.0"),
    *both("pts_bbox_head.memory_embed.2", "pts_bbox_head.featurized_pe.conv_reduce"),
    "pts_bbox_head.reference_points.weight",
    "pts_bbox_head.pseudo_reference_points.weight",
    *both("pts_bbox_head.query_embedding.0", "pts_bbox_head.spatial_alignment.gamma"),
    *mmcv_layer(
        "pts_bbox_head.transformer.decoder.layers.0",
        [
            with_ends("pts_bbox_head.transformer.decoder.layers.0.attentions.0.attn", *IN_PROJ),
            with_ends("pts_bbox_head.transformer.decoder.layers.0.attentions.1.attn", *IN_PROJ),
        ],
    ),
    *both("pts_bbox_head.transformer.decoder.post_norm"),
]
# fundamentalvision/BEVFormer bevformer/modules/{transformer,encoder}.py, configs/bevformer_tiny.py
BEV_LAYERS = [
    *mmcv_layer(
        "pts_bbox_head.transformer.encoder.layers.0",
        [
            deformable("pts_bbox_head.transformer.encoder.layers.0.attentions.0"),
            both(
                "pts_bbox_head.transformer.encoder.layers.0.attentions.1.deformable_attention"
                ".sampling_offsets",
                "pts_bbox_head.transformer.encoder.layers.0.attentions.1.output_proj",
            ),
        ],
    ),
    *mmcv_layer(
        "pts_bbox_head.transformer.decoder.layers.0",
        [
            with_ends("pts_bbox_head.transformer.decoder.layers.0.attentions.0.attn", *IN_PROJ),
            deformable("pts_bbox_head.transformer.decoder.layers.0.attentions.1"),
        ],
    ),
    "pts_bbox_head.transformer.level_embeds",
    "pts_bbox_head.transformer.cams_embeds",
    *both("pts_bbox_head.transformer.reference_points", "pts_bbox_head.transformer.can_bus_mlp.0"),
    "pts_bbox_head.positional_encoding.row_embed.weight",
    *both("pts_bbox_head.cls_branches.0.0", "pts_bbox_head.reg_branches.0.0"),
    "pts_bbox_head.bev_embedding.weight",
]
BEVFORMER = [*BEV_LAYERS, "pts_bbox_head.query_embedding.weight"]
# hustvl/MapTR maptr/dense_heads/maptr_head.py, with `query_embed_type='instance_pts'`
MAPTR = [*BEV_LAYERS, "pts_bbox_head.instance_embedding.weight", "pts_bbox_head.pts_embedding.weight"]
# megvii-research/PETR models/dense_heads/petr_head.py
PETR = [
    *both("pts_bbox_head.input_proj", "pts_bbox_head.cls_branches.0.0"),
    *both("pts_bbox_head.reg_branches.0.0", "pts_bbox_head.adapt_pos3d.0"),
    *both("pts_bbox_head.position_encoder.0", "pts_bbox_head.query_embedding.0"),
    "pts_bbox_head.reference_points.weight",
    *mmcv_layer(
        "pts_bbox_head.transformer.decoder.layers.0",
        [
            with_ends("pts_bbox_head.transformer.decoder.layers.0.attentions.0.attn", *IN_PROJ),
            with_ends("pts_bbox_head.transformer.decoder.layers.0.attentions.1.attn", *IN_PROJ),
        ],
    ),
]


def mmdet_dino(head: str) -> list[str]:
    """`DinoTransformer` of mmdet's 2.x branch, as in Sense-X/Co-DETR models/transformer.py."""
    transformer = f"{head}.transformer"
    return [
        f"{transformer}.level_embeds",
        f"{transformer}.query_embed.weight",
        *mmcv_layer(
            f"{transformer}.encoder.layers.0", [deformable(f"{transformer}.encoder.layers.0.attentions.0")]
        ),
        *mmcv_layer(
            f"{transformer}.decoder.layers.0",
            [
                with_ends(f"{transformer}.decoder.layers.0.attentions.0.attn", *IN_PROJ),
                deformable(f"{transformer}.decoder.layers.0.attentions.1"),
            ],
        ),
        *both(f"{transformer}.decoder.ref_point_head.0", f"{transformer}.decoder.norm"),
        *both(f"{transformer}.enc_output", f"{transformer}.enc_output_norm"),
        *both(f"{head}.cls_branches.0", f"{head}.reg_branches.0.0"),
        f"{head}.label_embedding.weight",
        *both("neck.convs.0.conv", "neck.convs.0.gn"),
    ]


# Sense-X/Co-DETR models/{co_detr,co_dino_head}.py; mmdet 3's projects/CO-DETR names them alike
CO_DETR = [
    *mmdet_dino("query_head"),
    *both("query_head.downsample.0", "rpn_head.rpn_conv"),
    *both("roi_head.0.bbox_head.fc_cls", "bbox_head.0.atss_cls"),
]
# open-mmlab/mmdetection, configs/dino/dino_4scale_r50_8x2_12e_coco.py of a branch of 2.x
DINO_2 = mmdet_dino("bbox_head")
# mmcv's layers in a head of somebody's own: neither DETR's nor Deformable DETR's branches
FORK = [
    *both("bbox_head.fc_cls_aux", "bbox_head.anchor_encoder.0"),
    *mmcv_layer(
        "bbox_head.transformer.decoder.layers.0",
        [with_ends("bbox_head.transformer.decoder.layers.0.attentions.0.attn", *IN_PROJ)],
    ),
]

# facebookresearch/detr models/detr.py
DETR_HEADS = [
    *both("class_embed", "bbox_embed.layers.0", "input_proj"),
    "query_embed.weight",
    "backbone.0.body.conv1.weight",
]
DETR = [
    *torch_layer("transformer.encoder.layers.0"),
    *torch_layer("transformer.decoder.layers.0", "multihead_attn"),
    *both("transformer.decoder.norm"),
    *DETR_HEADS,
]
# facebookresearch/detr models/segmentation.py, and d2/detr/detr.py
DETR_SEGMENTATION = [*(f"detr.{key}" for key in DETR), *both("bbox_attention.q_linear", "mask_head.lay1")]
# fundamentalvision/Deformable-DETR models/{deformable_detr,deformable_transformer}.py
DEFORMABLE_DETR = [
    "transformer.level_embed",
    *deformable("transformer.encoder.layers.0.self_attn"),
    *deformable("transformer.decoder.layers.0.cross_attn"),
    *with_ends("transformer.decoder.layers.0.self_attn", *IN_PROJ),
    *both("transformer.reference_points", "class_embed.0", "bbox_embed.0.layers.0"),
    *both("input_proj.0.0", "input_proj.0.1"),
    "query_embed.weight",
]
# Atten4Vis/ConditionalDETR models/transformer.py
CONDITIONAL_LAYERS = [
    *torch_layer("transformer.encoder.layers.0"),
    *both(
        *(
            f"transformer.decoder.layers.0.{name}_proj"
            for name in (
                "sa_qcontent",
                "sa_qpos",
                "sa_kcontent",
                "sa_kpos",
                "sa_v",
                "ca_qcontent",
                "ca_qpos",
                "ca_kcontent",
                "ca_kpos",
                "ca_v",
                "ca_qpos_sine",
            )
        )
    ),
    *both("transformer.decoder.query_scale.layers.0"),
    *both("transformer.decoder.ref_point_head.layers.0"),
]
CONDITIONAL_DETR = [*CONDITIONAL_LAYERS, *DETR_HEADS]
# IDEA-Research/DAB-DETR models/DAB_DETR/{DABDETR,transformer}.py
DAB_DETR = [
    *CONDITIONAL_LAYERS,
    *both("transformer.decoder.ref_anchor_head.layers.0", "class_embed"),
    *both("transformer.encoder.query_scale.layers.0"),
    "refpoint_embed.weight",
]
# IDEA-Research/DINO models/dino/{dino,deformable_transformer}.py
DINO = [
    *(key for key in DEFORMABLE_DETR if "query_embed" not in key and "reference" not in key),
    *both("transformer.enc_output", "transformer.enc_output_norm"),
    "label_enc.weight",
    *both("transformer.decoder.ref_point_head.layers.0", "transformer.enc_out_class_embed"),
    "transformer.tgt_embed.weight",
]
# IDEA-Research/GroundingDINO models/GroundingDINO/{groundingdino,transformer}.py
GROUNDING_DINO = [
    *deformable("transformer.encoder.layers.0.self_attn"),
    "transformer.level_embed",
    *with_ends("transformer.encoder.text_layers.0.self_attn", *IN_PROJ),
    *both("transformer.encoder.fusion_layers.0.attn.v_proj", "transformer.enc_output"),
    *both("feat_map", "bbox_embed.0.layers.0", "transformer.decoder.ref_point_head.layers.0"),
]
# IDEA-Research/detrex detrex/layers/transformer.py, projects/detr/modeling/detr.py
DETREX = [
    *mmcv_layer(
        "transformer.encoder.layers.0",
        [with_ends("transformer.encoder.layers.0.attentions.0.attn", *IN_PROJ)],
    ),
    *mmcv_layer(
        "transformer.decoder.layers.0",
        [
            with_ends("transformer.decoder.layers.0.attentions.0.attn", *IN_PROJ),
            with_ends("transformer.decoder.layers.0.attentions.1.attn", *IN_PROJ),
        ],
    ),
    *both("transformer.decoder.post_norm_layer", "class_embed", "bbox_embed.layers.0"),
    *both("input_proj"),
    "query_embed.weight",
]

# huggingface/transformers models/detr: what its own script makes of facebookresearch's names
HF_DETR = [
    "model.backbone.conv_encoder.model.conv1.weight",
    *both("model.input_projection"),
    "model.query_position_embeddings.weight",
    *hugging_face_attention("model.encoder.layers.0.self_attn"),
    *both("model.encoder.layers.0.self_attn_layer_norm", "model.encoder.layers.0.fc1"),
    *hugging_face_attention("model.decoder.layers.0.encoder_attn"),
    *both("model.decoder.layernorm", "class_labels_classifier", "bbox_predictor.layers.0"),
]
HF_BASE = [key.removeprefix("model.") for key in HF_DETR if key.startswith("model.")]
HF_SEGMENTATION = [f"detr.{key}" for key in HF_DETR] + both("mask_head.lay1")
# A backbone of transformers' own has no convolutional encoder around it
HF_OTHER_BACKBONE = [key.replace("conv_encoder.model", "model") for key in HF_DETR]
# huggingface/transformers models/conditional_detr
HF_CONDITIONAL = [
    *HF_DETR,
    *both("model.decoder.layers.0.ca_qcontent_proj"),
    *both("model.decoder.ref_point_head.layers.0", "model.decoder.query_scale.layers.0"),
]
# huggingface/transformers models/deformable_detr, with two stages and no queries
HF_DEFORMABLE = [
    "model.backbone.conv_encoder.model.conv1.weight",
    "model.level_embed",
    *deformable("model.encoder.layers.0.self_attn"),
    *both("model.input_proj.0.0"),
    *hugging_face_attention("model.decoder.layers.0.self_attn"),
    *deformable("model.decoder.layers.0.encoder_attn"),
    *both("model.enc_output", "model.pos_trans", "class_embed.0", "bbox_embed.0.layers.0"),
]
# huggingface/transformers models/{maskformer,mask2former}
HF_MASKFORMER = [
    *both("model.pixel_level_module.encoder.model.embeddings.norm", "class_predictor"),
    *both("model.pixel_level_module.decoder.fpn.stem.1", "mask_embedder.0.0"),
    "model.transformer_module.queries_embedder.weight",
    *both("model.transformer_module.decoder.layers.0.self_attn.k_proj"),
    *both("model.transformer_module.decoder.layers.0.encoder_attn.k_proj"),
    *both("model.transformer_module.input_projection"),
]
HF_MASK2FORMER = [
    *both("model.pixel_level_module.encoder.embeddings.norm", "class_predictor"),
    *deformable("model.pixel_level_module.decoder.encoder.layers.0.self_attn"),
    "model.transformer_module.queries_features.weight",
    "model.transformer_module.level_embed.weight",
    *both("model.transformer_module.decoder.layers.0.self_attn.k_proj"),
    *with_ends("model.transformer_module.decoder.layers.0.cross_attn", *IN_PROJ),
]
HF_MASK2FORMER_BASE = [k.removeprefix("model.") for k in HF_MASK2FORMER if k.startswith("model.")]

# facebookresearch/Mask2Former modeling/transformer_decoder/mask2former_transformer_decoder.py
D2_PREDICTOR = "sem_seg_head.predictor"
D2_MASK2FORMER = [
    "criterion.empty_weight",
    "backbone.stem.conv1.weight",
    *deformable("sem_seg_head.pixel_decoder.transformer.encoder.layers.0.self_attn"),
    *with_ends(f"{D2_PREDICTOR}.transformer_self_attention_layers.0.self_attn", *IN_PROJ),
    *with_ends(f"{D2_PREDICTOR}.transformer_cross_attention_layers.0.multihead_attn", *IN_PROJ),
    *both(f"{D2_PREDICTOR}.transformer_ffn_layers.0.linear1", f"{D2_PREDICTOR}.class_embed"),
    f"{D2_PREDICTOR}.query_feat.weight",
    f"{D2_PREDICTOR}.query_embed.weight",
]
# facebookresearch/MaskFormer modeling/transformer/transformer_predictor.py
D2_MASKFORMER = [
    "criterion.empty_weight",
    *both("sem_seg_head.pixel_decoder.mask_features"),
    *torch_layer(f"{D2_PREDICTOR}.transformer.decoder.layers.0", "multihead_attn"),
    *both(f"{D2_PREDICTOR}.input_proj", f"{D2_PREDICTOR}.class_embed"),
    f"{D2_PREDICTOR}.query_embed.weight",
]
# facebookresearch/detectron2 modeling/meta_arch/{rcnn,panoptic_fpn}.py
D2_RCNN = [
    "backbone.bottom_up.stem.conv1.weight",
    *both("backbone.fpn_lateral2"),
    *both("proposal_generator.rpn_head.conv", "proposal_generator.rpn_head.anchor_deltas"),
    *both("roi_heads.box_head.fc1", "roi_heads.box_predictor.cls_score"),
    *both("roi_heads.mask_head.mask_fcn1", "roi_heads.mask_head.predictor"),
]
D2_PANOPTIC_FPN = [*D2_RCNN, "sem_seg_head.p2.0.weight", *both("sem_seg_head.predictor")]

OTHERS = {
    "streampetr": (STREAMPETR, "StreamPETR"),
    "bevformer": (BEVFORMER, "BEVFormer, or a model built upon it"),
    "maptr": (MAPTR, "MapTR"),
    "petr": (PETR, "PETR, DETR3D or another 3D detector of OpenMMLab's lineage"),
    "co_detr": (CO_DETR, "Co-DETR"),
    "dino_2": (DINO_2, "a DINO for mmdet 2, which mmdet never released"),
    "fork": (FORK, "a DETR-like detector of somebody's own, built upon an old mmdet"),
    "detr": (DETR, "a DETR of its authors' own repository"),
    "detr_segmentation": (
        DETR_SEGMENTATION,
        "a DETR of its authors' own repository, for segmentation or detectron2",
    ),
    "deformable_detr": (DEFORMABLE_DETR, "a Deformable DETR of its authors' own repository"),
    "conditional_detr": (CONDITIONAL_DETR, "a Conditional DETR of its authors' own repository"),
    "dab_detr": (DAB_DETR, "a DAB-DETR or DN-DETR of its authors' own repository"),
    "dino": (DINO, "a DINO of its authors' own repository"),
    "grounding_dino": (GROUNDING_DINO, "a Grounding DINO of its authors' own repository"),
    "detrex": (DETREX, "a detrex model"),
    "hf_detr": (HF_DETR, "a Hugging Face DETR, Conditional DETR or Deformable DETR"),
    "hf_other_backbone": (HF_OTHER_BACKBONE, "a Hugging Face DETR, Conditional DETR or Deformable DETR"),
    "hf_base": (HF_BASE, "a Hugging Face DETR, Conditional DETR or Deformable DETR without its heads"),
    "hf_segmentation": (HF_SEGMENTATION, "a Hugging Face DETR or Conditional DETR for segmentation"),
    "hf_conditional": (HF_CONDITIONAL, "a Hugging Face DETR, Conditional DETR or Deformable DETR"),
    "hf_deformable": (HF_DEFORMABLE, "a Hugging Face DETR, Conditional DETR or Deformable DETR"),
    "hf_maskformer": (HF_MASKFORMER, "a Hugging Face MaskFormer, Mask2Former or OneFormer"),
    "hf_mask2former": (HF_MASK2FORMER, "a Hugging Face MaskFormer, Mask2Former or OneFormer"),
    "hf_mask2former_base": (
        HF_MASK2FORMER_BASE,
        "a Hugging Face MaskFormer, Mask2Former or OneFormer without its heads",
    ),
    "d2_mask2former": (D2_MASK2FORMER, "a detectron2 MaskFormer or Mask2Former"),
    "d2_maskformer": (D2_MASKFORMER, "a detectron2 MaskFormer or Mask2Former"),
    "d2_rcnn": (D2_RCNN, "a detectron2 model"),
    "d2_panoptic_fpn": (D2_PANOPTIC_FPN, "a detectron2 model"),
}
