"""Train the ViT segmentor with the old release's own Runner, and record what it computes.

    python train_vit.py OUT_DIR         (in the old environment)

The run happens in SCRATCH: the Runner writes the absolute path of its folder into the checkpoint.
"""

import argparse
import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import shapes_dataset
import torch
import vit_case
from mmengine.config import Config
from mmengine.runner import Runner
from old_half import SCRATCH
from record_outputs import versions
from train_old import DATA_ROOT, load
from vit_case import BIAS, CONFIG_NAME, CROP, NAME, SHIPPED, Schedule

BIAS_SCALE = 0.5
"""A pretrained ViT starts with such a bias; one that never was starts with zeros."""


def train() -> Path:
    """Run the real Runner from a config file; the last checkpoint."""
    from mmseg.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    work_dir = Path("work_dirs") / CONFIG_NAME
    shutil.rmtree(work_dir, ignore_errors=True)
    shapes_dataset.write_dataset(DATA_ROOT, seed=0)
    config_file = Path(f"{CONFIG_NAME}.py")
    vit_case.build_config().dump(config_file)
    runner = Runner.from_cfg(Config.fromfile(str(config_file)))
    runner.model.init_weights()
    with torch.no_grad():
        runner.model.get_parameter(BIAS).normal_(std=BIAS_SCALE)
    runner.train()
    return work_dir / f"iter_{Schedule.iterations}.pth"


def record(weights: Any, folder: Path) -> dict[str, Any]:
    """Write reference.npz; say how much the bias decides."""
    image = shapes_dataset.normalised_image(seed=100 + Schedule.seed, size=CROP)
    config = Path(f"{CONFIG_NAME}.py")
    outputs = vit_case.outputs_of(config, weights, image)
    without = weights.copy()
    without[BIAS] = torch.zeros_like(weights[BIAS])
    control = vit_case.outputs_of(config, without, image)
    np.savez_compressed(folder / "reference.npz", image=image, **outputs)
    difference = float(np.abs(outputs["seg_logits"] - control["seg_logits"]).max())
    return {
        "spread": {"seg_logits": float(outputs["seg_logits"].std())},
        "control": [BIAS, "zeros"],
        "control_max_abs_diff": {"seg_logits": difference},
    }


def make(folder: Path) -> None:
    """The old half of the golden folder."""
    SCRATCH.mkdir(exist_ok=True)
    os.chdir(SCRATCH)
    torch.set_num_threads(1)
    trained = train()
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    checkpoint = Path(shutil.copyfile(trained, folder / "old.pth"))
    entries = load(checkpoint)
    weights = entries["state_dict"]
    content = {
        "case": NAME,
        "family": "vit",
        "container": "zip",
        "checkpoint": checkpoint.name,
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "entries": sorted(entries),
        "tensors": len(weights),
        "elements": sum(t.numel() for t in weights.values()),
        "derived_from": f"mmseg/.mim/configs/{SHIPPED}",
        "seed": Schedule.seed,
        "iterations": Schedule.iterations,
        "old_stack": versions(),
        **record(weights, folder),
    }
    (folder / "case.json").write_text(json.dumps(content, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("out_dir", type=Path, help="the case's folder is made in here")
    make(parser.parse_args().out_dir.resolve() / NAME)


if __name__ == "__main__":
    main()
