"""The detectors among the cases, and their configs: the shipped ones of mmdet, made small."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import mmdet
from configs import LEARNING_RATE, LOSS_POINTS, RESNET, shipped_configs, shrink
from mmengine.config import Config

SIDE, CHANNELS, QUERIES = 64, 16, 12
SIZES: Final[dict[str, Any]] = {
    "embed_dims": CHANNELS,
    "feat_channels": CHANNELS,
    "out_channels": CHANNELS,
    "feedforward_channels": 32,
    "num_feats": CHANNELS // 2,
    "num_groups": 8,
    "num_heads": 4,
    "num_layers": 2,
    "num_queries": QUERIES,
    "num_points": 2,
    "max_per_img": QUERIES,
    "max_per_image": QUERIES,
}
# The scale of every pipeline, and no worker processes, so that a run repeats exactly.
DATA_SIZES: Final[dict[str, Any]] = {
    "scale": (2 * SIDE, SIDE),
    "scales": [(SIDE + 8 * step, 2 * SIDE) for step in range(5)],
    "crop_size": (SIDE, SIDE),
    "size": (SIDE, SIDE),
    "num_workers": 0,
    "persistent_workers": False,
}
PICTURES: Final = 24
ATTENTIONS: Final = ("attn_cfgs", "self_attn_cfg", "cross_attn_cfg")


@dataclass(frozen=True, slots=True)
class DetectorCase:
    """One golden folder.

    Attributes:
        shipped: a pattern of the config's name; `?` where the releases differ.
    """

    name: str
    family: Literal["detr", "deformable_detr", "maskformer", "mask2former"]
    shipped: str
    container: Literal["zip", "legacy"]
    seed: int
    epochs: int = 24
    batch_size: int = 2

    @property
    def config_name(self) -> str:
        return f"{self.name}_1xb{self.batch_size}-{self.epochs}e_shapes"

    @property
    def iterations(self) -> int:
        return self.epochs * PICTURES // self.batch_size


CASES: Final = {
    case.name: case
    for case in (
        DetectorCase("detr_r18", "detr", "detr/detr_r18_8xb2-500e_coco.py", "zip", 51),
        DetectorCase(
            "deformable_detr_r18",
            "deformable_detr",
            "deformable_detr/deformable-detr_r50_16xb2-50e_coco.py",
            "zip",
            52,
        ),
        DetectorCase(
            "deformable_detr_refine_r18",
            "deformable_detr",
            "deformable_detr/deformable-detr?refine_r50_16xb2-50e_coco.py",
            "legacy",
            53,
        ),
        DetectorCase(
            "maskformer_panoptic_r18",
            "maskformer",
            "maskformer/maskformer_r50_ms-16xb1-75e_coco.py",
            "legacy",
            54,
            8,
            batch_size=1,
        ),
        DetectorCase(
            "mask2former_panoptic_r18",
            "mask2former",
            "mask2former/mask2former_r50_8xb2-lsj-50e_coco-panoptic.py",
            "legacy",
            55,
            8,
        ),
        DetectorCase(
            "mask2former_instance_r18",
            "mask2former",
            "mask2former/mask2former_r50_8xb2-lsj-50e_coco.py",
            "zip",
            56,
            8,
        ),
    )
}


def shipped_config(pattern: str) -> Path:
    """Where the installed release keeps a config."""
    (path,) = shipped_configs(mmdet).glob(pattern)
    return path


def build_config(case: DetectorCase) -> Any:
    """The installed release's own config of this case, made small."""
    cfg = Config.fromfile(str(shipped_config(case.shipped)))
    shrink(cfg._cfg_dict, DATA_SIZES)
    shrink_model(cfg.model)
    set_schedule(cfg, case)
    if "panoptic_head" in cfg.model:
        # Panoptic quality needs more of a package that is not on PyPI, and the shipped instance
        # config loads segments that its annotations do not have.
        cfg.val_cfg = cfg.val_dataloader = cfg.val_evaluator = None
    return cfg


def shrink_model(model: Any, sizes: Mapping[str, Any] = SIZES, backbone: Mapping[str, Any] = RESNET) -> None:
    """Backbone, neck, transformer and head."""
    # Frozen norms that start at zero, as a pretrained backbone's do not, would hide the blocks.
    model.backbone.update(backbone, zero_init_residual=False)
    head = model.get("panoptic_head") or model.bbox_head
    for key, part in model.items():
        if key != "data_preprocessor":
            shrink(part, sizes)
    widths = [backbone["base_channels"] * 2**stage for stage in model.backbone.out_indices]
    for part in (head, model.get("neck") or {}):
        if "in_channels" in part:
            part["in_channels"] = widths if isinstance(part["in_channels"], list) else widths[-1]
    state_defaults(model, sizes)
    if "num_points" in model.train_cfg:
        model.train_cfg.num_points = LOSS_POINTS
    if "bbox_head" in model:
        set_queries(model, head, sizes)


def state_defaults(node: Any, sizes: Mapping[str, Any]) -> None:
    """Heads and points of deformable attention, the width of an old FFN: the defaults are large."""
    for key, value in node.items() if isinstance(node, dict) else ():
        for part in value if isinstance(value, list) else [value]:
            if key in ATTENTIONS and "num_heads" not in part:
                part.update({name: sizes[name] for name in ("num_heads", "num_points")})
            if key == "transformerlayers" and "ffn_cfgs" not in part:
                part["ffn_cfgs"] = {"type": "FFN", "embed_dims": sizes["embed_dims"]}
            state_defaults(part, sizes)


def set_queries(model: Any, head: Any, sizes: Mapping[str, Any]) -> None:
    """What a release's own config leaves to a default, too."""
    if "transformer" in head:
        head.num_query = sizes["num_queries"]
        if head.get("as_two_stage"):
            head.transformer.two_stage_num_proposals = sizes["num_queries"]
    else:
        model.num_queries, head.embed_dims = sizes["num_queries"], sizes["embed_dims"]
    if model.type == "DETR":
        # At a stride of 32 an image of this size has hardly a position to attend to.
        model.backbone.strides = (1, 2, 2, 1)


def set_schedule(cfg: Any, case: DetectorCase) -> None:
    """A few epochs of a longer schedule, one validation, and a checkpoint at the end."""
    by_epoch = cfg.train_cfg.type == "EpochBasedTrainLoop"
    stop = case.epochs if by_epoch else case.iterations
    cfg.train_cfg.pop("dynamic_intervals", None)
    cfg.train_cfg.update({"max_epochs" if by_epoch else "max_iters": stop, "val_interval": stop})
    cfg.optim_wrapper.optimizer.lr = LEARNING_RATE
    schedulers = cfg.param_scheduler
    for scheduler in schedulers if isinstance(schedulers, list) else [schedulers]:
        scheduler.update(end=4 * stop, milestones=[3 * stop])
    cfg.default_hooks.logger.interval = 10
    cfg.default_hooks.checkpoint.interval = stop
    cfg.randomness = {"seed": case.seed}
    cfg.work_dir = f"work_dirs/{case.config_name}"
