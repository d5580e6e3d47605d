"""Names in state dicts of OpenMMLab's other packages, and of mmdet 1.x; one layer of a kind."""

from __future__ import annotations

from other_projects import IN_PROJ, both, deformable, mmcv_layer, with_ends

RESNET = ["backbone.conv1.weight", *with_ends("backbone.bn1", "weight", "bias", "running_mean")]
FPN = both("neck.lateral_convs.0.conv", "neck.fpn_convs.0.conv")
RPN = both("rpn_head.rpn_conv", "rpn_head.rpn_cls", "rpn_head.rpn_reg")
FC = both("bbox_head.shared_fcs.0", "bbox_head.fc_cls", "bbox_head.fc_reg")
# mmdet 1.2.0 models/detectors/{two_stage,cascade_rcnn,mask_rcnn}.py
FASTER_1 = [*RESNET, *FPN, *RPN, *FC]
CASCADE_1 = [*RESNET, *FPN, *RPN]
CASCADE_1 += both(*(f"bbox_head.{n}.{part}" for n in range(3) for part in ("fc_cls", "fc_reg")))
MASK_1 = [*FASTER_1, *both("mask_head.convs.0.conv", "mask_head.conv_logits")]
FAST_1 = [*RESNET, *FPN, *FC]
# mmcls and mmpretrain models/classifiers/image.py, models/heads/{linear,vision_transformer}_head.py
RESNET_CLS = [*RESNET, *both("backbone.layer1.0.bn1", "backbone.layer1.0.bn2"), *both("head.fc")]
RESNET_CLS += both("backbone.layer2.0.bn1")
VIT = [
    "backbone.cls_token",
    "backbone.pos_embed",
    *both("backbone.patch_embed.projection"),
    *both("backbone.layers.0.ln1", "backbone.layers.0.attn.qkv", "backbone.layers.0.attn.proj"),
    *both("backbone.layers.0.ln2", "backbone.layers.0.ffn.layers.0.0"),
]
VIT_CLS = [*VIT, *both("head.layers.head")]
# mmpose 0.x and 1.x models/heads
POSE = [*RESNET, *both("backbone.layer1.0.bn1", "keypoint_head.deconv_layers.0")]
POSE += both("keypoint_head.deconv_layers.1", "keypoint_head.final_layer")
POSE_1 = [*RESNET, *both("backbone.layer1.0.bn1", "head.deconv_layers.0", "head.deconv_layers.1")]
POSE_1 += both("head.final_layer")
# mmdet3d models/{voxel_encoders,middle_encoders,detectors}
BLOCKS = both(*(f"backbone.blocks.0.{n}" for n in range(4)), *(f"neck.deblocks.{n}" for n in "012"))
PILLARS = [*both("voxel_encoder.pfn_layers.0.norm"), *BLOCKS]
SECOND = [*both("middle_encoder.conv_input.1"), *BLOCKS]
CENTER_POINT = [name.replace("backbone", "pts_backbone") for name in BLOCKS]
CENTER_PILLARS = [*both("pts_voxel_encoder.pfn_layers.0.norm"), *CENTER_POINT]
CENTER_VOXELS = [*both("pts_middle_encoder.conv_input.1"), *CENTER_POINT]
# mmtrack 1.0.0rc1 models/vis/mask2former.py
VIDEO = [
    *RESNET,
    "track_head.query_feat.weight",
    *mmcv_layer(
        "track_head.pixel_decoder.encoder.layers.0",
        [deformable("track_head.pixel_decoder.encoder.layers.0.attentions.0")],
    ),
    *mmcv_layer(
        "track_head.transformer_decoder.layers.0",
        [
            with_ends("track_head.transformer_decoder.layers.0.attentions.0.attn", *IN_PROJ),
            with_ends("track_head.transformer_decoder.layers.0.attentions.1.attn", *IN_PROJ),
        ],
    ),
]
# mmrazor 1.x models/algorithms/distill/configurable/single_teacher_distill.py
DISTILLED = [f"{part}.{name}" for part in ("architecture", "teacher") for name in [*RESNET, *FPN]]

_MMDET_1 = "a two-stage detector of mmdet 1.x"
_CLS = "an image classifier of MMPretrain or MMClassification"
_3D = "a 3D detector of MMDetection3D"
OPENMMLAB = {
    "faster_1": (FASTER_1, _MMDET_1),
    "cascade_1": (CASCADE_1, _MMDET_1),
    "mask_1": (MASK_1, _MMDET_1),
    "fast_1": (FAST_1, f"{_MMDET_1}, with proposals of another"),
    "classifier": (RESNET_CLS, _CLS),
    "vit_classifier": (VIT_CLS, f"{_CLS}, with a Vision Transformer"),
    "pose": (POSE, "a pose estimator of MMPose"),
    "pose_1": (POSE_1, "a pose estimator of MMPose 1.x"),
    "pillars": (PILLARS, _3D),
    "second": (SECOND, _3D),
    "center_pillars": (CENTER_PILLARS, _3D),
    "center_voxels": (CENTER_VOXELS, _3D),
    "video": (VIDEO, "Mask2Former for videos, of MMTracking 1.x"),
    "distilled": (DISTILLED, "a distillation of MMRazor, with teacher and student"),
}
