"""The models of `tests/evaluate`, and their configs: the shipped ones, small, for drawn scenes."""

from dataclasses import dataclass
from typing import Any, Final, Literal

import mmseg
from configs import RESNET, SWIN, shipped_configs, shrink, shrink_data
from mmengine.config import Config
from resume_cases import M1_R50, M2_SWIN

CROP, CHANNELS, BATCH = 64, 24, 4
SIZES: Final[dict[str, Any]] = {
    "embed_dims": CHANNELS,
    "feat_channels": CHANNELS,
    "out_channels": CHANNELS,
    "feedforward_channels": 64,
    "num_feats": CHANNELS // 2,
    "num_groups": 8,
    "num_heads": 4,
    "num_queries": 16,
    "num_points": 4,
}
SMALL_RESNET: Final = {**RESNET, "stem_channels": 4, "base_channels": 4}
SMALL_SWIN: Final = {**SWIN, "mlp_ratio": 2}


@dataclass(frozen=True, slots=True)
class SceneCase:
    """One model: which shipped config it comes from, and how long it is trained."""

    name: str
    family: Literal["maskformer", "mask2former"]
    shipped: str
    seed: int
    iterations: int
    learning_rate: float = 2e-3


CASES: Final = {
    case.name: case
    for case in (
        SceneCase("maskformer_scenes", "maskformer", M1_R50, 41, 1500),
        SceneCase("mask2former_scenes", "mask2former", M2_SWIN, 42, 1500),
    )
}


def build_config(case: SceneCase) -> Any:
    """The installed release's own config of this case, made small."""
    cfg = Config.fromfile(str(shipped_configs(mmseg) / case.shipped))
    shrink_model(cfg.model)
    shrink_data(cfg)
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.img_suffix = ".png"  # without loss, so the same on every machine
    cfg.train_dataloader.batch_size = BATCH
    set_schedule(cfg, case)
    return cfg


def shrink_model(model: Any) -> None:
    """Backbone, decode head and crop size."""
    head, is_swin = model.decode_head, model.backbone.type == "SwinTransformer"
    shrink(head, SIZES)
    model.backbone.update(SMALL_SWIN if is_swin else SMALL_RESNET)
    width = SWIN["embed_dims"] if is_swin else SMALL_RESNET["base_channels"]
    head.in_channels = [width * 2**stage for stage in range(4)]
    head.transformer_decoder.num_layers = 3
    if "encoder" in head.pixel_decoder:
        head.pixel_decoder.encoder.num_layers = 2
    if "num_points" in head.train_cfg:
        head.train_cfg.num_points = 512
    model.data_preprocessor.size = (CROP, CROP)


def set_schedule(cfg: Any, case: SceneCase) -> None:
    """A whole schedule, one validation at its end; the weights are what is kept."""
    stop = case.iterations
    cfg.train_cfg.update(max_iters=stop, val_interval=stop)
    cfg.optimizer.lr = cfg.optim_wrapper.optimizer.lr = case.learning_rate
    *first, last = cfg.param_scheduler
    for scheduler in first:
        scheduler.update(end=50, start_factor=0.1)
    last.update(begin=50 if first else 0, end=stop)
    cfg.default_hooks.logger.interval = 50
    cfg.default_hooks.checkpoint.update(
        interval=stop, save_optimizer=False, published_keys=["meta", "state_dict"]
    )
    cfg.randomness = {"seed": case.seed}
    cfg.work_dir = f"work_dirs/{case.name}"
