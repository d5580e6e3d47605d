default_scope = "mmdet"
model = dict(
    backbone=dict(
        base_channels=2,
        depth=18,
        frozen_stages=1,
        norm_cfg=dict(requires_grad=True, type="BN"),
        norm_eval=False,
        num_stages=4,
        out_indices=(0, 1, 2, 3),
        stem_channels=2,
        style="pytorch",
        type="ResNet",
    ),
    data_preprocessor=dict(
        bgr_to_rgb=True,
        mean=[123.675, 116.28, 103.53],
        pad_size_divisor=32,
        std=[58.395, 57.12, 57.375],
        type="DetDataPreprocessor",
    ),
    neck=dict(in_channels=[2, 4, 8, 16], num_outs=5, out_channels=16, type="FPN"),
    rpn_head=dict(
        anchor_generator=dict(
            ratios=[0.5, 1.0, 2.0], scales=[8], strides=[4, 8, 16, 32, 64], type="AnchorGenerator"
        ),
        bbox_coder=dict(
            target_means=[0.0, 0.0, 0.0, 0.0], target_stds=[1.0, 1.0, 1.0, 1.0], type="DeltaXYWHBBoxCoder"
        ),
        feat_channels=16,
        in_channels=16,
        loss_bbox=dict(loss_weight=1.0, type="L1Loss"),
        loss_cls=dict(loss_weight=1.0, type="CrossEntropyLoss", use_sigmoid=True),
        type="RPNHead",
    ),
    test_cfg=dict(
        rpn=dict(max_per_img=12, min_bbox_size=0, nms=dict(iou_threshold=0.7, type="nms"), nms_pre=2000)
    ),
    train_cfg=dict(
        rpn=dict(
            allowed_border=-1,
            assigner=dict(
                ignore_iof_thr=-1, min_pos_iou=0.3, neg_iou_thr=0.3, pos_iou_thr=0.7, type="MaxIoUAssigner"
            ),
            debug=False,
            pos_weight=-1,
            sampler=dict(
                add_gt_as_proposals=False, neg_pos_ub=-1, num=256, pos_fraction=0.5, type="RandomSampler"
            ),
        )
    ),
    type="RPN",
)
