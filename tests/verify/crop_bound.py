"""Make a model whose backbone is bound to the size of its crop, with the current release.

    python crop_bound.py CONFIG NEW_CONFIG NEW.pth

CONFIG is Mask2Former's; its backbone becomes mmseg's BEiT, whose relative positions are of 64 x 64
pixels.
"""

from __future__ import annotations

import sys

import torch
from mmengine.config import Config

from mm_ckpt_migrate.releases.current.child import build

BEIT = {
    "type": "BEiT",
    "img_size": (64, 64),
    "patch_size": 16,
    "embed_dims": 8,
    "num_layers": 4,
    "num_heads": 2,
    "mlp_ratio": 1,
    "out_indices": (0, 1, 2, 3),
    "qv_bias": True,
    "norm_cfg": {"type": "LN"},
    "init_values": 0.1,
}
NECK = {"type": "Feature2Pyramid", "embed_dim": 8, "rescales": [4, 2, 1, 0.5], "norm_cfg": {"type": "BN"}}


def main(given: str, config_file: str, weights: str) -> None:
    build.import_stack("mmseg", ["mmdet.models"], ("mmdet", "mmseg"), ())
    config = Config.fromfile(given)
    config.model.backbone = BEIT
    config.model.neck = NECK
    config.model.decode_head.in_channels = [8, 8, 8, 8]
    config.dump(config_file)
    torch.manual_seed(0)
    model = build.build(repr(config.model.to_dict()), "mmseg")
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    torch.save(model.state_dict(), weights)


if __name__ == "__main__":
    main(*sys.argv[1:])
