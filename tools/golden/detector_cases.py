"""The detectors of releases on mmcv 1.x, and how their shipped configs are made small.

Nothing is imported from a release here: the same sizes make the config of mmdet 2.10, of 2.28.2
and of the current one small.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from shapes_coco import NAMES

CHANNELS, QUERIES, PROTOTYPES, SIDE = 16, 12, 6, 128
SCALE: Final = (SIDE, SIDE)
SIZES: Final[dict[str, Any]] = {
    "embed_dims": CHANNELS,
    "feat_channels": CHANNELS,
    "out_channels": CHANNELS,
    "feedforward_channels": 48,
    "num_feats": CHANNELS // 2,
    "num_heads": 4,
    "num_queries": QUERIES,
    "max_per_img": QUERIES,  # which in mmdet 2.10 is how many queries there are
    "num_layers": 2,
    "num_encoder_layers": 2,
    "num_decoder_layers": 2,
    "num_classes": len(NAMES),
    "num_protos": PROTOTYPES,
}
# The statistics of a backbone that was never pretrained have to be learned: no `norm_eval`.
BACKBONE: Final[dict[str, Any]] = {"depth": 18, "stem_channels": 2, "base_channels": 2, "norm_eval": False}
PROTONET: Final = (CHANNELS, CHANNELS, CHANNELS, None, CHANNELS, PROTOTYPES)


@dataclass(frozen=True, slots=True)
class Case:
    """One golden folder: its shipped configs, and how its checkpoint is written."""

    name: str
    family: str
    release: Literal["2.10.0", "2.28.2"]
    shipped: str
    current: str
    config_name: str
    container: Literal["zip", "legacy"]
    seed: int
    learning_rate: float
    control: tuple[str, str]
    epochs: int = 5


FPN: Final = ("neck.fpn_convs.0.", "neck.fpn_convs.1.")
CASES: Final = {
    case.name: case
    for case in (
        Case(
            name="detr_g1_r18",
            family="detr_g1",
            release="2.10.0",
            shipped="detr/detr_r50_8x2_150e_coco.py",
            current="detr/detr_r50_8xb2-150e_coco.py",
            config_name="detr_r18-w2_1x2_5e_shapes",
            container="zip",
            seed=57,
            learning_rate=1e-3,
            control=(".self_attn.", ".multihead_attn."),
        ),
        Case(
            name="yolact_r18",
            family="yolact",
            release="2.28.2",
            shipped="yolact/yolact_r50_1x8_coco.py",
            current="yolact/yolact_r50_1xb8-55e_coco.py",
            config_name="yolact_r18-w2_1x2_5e_shapes",
            container="zip",
            seed=52,
            learning_rate=1e-3,
            control=FPN,
        ),
        Case(
            name="rpn_r18",
            family="rpn",
            release="2.28.2",
            shipped="rpn/rpn_r50_fpn_1x_coco.py",
            current="rpn/rpn_r50_fpn_1x_coco.py",
            config_name="rpn_r18-w2_fpn_1x2_5e_shapes",
            container="legacy",
            seed=53,
            learning_rate=2e-2,
            control=FPN,
        ),
    )
}


def shrink(node: Any, sizes: Mapping[str, Any] = SIZES) -> None:
    """Set every field named in `sizes`, at any depth."""
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in sizes:
            node[key] = sizes[key]
        else:
            shrink(value, sizes)


def shrink_model(model: Any) -> None:
    """The model of any of the releases."""
    shrink(model)
    model["backbone"].update(BACKBONE)
    model["backbone"].pop("init_cfg", None)
    model.pop("pretrained", None)
    widths = [BACKBONE["base_channels"] * 2**stage for stage in range(4)]
    for name, part in model.items():
        if isinstance(part, dict) and "in_channels" in part:
            from_backbone = name == "neck" or "neck" not in model
            stages = part["in_channels"]
            part["in_channels"] = CHANNELS if not from_backbone else narrowed(stages, widths)
    if "mask_head" in model:
        model["mask_head"]["proto_channels"] = PROTONET


def narrowed(stages: Any, widths: list[int]) -> Any:
    """The widths of the stages that a neck or a head reads: all of them, or the last."""
    if isinstance(stages, int):
        return widths[-1]
    return widths[-len(stages) :]


def shrink_scales(node: Any) -> None:
    """Every scale and crop of a data pipeline, at any depth, in old and new spelling."""
    if isinstance(node, (list, tuple)):
        for item in node:
            shrink_scales(item)
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in ("img_scale", "scale", "crop_size"):
            node[key] = SCALE if isinstance(value, tuple) else [SCALE] * len(value)
        elif key == "scales" and isinstance(value[0], tuple):  # of an anchor they are numbers
            node[key] = [SCALE] * len(value)
        else:
            shrink_scales(value)


def set_schedule(cfg: Any, case: Case) -> None:
    """A few epochs of the shipped schedule: the last checkpoint still has a learning rate."""
    cfg["optimizer"]["lr"] = case.learning_rate
    cfg["lr_config"].update(warmup="linear", warmup_iters=6, warmup_ratio=0.1)
    cfg["runner"]["max_epochs"] = case.epochs
    cfg["checkpoint_config"]["interval"] = case.epochs
    cfg["log_config"]["interval"] = 6
    cfg["work_dir"] = f"work_dirs/{case.config_name}"
    data = cfg["data"]
    data.update(samples_per_gpu=2, workers_per_gpu=0)
    for part in (data["train"], data["val"], data["test"]):
        part.update(classes=NAMES)
