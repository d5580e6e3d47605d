"""Train one case with the old release's own Runner, publish it, and record what it computes.

    python train_old.py CASE OUT_DIR         (in the old environment)

The Runner writes the absolute path of its folder into every checkpoint, so the run happens in
SCRATCH, a folder that says nothing about the machine.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import mmcv_ext_stub
import numpy as np
import torch

mmcv_ext_stub.install()

import record_outputs  # noqa: E402
import shapes_dataset  # noqa: E402
from configs import CASES, CROP, Case, build_config  # noqa: E402
from old_half import QUERY_GAIN, SCRATCH, Maker, wait_for  # noqa: E402

DATA_ROOT = Path("data/ade/ADEChallengeData2016")
ROLES = ("attentions.0.", "attentions.1.")


def train(case: Case) -> Path:
    """Run the real Runner from a config file, as tools/train.py does; the last checkpoint."""
    from mmengine.config import Config
    from mmengine.runner import Runner
    from mmseg.utils import register_all_modules

    register_all_modules(init_default_scope=True)
    work_dir = Path("work_dirs") / case.config_name
    shutil.rmtree(work_dir, ignore_errors=True)
    shapes_dataset.write_dataset(DATA_ROOT, seed=0)
    config_file = Path(f"{case.config_name}.py")
    build_config(case).dump(config_file)
    runner = Runner.from_cfg(Config.fromfile(str(config_file)))
    with torch.no_grad():
        runner.model.decode_head.query_embed.weight.mul_(QUERY_GAIN)
    runner.train()
    return work_dir / f"iter_{case.iterations}.pth"


def publish(case: Case, trained: Path) -> Path:
    """Run mmdet's own publish_model.py, which adds the hash to the name."""
    import mmdet

    tool = Path(mmdet.__file__).parent / ".mim/tools/model_converters/publish_model.py"
    stamp = load(trained)["meta"]["time"]
    stem = trained.with_name(f"{case.config_name}_{stamp}")
    # The tool predates torch's `weights_only`.
    env = os.environ | {"TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD": "1"}
    subprocess.run([sys.executable, tool, trained, f"{stem}.pth"], env=env, check=True)
    return wait_for(stem)


def load(path: Path) -> dict[str, Any]:
    """A whole checkpoint of our own making."""
    content: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=False)
    return content


def exchange_roles(state_dict: Any) -> Any:
    """The same weights with self- and cross-attention of every decoder layer exchanged."""
    exchanged = state_dict.copy()
    first, second = ROLES
    for key in state_dict:
        if "transformer_decoder.layers" in key and first in key:
            other = key.replace(first, second)
            exchanged[key], exchanged[other] = state_dict[other], state_dict[key]
    return exchanged


def record(case: Case, checkpoint: Path, folder: Path) -> dict[str, Any]:
    """Write reference.npz; say whether the model is alive and would notice a wrong mapping."""
    image = shapes_dataset.normalised_image(seed=100 + case.seed, size=CROP)
    state_dict = load(checkpoint)["state_dict"]
    config, tensor = Path(f"{case.config_name}.py"), torch.from_numpy(image)
    outputs = record_outputs.outputs_of(config, state_dict, tensor)
    control = record_outputs.outputs_of(config, exchange_roles(state_dict), tensor)
    np.savez_compressed(folder / "reference.npz", image=image, **outputs)
    return {
        "query_std": query_std(outputs),
        "control_max_abs_diff": record_outputs.max_abs_diff(outputs, control),
    }


def query_std(outputs: record_outputs.Arrays) -> dict[str, float]:
    """Standard deviation over the queries of the last layer, averaged over the rest."""
    classes, masks = outputs["cls_logits"][-1, 0], outputs["mask_logits"][-1, 0]
    return {"cls_logits": float(classes.std(axis=0).mean()), "mask_logits": float(masks.std(axis=0).mean())}


def facts(case: Case, checkpoint: Path, measured: dict[str, Any]) -> dict[str, Any]:
    """What case.json says; check_new.py adds the rest."""
    content = load(checkpoint)
    return {
        "case": case.name,
        "family": case.family,
        "container": case.container,
        "checkpoint": checkpoint.name,
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "entries": sorted(content),
        "tensors": len(content["state_dict"]),
        "elements": sum(t.numel() for t in content["state_dict"].values()),
        "derived_from": f"mmseg/.mim/configs/{case.shipped}",
        "seed": case.seed,
        "iterations": case.iterations,
        "old_stack": record_outputs.versions(),
        **measured,
    }


if __name__ == "__main__":
    torch.set_num_threads(1)
    Maker(SCRATCH, train, publish, record, facts).main(__doc__, CASES)
