"""Finish the ViT segmentor's golden folder with the current release.

    python check_vit.py OUT_DIR     (in the new environment, after train_vit.py)

No name changes. But the current release leaves the bias of the patch embedding out, unless its
config asks for it: both are measured.
"""

import argparse
import json
from pathlib import Path

import new_half
import numpy as np
import torch
import vit_case
from record_outputs import load_state_dict, read_arrays, versions
from vit_case import BIAS, NAME


def write_configs(folder: Path) -> tuple[Path, Path]:
    """The config that asks for the bias, which is kept, and the one as it is shipped."""
    cfg = vit_case.build_config()
    shipped, asking = folder / "shipped_config.py", folder / "new_config.py"
    cfg.dump(shipped)
    cfg.model.backbone.patch_bias = True
    new_half.write_config(cfg, asking)
    return asking, shipped


def measure(folder: Path, checkpoint: Path) -> dict[str, dict[str, float]]:
    """How far the segmentation is from the old release's: with the bias, and without."""
    weights, reference = load_state_dict(checkpoint), read_arrays(folder / "reference.npz")
    asking, shipped = write_configs(folder)
    without = weights.copy()
    del without[BIAS]
    runs = {"measured_max_abs_diff": (asking, weights), "patch_bias_false_max_abs_diff": (shipped, without)}
    found = {}
    for name, (config, given) in runs.items():
        outputs = vit_case.outputs_of(config, given, reference["image"])
        difference = np.abs(outputs["seg_logits"] - reference["seg_logits"]).max()
        found[name] = {"seg_logits": float(difference)}
    shipped.unlink()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out_dir", type=Path, help="the folder that train_vit.py wrote to")
    args = parser.parse_args()
    torch.set_num_threads(1)
    folder = args.out_dir / NAME
    content = new_half.finish(folder, versions(), lambda path: measure(folder, path))
    print(json.dumps({k: v for k, v in content.items() if k.endswith("diff")}))


if __name__ == "__main__":
    main()
