"""detr_r50_8x2_150e_coco.py as mmdet 2.8 to 2.11 shipped it, with its bases.

The release's package holds no configs. Names and values are theirs.
"""

dataset_type = "CocoDataset"
data_root = "data/coco/"
img_norm_cfg = {"mean": [123.675, 116.28, 103.53], "std": [58.395, 57.12, 57.375], "to_rgb": True}
train_pipeline = [
    {"type": "LoadImageFromFile"},
    {"type": "LoadAnnotations", "with_bbox": True},
    {"type": "RandomFlip", "flip_ratio": 0.5},
    {
        "type": "AutoAugment",
        "policies": [
            [
                {
                    "type": "Resize",
                    "img_scale": [(short, 1333) for short in range(480, 801, 32)],
                    "multiscale_mode": "value",
                    "keep_ratio": True,
                }
            ],
            [
                {
                    "type": "Resize",
                    "img_scale": [(400, 1333), (500, 1333), (600, 1333)],
                    "multiscale_mode": "value",
                    "keep_ratio": True,
                },
                {
                    "type": "RandomCrop",
                    "crop_type": "absolute_range",
                    "crop_size": (384, 600),
                    "allow_negative_crop": True,
                },
                {
                    "type": "Resize",
                    "img_scale": [(short, 1333) for short in range(480, 801, 32)],
                    "multiscale_mode": "value",
                    "override": True,
                    "keep_ratio": True,
                },
            ],
        ],
    },
    {"type": "Normalize", **img_norm_cfg},
    {"type": "Pad", "size_divisor": 1},
    {"type": "DefaultFormatBundle"},
    {"type": "Collect", "keys": ["img", "gt_bboxes", "gt_labels"]},
]
test_pipeline = [
    {"type": "LoadImageFromFile"},
    {
        "type": "MultiScaleFlipAug",
        "img_scale": (1333, 800),
        "flip": False,
        "transforms": [
            {"type": "Resize", "keep_ratio": True},
            {"type": "RandomFlip"},
            {"type": "Normalize", **img_norm_cfg},
            {"type": "Pad", "size_divisor": 1},
            {"type": "ImageToTensor", "keys": ["img"]},
            {"type": "Collect", "keys": ["img"]},
        ],
    },
]
data = {
    "samples_per_gpu": 2,
    "workers_per_gpu": 2,
    "train": {
        "type": dataset_type,
        "ann_file": data_root + "annotations/instances_train2017.json",
        "img_prefix": data_root + "train2017/",
        "pipeline": train_pipeline,
    },
    "val": {
        "type": dataset_type,
        "ann_file": data_root + "annotations/instances_val2017.json",
        "img_prefix": data_root + "val2017/",
        "pipeline": test_pipeline,
    },
    "test": {
        "type": dataset_type,
        "ann_file": data_root + "annotations/instances_val2017.json",
        "img_prefix": data_root + "val2017/",
        "pipeline": test_pipeline,
    },
}
evaluation = {"interval": 1, "metric": "bbox"}
checkpoint_config = {"interval": 1}
log_config = {"interval": 50, "hooks": [{"type": "TextLoggerHook"}]}
dist_params = {"backend": "nccl"}
log_level = "INFO"
load_from = None
resume_from = None
workflow = [("train", 1)]
model = {
    "type": "DETR",
    "pretrained": "torchvision://resnet50",
    "backbone": {
        "type": "ResNet",
        "depth": 50,
        "num_stages": 4,
        "out_indices": (3,),
        "frozen_stages": 1,
        "norm_cfg": {"type": "BN", "requires_grad": False},
        "norm_eval": True,
        "style": "pytorch",
    },
    "bbox_head": {
        "type": "TransformerHead",
        "num_classes": 80,
        "in_channels": 2048,
        "num_fcs": 2,
        "transformer": {
            "type": "Transformer",
            "embed_dims": 256,
            "num_heads": 8,
            "num_encoder_layers": 6,
            "num_decoder_layers": 6,
            "feedforward_channels": 2048,
            "dropout": 0.1,
            "act_cfg": {"type": "ReLU", "inplace": True},
            "norm_cfg": {"type": "LN"},
            "num_fcs": 2,
            "pre_norm": False,
            "return_intermediate_dec": True,
        },
        "positional_encoding": {"type": "SinePositionalEncoding", "num_feats": 128, "normalize": True},
        "loss_cls": {
            "type": "CrossEntropyLoss",
            "bg_cls_weight": 0.1,
            "use_sigmoid": False,
            "loss_weight": 1.0,
            "class_weight": 1.0,
        },
        "loss_bbox": {"type": "L1Loss", "loss_weight": 5.0},
        "loss_iou": {"type": "GIoULoss", "loss_weight": 2.0},
    },
    "train_cfg": {
        "assigner": {
            "type": "HungarianAssigner",
            "cls_cost": {"type": "ClassificationCost", "weight": 1.0},
            "reg_cost": {"type": "BBoxL1Cost", "weight": 5.0},
            "iou_cost": {"type": "IoUCost", "iou_mode": "giou", "weight": 2.0},
        }
    },
    "test_cfg": {"max_per_img": 100},
}
optimizer = {
    "type": "AdamW",
    "lr": 0.0001,
    "weight_decay": 0.0001,
    "paramwise_cfg": {"custom_keys": {"backbone": {"lr_mult": 0.1, "decay_mult": 1.0}}},
}
optimizer_config = {"grad_clip": {"max_norm": 0.1, "norm_type": 2}}
lr_config = {"policy": "step", "step": [100]}
runner = {"type": "EpochBasedRunner", "max_epochs": 150}
