"""The training checkpoints of `tests/resume`: the shipped configs, as small as they get.

Every learned tensor costs a few hundred bytes of zip structure three times over (weight and two
moments), whatever its size, so few layers matter more than few channels.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

import mmdet
import mmseg
from configs import M1, M2, MMDET_CONFIG, RESNET, SWIN, scoped, shipped_configs, shrink
from mmengine.config import Config

SAVED_AT, STOP = 10, 16  # iterations: the checkpoint, and the end of the run
SCHEDULE = 40  # where the learning rate would be 0
CLASSES, CROP, LEARNING_RATE = 10, 64, 2e-3
SIZES: Final[dict[str, Any]] = {
    "embed_dims": 8,
    "feat_channels": 8,
    "out_channels": 8,
    "feedforward_channels": 16,
    "num_feats": 4,
    "num_groups": 4,
    "num_heads": 2,
    "num_queries": 6,
    "num_points": 2,
    "num_classes": CLASSES,
    "class_weight": [1.0] * CLASSES + [0.1],
}
SMALL_RESNET: Final = {**RESNET, "base_channels": 1}
SMALL_SWIN: Final = {
    **SWIN,
    "embed_dims": 3,
    "depths": [1, 1, 1, 1],
    "num_heads": [1, 1, 2, 4],
    "mlp_ratio": 1,
}
KEPT: Final = {
    "custom_imports",
    "default_hooks",
    "default_scope",
    "env_cfg",
    "load_from",
    "log_level",
    "log_processor",
    "model",
    "optim_wrapper",
    "param_scheduler",
    "resume",
    "train_cfg",
    "train_dataloader",
    "vis_backends",
    "visualizer",
}


@dataclass(frozen=True, slots=True)
class ResumeCase:
    """One training checkpoint.

    Attributes:
        frozen: `frozen_stages=1`, and for ResNet also batch norms that learn nothing. As shipped,
            Mask2Former's ResNet has such batch norms in any case.
        paramwise: the shipped `paramwise_cfg`; without it all parameters are in one group.
        encoder: MaskFormer's pixel decoder with a transformer encoder.
    """

    name: str
    family: Literal["maskformer", "mask2former"]
    shipped: str
    seed: int
    frozen: bool = False
    paramwise: bool = True
    encoder: bool = False
    ema: bool = False

    @property
    def derived_from(self) -> str:
        return f"mmseg/.mim/configs/{self.shipped}"

    @property
    def batch_size(self) -> int:
        """One picture where a release's memory layout could decide which values are dropped.

        MaskFormer's pixel decoder with an encoder drops out of (position, picture, channel) in
        the old code, of (picture, position, channel) in the new. For one picture that is the same
        order, hence the same mask.
        """
        return 1 if self.family == "maskformer" else 2


M1_R50 = f"{M1}/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py"
M1_SWIN = f"{M1}/maskformer_swin-t_upernet_8xb2-160k_ade20k-512x512.py"
M2_R50 = f"{M2}/mask2former_r50_8xb2-160k_ade20k-512x512.py"
M2_SWIN = f"{M2}/mask2former_swin-t_8xb2-160k_ade20k-512x512.py"
CASES: Final = {
    case.name: case
    for case in (
        ResumeCase("maskformer_r18", "maskformer", M1_R50, 21, encoder=True),
        ResumeCase("maskformer_r18_frozen", "maskformer", M1_R50, 22, frozen=True),
        ResumeCase("maskformer_swin", "maskformer", M1_SWIN, 23, paramwise=False),
        ResumeCase("maskformer_swin_frozen", "maskformer", M1_SWIN, 24, frozen=True),
        ResumeCase("mask2former_r18", "mask2former", M2_R50, 25, paramwise=False),
        ResumeCase("mask2former_r18_frozen", "mask2former", M2_R50, 26, frozen=True),
        ResumeCase("mask2former_swin", "mask2former", M2_SWIN, 27, ema=True),
        ResumeCase("mask2former_swin_frozen", "mask2former", M2_SWIN, 28, frozen=True),
    )
}


def build_config(case: ResumeCase) -> Any:
    """The installed release's own config of this case, made small, for training alone."""
    shipped = Config.fromfile(str(shipped_configs(mmseg) / case.shipped))
    cfg = Config({key: value for key, value in shipped.items() if key in KEPT})
    if case.encoder:
        mmdet_config = Config.fromfile(str(shipped_configs(mmdet) / MMDET_CONFIG))
        decoder = mmdet_config.model.panoptic_head.pixel_decoder
        cfg.model.decode_head.pixel_decoder = scoped(decoder)
    shrink_model(cfg.model, case)
    set_optimizer(cfg, case)
    set_loop(cfg, case)
    return cfg


def shrink_model(model: Any, case: ResumeCase) -> None:
    """Backbone, decode head and crop size."""
    head, is_swin = model.decode_head, model.backbone.type == "SwinTransformer"
    shrink(head, SIZES)
    model.backbone.update(SMALL_SWIN if is_swin else SMALL_RESNET)
    model.backbone.frozen_stages = 1 if case.frozen else -1
    if case.frozen and not is_swin:
        model.backbone.norm_cfg.requires_grad = False
    width = SMALL_SWIN["embed_dims"] if is_swin else SMALL_RESNET["base_channels"]
    head.in_channels = [width * 2**stage for stage in range(4)]
    head.transformer_decoder.num_layers = 2
    if "encoder" in head.pixel_decoder:
        head.pixel_decoder.encoder.num_layers = 1
    if "num_points" in head.train_cfg:
        head.train_cfg.num_points = 64
    model.data_preprocessor.size = (CROP, CROP)


def set_optimizer(cfg: Any, case: ResumeCase) -> None:
    """A learning rate that leads somewhere within ten iterations, and still does after them."""
    cfg.optim_wrapper.optimizer.lr = LEARNING_RATE
    if not case.paramwise:
        del cfg.optim_wrapper["paramwise_cfg"]
    *first, last = cfg.param_scheduler
    for scheduler in first:
        scheduler.update(end=4, start_factor=0.1)
    last.update(begin=4 if first else 0, end=SCHEDULE)


def set_loop(cfg: Any, case: ResumeCase) -> None:
    """Pictures in their order: what was seen at SAVED_AT is a whole number of rounds."""
    cfg.train_cfg = {"type": "IterBasedTrainLoop", "max_iters": STOP}
    cfg.train_dataloader = {
        "batch_size": case.batch_size,
        "num_workers": 0,
        "sampler": {"type": "InfiniteSampler", "shuffle": False},
        "dataset": {"type": "FixedShapes"},
    }
    cfg.default_hooks.pop("visualization")
    cfg.default_hooks.logger.interval = 5
    cfg.default_hooks.checkpoint = {
        "type": "CheckpointHook",
        "by_epoch": False,
        "interval": SAVED_AT,
        "save_last": False,
    }
    cfg.custom_hooks = [{"type": "EMAHook", "momentum": 0.05}] if case.ema else []
    cfg.randomness = {"seed": case.seed}
    cfg.work_dir = f"work_dirs/{case.name}"
