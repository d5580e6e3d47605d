"""Finish a detector's golden folder with the current release: its config, and the difference.

    python check_detector.py CASE OUT_DIR     (in the new environment, after train_mmcv1.py)

The renaming here is a throw-away, enough for weights that are known to fit.
"""

import re
from collections import OrderedDict
from pathlib import Path
from typing import Any, Final

import mmcv_ext_stub
import new_half
import numpy as np
import torch

mmcv_ext_stub.install()

import mmdet  # noqa: E402
from detector_cases import CASES, Case, shrink_model, shrink_scales  # noqa: E402
from detector_outputs import max_abs_diff, outputs_of_new, versions  # noqa: E402
from mmengine.config import Config  # noqa: E402

RENAMES: Final = {
    "detr_g1": (
        (r"^bbox_head\.input_proj\.", "neck.convs.0.conv."),
        (r"^bbox_head\.query_embedding\.", "query_embedding."),
        (r"^bbox_head\.transformer\.decoder\.norm\.", "decoder.post_norm."),
        (r"^bbox_head\.transformer\.(encoder|decoder)\.", r"\1."),
        (r"\.multihead_attn\.", ".cross_attn."),
    ),
    "yolact": ((r"^segm_head\.segm_conv\.", "mask_head.segm_branch.segm_conv."),),
    "rpn": ((r"^rpn_head\.", "bbox_head."),),
}


def renamed(key: str, family: str) -> str:
    """The new name of a key of the old state dict."""
    for pattern, replacement in RENAMES[family]:
        key = re.sub(pattern, replacement, key)
    return key


def build_config(case: Case) -> Any:
    """The current release's own config of the case, made small."""
    cfg = Config.fromfile(str(Path(mmdet.__file__).parent / ".mim" / "configs" / case.current))
    shrink_model(cfg.model)
    shrink_scales(cfg._cfg_dict)
    cfg.work_dir = f"work_dirs/{case.config_name}"
    return cfg


def measure(case: Case, folder: Path, checkpoint: Path) -> dict[str, float]:
    """New code, new config, renamed weights, torch's own strict load: the largest differences."""
    old = torch.load(checkpoint, map_location="cpu", weights_only=False)["state_dict"]
    weights = OrderedDict((renamed(key, case.family), value) for key, value in old.items())
    if len(weights) != len(old):
        raise ValueError("two old names became one")
    with np.load(folder / "reference.npz") as stored:
        reference = dict(stored)
    found = outputs_of_new(folder / "new_config.py", weights, reference.pop("image"))
    return max_abs_diff(reference, found)


if __name__ == "__main__":
    torch.set_num_threads(1)
    new_half.main(__doc__, CASES, versions, build_config, measure)
