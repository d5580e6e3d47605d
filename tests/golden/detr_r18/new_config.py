default_scope = "mmdet"
model = dict(
    backbone=dict(
        base_channels=2,
        depth=18,
        frozen_stages=1,
        init_cfg=None,
        norm_cfg=dict(requires_grad=False, type="BN"),
        norm_eval=False,
        num_stages=4,
        out_indices=(3,),
        stem_channels=2,
        strides=(1, 2, 2, 1),
        style="pytorch",
        type="ResNet",
        zero_init_residual=False,
    ),
    bbox_head=dict(
        embed_dims=16,
        loss_bbox=dict(loss_weight=5.0, type="L1Loss"),
        loss_cls=dict(
            bg_cls_weight=0.1, class_weight=1.0, loss_weight=1.0, type="CrossEntropyLoss", use_sigmoid=False
        ),
        loss_iou=dict(loss_weight=2.0, type="GIoULoss"),
        num_classes=80,
        type="DETRHead",
    ),
    data_preprocessor=dict(
        bgr_to_rgb=True,
        mean=[123.675, 116.28, 103.53],
        pad_size_divisor=1,
        std=[58.395, 57.12, 57.375],
        type="DetDataPreprocessor",
    ),
    decoder=dict(
        layer_cfg=dict(
            cross_attn_cfg=dict(batch_first=True, dropout=0.1, embed_dims=16, num_heads=4),
            ffn_cfg=dict(
                act_cfg=dict(inplace=True, type="ReLU"),
                embed_dims=16,
                feedforward_channels=32,
                ffn_drop=0.1,
                num_fcs=2,
            ),
            self_attn_cfg=dict(batch_first=True, dropout=0.1, embed_dims=16, num_heads=4),
        ),
        num_layers=2,
        return_intermediate=True,
    ),
    encoder=dict(
        layer_cfg=dict(
            ffn_cfg=dict(
                act_cfg=dict(inplace=True, type="ReLU"),
                embed_dims=16,
                feedforward_channels=32,
                ffn_drop=0.1,
                num_fcs=2,
            ),
            self_attn_cfg=dict(batch_first=True, dropout=0.1, embed_dims=16, num_heads=4),
        ),
        num_layers=2,
    ),
    neck=dict(
        act_cfg=None,
        in_channels=[16],
        kernel_size=1,
        norm_cfg=None,
        num_outs=1,
        out_channels=16,
        type="ChannelMapper",
    ),
    num_queries=12,
    positional_encoding=dict(normalize=True, num_feats=8),
    test_cfg=dict(max_per_img=12),
    train_cfg=dict(
        assigner=dict(
            match_costs=[
                dict(type="ClassificationCost", weight=1.0),
                dict(box_format="xywh", type="BBoxL1Cost", weight=5.0),
                dict(iou_mode="giou", type="IoUCost", weight=2.0),
            ],
            type="HungarianAssigner",
        )
    ),
    type="DETR",
)
