"""The cases, and their configs: the shipped ones of the installed mmseg, made small.

The same overrides serve both releases. `shrink` goes by a field's name wherever it stands, so it
makes the old spelling (`attn_cfgs`) and the new one (`self_attn_cfg`) small in the same way.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import mmdet
import mmseg
from mmengine.config import Config

CHANNELS, QUERIES, CROP = 24, 12, 64
SIZES: Final[dict[str, Any]] = {
    "embed_dims": CHANNELS,
    "feat_channels": CHANNELS,
    "out_channels": CHANNELS,
    "feedforward_channels": 64,
    "num_feats": CHANNELS // 2,
    "num_groups": 8,
    "num_heads": 4,
    "num_queries": QUERIES,
    "num_points": 4,
}
# The statistics of a backbone that was never pretrained have to be learned: no `norm_eval`.
RESNET: Final[dict[str, Any]] = {
    "depth": 18,
    "stem_channels": 2,
    "base_channels": 2,
    "norm_eval": False,
    "init_cfg": None,
}
SWIN: Final[dict[str, Any]] = {
    "embed_dims": 8,
    "depths": [1, 1, 2, 1],
    "num_heads": [1, 2, 4, 8],
    "window_size": 4,
    "init_cfg": None,
}
LOSS_POINTS, LEARNING_RATE = 256, 1e-3
# The pixel decoder with an encoder is shipped by mmdet alone, in its own config.
MMDET_CONFIG: Final = "maskformer/maskformer_r50_ms-16xb1-75e_coco.py"
NOT_MMDET: Final = {"GN", "LN", "ReLU"}


@dataclass(frozen=True, slots=True)
class Case:
    """One golden folder: which shipped config it comes from, and how its checkpoint is written."""

    name: str
    family: Literal["maskformer", "mask2former"]
    shipped: str
    config_name: str
    container: Literal["zip", "legacy"]
    seed: int
    encoder: bool = False
    save_optimizer: bool = True
    ema: bool = False
    iterations: int = 40


M1, M2 = "maskformer", "mask2former"
CASES: Final = {
    case.name: case
    for case in (
        Case(
            name="maskformer_r18",
            family="maskformer",
            shipped=f"{M1}/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py",
            config_name="maskformer_r18-w2_1xb2-40i_shapes-64x64",
            container="zip",
            seed=11,
            save_optimizer=False,
        ),
        Case(
            name="maskformer_r18_encoder",
            family="maskformer",
            shipped=f"{M1}/maskformer_r50-d32_8xb2-160k_ade20k-512x512.py",
            config_name="maskformer_r18-w2-encoder_1xb2-40i_shapes-64x64",
            container="zip",
            seed=12,
            encoder=True,
        ),
        Case(
            name="maskformer_swin",
            family="maskformer",
            shipped=f"{M1}/maskformer_swin-t_upernet_8xb2-160k_ade20k-512x512.py",
            config_name="maskformer_swin-w8_1xb2-40i_shapes-64x64",
            container="legacy",
            seed=13,
        ),
        Case(
            name="mask2former_r18",
            family="mask2former",
            shipped=f"{M2}/mask2former_r50_8xb2-160k_ade20k-512x512.py",
            config_name="mask2former_r18-w2_1xb2-40i_shapes-64x64",
            container="zip",
            seed=14,
            ema=True,
        ),
        Case(
            name="mask2former_swin",
            family="mask2former",
            shipped=f"{M2}/mask2former_swin-t_8xb2-160k_ade20k-512x512.py",
            config_name="mask2former_swin-w8_1xb2-40i_shapes-64x64",
            container="legacy",
            seed=15,
        ),
    )
}


def build_config(case: Case) -> Any:
    """The installed release's own config of this case, made small."""
    cfg = Config.fromfile(str(shipped_configs(mmseg) / case.shipped))
    head = cfg.model.decode_head
    if case.encoder:
        shipped = Config.fromfile(str(shipped_configs(mmdet) / MMDET_CONFIG))
        head.pixel_decoder = scoped(shipped.model.panoptic_head.pixel_decoder)
    shrink_model(cfg.model)
    shrink_data(cfg)
    set_schedule(cfg, case)
    return cfg


def shipped_configs(package: Any) -> Path:
    """Where a wheel of the package keeps its configs."""
    return Path(package.__file__).parent / ".mim" / "configs"


def scoped(node: Any) -> Any:
    """Name mmdet's own classes as mmseg's configs name them: `mmdet.PixelDecoder`."""
    if isinstance(node, dict):
        for key, value in node.items():
            own = key == "type" and value not in NOT_MMDET
            node[key] = f"mmdet.{value}" if own else scoped(value)
    return node


def shrink(node: Any, sizes: Mapping[str, Any] = SIZES) -> None:
    """Set every field named in `sizes`, at any depth."""
    for item in node if isinstance(node, list) else ():
        shrink(item, sizes)
    for key, value in node.items() if isinstance(node, dict) else ():
        if key in sizes:
            node[key] = sizes[key]
        else:
            shrink(value, sizes)


def shrink_model(model: Any) -> None:
    """Backbone, decode head and crop size."""
    head, is_swin = model.decode_head, model.backbone.type == "SwinTransformer"
    shrink(head)
    model.backbone.update(SWIN if is_swin else RESNET)
    width = SWIN["embed_dims"] if is_swin else RESNET["base_channels"]
    head.in_channels = [width * 2**stage for stage in range(4)]
    head.transformer_decoder.num_layers = 3
    if "encoder" in head.pixel_decoder:
        head.pixel_decoder.encoder.num_layers = 2
    if "num_points" in head.train_cfg:
        head.train_cfg.num_points = LOSS_POINTS
    model.data_preprocessor.size = (CROP, CROP)


def shrink_data(cfg: Any) -> None:
    """Scales and crops of every pipeline; no worker processes, so that a run repeats exactly."""
    cfg.crop_size = cfg.data_preprocessor.size = (CROP, CROP)
    loaders = (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader)
    pipelines = [loader.dataset.pipeline for loader in loaders]
    for step in [s for p in (cfg.train_pipeline, cfg.test_pipeline, *pipelines) for s in p]:
        if "crop_size" in step:
            step.crop_size = (CROP, CROP)
        if "scale" in step:
            step.scale = (4 * CROP, CROP)
        if "scales" in step:
            step.scales, step.max_size = [CROP + 8 * i for i in range(5)], 4 * CROP
    for loader in loaders:
        loader.num_workers, loader.persistent_workers = 0, False


def set_schedule(cfg: Any, case: Case) -> None:
    """A few iterations of a longer schedule, one validation, and what the case saves.

    At the end of a schedule the learning rate is 0, and a resumed run would show nothing.
    """
    warmup, stop = case.iterations // 10, case.iterations
    cfg.train_cfg.update(max_iters=stop, val_interval=stop)
    # Larger than shipped: 40 iterations have to lead somewhere.
    cfg.optimizer.lr = cfg.optim_wrapper.optimizer.lr = LEARNING_RATE
    *first, last = cfg.param_scheduler
    for scheduler in first:
        scheduler.update(end=warmup, start_factor=0.1)
    last.update(begin=warmup if first else 0, end=4 * stop)
    cfg.default_hooks.logger.interval = 10
    cfg.default_hooks.checkpoint.update(interval=stop, save_optimizer=case.save_optimizer)
    if case.ema:
        # The default momentum, 0.0002, would still hold the first weights after 40 iterations.
        cfg.custom_hooks = [{"type": "EMAHook", "momentum": 0.05}]
    cfg.randomness = {"seed": case.seed}
    cfg.work_dir = f"work_dirs/{case.config_name}"
