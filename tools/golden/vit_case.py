"""The ViT segmentor: its config, the shipped one made small, and its outputs in either release."""

import sys
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import mmcv_ext_stub
import torch

mmcv_ext_stub.install()
sys.path.append(str(Path(__file__).resolve().parents[2]))

import mmseg  # noqa: E402
from configs import set_schedule, shipped_configs, shrink, shrink_data  # noqa: E402
from mmengine.config import Config  # noqa: E402

NAME: Final = "vit_upernet"
CONFIG_NAME: Final = "vit_w24-p8_mln_upernet_1xb2-40i_shapes-64x64"
SHIPPED: Final = "vit/vit_vit-b16_mln_upernet_8xb2-80k_ade20k-512x512.py"
BIAS: Final = "backbone.patch_embed.projection.bias"
CHANNELS, STAGES, CROP = 24, 4, 64
SIZES: Final[dict[str, Any]] = {
    "embed_dims": CHANNELS,
    "out_channels": CHANNELS,
    "channels": 16,
    "num_heads": 4,
    "num_layers": STAGES,
    "out_indices": tuple(range(STAGES)),
    "mlp_ratio": 2,
    "patch_size": 8,
    "img_size": (CROP, CROP),
}


class Schedule:
    """What `set_schedule` asks of a case."""

    iterations, seed, save_optimizer, ema, config_name = 40, 61, False, False, CONFIG_NAME


def build_config() -> Any:
    """The installed release's own config, made small."""
    cfg = Config.fromfile(str(shipped_configs(mmseg) / SHIPPED))
    model = cfg.model
    shrink(model, SIZES)
    model.pretrained = None
    model.neck.in_channels = model.decode_head.in_channels = [CHANNELS] * STAGES
    model.auxiliary_head.in_channels = CHANNELS
    model.data_preprocessor.size = (CROP, CROP)
    shrink_data(cfg)
    set_schedule(cfg, Schedule())
    return cfg


def outputs_of(config: Path, weights: Any, image: Any) -> dict[str, Any]:
    """Build, load with torch's own strict check, and measure as the product does."""
    import_module("mmseg.models")
    from mmengine.registry import init_default_scope
    from mmseg.registry import MODELS

    from mm_ckpt_migrate.releases.probe import raw_outputs

    torch.set_num_threads(1)
    init_default_scope("mmseg")
    model = MODELS.build(Config.fromfile(str(config)).model).eval()
    torch.nn.Module.load_state_dict(model, weights, strict=True)
    return dict(raw_outputs.measured(model, image))
